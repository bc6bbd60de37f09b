"""The analysis of a whole document."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from msgspec.structs import replace

from engine.analysis import receptive
from engine.analysis.advice import advice, narrow_view
from engine.analysis.advice_repairs import with_ways_out
from engine.analysis.batches import batch_problems
from engine.analysis.binary_rules import binary_problems
from engine.analysis.data_fit import data_problems
from engine.analysis.evaluate import Evaluated, tensor
from engine.analysis.lessons import with_lesson
from engine.analysis.memory import memory_problems, predicted
from engine.analysis.receptive import Field
from engine.analysis.recipe import recipe_problems
from engine.analysis.repairs import with_repairs
from engine.analysis.walk import Walked, walk
from engine.catalog import LAYERS
from engine.compile.expand import Step, Value
from engine.findings import Analysis, NodeReport, Problem, Tensor
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
        "parameters", "trainable", "macs" and "activation_bytes", the last two for one example,
        "inference_bytes" and "training_bytes", peaks with the recipe's batch size and optimizer, and
        "unknown", how many layers could not be analysed and are in none of these.
    """
    with _collector_resting():
        return _analyze(network)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Keep Python's cycle collector out: it would walk all of torch several times, and finds nothing here."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _analyze(network: Network) -> Analysis:
    walked = walk(network)
    reports = _reports(walked)
    steps = [reports[path] for path in walked.evaluated]
    totals = {
        "parameters": sum(report.parameter_count for report in steps),
        "trainable": sum(report.trainable_count for report in steps),
        "macs": sum(report.macs for report in steps),
        "activation_bytes": sum(report.activation_bytes for report in steps),
        **predicted(network, walked),
        "unknown": sum(reports[id].unknown for id in network.nodes if id in reports),
    }
    problems = _sorted(
        network,
        [
            *walked.problems,
            *recipe_problems(network),
            *data_problems(network, reports),
            *memory_problems(network, walked),
            *batch_problems(network, walked),
            *advice(network, walked),
            *binary_problems(network, walked),
            *narrow_view(network, walked, {path: report.receptive_field for path, report in reports.items()}),
        ],
    )
    problems = with_repairs(network, problems, walked, _errors)
    problems = with_ways_out(network, problems, walked, _judged)
    return Analysis(reports, tuple(with_lesson(_in_one_line(problem)) for problem in problems), totals)


#: Characters that break a line, steer a terminal or turn the direction of writing; names may have them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _in_one_line(problem: Problem) -> Problem:
    """`problem` with what cannot be seen in its message spelt out."""
    message = _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], problem.message)
    return problem if message == problem.message else replace(problem, message=message)


def _judged(network: Network) -> list[Problem]:
    """Errors, and what torch lets pass: how a way out of a warning is judged."""
    walked = walk(network)
    return [*_errors(network, walked), *advice(network, walked)]


def _errors(network: Network, walked: Walked | None = None) -> list[Problem]:
    """What keeps `network` from running, or from its classes: how a repair that is tried is judged."""
    walked = walk(network) if walked is None else walked
    problems = [
        *walked.problems,
        *recipe_problems(network),
        *data_problems(network, _reports(walked)),
        *memory_problems(network, walked),
        *batch_problems(network, walked),
    ]
    return [problem for problem in problems if problem.severity == "error" or problem.code == "data-classes"]


def _sorted(network: Network, problems: Iterable[Problem]) -> list[Problem]:
    """Errors before warnings before hints, each in the document's order of nodes."""
    place = {id: index for index, id in enumerate(network.nodes)}
    severity = {"error": 0, "warning": 1, "hint": 2}
    return sorted(
        problems,
        key=lambda p: (severity[p.severity], place.get((p.node or "").partition(".")[0], len(place))),
    )


def _reports(walked: Walked) -> dict[str, NodeReport]:
    """By path: the steps, and what lies around them: uses of blocks, their repeats and their ends."""
    reports: dict[str, NodeReport] = {}
    fields: dict[str, Field] = {}
    sums: dict[str, dict[str, int]] = {}
    for path, (step, result) in walked.evaluated.items():
        field = fields[path] = _receptive_field(step, result, fields)
        own = {name: shape for name, shape in result.parameters.items() if name not in step.node.shares}
        shared = sum(math.prod(result.parameters.get(name, (0,))) for name in step.node.shares)
        count = result.parameter_count - shared
        frozen = step.node.training is not None and step.node.training.frozen
        report = reports[path] = NodeReport(
            outputs=result.tensors,
            parameters=result.parameters if len(own) == len(result.parameters) else own,
            buffers=result.buffers,
            unknown=int(not result.outputs and step.node.type != "Output"),
            parameter_count=count,
            trainable_count=0 if frozen else count,
            macs=result.macs,
            activation_bytes=result.activation_bytes,
            receptive_field=tuple(sight.size for sight in field),
            dimensions=_dimensions(result.tensors, step, reports),
        )
        while "." in path:
            path = path.rpartition(".")[0]
            total = sums.setdefault(path, dict(_NOTHING))
            for name in _NOTHING:
                total[name] += getattr(report, name)
    expanded = walked.expanded
    around = {path: {"output": value} for path, value in expanded.passes.items()}
    around |= {use.path: dict(use.outputs) for use in expanded.uses}
    ordered = {}
    for path in expanded.paths:
        if path in reports:
            ordered[path] = reports[path]
            continue
        values, total = around.get(path, {}), sums.get(path, _NOTHING)
        unknown = total["unknown"] if path in around else 1
        tensors = {port: tensor(walked.values[v]) for port, v in values.items() if v in walked.values}
        first = next((value for value in values.values() if value in walked.values), None)
        ordered[path] = NodeReport(
            outputs=tensors,
            receptive_field=tuple(sight.size for sight in fields[first.path]) if first is not None else (),
            dimensions=_dimensions(tensors),
            unknown=unknown,
            parameter_count=total["parameter_count"],
            trainable_count=total["trainable_count"],
            macs=total["macs"],
            activation_bytes=total["activation_bytes"],
        )
    return ordered


#: What a block has as much of as all that is in it.
_NOTHING = {"unknown": 0, "parameter_count": 0, "trainable_count": 0, "macs": 0, "activation_bytes": 0}


def _dimensions(
    tensors: Mapping[str, Tensor],
    step: Step | None = None,
    reports: Mapping[str, NodeReport] = MappingProxyType({}),
) -> str:
    """Names of the first output's dimensions: a layer's own words, else as its input has them."""
    first = next(iter(tensors.values()), None)
    if first is None:
        return ""
    usual = _DIMENSIONS.get(len(first.shape), "")
    if step is None or len(first.shape) != 2:
        return usual
    layer = LAYERS.get(step.node.type)
    if layer is None or layer.group in ("Convolution", "Pooling"):
        return usual
    if layer.gives.startswith("N L") or layer.id == "Embedding":
        return "L C"
    value = next((value for value in step.inputs.values() if value is not None), None)
    arriving = "" if value is None else reports[value.path].dimensions if value.path in reports else ""
    return arriving if len(arriving.split()) == 2 and arriving != "features" else usual


def _receptive_field(step: Step, result: Evaluated, fields: dict[str, Field]) -> Field:
    """What is behind `step`: the widest of its inputs', grown by its own window."""
    if not result.outputs:
        return ()
    count = len(result.outputs[0][0].shape) - 2
    if count < 1:
        return ()
    arriving = [fields[v.path] for v in step.inputs.values() if isinstance(v, Value) and v.path in fields]
    arriving = [field for field in arriving if len(field) == count]
    if not arriving:
        return receptive.start(count) if step.node.type == "Input" else ()
    field = arriving[0] if len(arriving) == 1 else receptive.widest(arriving)
    return receptive.behind(field, result.window)
