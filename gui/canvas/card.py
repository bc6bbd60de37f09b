"""What a node's card says, and how large it is: a pure function of document and analysis.

No Qt here, so that what a card shows can be tested as plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine import ports
from engine.catalog import LAYERS
from engine.catalog.entry import Port
from engine.catalog.fields import Field
from engine.findings import NodeReport, Problem, Tensor
from engine.network import Network, Node
from gui.amounts import at_least

#: Sizes in scene units, multiples of the spacing unit.
WIDTH = 168
HEADER = 48
PORT_ROW = 20
FIELD_ROW = 20
CHIP_ROW = 24
FOOTER = 28
#: Height of the one input and output of a simple card, so that aligned cards have straight wires.
PORT_Y = 24

SEVERITIES = ("error", "warning", "hint")


@dataclass(frozen=True)
class Chip:
    """A small mark: an activation, an initialiser, a binarizer."""

    text: str
    #: "activation", "init", "binarize" or "training".
    kind: str


@dataclass(frozen=True)
class Card:
    """Everything that one card shows."""

    id: str
    type: str
    group: str
    fields: str = ""
    chips: tuple[Chip, ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    #: Output port -> what flows out of it; empty while unknown.
    tensors: tuple[tuple[str, Tensor], ...] = ()
    #: Of a block: how many layers in it the costs leave out.
    unknown: int = 0
    parameters: int = 0
    #: Multiply–accumulate operations for one example.
    macs: int = 0
    #: The same as a share of the costliest node's, 0 … 1.
    cost: float = 0.0
    problems: tuple[Problem, ...] = ()

    @property
    def severity(self) -> str | None:
        """The worst of its problems' severities."""
        found = {problem.severity for problem in self.problems}
        return next((severity for severity in SEVERITIES if severity in found), None)

    @property
    def named_ports(self) -> bool:
        """Whether its ports stand in rows with their names."""
        return len(self.inputs) > 1 or len(self.outputs) > 1

    @property
    def port_rows(self) -> int:
        """Rows that named ports take up."""
        return max(len(self.inputs), len(self.outputs)) if self.named_ports else 0

    @property
    def height(self) -> int:
        """Height of the card in scene units."""
        return _height(self.port_rows, bool(self.fields), bool(self.chips), bool(self.outputs))

    def port_y(self, index: int) -> float:
        """Height of a port's centre below the card's top."""
        return HEADER + (index + 0.5) * PORT_ROW - 2 if self.named_ports else PORT_Y

    def tensor(self, port: str | None = None) -> Tensor | None:
        """What flows out of `port`, or of the first output."""
        if port is None:
            return self.tensors[0][1] if self.tensors else None
        return dict(self.tensors).get(port)


def _height(rows: int, fields: bool, chips: bool, outputs: bool) -> int:
    return (
        HEADER
        + rows * PORT_ROW
        + (FIELD_ROW if fields else 0)
        + (CHIP_ROW if chips else 0)
        + (FOOTER if outputs else 8)
    )


def height_of(network: Network, node: Node, wired: int = 0) -> int:
    """How high the card of a node is, told without making it: asked of all cards while one drags."""
    inputs = len(ports.input_ports(network, node, wired))
    outputs = len(ports.output_ports(network, node))
    rows = max(inputs, outputs) if inputs > 1 or outputs > 1 else 0
    parts = islice(_field_parts(node), 2)
    frozen = node.training is not None and node.training.frozen
    chips = bool(node.activation is not None or node.binarize or node.init or frozen)
    return _height(rows, bool(" · ".join(parts)), chips, outputs > 0)


def card_of(
    network: Network,
    id: str,
    node: Node,
    wired: int = 0,
    report: NodeReport | None = None,
    problems: Iterable[Problem] = (),
    most_macs: int = 0,
) -> Card:
    """The card of one node, `wired` edges arriving at it; the costliest node has `most_macs`."""
    layer = LAYERS.get(node.type)
    times = node.repeat_expression or (str(node.repeat) if node.repeat != 1 else "")
    repeat = f"{times} × " if times else ""
    return Card(
        id=id,
        type=repeat + (node.block or node.type),
        group=layer.group if layer else "Other",
        fields=fields_text(node),
        chips=chips_of(node),
        inputs=ports.input_ports(network, node, wired),
        outputs=ports.output_ports(network, node),
        tensors=tuple(report.outputs.items()) if report else (),
        unknown=report.unknown if report and node.block is not None else 0,
        parameters=report.parameter_count if report else 0,
        macs=report.macs if report else 0,
        cost=round(report.macs / most_macs, 2) if report and most_macs else 0.0,
        problems=tuple(problems),
    )


def fields_text(node: Node) -> str:
    """The fields that are required or differ from their default: ``16 · 3×3 · stride 2``."""
    return " · ".join(_field_parts(node))


def _field_parts(node: Node) -> Iterator[str]:
    layer = LAYERS.get(node.type)
    fields = () if layer is None else layer.fields
    for field in fields:
        if field.name in node.fields:
            value = node.fields[field.name]
            if field.required or not _is_default(field, value):
                yield _field_text(field, value)
    known = {field.name for field in fields}
    for name, value in node.fields.items():
        if name not in known:
            yield f"{name} {value_text(value)}"


def _is_default(field: Field, value: Any) -> bool:
    try:
        return bool(field.canonical(value) == field.canonical(field.default))
    except Exception:  # a value that is wrong is no default, and is shown as it stands
        return False


def _field_text(field: Field, value: Any) -> str:
    if isinstance(value, bool):
        return field.name if value else f"no {field.name}"
    pair = isinstance(value, list | tuple) and len(value) > 0
    if field.required and field.name != "dim":
        return value_text(value)
    if pair and field.kind == "size" and all(item == value[0] for item in value):
        return f"{field.name} {value_text(value[0])}"
    if field.kind == "option":
        return str(value)
    return f"{field.name} {value_text(value)}"


def value_text(value: Any) -> str:
    """A field's value as people write it."""
    if isinstance(value, list | tuple):
        return "×".join(value_text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping) and set(value) == {"expr"}:
        return str(value["expr"])
    return "auto" if value is None else str(value)


def chips_of(node: Node) -> tuple[Chip, ...]:
    """The marks of a node, the most telling first."""
    chips = []
    if node.activation is not None:
        chips.append(Chip(node.activation.id, "activation"))
    chips += [Chip("±1 W" if place == "weight" else "±1 in", "binarize") for place in node.binarize]
    if node.training is not None and node.training.frozen:
        chips.append(Chip("frozen", "training"))
    schemes = {name: choice.id for name, choice in node.init.items()}
    if "weight" in schemes:
        chips.append(Chip(schemes["weight"], "init"))
    elif schemes:
        name, scheme = next(iter(schemes.items()))
        chips.append(Chip(f"{name} {scheme}", "init"))
    return tuple(chips)


def shape_text(tensor: Tensor) -> str:
    """A tensor's shape without the batch: ``16×8×8``; a lone number per example is ``scalar``."""
    return "×".join(str(size) for size in tensor.shape) or "scalar"


def count_text(count: int) -> str:
    """A count in three figures: ``1.25M``."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def cost_text(shown: Card) -> str:
    """What hovering over a card says of its cost; empty where it has none."""
    parts, unknown = [], shown.unknown
    if shown.parameters:
        parts.append(f"{at_least(f'{shown.parameters:,}', unknown)} parameters")
    if shown.macs:
        parts.append(f"{at_least(f'{shown.macs:,}', unknown)} multiply–accumulates per example")
    return "\n".join(parts)


def tensor_text(tensor: Tensor) -> str:
    """What hovering over a wire says: shape, dtype, elements and bytes for one example."""
    elements = 1
    for size in tensor.shape:
        elements *= size
    bits = int("".join(c for c in tensor.dtype if c.isdigit()) or 8)
    size = elements * bits // 8
    amount = f"{size} B" if size < 1024 else f"{size / 1024:.3g} KiB"
    if size >= 1 << 20:
        amount = f"{size / (1 << 20):.3g} MiB"
    kinds = ("a number", "a vector", "a matrix", "an image or cube", "a video or batch of cubes")
    kind = kinds[min(len(tensor.shape), 4)]
    return f"{shape_text(tensor)} · {tensor.dtype}\n{elements:,} elements, {amount} per example\n{kind}"
