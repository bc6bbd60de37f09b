"""Whether a wire that closes a gap carries what its layer takes: by the catalogue alone, without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine import diff, ports
from engine.catalog import LAYERS, Inputs, Spec
from engine.findings import Tensor
from engine.network import Edge, End, Network
from gui.canvas import compose

#: A batch that no size in a drawing equals by chance.
_BATCH = 97


def unfit(
    before: Network, after: Network, known: Callable[[End], Tensor | None], block: str | None
) -> list[Edge]:
    """The wires of `after` that `before` had not, and whose layer cannot take what comes.

    `known` gives what flows out of an end; None: it is not known, and the wire is let be.
    """
    edges = after.graph(block).edges
    _, added = diff.edges_between(before.graph(block).edges, edges)
    if not added:
        return []
    had = {(edge.source, edge.target.node) for edge in before.graph(block).edges}
    fresh = [edge for edge in added if (edge.source, edge.target.node) not in had]
    arriving = ports.incoming(edges) if fresh else {}
    return [edge for edge in fresh if not _fits(after, edge, arriving[edge.target.node], known, block)]


def _fits(
    network: Network,
    edge: Edge,
    arriving: Sequence[Edge],
    known: Callable[[End], Tensor | None],
    block: str | None,
) -> bool:
    node = network.graph(block).nodes[edge.target.node]
    layer, tensor = LAYERS.get(node.type), known(edge.source)
    if layer is None or tensor is None:
        return True
    if not compose.takes(node.type, tensor):
        return False
    available = ports.input_ports(network, node, len(arriving))
    flows = {ports.named(other.target, available): known(other.source) for other in arriving}
    inputs = Inputs()
    for port in available:
        found = flows.get(port.name)
        if found is not None:
            inputs[port.name] = Spec((_BATCH, *found.shape), found.dtype)
        elif port.name in flows or not (port.optional or layer.variadic):
            return True  # something is open or unknown, which the analysis says
    if layer.check(node.fields):
        return True
    settings = layer.settings(node.fields)
    return all(rule.severity != "error" or rule.check(settings, inputs) is None for rule in layer.rules)
