"""The network's own defaults: initialisations that hold wherever a node names none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog import INITIALIZERS, LAYERS
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Network
from engine.problems import FileProblem, did_you_mean
from engine.storage.form import choice_from_form

_FORM = '{"init": {"all" or a group: {parameter: {"scheme": …, "fields": {…}}}}}'


def defaults_problems(network: Network) -> list[Problem]:
    """All that is wrong with the defaults of `network`."""
    return list(_problems(network.defaults)) if network.defaults else []


def _problems(defaults: Mapping[str, Any]) -> Iterator[Problem]:
    for key in defaults:
        if key != "init":
            yield Problem(
                "warning",
                "unknown-key",
                f"{key!r} is no key that this version knows. It stays in the file and does nothing.",
                field=f"defaults.{key}",
            )
    scopes = defaults.get("init", {})
    if not isinstance(scopes, Mapping):
        yield _wrong(("init",), scopes, f"the form is {_FORM}.")
        return
    groups = {"all", *(layer.group for layer in LAYERS.values())}
    for scope, parameters in scopes.items():
        if scope not in groups:
            said = f"{scope!r} is no group of layers.{did_you_mean(scope, groups)}"
            yield _wrong(("init", scope), parameters, said)
        elif not isinstance(parameters, Mapping):
            yield _wrong(("init", scope), parameters, f"the form is {_FORM}.")
        else:
            for parameter, form in parameters.items():
                message = _message(form)
                if message:
                    yield _wrong(("init", scope, parameter), form, message)


def _message(form: object) -> str:
    """What is wrong with one initialisation; empty: nothing."""
    try:
        choice = choice_from_form(form, "the default", "scheme")
    except FileProblem as problem:
        return str(problem)
    entry = INITIALIZERS.get(choice.id)
    if entry is None:
        return f"There is no scheme {choice.id!r}.{did_you_mean(choice.id, INITIALIZERS)}"
    return " ".join(f"{field}: {message}" for field, message in entry.check(choice.fields))


def _wrong(path: tuple[str, ...], value: object, message: str) -> Problem:
    place = ("defaults", *path)
    repair = Repair(f"Remove {place[-1]} from the defaults", (Change(place, before=value),))
    return Problem("error", "wrong-default", message, field=".".join(place), repairs=(repair,))
