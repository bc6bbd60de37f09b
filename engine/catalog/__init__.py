"""The catalogue: every layer, initialiser, binarizer, loss, optimizer, schedule and data source.

Each is declared once, as a frozen value, in a file of its family. This package gathers them: a
module beside this one that holds entries is found by itself, so adding an entry touches one file.
Nothing here imports torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from engine.catalog.entry import (
    Apply,
    Augmentation,
    Binarizer,
    Call,
    Entry,
    Fix,
    Horizon,
    Initializer,
    Inputs,
    Layer,
    Loss,
    Optimizer,
    Port,
    RecipeOptions,
    Rule,
    Schedule,
    Settings,
    Source,
    Spec,
    Verdict,
)

#: Modules of this package that declare no entries.
_MACHINERY = {"entry", "fields", "plugins"}


def _gather() -> dict[type, dict[str, Any]]:
    found: dict[type, dict[str, Any]] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if info.name in _MACHINERY:
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            for entry in value if isinstance(value, tuple) else (value,):
                if isinstance(entry, Entry):
                    shelf = found.setdefault(type(entry), {})
                    if shelf.setdefault(entry.id, entry) is not entry:
                        raise ValueError(f"the catalogue declares {entry.id!r} twice")
    return found


_ALL = _gather()

LAYERS: dict[str, Layer] = _ALL[Layer]
INITIALIZERS: dict[str, Initializer] = _ALL[Initializer]
BINARIZERS: dict[str, Binarizer] = _ALL[Binarizer]
LOSSES: dict[str, Loss] = _ALL[Loss]
OPTIMIZERS: dict[str, Optimizer] = _ALL[Optimizer]
SCHEDULES: dict[str, Schedule] = _ALL[Schedule]
SOURCES: dict[str, Source] = _ALL[Source]
AUGMENTATIONS: dict[str, Augmentation] = _ALL[Augmentation]
#: Sections of further keys of the recipe; their fields are the keys.
RECIPE_OPTIONS: dict[str, RecipeOptions] = _ALL[RecipeOptions]

#: The palette's groups, in its order.
GROUPS: tuple[str, ...] = (
    "Input and output",
    "Linear",
    "Convolution",
    "Pooling",
    "Padding",
    "Normalisation",
    "Activation",
    "Regularisation",
    "Recurrent",
    "Attention",
    "Merge",
    "Split",
    "Reduce",
    "Shape",
    "Other",
)

ACTIVATIONS: dict[str, Layer] = {id: layer for id, layer in LAYERS.items() if layer.is_activation}

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "BINARIZERS",
    "GROUPS",
    "INITIALIZERS",
    "LAYERS",
    "LOSSES",
    "OPTIMIZERS",
    "RECIPE_OPTIONS",
    "SCHEDULES",
    "SOURCES",
    "Apply",
    "Augmentation",
    "Binarizer",
    "Call",
    "Entry",
    "Fix",
    "Horizon",
    "Initializer",
    "Inputs",
    "Layer",
    "Loss",
    "Optimizer",
    "Port",
    "RecipeOptions",
    "Rule",
    "Schedule",
    "Settings",
    "Source",
    "Spec",
    "Verdict",
]
