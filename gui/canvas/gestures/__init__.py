"""What hands do on the canvas: each gesture is an object with a beginning, a way and an end."""

from gui.canvas.gestures.base import Gesture
from gui.canvas.gestures.bend import Bend
from gui.canvas.gestures.connect import Connect, Rewire
from gui.canvas.gestures.move import Move
from gui.canvas.gestures.pan import Pan
from gui.canvas.gestures.resize import Resize
from gui.canvas.gestures.select import RubberBand

__all__ = ["Bend", "Connect", "Gesture", "Move", "Pan", "Resize", "Rewire", "RubberBand"]
