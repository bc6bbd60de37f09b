"""What is known about each node, and about what blocks come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from engine.analysis import receptive
from engine.analysis.evaluate import Evaluated, tensor
from engine.analysis.receptive import Field
from engine.analysis.walk import Walked
from engine.catalog import LAYERS
from engine.compile.expand import Step, Value
from engine.findings import NodeReport, Tensor

#: Names of the dimensions of one example, by their number.
_DIMENSIONS = {1: "features", 2: "C L", 3: "C H W", 4: "C D H W"}


class _Known(NamedTuple):
    """The reports that were made last, and what of: after an edit most of them are the same."""

    evaluated: Mapping[str, tuple[Step, Evaluated]] = {}
    reports: Mapping[str, NodeReport] = {}
    fields: Mapping[str, Field] = {}


_known = _Known()


def reports_of(walked: Walked) -> dict[str, NodeReport]:
    """By path: the steps, and what lies around them: uses of blocks, their repeats and their ends."""
    global _known
    known = _known
    reports: dict[str, NodeReport] = {}
    fields: dict[str, Field] = {}
    #: Where the receptive field or the names of the dimensions are others than they were.
    others: set[str] = set()
    for path, entry in walked.evaluated.items():
        step, result = entry
        same = entry is known.evaluated.get(path)
        if same and not (others and any(v is not None and v.path in others for v in step.inputs.values())):
            reports[path], fields[path] = known.reports[path], known.fields[path]
            continue
        fields[path] = _receptive_field(step, result, fields)
        reports[path] = _report(step, result, fields[path], reports)
        before = known.reports.get(path)
        # All that others take of it.
        if before is None or (reports[path].dimensions, fields[path]) != (
            before.dimensions,
            known.fields[path],
        ):
            others.add(path)
    _known = _Known(walked.evaluated, reports, fields)
    return _with_blocks(walked, reports, fields)


def ends(walked: Walked) -> dict[str, NodeReport]:
    """What flows at the Inputs and Outputs of the top level, and nothing else."""
    return {
        path: NodeReport(outputs=result.tensors)
        for path, (step, result) in walked.evaluated.items()
        if step.node.type in ("Input", "Output")
    }


def _report(step: Step, result: Evaluated, field: Field, reports: Mapping[str, NodeReport]) -> NodeReport:
    own, count, shares = result.parameters, result.parameter_count, step.node.shares
    if shares:
        count -= sum(math.prod(own.get(name, (0,))) for name in shares)
        own = {name: shape for name, shape in own.items() if name not in shares}
    frozen = step.node.training is not None and step.node.training.frozen
    return NodeReport(
        outputs=result.tensors,
        parameters=own,
        buffers=result.buffers,
        unknown=int(not result.outputs and step.node.type != "Output"),
        parameter_count=count,
        trainable_count=0 if frozen else count,
        macs=result.macs,
        activation_bytes=result.activation_bytes,
        receptive_field=tuple(sight.size for sight in field),
        dimensions=_dimensions(result.tensors, step, reports),
    )


def _with_blocks(
    walked: Walked, reports: Mapping[str, NodeReport], fields: Mapping[str, Field]
) -> dict[str, NodeReport]:
    """`reports` and those of what lies around the steps, in the order of running."""
    sums: dict[str, dict[str, int]] = {}
    for path, report in reports.items():
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


def _receptive_field(step: Step, result: Evaluated, fields: Mapping[str, Field]) -> Field:
    """What is behind `step`: the widest of its inputs', grown by its own window."""
    if not result.outputs:
        return ()
    count = len(result.outputs[0][0].shape) - 2
    if count < 1:
        return ()
    if len(step.inputs) == 1:  # most have one, and there are thousands
        (value,) = step.inputs.values()
        field = fields.get(value.path, ()) if value is not None else ()
        return receptive.behind(field, result.window) if len(field) == count else ()
    arriving = [fields[v.path] for v in step.inputs.values() if isinstance(v, Value) and v.path in fields]
    arriving = [field for field in arriving if len(field) == count]
    if not arriving:
        return receptive.start(count) if step.node.type == "Input" else ()
    field = arriving[0] if len(arriving) == 1 else receptive.widest(arriving)
    return receptive.behind(field, result.window)
