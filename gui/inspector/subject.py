"""What a panel of the inspector speaks of: certain nodes, with all that is known about them."""

from __future__ import annotations

import itertools
import operator
from collections import deque
from collections.abc import Callable, Mapping

from engine import ports
from engine.catalog import ACTIVATIONS, BINARIZERS, INITIALIZERS, LAYERS, Entry, Layer
from engine.findings import Analysis, NodeReport, Problem, Tensor
from engine.network import Choice, Edge, Network, Node
from gui.document import Document
from gui.selection import Selection
from gui.unfinished import Drafts

#: Where a text stands: graph, nodes, and the part of the panel in words ("": their own fields).
Place = tuple[str | None, tuple[str, ...], str]
#: The name among a layer's own fields.
ID = "id"
#: The parts that hold the fields of what a layer has chosen.
ACTIVATION, INITIALISATION, BINARIZATION = "activation", "initialisation of ", "binarization of the "


def has_field(node: Node, part: str, field: str) -> bool:
    """Whether a text that was left in a field can be seen there still: a choice may be another by now."""
    choice: Choice | None
    entries: Mapping[str, Entry]
    if part == ACTIVATION:
        choice, entries = node.activation, ACTIVATIONS
    elif part.startswith(INITIALISATION):
        choice, entries = node.init.get(part.removeprefix(INITIALISATION)), INITIALIZERS
    elif part.startswith(BINARIZATION):
        choice, entries = node.binarize.get(part.removeprefix(BINARIZATION)), BINARIZERS
    else:
        layer = LAYERS.get(node.type) if not part else None
        return layer is None or field == ID or any(known.name == field for known in layer.fields)
    fields = entries[choice.id].fields if choice is not None and choice.id in entries else ()
    return any(known.name == field for known in fields)


#: Numbers of what networks mean.
_numbers = itertools.count()


class Subject:
    """The nodes that were selected when it last looked; edits go to all of them alike.

    It does not follow the selection by itself: a text that is finished because another layer was
    clicked belongs to the layer in which it was typed.
    """

    def __init__(self, document: Document, selection: Selection, drafts: dict[Place, Drafts]) -> None:
        self.document = document
        self.selection = selection
        self.analysis = Analysis()
        self._drafts = drafts
        #: The graph that is shown, or None for the top level.
        self.block: str | None = None
        self._ids: tuple[str, ...] = ()
        #: What was found last: the network, what was selected, and which of these there are. A refresh
        #: of the panels asks dozens of times, and thousands may be selected.
        self._found: tuple[Network | None, tuple[str, ...], tuple[str, ...]] = (None, (), ())
        #: The same of what these are in the document.
        self._drawn: tuple[tuple[str, ...], Network | None, tuple[Node, ...]] = ((), None, ())
        #: The same of the edges that lead to a node.
        self._led: tuple[Network | None, str, tuple[Edge, ...]] = (None, "", ())
        #: What the networks looked at last mean, with its numbers.
        self._meanings: deque[tuple[int, tuple[object, ...]]] = deque(maxlen=8)
        self.look()

    def look(self) -> None:
        """Speak of what is selected now."""
        block = self.selection.block
        self.block = block if block in self.document.network.blocks else None
        self._ids = self.selection.nodes
        self._found, self._drawn, self._led = (None, (), ()), ((), None, ()), (None, "", ())

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes of the graph that is shown."""
        network = self.document.network
        return network.graph(self.block).nodes if self.block is None or self.block in network.blocks else {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The nodes, as far as they exist still."""
        network = self.document.network
        if self._found[0] is not network or self._found[1] is not self._ids:
            nodes = self.nodes
            self._found = (network, self._ids, tuple(id for id in self._ids if id in nodes))
        return self._found[2]

    @property
    def every(self) -> tuple[Node, ...]:
        """What they are in the document, in the order of :attr:`ids`."""
        ids, network = self.ids, self.document.network
        if self._drawn[0] is not ids or self._drawn[1] is not network:
            nodes = self.nodes
            self._drawn = (ids, network, tuple(nodes[id] for id in ids))
        return self._drawn[2]

    @property
    def id(self) -> str:
        """The current node."""
        return self.ids[-1]

    @property
    def node(self) -> Node:
        """The current node."""
        return self.nodes[self.id]

    @property
    def layer(self) -> Layer | None:
        """The current node's catalogue entry; None for a block or an unknown type."""
        return self.layer_of(self.id)

    def layer_of(self, id: str) -> Layer | None:
        """A node's catalogue entry; None for a block or an unknown type."""
        return LAYERS.get(self.nodes[id].type)

    def all(self, holds: Callable[[Node, Layer | None], bool]) -> bool:
        """Whether something holds of each of the nodes: what they do not share is not edited at once."""
        return all(holds(node, LAYERS.get(node.type)) for node in self.every)

    def others(self, part: Callable[[Node], Choice | None]) -> list[Choice | None]:
        """What the nodes beside the current one have chosen in some part."""
        return [part(node) for node in self.every[:-1]]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal as long as it speaks of the same nodes."""
        return (self.block, self.ids, self.kind)

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal as long as the same editors serve: the nodes' types, and the arguments of blocks.

        The current node's comes first, as the fields that are shown are its own.
        """
        every, blocks = self.every, self.document.network.blocks
        if not every:
            return ()
        current, *others = dict.fromkeys((node.type, node.block) for node in reversed(every))
        found: list[object] = [len(every) > 1]
        for type, name in (current, *sorted(others, key=str)):
            block = blocks.get(name or "")
            arguments = [(key, argument.type) for key, argument in block.arguments.items()] if block else []
            found.append((type, name, tuple(arguments)))
        return tuple(found)

    @property
    def path(self) -> str:
        """The current node as the analysis names it; inside a block, its first use."""
        if self.block is None:
            return self.id
        named = (problem.node for problem in self.analysis.problems if problem.node is not None)
        for path in itertools.chain(self.analysis.nodes, named):
            if path.rpartition(".")[2] == self.id and self._graph_of(path) == self.block:
                return path
        return self.id

    @property
    def uses(self) -> int:
        """How often the current node is run: a block's nodes once for each of its uses."""
        if self.block is None:
            return 1
        return sum(
            path.rpartition(".")[2] == self.id and self._graph_of(path) == self.block
            for path in self.analysis.nodes
        )

    def _graph_of(self, path: str) -> str | None:
        """The block in which the node at `path` is drawn; None for the top level, or where there is none."""
        block: str | None = None
        for word in path.split(".")[:-1]:
            if not word.isdecimal():  # which repeat
                node = self.document.network.graph(block).nodes.get(word)
                if node is None or node.block not in self.document.network.blocks:
                    return None
                block = node.block
        return block

    def report_of(self, id: str) -> NodeReport | None:
        """What the analysis knows about a node of the graph that is shown; None: nothing."""
        if self.block is None:
            return self.analysis.nodes.get(id)
        path = self.path
        return self.analysis.nodes.get(path[: len(path) - len(self.id)] + id)

    @property
    def reports(self) -> list[NodeReport | None]:
        """What the analysis knows about each of the nodes."""
        known = self.analysis.nodes
        head = "" if self.block is None else self.path[: len(self.path) - len(self.id)]
        return [known.get(head + id) for id in self.ids] if head else [known.get(id) for id in self.ids]

    @property
    def report(self) -> NodeReport:
        """What the analysis knows about the current node."""
        return self.analysis.nodes.get(self.path, NodeReport())

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What flows into the current node, as far as it is known."""
        graph = self.document.network.graph(self.block)
        path = self.path
        prefix = path[: len(path) - len(self.id)]
        found = []
        for edge in self._arriving:
            if edge.source.node not in graph.nodes:
                continue
            outs = ports.output_ports(self.document.network, graph.nodes[edge.source.node])
            report = self.analysis.nodes.get(prefix + edge.source.node, NodeReport())
            tensor = report.outputs.get(ports.named(edge.source, outs) or "")
            if tensor is not None:
                found.append(tensor)
        return tuple(found)

    @property
    def feeding(self) -> str:
        """The node that feeds the current one's first input, as the analysis names it; "": there is none."""
        path = self.path
        for edge in self._arriving:
            if edge.source.port is None:
                return path[: len(path) - len(self.id)] + edge.source.node
        return ""

    @property
    def meaning(self) -> int:
        """A number that no two networks share of which more than names and places differ.

        To compare them, or to write them down, would take longer than all else: of thousands of layers 20 ms.
        """
        network = self.document.network
        parts = (network.nodes, network.edges, network.blocks, network.defaults, network.recipe)
        for number, known in self._meanings:
            if all(map(operator.is_, parts, known)):
                return number
        self._meanings.appendleft((next(_numbers), parts))
        return self._meanings[0][0]

    @property
    def _arriving(self) -> tuple[Edge, ...]:
        """The edges that lead to the current node."""
        network, id = self.document.network, self.id
        if self._led[0] is not network or self._led[1] != id:
            edges = network.graph(self.block).edges
            self._led = (network, id, tuple(edge for edge in edges if edge.target.node == id))
        return self._led[2]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of these nodes."""
        names = set(self.ids) if self.block is None else {self.path}
        return tuple(problem for problem in self.analysis.problems if problem.node in names)

    def drafts(self, part: str = "") -> Drafts:
        """Where unfinished texts of one part of the panel are kept, while something else is looked at."""
        return self._drafts.setdefault((self.block, self._ids, part), {})

    def drafts_of_all(self, part: str, block: str | None = None) -> Drafts:
        """The same for what concerns a block, or the network, as a whole."""
        return self._drafts.setdefault((block, (), part), {})

    def rename_drafts(self, old: str, new: str) -> None:
        """Let the texts of a layer go with it as it gets another id."""
        for block, ids, part in list(self._drafts):
            if block == self.block and old in ids:
                drafts = self._drafts.pop((block, ids, part))
                self._drafts[block, tuple(new if id == old else id for id in ids), part] = drafts

    def edit(self, label: str, change: Callable[[Network, str], Network], merge: str = "") -> None:
        """Apply `change` to every one of the nodes that exists still, as one undo step."""
        network = self.document.network
        ids = self.ids
        for id in ids:
            network = change(network, id)
        names = ids[0] if len(ids) == 1 else f"{len(ids)} layers"
        self.document.edit(network, f"{label} of {names}", f"{merge} {','.join(ids)}" if merge else None)
