"""Edits that heal: each a sentence and the changes it makes, offered only where it changes something."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from engine import diff, edit
from engine.catalog import LAYERS, OPTIMIZERS
from engine.diagnosis.record import Record
from engine.findings import Repair
from engine.network import Choice, Edge, End, Network, Node, Training

#: Activations that saturate on both sides.
SATURATING = ("Sigmoid", "Tanh", "Softsign", "Hardtanh", "Hardsigmoid", "LogSigmoid", "Tanhshrink")
#: Those of them whose ends are told of (:func:`engine.training.activations.bounded_range`).
BOUNDED = ("Sigmoid", "Tanh", "Softsign", "Hardtanh", "Hardsigmoid")
#: Activations that are zero for all that is negative.
RECTIFIERS = ("ReLU", "ReLU6")
#: The greatest learning rate that a recipe takes.
MOST = 1000.0


def offer(record: Record, *options: tuple[str, Network]) -> tuple[Repair, ...]:
    """Those of the edits that change something."""
    found = []
    for text, after in options:
        changes = diff.changes(record.network, after)
        if changes:
            found.append(Repair(text, changes))
    return tuple(found)


def on_nodes(
    record: Record,
    paths: Iterable[str],
    act: Callable[[Network, str, str | None, Node], Network],
    network: Network | None = None,
) -> Network:
    """`act` on every node of `paths`, in blocks too; a node that is used many times is edited once."""
    network = record.network if network is None else network
    done = set()
    for path in paths:
        found = record.place(path)
        if found is not None and found[:2] not in done:
            block, id, _ = found
            done.add((block, id))
            network = act(network, id, block, network.graph(block).nodes[id])
    return network


def he(network: Network, id: str, block: str | None, node: Node) -> Network:
    """He initialisation of a node's weight, zeros for its bias; latent binary weights by Glorot and Bengio."""
    layer = LAYERS.get(node.type)
    known = layer.parameter_names(node.fields) if layer is not None else ()
    if "weight" in known:
        scheme = (
            Choice("xavier_uniform")
            if "weight" in node.binarize
            else Choice("kaiming_normal", {"nonlinearity": "relu"})
        )
        network = edit.set_init(network, id, "weight", scheme, block=block)
    if "bias" in node.init:
        network = edit.set_init(network, id, "bias", Choice("zeros"), block=block)
    return network


def _activations(record: Record) -> list[str]:
    """Every node that is seen, in order."""
    return list(dict.fromkeys([*record.owners(), *record.newest_activations]))


def rectify(record: Record, network: Network | None = None) -> Network:
    """ReLU in the place of every saturating activation."""

    def act(network: Network, id: str, block: str | None, node: Node) -> Network:
        if node.activation is not None and node.activation.id in SATURATING:
            return edit.set_activation(network, id, Choice("ReLU"), block=block)
        if node.type in SATURATING:
            nodes = network.graph(block).nodes
            return edit.with_graph(network, block, nodes={**nodes, id: replace(node, type="ReLU", fields={})})
        return network

    return on_nodes(record, _activations(record), act, network)


def afresh(record: Record, network: Network | None = None) -> Network:
    """He initialisation everywhere."""
    return on_nodes(record, record.owners(), he, network)


def _stepping(network: Network) -> Choice:
    """The optimizer that has a learning rate: the recipe's, or beneath Bop that of what is not binarized."""
    chosen = network.recipe.optimizer
    if chosen.id != "Bop":
        return chosen
    real = chosen.fields.get("real", OPTIMIZERS["Bop"].field("real").default)
    return Choice(real["type"], real.get("fields", {}))


def _own_rate(optimizer: Choice) -> float:
    """The learning rate that is the optimizer's default."""
    entry = OPTIMIZERS.get(optimizer.id)
    default = entry.field("lr").default if entry is not None else None
    return float(default) if isinstance(default, int | float) else 1e-3


def default_rate(record: Record) -> float:
    """The learning rate that is usual with the optimizer."""
    optimizer = _stepping(record.network)
    # torch's default for SGD is Adam's; without a running square a rate of 0.1 … 0.01 is usual.
    if optimizer.id == "SGD":
        return 0.01 if optimizer.fields.get("momentum") else 0.1
    return _own_rate(optimizer)


def rate(record: Record) -> float:
    """The learning rate that the recipe asks for."""
    optimizer = _stepping(record.network)
    given = optimizer.fields.get("lr")
    return float(given) if isinstance(given, int | float) else _own_rate(optimizer)


def with_rate(record: Record, value: float, network: Network | None = None) -> Network:
    """Another learning rate."""
    return with_optimizer_fields(record.network if network is None else network, {"lr": value})


def rounded(value: float) -> float:
    """To 1, 2 or 5 times a power of ten, the next below."""
    power = math.floor(math.log10(value))
    lead = value / 10.0**power
    return float(f"{max(step for step in (1, 2, 5) if step <= lead + 1e-9)}e{power}")


def thawed(record: Record, network: Network | None = None) -> Network:
    """Every node at the common learning rate."""

    def act(network: Network, id: str, block: str | None, node: Node) -> Network:
        if node.training is None or node.training.lr_multiplier == 1.0:
            return network
        kept: Training | None = replace(node.training, lr_multiplier=1.0)
        return edit.set_training(network, id, None if kept == Training() else kept, block=block)

    return on_nodes(record, record.owners(), act, network)


def with_dropout(record: Record, p: float = 0.4) -> Network:
    """Dropout behind every hidden layer that has an activation."""
    network = record.network
    for id in [i for i, node in network.nodes.items() if node.activation is not None]:
        after = [edge for edge in network.edges if edge.source == End(id)]
        if len(after) != 1 or network.nodes[after[0].target.node].type == "Output":
            continue
        if network.nodes[after[0].target.node].type.startswith("Dropout"):
            continue
        name = edit.fresh_id(network, "Dropout")
        target = after[0].target
        nodes = {**network.nodes, name: Node("Dropout", {"p": p})}
        edges = [edge for edge in network.edges if edge != after[0]]
        edges += [Edge(End(id), End(name)), Edge(End(name), target)]
        network = edit.with_graph(network, None, nodes=nodes, edges=edges)
    return network


def with_optimizer_fields(network: Network, fields: Mapping[str, object]) -> Network:
    """The optimizer with further fields, as far as it has them."""
    recipe, stepping = network.recipe, _stepping(network)
    entry = OPTIMIZERS.get(stepping.id)
    known = {field.name for field in entry.fields} if entry is not None else set()
    fields = {**stepping.fields, **{name: value for name, value in fields.items() if name in known}}
    chosen = replace(stepping, fields=fields)
    if recipe.optimizer.id == "Bop":
        real = {"type": stepping.id, "fields": fields}
        chosen = replace(recipe.optimizer, fields={**recipe.optimizer.fields, "real": real})
    return edit.set_recipe(network, replace(recipe, optimizer=chosen))


def usual_threshold(network: Network) -> tuple[str, Network]:
    """Bop with the threshold that is its default, in words and done."""
    recipe = network.recipe
    usual = OPTIMIZERS["Bop"].field("threshold").default
    chosen = replace(recipe.optimizer, fields={**recipe.optimizer.fields, "threshold": usual})
    return f"A threshold of {usual:g}, the usual one", edit.set_recipe(
        network, replace(recipe, optimizer=chosen)
    )


def with_epochs(network: Network, epochs: int) -> Network:
    """So many epochs."""
    return edit.set_recipe(network, replace(network.recipe, epochs=epochs))
