"""Networks that tests are made of."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from engine.catalog import LAYERS
from engine.network import Choice, Edge, End, Network, Node

#: Shape of one example for layers that a plain rule does not serve.
_SHAPES: dict[str, tuple[int, ...]] = {
    "Fold": (36, 49),
    "Unflatten": (64,),
    "Permute": (8, 16),
    "Squeeze": (8, 12, 1),
    "Split": (16, 12, 12),
}


def chain(*nodes: tuple[str, Node], shape: tuple[int, ...], dtype: str = "float32", **parts: Any) -> Network:
    """Input "image" → nodes in a row → Output "out"."""
    ids = ["image", *(id for id, _ in nodes), "out"]
    return Network(
        nodes={
            "image": Node("Input", {"shape": list(shape), "dtype": dtype}),
            **dict(nodes),
            "out": Node("Output"),
        },
        edges=tuple(Edge(End(a), End(b)) for a, b in pairwise(ids)),
        **parts,
    )


def example_shape(type: str) -> tuple[int, ...]:
    """An input (without batch) that layer `type` takes with the fields the palette gives it."""
    layer = LAYERS[type]
    if type in _SHAPES:
        return _SHAPES[type]
    by_rank = {2: (8,), 3: (8, 16), 4: (8, 12, 12), 5: (8, 8, 8, 8)}
    return by_rank[max(layer.ranks) if layer.ranks else 4]


def alone(type: str, fields: dict[str, Any] | None = None, **parts: Any) -> Network:
    """A network of one layer of `type`, called "layer", each of its ports with an end of its own."""
    layer = LAYERS[type]
    node = Node(type, {**layer.start(), **(fields or {})}, **parts)
    ports = ["0", "1"] if layer.variadic else [port.name for port in layer.inputs if not port.optional]
    named = layer.variadic or len(layer.inputs) > 1
    outputs = [port.name for port in layer.output_ports(node.fields)]
    dtype = "float32" if not layer.dtypes or "float32" in layer.dtypes else layer.dtypes[0]
    shape = list(example_shape(type))
    nodes = {f"in{i}": Node("Input", {"shape": shape, "dtype": dtype}) for i in range(len(ports))}
    nodes["layer"] = node
    edges = [Edge(End(f"in{i}"), End("layer", port if named else None)) for i, port in enumerate(ports)]
    if not ports:  # a constant: added to an input, so that it has a batch
        fields_shape = list(layer.start()["shape"])
        nodes |= {"in0": Node("Input", {"shape": fields_shape}), "sum": Node("Add"), "out0": Node("Output")}
        edges = [
            Edge(End("in0"), End("sum", "input")),
            Edge(End("layer"), End("sum", "other")),
            Edge(End("sum"), End("out0")),
        ]
        return Network(nodes=nodes, edges=tuple(edges), name=f"{type} alone")
    nodes |= {f"out{i}": Node("Output") for i in range(len(outputs))}
    for i, port in enumerate(outputs):
        source = End("layer", port if len(outputs) > 1 else None)
        if _batch_second(type, port):
            nodes[f"first{i}"] = Node("Transpose", {"dim0": 0, "dim1": 1})
            edges += [Edge(source, End(f"first{i}")), Edge(End(f"first{i}"), End(f"out{i}"))]
        else:
            edges.append(Edge(source, End(f"out{i}")))
    return Network(nodes=nodes, edges=tuple(edges), name=f"{type} alone")


def _batch_second(type: str, port: str) -> bool:
    """Whether torch gives this output as (layers, batch, features)."""
    return LAYERS[type].group == "Recurrent" and port in ("h_n", "c_n")


def choice(id: str, **fields: Any) -> Choice:
    """A catalogue entry with fields."""
    return Choice(id, fields)
