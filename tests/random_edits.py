"""What hands do to drawings, at random: each state is analysed by one that remembers and by one that does not.

`python -m tests.random_edits 3000` compares that many, and says which ways were taken.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from engine import edit, edit_blocks, edit_unpack, edit_view
from engine.analysis import analyze, reports, walk
from engine.analysis.known_repairs import KnownRepairs
from engine.compile import expand_again
from engine.edit import EditProblem
from engine.edit_view import Frame
from engine.findings import Analysis
from engine.mending import mended
from engine.network import Argument, Choice, Edge, End, Network, Node
from engine.problems import FileProblem
from engine.storage import file
from engine.storage.reader import Reader
from engine.storage.writer import Writer
from engine.templates import template
from tests.networks import chain

#: Drawings to begin with: chains, branches, blocks, binarized layers, shared weights, several inputs.
NAMES = ("digits_mlp", "lenet5_mnist", "residual_digits", "digits_binarized_mlp")
_TYPES = (
    "Conv2d",
    "ReLU",
    "Flatten",
    "Add",
    "Concat",
    "Linear",
    "BatchNorm2d",
    "Dropout",
    "Split",
    "Output",
    "LSTM",
)


def _any(rng: random.Random, network: Network) -> str:
    return rng.choice(list(network.nodes))


def _add(rng: random.Random, network: Network) -> Network:
    type = rng.choice(_TYPES)
    return edit.add_node(network, edit.fresh_id(network, type), edit.new_node(type), (rng.random(), 1.0))


def _wire(rng: random.Random, network: Network) -> Network:
    source, target = _any(rng, network), _any(rng, network)
    port = rng.choice([None, None, "0", "1", "input", "other"])
    return edit.connect(network, End(source), End(target, port))


def _cut(rng: random.Random, network: Network) -> Network:
    gone = rng.randrange(len(network.edges))
    return edit.with_graph(network, None, edges=network.edges[:gone] + network.edges[gone + 1 :])


def _strange(rng: random.Random, network: Network) -> Network:
    """Wires as a file may have them: twice, in a circle, from nowhere, from ports that are not, in another order."""
    edges = list(network.edges)
    kind = rng.randrange(5)
    if kind == 0:
        edges.append(rng.choice(edges))
    elif kind == 4:
        edges.append(Edge(End(_any(rng, network), rng.choice(["0", "third"])), End(_any(rng, network))))
    elif kind == 1:
        edges.append(Edge(End(_any(rng, network)), End(_any(rng, network))))
    elif kind == 2:
        edges.append(Edge(End("nowhere"), End(_any(rng, network))))
    else:
        rng.shuffle(edges)
    return edit.with_graph(network, None, edges=tuple(edges))


def _between(rng: random.Random, network: Network) -> Network:
    type = rng.choice(("ReLU", "Conv2d", "Flatten", "Dropout", "Linear"))
    id = edit.fresh_id(network, type)
    added = edit.add_node(network, id, edit.new_node(type), (1.0, 1.0))
    return edit.insert_on_edge(added, rng.choice(network.edges), id)


def _remove(rng: random.Random, network: Network) -> Network:
    return edit.remove(network, [_any(rng, network)], heal=rng.random() < 0.6)


def _rename(rng: random.Random, network: Network) -> Network:
    return edit.rename(
        network, _any(rng, network), rng.choice(["a", "b", "c", f"n{rng.randrange(9)}", "x__y"])
    )


def _field(rng: random.Random, network: Network) -> Network:
    id = rng.choice([id for id, node in network.nodes.items() if node.fields])
    name = rng.choice(list(network.nodes[id].fields))
    values = (1, 1.0, True, 2, 3, 7, [3, 3], None, {"expr": "2*3"}, "same", 10**9)
    return edit.set_field(network, id, name, rng.choice(values))


def _dress(rng: random.Random, network: Network) -> Network:
    id = _any(rng, network)
    kind = rng.randrange(4)
    if kind == 0:
        return edit.set_activation(network, id, rng.choice([None, Choice("Sigmoid"), Choice("ReLU")]))
    if kind == 1:
        return edit.set_init(
            network, id, "weight", rng.choice([None, Choice("zeros"), Choice("kaiming_normal")])
        )
    if kind == 2:
        return edit.set_binarize(network, id, "weight", rng.choice([None, Choice("ste_sign")]))
    node = network.nodes[id]
    shares = {} if node.shares else {"weight": f"{_any(rng, network)}.weight"}
    return edit.replace_node(network, id, None, shares=shares)


def _frame(rng: random.Random, network: Network) -> Network:
    return edit_view.add_mark(network, Frame((rng.random(), 0.0, 100.0, 100.0), "title"))[0]


def _bend(rng: random.Random, network: Network) -> Network:
    return edit_view.set_bends(network, {rng.choice(network.edges): [(rng.random(), 2.0)]})


def _move(rng: random.Random, network: Network) -> Network:
    return edit.move(network, {_any(rng, network): (rng.random(), 5.0)})


def _paste(rng: random.Random, network: Network) -> Network:
    some = rng.sample(list(network.nodes), min(3, len(network.nodes)))
    return edit.paste(network, edit.copy(network, some))[0]


def _block(rng: random.Random, network: Network) -> Network:
    uses = [id for id, node in network.nodes.items() if node.type == "Block"]
    if uses and rng.random() < 0.7:
        use = rng.choice(uses)
        if rng.random() < 0.5:
            return edit_unpack.unpack(network, use)[0]
        return edit_blocks.set_repeat(network, use, rng.choice([1, 2, 3, {"expr": "1 + 1"}]))
    return edit_blocks.make_block(network, rng.sample(list(network.nodes), rng.randint(1, 2)), "Piece")[0]


def _use(rng: random.Random, network: Network) -> Network:
    """A block once more, beside the layers of the top level or inside another block."""
    if not network.blocks:
        return _block(rng, network)
    name = rng.choice(list(network.blocks))
    around = rng.choice([None, None, *network.blocks])
    id = edit.fresh_id(network, name, block=around)
    added = edit.add_node(network, id, edit_blocks.new_use(network, name), (1.0, 1.0), block=around)
    edges = added.graph(around).edges
    return edit.insert_on_edge(added, rng.choice(edges), id, block=around) if edges else added


def _argument(rng: random.Random, network: Network) -> Network:
    """Arguments of blocks, their values at a use, and the expressions that name them."""
    if not network.blocks:
        return _block(rng, network)
    name = rng.choice(list(network.blocks))
    block = network.blocks[name]
    kind = rng.randrange(6) if block.arguments else 1
    if kind == 0:
        uses = [id for id, node in network.nodes.items() if node.block == name]
        value = rng.choice([1, 2, 3, 64, 1.0, True, None, "x", {"expr": "2*4"}, {"expr": "nothing"}])
        return edit.set_field(network, rng.choice(uses), rng.choice([*block.arguments, "width"]), value)
    if kind == 1:
        default = Argument(rng.choice(["int", "float", "bool", "text"]), rng.choice([None, 4, 8, 0.5, True]))
        return edit_blocks.set_argument(network, name, rng.choice(["width", "rate", "index2"]), default)
    if kind == 2:
        old = rng.choice(list(block.arguments))
        return edit_blocks.rename_argument(network, name, old, rng.choice(["wide", "width", "rate"]))
    if kind == 3:
        return edit_blocks.remove_argument(network, name, rng.choice(list(block.arguments)))
    inner = rng.choice([id for id, node in block.nodes.items() if node.fields])
    field = rng.choice(list(block.nodes[inner].fields))
    value = {"expr": rng.choice(["width", "2 * width", "index + 1", "rate"])} if kind == 4 else 7
    return edit.set_field(network, inner, field, value, block=name)


def _inside(rng: random.Random, network: Network) -> Network:
    """What is drawn inside a block, of which its uses know nothing."""
    if not network.blocks:
        return _block(rng, network)
    name = rng.choice(list(network.blocks))
    block = network.blocks[name]
    inner, kind = rng.choice(list(block.nodes)), rng.randrange(8)
    if kind == 0:
        return edit.set_activation(network, inner, Choice("Tanh"), block=name)
    if kind == 1:
        return edit.remove(network, [inner], heal=rng.random() < 0.6, block=name)
    if kind == 2:
        new = rng.choice(["a", "b", "left", "right"])
        return edit.rename(network, inner, new, block=name)
    if kind == 3:
        type = rng.choice(("ReLU", "Linear", "BatchNorm2d", "Input", "Output"))
        id = edit.fresh_id(network, type, block=name)
        return edit.add_node(network, id, edit.new_node(type), (1.0, 1.0), block=name)
    if kind == 4:
        return edit.connect(network, End(inner), End(rng.choice(list(block.nodes))), block=name)
    if kind == 5:
        return edit_blocks.rename_block(network, name, rng.choice(["Piece", "Other", "Part"]))
    if kind == 6:
        return edit_blocks.make_block(network, [inner], "Inner", block=name)[0]
    return edit_blocks.remove_block(network, name)


def _default(rng: random.Random, network: Network) -> Network:
    scheme = rng.choice([None, Choice("zeros"), Choice("kaiming_normal"), Choice("nonsense")])
    return edit.set_default_init(network, rng.choice(["all", "Linear", "Convolution"]), "weight", scheme)


def _recipe(rng: random.Random, network: Network) -> Network:
    loss = rng.choice(["CrossEntropyLoss", "NLLLoss", "MSELoss"])
    recipe = network.recipe
    changed = type(recipe)(
        **{**{f: getattr(recipe, f) for f in recipe.__struct_fields__}, "loss": Choice(loss)}
    )
    return edit.set_recipe(network, changed)


_HANDS: tuple[Callable[[random.Random, Network], Network], ...] = (
    *(_add, _wire, _wire, _cut, _between, _between, _remove, _remove, _rename, _field, _field, _field),
    *(_dress, _dress, _frame, _bend, _move, _paste, _block, _recipe, _strange),
    *(_use, _argument, _argument, _inside, _inside, _default),
)


def states(rng: random.Random, count: int) -> Iterator[Network]:
    """Drawings, each an edit of the one before, or that before undone and redone."""
    shared = chain(
        ("flat", Node("Flatten")),
        ("one", Node("Linear", {"out_features": 64})),
        ("two", Node("Linear", {"out_features": 64}, shares={"weight": "one.weight"})),
        shape=(1, 8, 8),
    )
    whole = template("lenet5_mnist").network
    blocks = edit_blocks.make_block(whole, list(whole.nodes)[2:5], "Piece")[0]
    network = rng.choice([shared, blocks, *(template(name).network for name in NAMES)])
    past = [network]
    for _ in range(count):
        if rng.random() < 0.2:
            network = rng.choice(past[-4:])  # undo, redo, or what was only tried
        else:
            try:
                network = rng.choice(_HANDS)(rng, network)
            except (EditProblem, FileProblem, IndexError, KeyError, ValueError):
                continue
        past.append(network)
        yield network


def compare(seed: int, count: int, taken: Counter[str] | None = None) -> int:
    """Analyse the states of one seed both ways; how many there were.

    Raises
    ------
    AssertionError
        Where the two differ.
    """
    reader, writer, repairs, compared = Reader(), Writer(), KnownRepairs(), 0
    rng = random.Random(seed)
    whole = expand_again._other_wires
    tried: list[bool] = []

    def watched(*args: object) -> object:
        found = whole(*args)  # type: ignore[arg-type]
        tried.append(found is not None)
        return found

    expand_again._other_wires = watched  # type: ignore[assignment]
    try:
        for network in states(random.Random(seed), count):
            data = file.encode(network)
            assert writer.encode(network) == data, f"seed {seed}: written otherwise"
            read = reader.loads(data)
            assert read == file.loads(data), f"seed {seed}: read otherwise"
            del tried[:]
            found = analyze(read)
            told: list[Analysis] = []
            with suppress(_CalledOff):  # a search that ends anywhere leaves no trace
                analyze(read, found=told.append, between=_CalledOff.after(rng.randrange(9)))
            if taken is not None:
                taken.update("other wires, again" if one else "other wires, anew" for one in tried)
            kept = walk._recent, reports._known
            forget()
            anew = analyze(file.loads(data))
            # To Python 1, 1.0 and True are equal.
            assert repr(found) == repr(anew), f"seed {seed}, state {compared}"
            assert [*map(_bare, told)] in ([], [_bare(anew)]), (
                f"seed {seed}, state {compared}: told otherwise"
            )
            _fits(read, repairs.recall(read, told[0]) if told else found)
            repairs.learn(read, found)
            walk._recent, reports._known = kept
            compared += 1
    finally:
        expand_again._other_wires = whole
    return compared


class _CalledOff(Exception):
    @classmethod
    def after(cls, count: int) -> Callable[[], None]:
        """Something that raises it when called for the time after `count` times."""
        left = iter(range(count))

        def between() -> None:
            if next(left, None) is None:
                raise cls

        return between


def _bare(found: Analysis) -> object:
    """All that is told at once: what is found, without the ways out of it."""
    problems = [replace(problem, repairs=()) for problem in found.problems]
    return repr((found.nodes, problems, found.totals))


def _fits(network: Network, found: Analysis) -> None:
    """What is offered can be done, and does what it says."""
    for problem in found.problems:
        for repair in problem.repairs:
            mended(network, repair)


def forget() -> None:
    """Let an analysis remember nothing of drawings."""
    walk._recent = ()
    reports._known = reports._Known()


def main() -> None:
    """Compare as many as the command line says."""
    wanted, done, seed = int(sys.argv[1]), 0, int(sys.argv[2]) if len(sys.argv) > 2 else 0
    taken: Counter[str] = Counter()
    while done < wanted:
        forget()
        done += compare(seed, 30, taken)
        seed += 1
    print(f"{done} states, all equal; next seed {seed}; {dict(taken)}")


if __name__ == "__main__":
    main()
