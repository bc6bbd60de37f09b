"""The rules of binarized networks as problems, each way out tried on a copy before it is offered."""

from __future__ import annotations

from collections.abc import Iterator

from engine import diff
from engine.analysis.walk import Walked, walk
from engine.binary.around import Around
from engine.binary.rule import BinaryRule, Fault
from engine.binary.rules import faults
from engine.edit import EditProblem
from engine.findings import Problem, Repair
from engine.network import Network

#: Broken rules whose ways out are tried; what comes behind them is told without, until these are mended.
_SEARCHED = 8


def binary_problems(network: Network, walked: Walked) -> list[Problem]:
    """What breaks a rule of :mod:`engine.binary.rules`, with the ways out that were found to help."""
    broken = list(_faults(network, walked))
    errors = _errors(walked)
    known: dict[str, tuple[int, set[tuple[str, str | None]]]] = {}
    problems = []
    for number, (rule, fault) in enumerate(broken):
        ways = _tried(network, rule, fault, errors, known) if number < _SEARCHED else ()
        path = _path(fault)
        problems.append(
            Problem(rule.severity, rule.code, fault.message, path, fault.field, ways, rule.lesson)
        )
    return problems


def _faults(network: Network, walked: Walked) -> Iterator[tuple[BinaryRule, Fault]]:
    if not any(step.node.binarize for step, _ in walked.evaluated.values()):
        return  # nothing breaks a rule, and nobody waits for what the rules would look at
    shapes = {
        path: next(iter(result.tensors.values())).shape
        for path, (_, result) in walked.evaluated.items()
        if result.tensors
    }
    parameters = {path: result.parameters for path, (_, result) in walked.evaluated.items()}
    steps = [
        step for step, result in walked.evaluated.values() if result.outputs or step.node.type == "Output"
    ]
    yield from faults(Around(network, shapes, parameters, steps))


def _path(fault: Fault) -> str | None:
    return None if fault.step is None else fault.step.path


def _errors(walked: Walked) -> int:
    return sum(problem.severity == "error" for problem in walked.problems)


def _tried(
    network: Network,
    rule: BinaryRule,
    fault: Fault,
    errors: int,
    known: dict[str, tuple[int, set[tuple[str, str | None]]]],
) -> tuple[Repair, ...]:
    """The ways after which the rule is kept here and nothing new is wrong."""
    found = []
    for way in fault.ways:
        try:
            after = way.make(network)
        except EditProblem:
            continue
        changes = diff.changes(network, after)
        if not changes:
            continue
        key = repr(changes)
        if key not in known:
            walked = walk(after)
            left = {(r.code, _path(f)) for r, f in _faults(after, walked)}
            known[key] = (_errors(walked), left)
        wrong, left = known[key]
        if wrong <= errors and (rule.code, _path(fault)) not in left:
            found.append(Repair(way.text, changes))
    return tuple(found)
