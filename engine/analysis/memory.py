"""What a network would take of this computer's memory, known before any of it is taken."""

from __future__ import annotations

import contextlib
import math
import os
from functools import cache
from pathlib import Path

from engine.analysis.walk import Walked
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Network

#: Bytes of a float32.
_FLOAT = 4
#: Taken for the memory where the system does not tell it.
_UNKNOWN = 64 << 30


@cache
def installed() -> int:
    """This computer's memory in bytes, or what a container leaves of it."""
    total = _UNKNOWN
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no such call on Windows
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def weights_problem(walked: Walked) -> Problem | None:
    """An error where the weights alone do not fit into memory, at the node that has most of them."""
    sizes = {
        step.path: _FLOAT
        * (result.parameter_count + sum(math.prod(shape) for shape in result.buffers.values()))
        for step, result in walked.evaluated.values()
    }
    total = sum(sizes.values())
    if total <= installed():
        return None
    largest = max(sizes, key=sizes.__getitem__)
    return Problem(
        "error",
        "too-large",
        f"its weights take {_told(sizes[largest])}, the network's {_told(total)} in all; this computer has "
        f"{_told(installed())} of memory. Make it smaller.",
        node=largest.partition(".")[0],
    )


def memory_problems(network: Network, walked: Walked) -> list[Problem]:
    """Errors where building or training `network` would take more memory than there is."""
    weights = weights_problem(walked)
    if weights is not None:
        return [weights]
    size = network.recipe.batch_size
    outputs = sum(result.activation_bytes for _, result in walked.evaluated.values())
    if outputs * size <= installed():
        return []
    if outputs > installed():
        message = f"one example's outputs take {_told(outputs)}; this computer has {_told(installed())}."
        return [Problem("error", "too-large", f"{message} Make the layers or the input smaller.")]
    fitting = 1 << ((installed() // outputs).bit_length() - 1)
    change = Change(("recipe", "batch_size"), before=size, after=fitting)
    message = (
        f"the outputs of {size:,} examples take {_told(outputs * size)}; this computer has "
        f"{_told(installed())} of memory. Lower it to {fitting:,}."
    )
    repairs = (Repair(f"Set batch_size to {fitting}", (change,)),)
    return [Problem("error", "too-large", message, field="recipe.batch_size", repairs=repairs)]


def _told(size: int) -> str:
    for power, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= power:
            return f"{size / power:,.3g} {unit}"
    return f"{size:,} bytes"
