"""From document to torch: the module that trains, and the same calls as readable source.

What reads the drawing alone (:mod:`engine.compile.expand`) needs no torch, so the rest is imported
when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.compile.builder import build
    from engine.compile.initialise import initializer
    from engine.compile.printer import source
    from engine.compile.resolve import binarizer

__all__ = ["binarizer", "build", "initializer", "source"]

_HOMES = {"binarizer": "resolve", "build": "builder", "initializer": "initialise", "source": "printer"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine.compile' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"engine.compile.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
