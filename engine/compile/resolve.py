"""From a catalogue's :class:`~engine.catalog.Call` to the torch object it speaks of.

Targets come from catalogue entries alone, never from a file, and even so only names of these few
modules resolve, and of packages that the user installed for their layers.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import torch

from engine.catalog import BINARIZERS, Call, plugins
from engine.problems import did_you_mean

#: The modules whose names an entry may use; the longest that fits is taken.
_TRUSTED = (
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn",
    "torch.optim.lr_scheduler",
    "torch.optim",
    "torch",
    "engine.compile.estimators",
    "engine.compile.modules",
    "engine.compile.schemes",
    "engine.compile.weight_estimators",
    "engine.training.losses",
    "engine.training.optimizers",
    "engine.training.schedules",
)


# Whoever has torch has the layers of plugins, and they before anything is resolved.
plugins.load()


@cache
def resolve(target: str) -> Any:
    """The class or function that `target` names.

    Raises
    ------
    ValueError
        If it is not a public name of a trusted module.
    """
    module, _, name = target.rpartition(".")
    if not (module in _TRUSTED or plugins.trusted(module)) or not name.isidentifier() or name.startswith("_"):
        raise ValueError(f"{target!r} is not a name that the catalogue may use.")
    return getattr(importlib.import_module(module), name)


def construct(call: Call, *first: Any) -> Any:
    """The object that `call` describes; `first` goes before its arguments (parameters to optimize …)."""
    return resolve(call.target)(*first, *call.args, **call.kwargs)


def checked_settings(shelf: dict[str, Any], kind: str, id: str, fields: dict[str, Any]) -> Any:
    """The entry `id` and its complete settings.

    Raises
    ------
    ValueError
        If there is no such entry, or a field is unknown, missing or out of range.
    """
    if id not in shelf:
        raise ValueError(f"There is no {kind} {id!r}.{did_you_mean(id, shelf)} Known: {', '.join(shelf)}.")
    entry = shelf[id]
    wrong = entry.check(fields)
    if wrong:
        raise ValueError(" ".join(f"{id} › {field}: {message}" for field, message in wrong))
    return entry, entry.settings(fields)


def binarizer(id: str, **fields: Any) -> torch.nn.Module:
    """A straight-through estimator as a module: ``y = ste(x)``, with the estimator's gradient.

    Parameters
    ----------
    id
        A binarizer of the catalogue: ``"ste_sign"``, ``"lbsign"`` …
    **fields
        Its fields, by name: ``clip_value=1.0``.

    Raises
    ------
    ValueError
        If there is no such estimator or field, or a value is out of range.
    """
    entry, settings = checked_settings(BINARIZERS, "binarizer", id, fields)
    module: torch.nn.Module = construct(entry.call(settings))
    return module
