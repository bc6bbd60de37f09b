"""Fonts, pens and brushes of the canvas, made once per theme."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from gui.canvas import card
from gui.canvas.levels import COARSE, MIDDLE, NEAR
from gui.theme import Tokens, family_color, rank_color

RADIUS = 8.0
#: Width of the family's stripe; where a card shows its id alone, wide enough to be seen from there.
STRIPE, STRIPE_COARSE = 5.0, 12.0
#: Width of a card's border by level of detail, in scene units: on the screen about a pixel at each.
BORDERS = {NEAR: 1.0, MIDDLE: 2.2, COARSE: 4.0}
#: How much of its family's colour a card has that shows little more than it.
TINT = 0.1


@cache
def font(pixels: int, bold: bool = False) -> QFont:
    """A font of the type scale (:data:`gui.theme.TYPE`); cards seen from afar have larger ones."""
    made = QFont()
    made.setPixelSize(pixels)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    made.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
    return made


@cache
def metrics(pixels: int, bold: bool = False) -> QFontMetricsF:
    """Metrics of :func:`font`."""
    return QFontMetricsF(font(pixels, bold))


def elided(
    text: str,
    pixels: int,
    width: float,
    bold: bool = False,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> str:
    """`text` shortened with … to fit `width`."""
    return metrics(pixels, bold).elidedText(text, mode, width)


@cache
def card_path(height: float) -> QPainterPath:
    """The outline of a card."""
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, card.WIDTH, height), RADIUS, RADIUS)
    return path


def draw_card(painter: QPainter, height: float, grown: float = 0.0, down: float = 0.0) -> None:
    """Draw a card's outline with the painter's pen and brush, `grown` beyond its edge.

    As a rounded rectangle: filling the same outline as a path costs four times as much.
    """
    box = QRectF(-grown, down - grown, card.WIDTH + 2 * grown, height + 2 * grown)
    painter.drawRoundedRect(box, RADIUS + grown, RADIUS + grown)


@cache
def stripe_path(height: float, width: float = STRIPE) -> QPainterPath:
    """The family's stripe along a card's left edge."""
    band = QPainterPath()
    band.addRect(QRectF(0, 0, width, height))
    return card_path(height).intersected(band)


def mixed(color: QColor, ground: QColor, share: float) -> QColor:
    """`share` of `color` on `ground`, opaque."""
    return QColor(
        round(color.red() * share + ground.red() * (1 - share)),
        round(color.green() * share + ground.green() * (1 - share)),
        round(color.blue() * share + ground.blue() * (1 - share)),
    )


class Look:
    """One theme's drawing tools."""

    def __init__(self, tokens: Tokens) -> None:
        def color(name: str) -> QColor:
            return QColor(getattr(tokens, name))

        self.tokens = tokens
        self.canvas = color("canvas")
        self.surface = color("surface")
        self.raised = color("raised")
        self.text = color("text")
        self.muted = color("muted")
        self.line = color("line")
        self.accent = color("accent")
        self.accent_text = color("accent_text")
        self.error = color("error")
        self.warning = color("warning")
        self.dark = tokens.name == "dark"
        self.canvas_brush = QBrush(self.canvas)
        # Opaque: Qt takes five times as long to draw large translucent shapes.
        black = QColor(0, 0, 0)
        self.shadows = tuple(
            (grown, QBrush(mixed(black, self.canvas, share)))
            for grown, share in ((2.0, 0.3 if self.dark else 0.035), (0.5, 0.6 if self.dark else 0.10))
        )
        self.ring = QBrush(mixed(self.accent, self.canvas, 0.28 if self.dark else 0.18))
        #: A card's border by level of detail and state.
        self.borders = {
            detail: {
                "": QPen(self.line if detail > COARSE else mixed(self.muted, self.surface, 0.7), width),
                "error": QPen(self.error, 1.25 * width),
                "hover": QPen(self.muted, 1.25 * width),
                "selected": QPen(self.accent, 2 * width),
            }
            for detail, width in BORDERS.items()
        }
        self.halo = QColor(self.accent)
        self.halo.setAlpha(48 if self.dark else 36)
        self.grid = QPen(mixed(self.muted, self.canvas, 0.32), 2.0)
        self.grid.setCosmetic(True)
        self.divider = QPen(mixed(self.line, self.surface, 0.7), 1.0)
        self.families = {group: QColor(value) for group, value in tokens.families}
        self.other = QColor(family_color(tokens, "Other"))
        self.ranks = tuple(QColor(rank_color(tokens, rank)) for rank in range(5))
        self.unknown_wire = color("wire")
        #: Pens of wires, of which there are thousands.
        self._wires: dict[tuple[int | None, bool, bool], QPen] = {}

    def family(self, group: str) -> QColor:
        """Colour of a catalogue group."""
        return self.families.get(group, self.other)

    def rank(self, dimensions: int | None) -> QColor:
        """Colour of a wire by its tensor's dimensions; None: not known yet."""
        return self.unknown_wire if dimensions is None else self.ranks[min(dimensions, 4)]

    def severity(self, severity: str) -> QColor:
        """Colour of a problem."""
        return {"error": self.error, "warning": self.warning}.get(severity, self.accent)

    def chip(self, kind: str) -> tuple[QColor, QColor]:
        """Ground and ink of a mark."""
        ink = {
            "activation": self.family("Activation"),
            "binarize": self.family("Attention"),
            "init": self.family("Normalisation"),
        }.get(kind, self.muted)
        return mixed(ink, self.surface, 0.16 if self.dark else 0.10), ink

    def wire(
        self,
        dimensions: int | None,
        hovered: bool = False,
        selected: bool = False,
        mark: str | None = None,
    ) -> QPen:
        """Pen of a wire: colour and thickness by dimensions; `mark` is a measure's colour instead."""
        key = (dimensions, hovered, selected)
        pen = None if mark else self._wires.get(key)
        if pen is None:
            width = 1.6 if dimensions is None else 1.6 + 0.5 * min(dimensions, 4)
            color = self.accent if selected else QColor(mark) if mark else self.rank(dimensions)
            pen = QPen(color, width + (1.2 if hovered or selected else 0.0))
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            if not mark:
                self._wires[key] = pen
        return pen
