"""The document: a network as one immutable value.

Everything else in Layerlab (drawing, analysis, compiled model, code, file) is a function of a
:class:`Network`. Its parts are frozen; the dictionaries inside them are never changed in place:
an edit (:mod:`engine.edit`) makes new ones and shares what stays the same, so that
``before.nodes["conv1"] is after.nodes["conv1"]`` says "nothing changed here" at no cost.

This module imports nothing but msgspec, so that a window can load it in milliseconds.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

FORMAT_VERSION = 1
#: Places lie within this distance of the middle, in scene units.
FAR = 1e7
#: Positions that were found to be places all of them: the same are asked for again and again.
_PLACES: list[Mapping[str, Any]] = [{}]

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

#: Attributes of ``torch.nn.Module``: a child of that name would hide them. A fixed list, so that
#: this module needs no torch; ``tests/test_network.py`` compares it with the installed torch.
MODULE_ATTRIBUTES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule
    half ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters
    parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad
    """.split()
)

#: Names that the exported code or the file uses for something else.
RESERVED_WORDS = frozenset(
    "torch nn F self format version min_reader name nodes edges recipe view blocks defaults index".split()
)


def is_place(value: object) -> bool:
    """Whether `value` is a position ``[x, y]`` that makes sense."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(v, int | float) and -FAR < v < FAR for v in value)
    )


def identifier_problem(name: str) -> str | None:
    """Say why `name` cannot be a node's id, or None if it can.

    Ids become attribute names of a torch module, keys of its state_dict and names in exported
    code, so they are Python identifiers that collide with none of these.
    """
    if not _IDENTIFIER.fullmatch(name):
        return (
            f"{name!r} is not an id: use up to 64 letters, digits and underscores, beginning with a letter."
        )
    if "__" in name:
        return f"{name!r} is not an id: two underscores in a row are kept for helper modules."
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"{name!r} is a Python keyword and cannot be an id. Try {name}_1."
    if name in MODULE_ATTRIBUTES:
        return f"{name!r} is an attribute of torch.nn.Module and cannot be an id. Try {name}_1."
    if name in RESERVED_WORDS:
        return f"{name!r} is a word of the file format or of exported code. Try {name}_1."
    return None


class Choice(msgspec.Struct, frozen=True):
    """One entry of the catalogue, chosen by its id and filled in.

    Serves wherever a file says "this scheme, with these fields": activation, initialiser,
    binarizer, loss, optimizer, schedule. `fields` holds what the user set; what is absent is at
    its default.
    """

    id: str
    fields: Mapping[str, Any] = {}
    #: Keys of the file that this version does not know; kept, and written back.
    extra: Mapping[str, Any] = {}


class Training(msgspec.Struct, frozen=True):
    """How one node takes part in training."""

    frozen: bool = False
    lr_multiplier: float = 1.0
    extra: Mapping[str, Any] = {}


class Node(msgspec.Struct, frozen=True):
    """One layer of the drawing.

    Inside a node the order is: input binarizer, layer with binarized weight, activation.
    """

    type: str
    fields: Mapping[str, Any] = {}
    activation: Choice | None = None
    #: Parameter name -> initialisation scheme.
    init: Mapping[str, Choice] = {}
    #: "weight" and/or "input" -> estimator.
    binarize: Mapping[str, Choice] = {}
    training: Training | None = None
    #: Own parameter -> "node.parameter" whose tensor it uses.
    shares: Mapping[str, str] = {}
    #: For ``type == "Block"``: which block, and how many times in a row.
    block: str | None = None
    repeat: int = 1
    #: An expression of the arguments of the block around, which gives `repeat`; empty: there is none.
    repeat_expression: str = ""
    extra: Mapping[str, Any] = {}


class End(NamedTuple):
    """One end of an edge: a node, and its port where it has more than one."""

    node: str
    port: str | None = None

    def __str__(self) -> str:
        return self.node if self.port is None else f"{self.node}.{self.port}"

    @classmethod
    def parse(cls, text: str) -> End:
        """Read ``"conv1"`` or ``"split.0"``."""
        node, dot, port = text.partition(".")
        return cls(node, port if dot else None)


class Edge(NamedTuple):
    """A wire from an output port to an input port."""

    source: End
    target: End

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


class Argument(msgspec.Struct, frozen=True):
    """A block's own parameter, to which the fields inside may refer."""

    type: str = "int"
    default: Any = None
    doc: str = ""
    extra: Mapping[str, Any] = {}


class Block(msgspec.Struct, frozen=True):
    """A named sub-network, drawn once and used many times. Its ports are its Input and Output nodes."""

    arguments: Mapping[str, Argument] = {}
    nodes: Mapping[str, Node] = {}
    edges: tuple[Edge, ...] = ()
    extra: Mapping[str, Any] = {}


class Data(msgspec.Struct, frozen=True):
    """Where the examples come from, and how they are split."""

    source: str = "digits"
    fields: Mapping[str, Any] = {}
    #: ``{"kind": "given|random|stratified|time", "validation": 0.2, "test": 0}``; empty: the source's own.
    split: Mapping[str, Any] = {}
    #: How training examples are varied by chance, one after another.
    augment: tuple[Choice, ...] = ()
    extra: Mapping[str, Any] = {}


class Recipe(msgspec.Struct, frozen=True):
    """How the network is trained."""

    data: Data = Data()
    loss: Choice = Choice("CrossEntropyLoss")
    optimizer: Choice = Choice("Adam")
    schedule: Choice | None = None
    epochs: int = 10
    batch_size: int = 64
    seed: int = 0
    #: Every further key of the recipe as the file has it: those declared in
    #: :mod:`engine.catalog.recipe` are options of training, others are kept and warned about.
    options: Mapping[str, Any] = {}


class Network(msgspec.Struct, frozen=True):
    """A whole document."""

    name: str = "Untitled"
    nodes: Mapping[str, Node] = {}
    edges: tuple[Edge, ...] = ()
    blocks: Mapping[str, Block] = {}
    #: ``{"init": {"all" or a group: {parameter: scheme}}}`` in document form.
    defaults: Mapping[str, Any] = {}
    recipe: Recipe = Recipe()
    #: Layout and comments, in document form: ``{"positions": {id: [x, y]}, …}``. Not meaning.
    view: Mapping[str, Any] = {}
    extra: Mapping[str, Any] = {}

    def graph(self, block: str | None = None) -> Network | Block:
        """The nodes and edges of `block`, or of the top level when it is None."""
        return self if block is None else self.blocks[block]

    def at(self, path: str) -> Node | None:
        """The node at a path through uses of blocks, such as ``layer1.0.conv1``; None if there is none."""
        graph: Network | Block = self
        node: Node | None = None
        for word in path.split("."):
            if word.isdecimal() and node is not None and node.type == "Block":
                continue
            if node is not None:
                block = self.blocks.get(node.block or "") if node.type == "Block" else None
                if block is None:
                    return None
                graph = block
            node = graph.nodes.get(word)
            if node is None:
                return None
        return node

    def positions(self, block: str | None = None) -> Mapping[str, Any]:
        """Where nodes stand on the canvas: id -> ``[x, y]``, in scene units; what is no place is left out."""
        view = self.view if block is None else self.layouts().get(block)
        positions = view.get("positions") if isinstance(view, Mapping) else None
        if not isinstance(positions, Mapping):
            return {}
        if positions is _PLACES[0]:
            return positions
        try:  # asked at every frame of a drag, and nearly always all are places
            if all(-FAR < x < FAR and -FAR < y < FAR for x, y in positions.values()):
                _PLACES[0] = positions
                return positions
        except (TypeError, ValueError):
            pass
        return {id: at for id, at in positions.items() if is_place(at)}

    def layouts(self) -> Mapping[str, Any]:
        """The views of block definitions by name. A file may have anything in their place: that is none."""
        layouts = self.view.get("blocks")
        return layouts if isinstance(layouts, Mapping) else {}
