"""From document to torch: the module that trains, and the same calls as readable source."""

from engine.compile.builder import build
from engine.compile.initialise import initializer
from engine.compile.printer import source
from engine.compile.resolve import binarizer

__all__ = ["binarizer", "build", "initializer", "source"]
