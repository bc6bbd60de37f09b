"""The edits that keep a binarized network's rules; each is pure, as those of :mod:`engine.edit`."""

from __future__ import annotations

from msgspec.structs import replace

from engine import edit, edit_view, ports
from engine.binary.around import group
from engine.catalog import LAYERS, SCHEDULES
from engine.network import Choice, Edge, End, Network, Node, Training

#: Distance of two cards in a row, and how near another one may be, in scene units.
_GAP, _NEAR, _ROW = 248.0, 200.0, 96.0


def make_room(
    network: Network, after: str, *, block: str | None = None
) -> tuple[Network, tuple[float, float] | None]:
    """A free place on the right of `after`; what is there moves on. None where nothing has a place."""
    places = network.positions(block)
    if after not in places:
        return network, None
    x, y = (float(value) for value in places[after])
    at = (x + _GAP, y)
    row = {
        id: (float(p[0]), float(p[1]))
        for id, p in places.items()
        if abs(float(p[1]) - y) < _ROW and id != after
    }
    if any(abs(px - at[0]) < _NEAR for px, _ in row.values()):
        moved = {id: (px + _GAP, py) for id, (px, py) in row.items() if px > x}
        network = edit.move(network, moved, block=block)
    return network, at


def _output(network: Network, id: str, block: str | None) -> End:
    found = ports.output_end(network, network.graph(block).nodes[id], id)
    assert found is not None, "what is read has an output"
    return found


def insert_behind(network: Network, id: str, node: Node, *, block: str | None = None) -> tuple[Network, str]:
    """Put `node` between `id` and all that reads its first output; returns its id too."""
    source = _output(network, id, block)
    name = edit.fresh_id(network, node.type, block)
    network, at = make_room(network, id, block=block)
    network = edit.add_node(network, name, node, at, block=block)
    edges = [
        edge._replace(source=End(name)) if edge.source == source else edge
        for edge in network.graph(block).edges
    ]
    network = edit.with_graph(network, block, edges=[*edges, Edge(source, End(name))])
    return edit_view.follow_edges(network, block=block), name


def insert_before(network: Network, id: str, node: Node, *, block: str | None = None) -> Network:
    """Put `node` into the wire that reaches the first input of `id`."""
    arriving = [edge for edge in network.graph(block).edges if edge.target.node == id]
    first = ports.input_ports(network, network.graph(block).nodes[id], len(arriving))[0].name
    edge = next((e for e in arriving if e.target.port in (None, first)), None)
    if edge is None:
        raise edit.EditProblem(f"No wire reaches {id}.")
    name = edit.fresh_id(network, node.type, block)
    network, at = make_room(network, edge.source.node, block=block)
    network = edit.add_node(network, name, node, at, block=block)
    return edit.insert_on_edge(network, edge, name, block=block)


def pooled_end(network: Network, id: str, *, block: str | None = None) -> str:
    """The last of the poolings that alone read `id`, one after the other; `id` itself where there is none."""
    graph = network.graph(block)
    following = ports.outgoing(graph.edges)
    while len(behind := following.get(id, [])) == 1:
        reader = graph.nodes.get(behind[0].target.node)
        if reader is None or group(reader) != "Pooling" or reader.activation is not None:
            break
        id = behind[0].target.node
    return id


def without_bend(network: Network, id: str, *, block: str | None = None) -> Network:
    """Take away the activation inside `id`; if `id` is one itself, take it out and heal the wire."""
    node = edit.node_of(network, id, block)
    if node.activation is not None:
        return edit.set_activation(network, id, None, block=block)
    if group(node) != "Activation":
        raise edit.EditProblem(f"{id} has no activation to take away.")
    return edit.remove(network, [id], heal=True, block=block)


def bend_behind(network: Network, id: str, norm: str, *, block: str | None = None) -> Network:
    """Move the activation `id` (or inside it) behind the normalisation `norm`."""
    node = edit.node_of(network, id, block)
    moved = node.activation if node.activation is not None else Choice(node.type, node.fields)
    network = without_bend(network, id, block=block)
    if edit.node_of(network, norm, block).activation is None:
        return edit.set_activation(network, norm, moved, block=block)
    layer = LAYERS[moved.id]
    return insert_behind(network, norm, Node(layer.id, dict(moved.fields)), block=block)[0]


def with_border(network: Network, id: str, value: float, *, block: str | None = None) -> Network:
    """A node before convolution `id` that widens the border by +1 or −1, in place of its own zeros."""
    node = edit.node_of(network, id, block)
    dims = int(node.type[4])
    padding = node.fields["padding"]
    if padding == "same":
        kernel, spread = (node.fields.get(name, 1) for name in ("kernel_size", "dilation"))
        sizes = zip(_each(spread, dims), _each(kernel, dims), strict=True)
        padding = [d * (k - 1) // 2 for d, k in sizes]
    # torch lists the sides from the last dimension backwards.
    sides = [side for p in reversed(_each(padding, dims)) for side in (p, p)]
    widened = Node(f"ConstantPad{dims}d", {"padding": sides, "value": value})
    network = insert_before(network, id, widened, block=block)
    return edit.set_field(network, id, "padding", [0] * dims if dims > 1 else 0, block=block)


def _each(value: object, dims: int) -> list[int]:
    values = value if isinstance(value, list | tuple) else [value] * dims
    if not all(isinstance(v, int) for v in values):
        raise edit.EditProblem("The size is an expression: put the border in by hand.")
    return list(values)


def with_rate(network: Network, id: str, multiplier: float, *, block: str | None = None) -> Network:
    """Another multiplier of the learning rate of one node."""
    training = edit.node_of(network, id, block).training or Training()
    return edit.set_training(network, id, replace(training, lr_multiplier=multiplier), block=block)


def clipped(network: Network, id: str, *, block: str | None = None) -> Network:
    """Latent weights of `id` kept in −1 … 1."""
    choice = edit.node_of(network, id, block).binarize["weight"]
    extra = {key: value for key, value in choice.extra.items() if key != "clip_latent"}
    return edit.set_binarize(network, id, "weight", replace(choice, extra=extra), block=block)


def sparing_latent(network: Network) -> Network:
    """Weight decay on real weights alone."""
    recipe = network.recipe
    options = {key: value for key, value in recipe.options.items() if key != "decay"}
    return edit.set_recipe(network, replace(recipe, options=options))


def with_adam(network: Network, rate: float = 1e-3) -> Network:
    """Adam at `rate`, which a schedule's own rates follow."""
    recipe = network.recipe
    schedule = recipe.schedule
    entry = SCHEDULES.get(schedule.id) if schedule is not None else None
    if schedule is not None and entry is not None and entry.rates:
        before = max(
            (v for name in entry.rates if isinstance(v := schedule.fields.get(name), int | float)), default=0
        )
        rates = {
            name: rate * value / before
            for name in entry.rates
            if before > 0 and isinstance(value := schedule.fields.get(name), int | float)
        }
        schedule = replace(schedule, fields={**schedule.fields, **rates})
    adam = Choice("Adam", {"lr": rate})
    return edit.set_recipe(network, replace(recipe, optimizer=adam, schedule=schedule))
