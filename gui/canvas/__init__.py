"""The canvas: where the network is drawn."""

from gui.canvas.overlay import Mark
from gui.canvas.palette import MIME, Palette
from gui.canvas.view import Canvas

__all__ = ["MIME", "Canvas", "Mark", "Palette"]
