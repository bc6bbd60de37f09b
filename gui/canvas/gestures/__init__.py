"""What hands do on the canvas: each gesture is an object with a beginning, a way and an end."""

from gui.canvas.gestures.base import Gesture
from gui.canvas.gestures.connect import Connect, Rewire
from gui.canvas.gestures.move import Move
from gui.canvas.gestures.pan import Pan
from gui.canvas.gestures.select import RubberBand

__all__ = ["Connect", "Gesture", "Move", "Pan", "Rewire", "RubberBand"]
