"""The analysis of a whole document."""

from __future__ import annotations

from collections.abc import Iterable

from engine.analysis.advice import advice
from engine.analysis.data_fit import data_problems
from engine.analysis.evaluate import Evaluated, Window
from engine.analysis.recipe import recipe_problems
from engine.analysis.walk import Walked, walk
from engine.compile.expand import Step, Value
from engine.findings import Analysis, NodeReport, Problem
from engine.network import Network

#: Names of the dimensions of one example, by their number.
_DIMENSIONS = {1: "features", 2: "C L", 3: "C H W", 4: "C D H W"}


def analyze(network: Network) -> Analysis:
    """Shapes, cost and problems of `network`; it never raises for a bad one.

    Every layer runs on torch's ``meta`` device, which computes shapes and no numbers, at two batch
    sizes. Results are remembered by layer and input, so that after an edit only what changed is
    computed again.

    Returns
    -------
    Analysis
        Reports by node in the order of running, problems in the order of nodes, and totals:
        "parameters", "trainable", "macs" and "activation_bytes", the last two for one example.
    """
    walked = walk(network)
    reports = _reports(walked)
    totals = {
        "parameters": sum(report.parameter_count for report in reports.values()),
        "trainable": sum(report.trainable_count for report in reports.values()),
        "macs": sum(report.macs for report in reports.values()),
        "activation_bytes": sum(report.activation_bytes for report in reports.values()),
    }
    problems = [
        *walked.problems,
        *recipe_problems(network),
        *data_problems(network, reports),
        *advice(network, walked),
    ]
    return Analysis(reports, _sorted(network, problems), totals)


def _sorted(network: Network, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Errors before warnings before hints, each in the document's order of nodes."""
    place = {id: index for index, id in enumerate(network.nodes)}
    severity = {"error": 0, "warning": 1, "hint": 2}
    return tuple(sorted(problems, key=lambda p: (severity[p.severity], place.get(p.node or "", len(place)))))


#: Size and step, in input pixels, of what one place of a value sees; per spatial dimension.
_Field = tuple[tuple[int, ...], tuple[int, ...]]


def _reports(walked: Walked) -> dict[str, NodeReport]:
    reports: dict[str, NodeReport] = {}
    fields: dict[str, _Field] = {}
    for path, (step, result) in walked.evaluated.items():
        field = fields[path] = _receptive_field(step, result, fields)
        frozen = step.node.training is not None and step.node.training.frozen
        first = next(iter(result.tensors.values()), None)
        reports[path] = NodeReport(
            outputs=result.tensors,
            parameters=result.parameters,
            buffers=result.buffers,
            parameter_count=result.parameter_count,
            trainable_count=0 if frozen else result.parameter_count,
            macs=result.macs,
            activation_bytes=result.activation_bytes,
            receptive_field=field[0],
            dimensions="" if first is None else _DIMENSIONS.get(len(first.shape), ""),
        )
    return reports


def _receptive_field(step: Step, result: Evaluated, fields: dict[str, _Field]) -> _Field:
    """The receptive field behind `step`: the widest of its inputs', grown by its own window."""
    if not result.outputs:
        return (), ()
    count = len(result.outputs[0][0].shape) - 2
    if count < 1:
        return (), ()
    arriving = [fields[v.path] for v in step.inputs.values() if isinstance(v, Value) and v.path in fields]
    arriving = [field for field in arriving if len(field[0]) == count]
    if not arriving:
        return ((1,) * count, (1,) * count) if step.node.type == "Input" else ((), ())
    size, step_size = max(arriving)
    window: Window | None = result.window
    if window is None:
        return size, step_size
    return (
        tuple(s + (r - 1) * j for s, r, j in zip(size, window.reach, step_size, strict=True)),
        tuple(j * s for j, s in zip(step_size, window.stride, strict=True)),
    )
