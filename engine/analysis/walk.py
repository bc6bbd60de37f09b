"""All steps of a network in their order, each evaluated on what arrives."""

from __future__ import annotations

from typing import NamedTuple

from engine.analysis.declared import Finding
from engine.analysis.evaluate import Evaluated, SpecPair, evaluate
from engine.catalog import Inputs
from engine.compile.expand import Step, Value, expand
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Network, Node
from engine.storage.form import node_to_form


class Walked(NamedTuple):
    """What :func:`walk` found."""

    #: The steps with all their inputs known; the inputs at one batch size.
    steps: tuple[tuple[Step, Inputs], ...]
    evaluated: dict[str, tuple[Step, Evaluated]]
    problems: tuple[Problem, ...]


def walk(network: Network) -> Walked:
    """Evaluate every step of `network`. Reads no data, and nothing of the recipe."""
    steps, problems = expand(network)
    found: list[Problem] = list(problems)
    values: dict[Value, SpecPair] = {}
    evaluated: dict[str, tuple[Step, Evaluated]] = {}
    complete: list[tuple[Step, Inputs]] = []
    for step in steps:
        arriving: tuple[tuple[str, SpecPair], ...] | None = None
        if all(value in values for value in step.inputs.values()):
            arriving = tuple((port, values[value]) for port, value in step.inputs.items() if value)
            complete.append((step, Inputs({port: pair[0] for port, pair in arriving})))
        result = evaluate(step, arriving)
        evaluated[step.path] = (step, result)
        for port, pair in enumerate(result.outputs):
            values[Value(step.path, port)] = pair
        for finding in result.findings:
            found.append(bound(finding, step.path, step.node))
    found += _ends(network)
    return Walked(tuple(complete), evaluated, tuple(found))


def _ends(network: Network) -> list[Problem]:
    types = {node.type for node in network.nodes.values()}
    problems = []
    if "Input" not in types:
        problems.append(
            Problem("error", "no-input", "The network has no Input. Add one, with the shape of an example.")
        )
    if "Output" not in types:
        problems.append(
            Problem("error", "no-output", "The network has no Output. Add one behind the last layer.")
        )
    return problems


def bound(finding: Finding, path: str, node: Node) -> Problem:
    """The finding as a problem of the node at `path`, its ways out as changes of the document."""
    repairs = [
        Repair(
            fix.text,
            tuple(
                Change(("nodes", path, "fields", name), before=node.fields[name], after=value)
                if name in node.fields
                else Change(("nodes", path, "fields", name), after=value)
                for name, value in fix.fields.items()
            ),
        )
        for fix in finding.fixes
    ]
    for text, place in finding.removals:
        before, index = _at(node, place)
        repairs.append(Repair(text, (Change(("nodes", path, *place), before=before, index=index),)))
    return Problem(
        finding.severity, finding.code, finding.message, path, finding.field, tuple(repairs), finding.lesson
    )


def _at(node: Node, place: tuple[str, ...]) -> tuple[object, int]:
    """What stands at `place` of the node's document form, and its index among its siblings."""
    value: dict[str, object] = node_to_form(node)
    for key in place[:-1]:
        inner = value[key]
        assert isinstance(inner, dict)
        value = inner
    return value[place[-1]], list(value).index(place[-1])
