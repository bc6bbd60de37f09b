"""The recipe against the catalogue: source, loss, optimizer, schedule and the numbers of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog import LOSSES, OPTIMIZERS, RECIPE_OPTIONS, SCHEDULES, SOURCES, Entry
from engine.catalog.fields import Int
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Choice, Network, Recipe
from engine.problems import did_you_mean

_NUMBERS = (
    Int("epochs", 10, lo=1, hi=1_000_000, doc="Passes over the training examples."),
    Int("batch_size", 64, lo=1, hi=1 << 20, doc="Examples per step."),
    Int("seed", 0, lo=0, hi=(1 << 63) - 1, doc="Where all randomness comes from."),
)

#: Keys of the recipe that belong to the format, beside those that :class:`~engine.network.Recipe` has.
_FORMAT_KEYS = frozenset({"outputs"})


def recipe_problems(network: Network) -> list[Problem]:
    """All that is wrong with the recipe of `network`, whatever the network is."""
    recipe = network.recipe
    problems = _chosen(
        SOURCES, "data source", "source", Choice(recipe.data.source, recipe.data.fields), ("recipe", "data")
    )
    problems += _chosen(LOSSES, "loss", "type", recipe.loss, ("recipe", "loss"))
    problems += _chosen(OPTIMIZERS, "optimizer", "type", recipe.optimizer, ("recipe", "optimizer"))
    if recipe.schedule is not None:
        problems += _chosen(SCHEDULES, "schedule", "type", recipe.schedule, ("recipe", "schedule"))
    for field in _NUMBERS:
        value = getattr(recipe, field.name)
        message = field.check(value)
        if message:
            change = Change(("recipe", field.name), before=value, after=field.default)
            repair = Repair(f"Set {field.name} to {field.default}", (change,))
            problems.append(_problem("wrong-field", message, ("recipe", field.name), repair))
    outputs = recipe.options.get("outputs")
    if outputs is not None and not isinstance(outputs, dict):
        change = Change(("recipe", "outputs"), before=outputs, index=list(recipe.options).index("outputs"))
        repair = Repair("Compare the one Output with the data's target", (change,))
        message = 'is to name each Output and its target, as in {"age": {"target": "age"}}.'
        problems.append(_problem("wrong-field", message, ("recipe", "outputs"), repair))
    return problems + _wrong_options(recipe) + _unknown_keys(network, recipe)


def _wrong_options(recipe: Recipe) -> list[Problem]:
    problems = []
    for section in RECIPE_OPTIONS.values():
        for field in section.fields:
            message = field.check(recipe.options[field.name]) if field.name in recipe.options else None
            if message:
                place = list(recipe.options).index(field.name)
                change = Change(("recipe", field.name), before=recipe.options[field.name], index=place)
                repair = Repair(f"Use the default of {field.name}", (change,))
                problems.append(_problem("wrong-field", message, ("recipe", field.name), repair))
    return problems


def _problem(code: str, message: str, path: tuple[str, ...], *repairs: Repair) -> Problem:
    return Problem("error", code, message, field=".".join(path), repairs=repairs)


def _chosen(
    shelf: Mapping[str, Entry], kind: str, key: str, choice: Choice, path: tuple[str, ...]
) -> list[Problem]:
    entry = shelf.get(choice.id)
    if entry is None:
        known = ", ".join(list(shelf)[:8])
        message = f"There is no {kind} {choice.id!r}.{did_you_mean(choice.id, shelf)} There are: {known}."
        return [_problem(f"unknown-{kind.replace(' ', '-')}", message, (*path, key))]
    problems = []
    names = {field.name for field in entry.fields}
    for name, message in entry.check(choice.fields):
        code = "missing-field"
        repairs: tuple[Repair, ...] = ()
        if name in choice.fields:
            code = "wrong-field" if name in names else "unknown-field"
            place = list(choice.fields).index(name)
            change = Change((*path, "fields", name), before=choice.fields[name], index=place)
            repairs = (
                Repair(f"Use the default of {name}" if name in names else f"Remove {name}", (change,)),
            )
        problems.append(_problem(code, message, (*path, name), *repairs))
    return problems


def _unknown_keys(network: Network, recipe: Recipe) -> list[Problem]:
    parts: list[tuple[str, Mapping[str, Any]]] = [
        ("", network.extra),
        ("recipe.", {key: None for key in recipe.options if key not in _FORMAT_KEYS | _options()}),
        ("recipe.data.", recipe.data.extra),
        ("recipe.loss.", recipe.loss.extra),
        ("recipe.optimizer.", recipe.optimizer.extra),
        ("recipe.schedule.", {} if recipe.schedule is None else recipe.schedule.extra),
    ]
    return [
        Problem(
            "warning",
            "unknown-key",
            f"{prefix + key!r} is no key that this version knows. It stays in the file and does nothing.",
            field=prefix + key,
        )
        for prefix, keys in parts
        for key in keys
    ]


def _options() -> frozenset[str]:
    """The options of training that the catalogue declares."""
    return frozenset(field.name for section in RECIPE_OPTIONS.values() for field in section.fields)
