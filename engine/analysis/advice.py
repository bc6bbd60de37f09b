"""Mistakes that torch lets pass: what runs, and learns worse than it could."""

from __future__ import annotations

from collections.abc import Iterator

from engine.analysis.declared import Finding
from engine.analysis.walk import Walked, bound
from engine.catalog import LAYERS, Fix
from engine.compile.expand import Step
from engine.findings import Problem
from engine.network import Network, Node

_SCORES_TO_PROBABILITIES = {"CrossEntropyLoss": frozenset({"Softmax", "LogSoftmax", "Sigmoid"})}
_NEVER_NEGATIVE = frozenset({"ReLU", "ReLU6", "Sigmoid", "Softplus", "Softmax", "Hardsigmoid"})
_ALL_EQUAL = frozenset({"zeros", "ones", "constant"})


def advice(network: Network, walked: Walked) -> list[Problem]:
    """Warnings and hints about nodes that are sound in themselves."""
    steps = {path: step for path, (step, _) in walked.evaluated.items()}
    readers: dict[str, list[Step]] = {}
    for step in steps.values():
        for value in step.inputs.values():
            if value is not None:
                readers.setdefault(value.path, []).append(step)
    problems = [_problem(finding, step) for finding, step in _unused(steps)]
    for path, (step, evaluated) in walked.evaluated.items():
        if not evaluated.outputs or step.node.type not in LAYERS:
            continue
        following = readers.get(path, [])
        sources = [steps[value.path].node for value in step.inputs.values() if value is not None]
        for finding in (
            _bias_before_norm(step.node, following),
            _sign_of_positives(step.node, sources),
            _equal_weights(step.node, {n: len(s) for n, s in evaluated.parameters.items()}),
            _scores_wanted(network, step.node, sources),
        ):
            if finding is not None:
                problems.append(_problem(finding, step))
    return problems


def _problem(finding: Finding, step: Step) -> Problem:
    return bound(finding, step)


def _unused(steps: dict[str, Step]) -> Iterator[tuple[Finding, Step]]:
    """Nodes from which no wire leads to an Output."""
    todo = [path for path, step in steps.items() if step.node.type == "Output"]
    if not todo:
        return
    used = set(todo)
    while todo:
        for value in steps[todo.pop()].inputs.values():
            if value is not None and value.path not in used:
                used.add(value.path)
                todo.append(value.path)
    for path, step in steps.items():
        if path not in used:
            message = "no path leads from here to an Output: it is computed for nothing."
            yield Finding("warning", "unused", None, message), step


def _bias_before_norm(node: Node, following: list[Step]) -> Finding | None:
    layer = LAYERS[node.type]
    if len(following) != 1 or node.activation is not None or "bias" not in layer.parameter_names(node.fields):
        return None
    after = following[0].node
    if not after.type.startswith("BatchNorm") or node.type.startswith("BatchNorm"):
        return None
    if not getattr(layer.settings(node.fields), "bias", False):
        return None
    return Finding(
        "hint",
        "bias-before-norm",
        "bias",
        f"{following[0].path} takes the mean away at once, and the bias with it: the bias learns nothing.",
        (Fix("Set bias to false", {"bias": False}),),
        "Batch normalisation subtracts each channel's mean; its own bias takes over (Ioffe and Szegedy 2015, "
        "§3.2).",
    )


def _sign_of_positives(node: Node, sources: list[Node]) -> Finding | None:
    if "input" not in node.binarize or not sources:
        return None
    before = sources[0]
    name = before.activation.id if before.activation is not None else before.type
    if name not in _NEVER_NEGATIVE:
        return None
    return Finding(
        "warning",
        "sign-of-positives",
        "binarize.input",
        f"its input comes from {name}, which is never negative: its sign is always +1. Take {name} away.",
    )


def _equal_weights(node: Node, dims: dict[str, int]) -> Finding | None:
    for parameter, choice in node.init.items():
        if choice.id in _ALL_EQUAL and dims.get(parameter, 0) >= 2:
            return Finding(
                "warning",
                "equal-weights",
                f"init.{parameter}",
                f"weights that all begin at one value ({choice.id}) get equal gradients and stay equal.",
                removals=((f"Use the default for {parameter}", ("init", parameter)),),
            )
    return None


def _scores_wanted(network: Network, node: Node, sources: list[Node]) -> Finding | None:
    wrong = _SCORES_TO_PROBABILITIES.get(network.recipe.loss.id, frozenset())
    if node.type != "Output" or not sources:
        return None
    before = sources[0]
    name = before.activation.id if before.activation is not None else before.type
    if name not in wrong:
        return None
    return Finding(
        "warning",
        "scores-wanted",
        None,
        f"{network.recipe.loss.id} wants raw scores and has softmax built in; its input comes from {name}. "
        f"Take {name} away.",
        lesson="A softmax on top of a softmax flattens the gradients: training is slow and stops early.",
    )
