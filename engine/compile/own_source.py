"""The source of our own classes, which printed code brings along."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from engine.compile.lower import Operation


def source_of(operations: Iterable[Operation]) -> str:
    """The source of those of our own classes that the network uses, and of what they rest on."""
    targets = {
        call.target
        for operation in operations
        for call in operation.children.values()
        if not call.target.startswith("torch.")
    }
    own: dict[str, Any] = {}
    homes = {target.rpartition(".")[0] for target in targets}
    seen: set[str] = set()
    while homes - seen:
        home = (homes - seen).pop()
        seen.add(home)
        for name, value in vars(importlib.import_module(home)).items():
            if getattr(value, "__module__", "").startswith("engine.compile.") or (
                isinstance(value, type) and value.__module__ == home
            ):
                own[name] = value
                homes.add(value.__module__)
    sources = {name: lines_of(value)[0] for name, value in own.items()}
    needed: set[str] = set()
    todo = [target.rpartition(".")[2] for target in targets]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [other for other in own if re.search(rf"\b{other}\b", sources[name])]
    # Within a file the helpers stand above what uses them, and files use those before them.
    ordered = sorted(needed, key=lambda name: (own[name].__module__, lines_of(own[name])[1]))
    return "\n\n\n".join(re.sub(r"  # (?:noqa|type: ignore).*", "", sources[name]) for name in ordered)


@cache
def lines_of(value: Any) -> tuple[str, int]:
    """The source of a class or function, and its line. Finding it means parsing its file."""
    lines, number = inspect.getsourcelines(value)
    return "".join(lines).rstrip(), number
