"""Two pages of the binarization laboratory: what each estimator does, and what binarization saves."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.binary_cost import REAL, LayerCost, total
from engine.catalog import BINARIZERS
from engine.lab_binary import BinaryReport, Place
from gui.panels.figures import percent
from gui.panels.series import figure
from gui.panels.sheet import Column, Sheet
from gui.theme import SPACE


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _title(place: Place) -> str:
    entry = BINARIZERS.get(place.estimator)
    return place.estimator if entry is None else entry.title


PLACES = (
    Column(
        "Where",
        "The weight, or the input of a layer, that is binarized. A click selects the layer.",
        lambda p: p.name if p.place == "weight" else f"{p.name} · input",
        words=True,
    ),
    Column("Estimator", "What stands there.", _title, words=True),
    Column(
        "Bits",
        "Entropy of the levels that it gives, in bits per value: 1 where both signs are equally frequent.",
        lambda p: f"{p.bits:.3f}",
        lambda p: p.bits / 2 if p.bits > 1 else p.bits,
    ),
    Column("+1", "Share of values that become +1.", lambda p: _share(p.positive), lambda p: p.positive),
    Column(
        "Near zero",
        "Share of values within a tenth of their mean magnitude: 5 % of a uniform distribution, "
        "6.4 % of a normal one. They flip easily.",
        lambda p: _share(p.near_zero),
        lambda p: p.near_zero,
        "validation",
    ),
    Column(
        "At the clip",
        "Share of values of 0.99 or more in magnitude. Latent weights that pile up there stand still.",
        lambda p: _share(p.at_clip) if p.place == "weight" else "",
        lambda p: p.at_clip if p.place == "weight" else None,
        "warning",
    ),
    Column(
        "Masked",
        "Share of the gradient that reaches the estimator and that it passes nothing of.",
        lambda p: _share(p.masked),
        lambda p: p.masked,
        "warning",
    ),
    Column(
        "Gradient",
        "Cosine between the estimator's gradient and the finite difference of the loss, one value at a time "
        "set to +h and −h. 1: it points where the loss falls. Around 0: it does not.",
        lambda p: "" if p.cosine is None else f"{p.cosine:.2f} ± {p.cosine_error:.2f}",
        lambda p: p.cosine,
        "good",
    ),
    Column(
        "Output",
        "Were it real: cosine of its layer's output to what it is now.",
        lambda p: f"{p.output_cosine:.3f}",
        lambda p: p.output_cosine,
        "good",
    ),
    Column(
        "Same",
        "Were it real: share of examples that would be predicted as now.",
        lambda p: _share(p.same),
        lambda p: p.same,
        "good",
    ),
)


#: A cosine that is surely below this (by two standard errors) is hardly a direction.
BLIND = 0.2


def size(count: float) -> str:
    """Bytes for reading: ``65.6 kB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.3g} {unit}" if count < 1000 else f"{count:,.0f} {unit}"
        count /= 1000
    raise AssertionError


def number(count: float) -> str:
    """A count for reading: ``1.05 M``."""
    for unit in ("", " k", " M", " G", " T"):
        if count < 1000 or unit == " T":
            return f"{count:,.4g}{unit}"
        count /= 1000
    raise AssertionError


def _bits(bits: int) -> str:
    return "real" if bits == REAL else str(bits)


COSTS = (
    Column("Layer", "A click selects it.", lambda c: c.node or "Total", words=True),
    Column(
        "Weight × input",
        "Bits of a weight and of an input.",
        lambda c: f"{_bits(c.weight_bits)} × {_bits(c.input_bits)}" if c.node else "",
        words=True,
    ),
    Column("Bytes", "All parameters, each of 4 bytes.", lambda c: size(c.real_bytes)),
    Column(
        "Packed",
        "The same with binarized weights packed, each row filled up to whole bytes.",
        lambda c: size(c.packed_bytes),
        lambda c: c.packed_bytes / c.real_bytes if c.real_bytes else None,
        "good",
    ),
    Column(
        "Smaller",
        "How many times; 32 where all of it is binary.",
        lambda c: f"{c.real_bytes / c.packed_bytes:.3g} ×" if c.packed_bytes else "",
    ),
    Column(
        "XNOR",
        "Products of two binary operands for one example; one instruction does 64 of them. Operands of "
        "several bits take the product of their bits.",
        lambda c: number(c.xnor) if c.xnor else "",
    ),
    Column(
        "Additions",
        "Products with one binary operand: additions and subtractions, no multiplication.",
        lambda c: number(c.additions) if c.additions else "",
    ),
    Column("MACs", "Multiply–accumulate operations that stay.", lambda c: number(c.macs) if c.macs else ""),
    Column(
        "Fewer",
        "MACs of the real layer over XNOR / 64 + additions + MACs (as Bi-Real Net counts).",
        lambda c: f"{c.real_macs / c.operations:.3g} ×" if c.operations else "",
        lambda c: c.operations / c.real_macs if c.real_macs else None,
        "good",
    ),
)


def _muted() -> QLabel:
    label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
    label.setProperty("role", "muted")
    label.setContentsMargins(3 * SPACE, SPACE, 3 * SPACE, 2 * SPACE)
    return label


class EstimatorsPage(QWidget):
    """What each estimator does on one batch, asked for by a button."""

    #: A node's path was clicked.
    found = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measure = QPushButton("Measure")
        self.measure.setToolTip("One real batch, forward and back, with the weights of the last run.")
        self.headline = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.headline.setText("One real batch, forward and back: what does each estimator keep and lose?")
        self.list = Sheet("Estimators", PLACES)
        self.list.found.connect(self._found)
        self.told = _muted()
        row = QHBoxLayout()
        row.setContentsMargins(3 * SPACE, 2 * SPACE, 3 * SPACE, 2 * SPACE)
        row.setSpacing(3 * SPACE)
        row.addWidget(self.measure)
        row.addWidget(self.headline, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.list, 1)
        column.addWidget(self.told)

    def _found(self, place: Place) -> None:
        self.found.emit(place.node)
        entry = BINARIZERS.get(place.estimator)
        if entry is not None:
            self.told.setText(
                f"{entry.title}: forward {entry.forward}, backward {entry.backward}. {entry.lesson} "
                f"Source: {entry.source}."
            )

    def show_report(self, report: BinaryReport) -> None:
        """Fill the table, and say what it comes to."""
        self.list.show_rows(report.places)
        agreed = "" if report.same is None else f" {percent(report.same)} of the predictions stay,"
        self.headline.setText(
            f"Loss {figure(report.loss)}; with every estimator left out {figure(report.real_loss)}.{agreed} "
            f"outputs' cosine {report.output_cosine:.3f}."
        )
        self.told.setText(f"{remark(report.places)} Measured on {report.examples} examples, {report.note}.")


def remark(places: Sequence[Place]) -> str:
    """The one thing worth saying first."""
    blind = [p for p in places if p.cosine is not None and p.cosine + 2 * p.cosine_error < BLIND]
    if blind:
        worst = min(blind, key=lambda p: p.cosine or 0.0)
        return (
            f"The gradient at {worst.name} hardly points where the loss falls (cosine {worst.cosine:.2f}): "
            "try another estimator in the race."
        )
    masked = [p for p in places if p.masked is not None and p.masked > 0.5]
    if masked:
        worst = max(masked, key=lambda p: p.masked or 0.0)
        return (
            f"{worst.name} loses {percent(worst.masked or 0.0)} of its gradient to the mask: its values are "
            "too large. Put a batch norm before it, or clip latent weights."
        )
    uneven = [p for p in places if p.bits < 0.5]
    if uneven:
        worst = min(uneven, key=lambda p: p.bits)
        return f"{worst.name} carries {worst.bits:.2f} bits a value: nearly all its signs are the same."
    return "Every gradient points where the loss falls."


class SizePage(QWidget):
    """Size and operations per layer, and in all; it follows the drawing."""

    #: A node's path was clicked.
    found = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headline = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.headline.setProperty("role", "heading")
        self.headline.setContentsMargins(3 * SPACE, 3 * SPACE, 3 * SPACE, 2 * SPACE)
        self.list = Sheet("Size and operations", COSTS)
        self.list.found.connect(self._find)
        note = _muted()
        note.setText(
            "For one example. File › Export › Packed writes this: one bit a weight, and a program that runs "
            "it by XNOR and popcount."
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.headline)
        column.addWidget(self.list, 1)
        column.addWidget(note)

    def show_costs(self, costs: Sequence[LayerCost]) -> None:
        """Fill the table."""
        whole = total(costs)
        self.list.show_rows([*costs, whole], totals=True)
        words = []
        if whole.packed_bytes:
            words.append(
                f"{size(whole.real_bytes)} → {size(whole.packed_bytes)}, "
                f"{whole.real_bytes / whole.packed_bytes:.3g} × smaller"
            )
        if whole.operations:
            words.append(
                f"{number(whole.real_macs)} MACs → {number(whole.operations)} operations, "
                f"{whole.real_macs / whole.operations:.3g} × fewer"
            )
        self.headline.setText("      ".join(words))

    def _find(self, cost: LayerCost) -> None:
        if cost.node:
            self.found.emit(cost.node)
