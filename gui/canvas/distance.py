"""What distance does to colours: cards fill with their family's colour, and wires step back."""

from __future__ import annotations

import math
from typing import NamedTuple

from PySide6.QtGui import QColor

from gui.canvas import card
from gui.canvas.look import Look, mixed

#: Cards of fewer pixels have no border: nothing would be left of them. From `CLEAR` pixels on they are seen
#: nearly as from near, and between the two all changes gradually.
DUST, CLEAR = 9.0, 48.0


class Distance(NamedTuple):
    """How far one is, and what that makes of colours."""

    #: Width of a card on the screen, in pixels.
    pixels: float
    look: Look

    @classmethod
    def of(cls, zoom: float, tools: Look) -> Distance:
        """How far one is that sees `zoom` pixels per scene unit."""
        return cls(card.WIDTH * zoom, tools)

    @property
    def dust(self) -> bool:
        """Whether cards are too small for borders."""
        return self.pixels < DUST

    @property
    def nearness(self) -> float:
        """From 0, where cards are dust, to 1."""
        share = math.log(max(self.pixels, DUST) / DUST) / math.log(CLEAR / DUST)
        return min(1.0, share)

    def ground(self, color: QColor, clear: float) -> QColor:
        """What a card of `color` is filled with: a share of `clear` from near, the colour itself as dust."""
        return mixed(color, self.look.surface, 1.0 + (clear - 1.0) * self.nearness)

    def border(self, color: QColor) -> QColor:
        """A card's border: grey from near, of the card's own `color` from far."""
        return mixed(self.look.muted, color, self.nearness)

    def wire(self, color: QColor) -> QColor:
        """A wire's colour: it fades into the canvas, for no line is thinner than a pixel."""
        return mixed(color, self.look.canvas, 0.5 + 0.5 * self.nearness)
