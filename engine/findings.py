"""What an analysis finds: plain values, so that the window can hold them without torch.

:mod:`engine.analysis` makes them, the host carries them over the wire, canvas, inspector and
command line show them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.diff import Change


class Tensor(msgspec.Struct, frozen=True):
    """What flows out of a port."""

    #: Without the batch.
    shape: tuple[int, ...]
    dtype: str = "float32"
    #: Whether the batch is dimension 0. (False is a mistake that analysis reports.)
    batched: bool = True


class Repair(msgspec.Struct, frozen=True):
    """A way out of a problem: a sentence and the edit that does it, tried before it is offered."""

    text: str
    changes: tuple[Change, ...]


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong, or looks wrong, and where."""

    #: "error", "warning" or "hint".
    severity: str
    code: str
    message: str
    node: str | None = None
    field: str | None = None
    repairs: tuple[Repair, ...] = ()
    #: Why it matters, with a source.
    lesson: str = ""

    def __str__(self) -> str:
        place = " › ".join(part for part in (self.node, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


class NodeReport(msgspec.Struct, frozen=True):
    """What analysis knows about one node (in a block: about one use, under its path)."""

    #: Output port -> tensor. Empty where an error upstream leaves it unknown.
    outputs: Mapping[str, Tensor] = {}
    #: Parameter name -> shape.
    parameters: Mapping[str, tuple[int, ...]] = {}
    #: Buffer name -> shape.
    buffers: Mapping[str, tuple[int, ...]] = {}
    #: How many layers, of it and of what is in it, could not be analysed: the costs are of the others.
    unknown: int = 0
    parameter_count: int = 0
    trainable_count: int = 0
    #: Multiply–accumulate operations for one example, forward.
    macs: int = 0
    #: Bytes of the outputs for one example.
    activation_bytes: int = 0
    #: Side of the input region that one output sees, per spatial dimension; empty where it has none.
    receptive_field: tuple[int, ...] = ()
    #: Dimension names of the first output: "C H W".
    dimensions: str = ""


class Analysis(msgspec.Struct, frozen=True):
    """Everything that can be said about a network without running it."""

    nodes: Mapping[str, NodeReport] = {}
    problems: tuple[Problem, ...] = ()
    #: Sums by name; as long as "unknown" layers are left out of them, they are the least that there is.
    totals: Mapping[str, int] = {}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Output shapes without the batch, by node id; by "id.port" where a node has several."""
        found: dict[str, tuple[int, ...]] = {}
        for id, report in self.nodes.items():
            for port, tensor in report.outputs.items():
                found[id if len(report.outputs) == 1 else f"{id}.{port}"] = tensor.shape
        return found

    @property
    def runs(self) -> bool:
        """Whether there is a network, and no problem keeps it from running."""
        return bool(self.nodes) and not self.errors

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the network from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")
