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
        step.path: _FLOAT * (result.parameter_count + sum(map(math.prod, result.buffers.values())))
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


#: Optimizer -> tensors that it keeps for each weight, beside what its options add.
_KEPT = {
    "Adadelta": 2,
    "Adafactor": 1,
    "Adagrad": 1,
    "Adam": 2,
    "AdamW": 2,
    "Adamax": 2,
    "ASGD": 1,
    "Bop": 1,
    "NAdam": 2,
    "RAdam": 2,
    "RMSprop": 1,
    "Rprop": 2,
    "SGD": 0,
}


def predicted(network: Network, walked: Walked) -> dict[str, int]:
    """Peak bytes with the recipe's batch size: "inference_bytes" and "training_bytes".

    Inference holds the weights, and the outputs that something is still to read. Training holds
    weights, a gradient for each that learns, what the optimizer keeps for it, and the outputs of all
    layers, which the backward pass reads. What single operations take for a moment (a convolution's
    work space) and what the device's allocator holds back come on top.
    """
    size = network.recipe.batch_size
    weights = learned = 0
    for step, result in walked.evaluated.values():
        if not (result.parameters or result.buffers):
            continue
        shares = step.node.shares
        sizes = result.parameters
        own = sum(
            map(
                math.prod, [sizes[name] for name in sizes if name not in shares] if shares else sizes.values()
            )
        )
        frozen = step.node.training is not None and step.node.training.frozen
        weights += own + sum(map(math.prod, result.buffers.values()))
        learned += 0 if frozen else own
    outputs = sum(result.activation_bytes for _, result in walked.evaluated.values())
    kept = _kept(network)
    return {
        "inference_bytes": _FLOAT * weights + size * _live(walked),
        "training_bytes": _FLOAT * (weights + learned * (1 + kept)) + size * outputs,
    }


def _kept(network: Network) -> int:
    """Tensors that the recipe's optimizer keeps for each weight."""
    optimizer = network.recipe.optimizer
    fields = optimizer.fields
    more = (optimizer.id in ("SGD", "RMSprop") and bool(fields.get("momentum"))) + bool(fields.get("amsgrad"))
    return _KEPT.get(optimizer.id, 2) + more + bool(fields.get("centered"))


def _live(walked: Walked) -> int:
    """Bytes of the outputs of one example that are held at once, at most, running in order."""
    order = list(walked.evaluated.values())
    last: dict[str, int] = {}
    for number, (step, _) in enumerate(order):
        for value in step.inputs.values():
            if value is not None:
                last[value.path] = len(order) if step.node.type == "Output" else number
    dying: dict[int, int] = {}
    held = most = 0
    for number, (step, result) in enumerate(order):
        held += result.activation_bytes
        most = max(most, held)
        end = last.get(step.path, number)
        dying[end] = dying.get(end, 0) + result.activation_bytes
        held -= dying.pop(number, 0)
    return most


def _told(size: int) -> str:
    for power, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= power:
            return f"{size / power:,.3g} {unit}"
    return f"{size:,} bytes"
