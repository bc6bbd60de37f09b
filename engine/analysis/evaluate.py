"""One node, judged and run on ``meta``; remembered under all that it depends on.

The key is the node's content and its input specs, so nothing is ever invalidated by hand: an edit
recomputes the nodes whose own content or inputs changed, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import torch

from engine.analysis.cost import macs
from engine.analysis.declared import Finding, declared
from engine.analysis.receptive import Window, window
from engine.catalog import INITIALIZERS, LAYERS, Fix, Inputs, Layer, Spec
from engine.compile.expand import Step, Value
from engine.compile.initialise import misfit
from engine.compile.lower import Operation, lower
from engine.compile.plan import plan
from engine.findings import Tensor
from engine.network import Node

#: Every network is looked at with two batch sizes, to see what depends on the batch. Primes, so
#: that a size of the user's is hardly ever mistaken for one of them.
BATCHES = (13, 17)

#: A tensor above this many elements (4 TiB of float32) is an error and not a wish.
MOST_ELEMENTS = 1 << 40

#: The same value at both batch sizes.
SpecPair = tuple[Spec, Spec]


class Evaluated(NamedTuple):
    """What a node is, given its inputs."""

    findings: tuple[Finding, ...]
    #: Per output port; empty where unknown.
    outputs: tuple[SpecPair, ...] = ()
    tensors: Mapping[str, Tensor] = {}
    parameters: Mapping[str, tuple[int, ...]] = {}
    buffers: Mapping[str, tuple[int, ...]] = {}
    parameter_count: int = 0
    macs: int = 0
    activation_bytes: int = 0
    #: None: looks at single places.
    window: Window | None = None


_REMEMBERED: dict[tuple[bytes, tuple[tuple[str, SpecPair], ...] | None], Evaluated] = {}
_MOST_REMEMBERED = 50_000
_encode = msgspec.msgpack.Encoder().encode


def evaluate(step: Step, inputs: tuple[tuple[str, SpecPair], ...] | None) -> Evaluated:
    """Judge the node of `step`; `inputs` by port, None where something upstream is unknown."""
    node = step.node
    try:
        content = _encode(node)
    except (OverflowError, TypeError, ValueError):  # what JSON can say and msgpack cannot: 2^64 and above
        content = repr(node).encode()
    key = (content, inputs)
    found = _REMEMBERED.get(key)
    if found is None:
        if len(_REMEMBERED) >= _MOST_REMEMBERED:
            _REMEMBERED.clear()
        found = _REMEMBERED[key] = _evaluate(step, inputs)
    return found


def _evaluate(step: Step, inputs: tuple[tuple[str, SpecPair], ...] | None) -> Evaluated:
    node = step.node
    findings = declared(node)
    if any(finding.severity == "error" for finding in findings) or inputs is None:
        return Evaluated(tuple(findings))
    layer = LAYERS[node.type]
    if node.type == "Input":
        settings = layer.settings(node.fields)
        specs = tuple(Spec((batch, *settings.shape), settings.dtype) for batch in BATCHES)
        return _ends(step, findings, (specs[0], specs[1]))
    if node.type == "Output":
        return _ends(step, findings, inputs[0][1])
    refused = _refused(node, layer, Inputs({port: pair[0] for port, pair in inputs}))
    findings += refused
    if any(finding.severity == "error" for finding in refused):
        return Evaluated(tuple(findings))
    return _run(step, layer, inputs, findings)


def _ends(step: Step, findings: list[Finding], pair: SpecPair) -> Evaluated:
    """An Input or Output: passes on what it is given."""
    shape = _example(*pair)
    if _elements(shape) > MOST_ELEMENTS:
        return Evaluated((*findings, _too_large(shape, "one example of shape")))
    if _batch_place(*pair) != 0:
        message = (
            f"its input {list(pair[0].shape)} does not have the batch as dimension 0. Transpose it first."
        )
        return Evaluated((*findings, Finding("error", "batch-place", None, message)))
    size = _bytes(pair) if step.node.type == "Input" else 0
    return Evaluated(tuple(findings), (pair,), {"output": tensor(pair)}, activation_bytes=size)


def _refused(node: Node, layer: Layer, inputs: Inputs) -> list[Finding]:
    """What the layer's declaration says against these inputs: dtype, rank, rules."""
    for port, spec in inputs.items():
        if layer.dtypes and spec.dtype not in layer.dtypes:
            which = "its input is" if len(inputs) == 1 else f"input {port} is"
            wanted = " or ".join(layer.dtypes)
            return [Finding("error", "dtype", None, f"{node.type} takes {wanted}, and {which} {spec.dtype}.")]
    rank = len(inputs.shape) if inputs else 0
    if inputs and layer.ranks and rank not in layer.ranks:
        return [_rank_finding(node, layer, inputs)]
    for group in layer.takes:
        if isinstance(group, tuple) and 0 < sum(port in inputs for port in group) < len(group):
            both = " and ".join(group)
            return [Finding("error", "unconnected", None, f"{both} go together: wire both or neither.")]
    findings = []
    settings = layer.settings(node.fields)
    for rule in layer.rules:
        verdict = rule.check(settings, inputs)
        if verdict is None:
            continue
        fixes = tuple(fix for fix in verdict.fixes if _mends(rule.check, node, layer, fix, inputs))
        findings.append(Finding(rule.severity, rule.code, verdict.field, verdict.message, fixes, rule.lesson))
        if rule.severity == "error":
            break
    return findings


def _mends(check: object, node: Node, layer: Layer, fix: Fix, inputs: Inputs) -> bool:
    """Whether the rule is content after `fix`: a repair is tried before it is offered."""
    fields = {**node.fields, **fix.fields}
    if layer.check(fields):
        return False
    return check(layer.settings(fields), inputs) is None  # type: ignore[operator,no-any-return]


def _rank_finding(node: Node, layer: Layer, inputs: Inputs) -> Finding:
    shape = list(inputs.shape[1:])
    wanted = " or ".join(str(rank - 1) for rank in layer.ranks) or "1 or more"
    message = (
        f"{node.type} takes {wanted} dimensions beside the batch ({layer.reads}), and its input {shape} "
        f"has {len(shape)}."
    )
    if layer.ranks and len(inputs.shape) > max(layer.ranks) and 2 in layer.ranks:
        message += " Put a Flatten before it."
    elif len(inputs.shape) == 2:
        message += " It has been flattened: put this layer before that."
    return Finding("error", "rank", None, message)


def _run(
    step: Step, layer: Layer, inputs: tuple[tuple[str, SpecPair], ...], findings: list[Finding]
) -> Evaluated:
    """Build the node on meta and run it at both batch sizes."""
    specs = Inputs({port: pair[0] for port, pair in inputs})
    try:
        operation = lower(step.node, specs)
        with torch.device("meta"):
            module = plan(_alone(step, operation, specs))
        child = module._modules.get("node")
        if isinstance(child, torch.nn.modules.batchnorm._NormBase):
            # On meta torch takes batch norm apart into dozens of steps; its output is as its input.
            child.forward = torch.empty_like  # type: ignore[method-assign]
        outputs = list(zip(*(_forward(module, [pair[i] for _, pair in inputs]) for i in (0, 1)), strict=True))
    except Exception as error:
        return Evaluated((*findings, _torch_finding(error)))
    parameters = {} if child is None else {n: tuple(p.shape) for n, p in child.named_parameters()}
    arriving = [pair for _, pair in inputs]
    wrong = next(filter(None, (_output_finding(layer, arriving, *pair) for pair in outputs)), None)
    largest = max(parameters.items(), key=lambda item: _elements(item[1]), default=None)
    if largest is not None and _elements(largest[1]) > MOST_ELEMENTS:
        wrong = _too_large(largest[1], f"its parameter {largest[0]}")
    if wrong is not None:
        return Evaluated((*findings, wrong))
    findings += _init_findings(step.node, parameters)
    return Evaluated(
        tuple(findings),
        tuple(outputs),
        {name: tensor(pair) for name, pair in zip(step.outputs, outputs, strict=True)},
        parameters,
        {} if child is None else {n: tuple(b.shape) for n, b in child.named_buffers()},
        sum(p.numel() for p in module.parameters()),
        macs(operation.call, child, specs, outputs[0][0]) // BATCHES[0],
        sum(_bytes(pair) for pair in outputs),
        window(layer, step.node, specs),
    )


_INPUT, _OUTPUT = Node("Input"), Node("Output")


def _alone(step: Step, operation: Operation, specs: Inputs) -> list[tuple[Step, Operation]]:
    """A network of this one node, called "node"."""
    nothing = Operation(None)
    node = step._replace(path="node", inputs={port: Value(f"input{port}", 0) for port in specs})
    return [
        *((Step(f"input{port}", _INPUT, {}, ("output",)), nothing) for port in specs),
        (node, operation),
        *(
            (Step(f"output{i}", _OUTPUT, {"input": Value("node", i)}, ()), nothing)
            for i in range(len(step.outputs))
        ),
    ]


def _forward(module: torch.nn.Module, specs: list[Spec]) -> list[Spec]:
    tensors = [torch.empty(s.shape, dtype=getattr(torch, s.dtype), device="meta") for s in specs]
    with torch.no_grad():
        result = module(*tensors)
    values = list(result.values()) if isinstance(result, dict) else [result]
    return [Spec(tuple(value.shape), str(value.dtype).removeprefix("torch.")) for value in values]


def _torch_finding(error: Exception) -> Finding:
    """What torch refused, in its own words: the last resort, where no rule spoke before."""
    lines = str(error).removeprefix("node: ").strip().splitlines() or [type(error).__name__]
    text = lines[0]
    if "overflow" in text or "invalid size" in text.lower():
        return Finding("error", "too-large", None, f"a tensor would be too large for any machine ({text}).")
    return Finding("error", "torch", None, f"torch refuses this: {text}")


def _output_finding(layer: Layer, inputs: list[SpecPair], first: Spec, second: Spec) -> Finding | None:
    """What is wrong with an output that is `first` at one batch size and `second` at another."""
    shape = _example(first, second)
    if _elements(shape) > MOST_ELEMENTS:
        return _too_large(shape, "its output")
    place = _batch_place(first, second)
    if place == 0:
        return None
    if place is not None and (layer.group == "Recurrent" or any(_batch_place(*pair) for pair in inputs)):
        return None  # the last state of a recurrent layer has the batch second
    if first == second and all(a == b for a, b in inputs):
        return None  # a constant
    sizes = " and ".join(
        f"{list(spec.shape)} for a batch of {batch}"
        for spec, batch in zip((first, second), BATCHES, strict=True)
    )
    return Finding(
        "error",
        "batch-mixing",
        None,
        f"it mixes or moves the examples of a batch: its output is {sizes}. Dimension 0 is the batch; leave "
        "it alone.",
        lesson="What one example gives must not depend on which others it is trained with.",
    )


def _batch_place(first: Spec, second: Spec) -> int | None:
    """Which dimension is the batch; None if none is, or more than one changes with it."""
    if len(first.shape) != len(second.shape):
        return None
    pairs = list(zip(first.shape, second.shape, strict=True))
    changing = [i for i, (a, b) in enumerate(pairs) if a != b]
    return changing[0] if len(changing) == 1 and pairs[changing[0]] == BATCHES else None


def _example(first: Spec, second: Spec) -> tuple[int, ...]:
    """The shape without the batch. A constant is made with a batch of one."""
    place = _batch_place(first, second) or 0
    return first.shape[:place] + first.shape[place + 1 :]


def _init_findings(node: Node, parameters: Mapping[str, tuple[int, ...]]) -> list[Finding]:
    """Schemes that do not fit the parameters they are chosen for."""
    findings = []
    for parameter, choice in node.init.items():
        entry, shape = INITIALIZERS[choice.id], parameters.get(parameter)
        wrong = None if shape is None else misfit(entry, entry.settings(choice.fields), shape)
        if wrong:
            findings.append(Finding("error", "init-misfit", f"init.{parameter}", wrong))
    return findings


def _too_large(shape: tuple[int, ...], what: str) -> Finding:
    return Finding(
        "error",
        "too-large",
        None,
        f"{what} {list(shape)} has {_elements(shape):,} numbers, more than a machine holds. Make it smaller.",
    )


def tensor(pair: SpecPair) -> Tensor:
    """What `pair` is for a report."""
    return Tensor(_example(*pair), pair[0].dtype, batched=_batch_place(*pair) == 0)


def _elements(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def _bytes(pair: SpecPair) -> int:
    """Bytes of one example."""
    return _elements(_example(*pair)) * int(getattr(torch, pair[0].dtype).itemsize)
