"""Layerlab's engine: networks as documents, compiled and trained with torch. Headless.

``import engine`` is light: what needs torch is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.analysis import analyze
    from engine.compile import binarizer, build, initializer, source
    from engine.network import Network
    from engine.problems import FileProblem, NetworkProblem
    from engine.storage.file import read as load
    from engine.training.api import train

#: Public name -> (module, name there).
_HOMES = {
    "FileProblem": ("engine.problems", "FileProblem"),
    "Network": ("engine.network", "Network"),
    "NetworkProblem": ("engine.problems", "NetworkProblem"),
    "analyze": ("engine.analysis", "analyze"),
    "binarizer": ("engine.compile", "binarizer"),
    "build": ("engine.compile", "build"),
    "initializer": ("engine.compile", "initializer"),
    "load": ("engine.storage.file", "read"),
    "source": ("engine.compile", "source"),
    "train": ("engine.training.api", "train"),
}

__all__ = [
    "FileProblem",
    "Network",
    "NetworkProblem",
    "analyze",
    "binarizer",
    "build",
    "initializer",
    "load",
    "save",
    "source",
    "train",
]


def save(network: Network, path: Any) -> None:
    """Write `network` to `path` atomically: the old file stays whole until the new one is.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from engine.storage.file import write

    write(network, path)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    home, attribute = _HOMES[name]
    value = getattr(importlib.import_module(home), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
