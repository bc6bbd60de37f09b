"""From document to torch: the module that trains, and the same calls as readable source."""

from engine.compile.build import build
from engine.compile.initialise import initializer
from engine.compile.resolve import binarizer
from engine.compile.source import source

__all__ = ["binarizer", "build", "initializer", "source"]
