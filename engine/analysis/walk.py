"""All steps of a network in their order, each evaluated on what arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.analysis.declared import Finding
from engine.analysis.defaults import defaults_problems
from engine.analysis.evaluate import Evaluated, SpecPair, evaluate
from engine.catalog import LAYERS, Inputs
from engine.compile.expand import Expanded, Step, Value, expand
from engine.compile.expand_again import differing, expand_again
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Network, Node
from engine.problems import did_you_mean
from engine.storage.form import node_to_form


class Walked(NamedTuple):
    """What :func:`walk` found."""

    #: What arrives at the steps whose inputs are all known, at one batch size; by path.
    arriving: Mapping[str, Inputs]
    evaluated: dict[str, tuple[Step, Evaluated]]
    problems: tuple[Problem, ...]
    #: What flows, by the step that makes it.
    values: dict[Value, SpecPair]
    expanded: Expanded

    @property
    def steps(self) -> tuple[tuple[Step, Inputs], ...]:
        """The steps with all their inputs known."""
        arriving = self.arriving
        return tuple((step, arriving[step.path]) for step in self.expanded.steps if step.path in arriving)


#: The networks that were walked last, and what was found: the next one is most often one of them with a field
#: changed. Two, for a network and what is tried on it.
_recent: tuple[tuple[Network, Walked], ...] = ()
_MOST_RECENT = 2


def walk(network: Network) -> Walked:
    """Evaluate every step of `network`. Reads no data, and nothing of the recipe."""
    global _recent
    base: tuple[Network, Walked] | None = None
    expanded: Expanded | None = None
    for base in sorted(_recent, key=lambda entry: differing(network, entry[0])):
        # Where two nodes have one path, which is an error, nothing can be told apart.
        if len(base[1].evaluated) < len(base[1].expanded.steps):
            continue
        expanded = expand_again(network, base[0], base[1].expanded)
        if expanded is not None:
            break
    else:
        base, expanded = None, expand(network)
    walked = _walked(network, expanded, base[1] if base else None)
    others = tuple(entry for entry in _recent if entry is not base and entry[0] is not network)
    _recent = ((network, walked), *((base,) if base else ()), *others)[:_MOST_RECENT]
    return walked


def _walked(network: Network, expanded: Expanded, base: Walked | None) -> Walked:
    """`expanded` evaluated; what has the same step and inputs in `base` is taken from there."""
    arriving: dict[str, Inputs] = dict(base.arriving) if base else {}
    values = dict(base.values) if base else {}
    known = base.evaluated if base else {}
    evaluated: dict[str, tuple[Step, Evaluated]] = {}
    others: set[Value] = set()
    for step in expanded.steps:
        path = step.path
        entry = known.get(path)
        if entry and step is entry[0] and (not others or others.isdisjoint(step.inputs.values())):
            evaluated[path] = entry
            continue
        inputs: tuple[tuple[str, SpecPair], ...] | None = None
        pairs = [values.get(value) if value else None for value in step.inputs.values()]
        if None not in pairs:
            inputs = tuple(zip(step.inputs, pairs, strict=True))  # type: ignore[arg-type]
            arriving[path] = Inputs({port: pair[0] for port, pair in inputs})
        else:
            arriving.pop(path, None)
        result = evaluate(step, inputs)
        evaluated[path] = (step, result)
        before = 0 if entry is None else len(entry[1].outputs)
        for port in range(max(len(result.outputs), len(step.outputs), before)):
            value = Value(path, port)
            pair = result.outputs[port] if port < len(result.outputs) else None
            if known and values.get(value) != pair:
                others.add(value)
            if pair is not None:
                values[value] = pair
            else:
                values.pop(value, None)
    for path in known.keys() - evaluated.keys():
        arriving.pop(path, None)
        for port in range(len(known[path][1].outputs)):
            values.pop(Value(path, port), None)
    found = [*expanded.problems, *defaults_problems(network)]
    for step, result in evaluated.values():
        for finding in result.findings:
            found.append(bound(finding, step))
    found += shared_problems(evaluated)
    found += _ends(network)
    return Walked(arriving, evaluated, tuple(found), values, expanded)


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


def bound(finding: Finding, step: Step) -> Problem:
    """The finding as a problem of `step`, its ways out as changes of the document.

    Inside a block they change the block, and so all its uses.
    """
    drawn = step.drawn or step.node
    place = step.place or ("nodes", step.path)
    repairs = [
        Repair(
            fix.text,
            tuple(
                Change((*place, "fields", name), before=drawn.fields[name], after=value)
                if name in drawn.fields
                else Change((*place, "fields", name), after=value)
                for name, value in fix.fields.items()
            ),
        )
        for fix in finding.fixes
    ]
    for text, part in finding.removals:
        before, index = _at(drawn, part)
        repairs.append(Repair(text, (Change((*place, *part), before=before, index=index),)))
    return Problem(
        finding.severity,
        finding.code,
        finding.message,
        step.path,
        finding.field,
        tuple(repairs),
        finding.lesson,
    )


def shared_problems(evaluated: Mapping[str, tuple[Step, Evaluated]]) -> list[Problem]:
    """Shared parameters that are not there, or of another shape."""
    return [
        bound(finding, step)
        for step, result in evaluated.values()
        if step.node.shares and step.node.type in LAYERS
        for own, target in step.node.shares.items()
        if (finding := _shared(step, result, own, target, evaluated)) is not None
    ]


def _shared(
    step: Step,
    result: Evaluated,
    own: str,
    target: str,
    evaluated: Mapping[str, tuple[Step, Evaluated]],
) -> Finding | None:
    def wrong(message: str) -> Finding:
        removal = ((f"Do not share {own}", ("shares", own)),)
        return Finding("error", "shares", f"shares.{own}", message, removals=removal)

    if not result.outputs:
        return None  # its parameters are not known yet
    if own not in result.parameters:
        return wrong(f"{step.node.type} has no parameter {own!r}.{did_you_mean(own, result.parameters)}")
    path, _, name = target.rpartition(".")
    while path not in evaluated and "." in path:  # a parameter of a part: attention.out_proj.weight
        path, _, part = path.rpartition(".")
        name = f"{part}.{name}"
    if path not in evaluated:
        known = [other for other, (_, found) in evaluated.items() if found.parameters]
        return wrong(f"there is no node {path!r} to share with.{did_you_mean(path, known)}")
    other_step, other = evaluated[path]
    if not other.outputs:
        return None
    if name not in other.parameters:
        hint = did_you_mean(name, other.parameters) or f" It has: {', '.join(other.parameters) or 'none'}."
        return wrong(f"{path} has no parameter {name!r}.{hint}")
    if name in other_step.node.shares or (path == step.path and name == own):
        return wrong(f"{target} is itself shared: name the parameter that it uses.")
    if other.parameters[name] != result.parameters[own]:
        shapes = f"{list(result.parameters[own])} here and {list(other.parameters[name])} in {target}"
        return wrong(f"only parameters of one shape can be one: {own} is {shapes}.")
    return None


def _at(node: Node, place: tuple[str, ...]) -> tuple[object, int]:
    """What stands at `place` of the node's document form, and its index among its siblings."""
    value: dict[str, object] = node_to_form(node)
    for key in place[:-1]:
        inner = value[key]
        assert isinstance(inner, dict)
        value = inner
    return value[place[-1]], list(value).index(place[-1])
