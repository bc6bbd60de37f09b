"""Change one value of a network by its path: what ``--set conv1.stride=2`` does.

A path follows the file: ``recipe.epochs``, ``nodes.conv1.fields.stride``. The word ``nodes`` may be
left out, and an object that has ``fields`` stands for them where the next word names one
(``conv1.stride``, ``recipe.optimizer.lr``); a key of the object itself wins over a field of that
name. Numbers count into lists (``conv1.kernel_size.0``).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import catalog
from engine.catalog.fields import Field
from engine.network import Network
from engine.problems import FileProblem, did_you_mean
from engine.storage import strict
from engine.storage.form import from_form, to_form


class AssignProblem(Exception):
    """An assignment that names no place, or a value that does not fit there."""


@dataclass(frozen=True)
class _Kind:
    """What an object of the file may hold."""

    #: Key -> kind of what stands there; None: a plain value, or anything.
    keys: Mapping[str, _Kind | None] = field(default_factory=dict)
    #: The kind of every further key, for objects whose keys the user chooses.
    each: _Kind | None = None
    #: The key that chooses an entry of `shelf`; the object's ``fields`` are then that entry's.
    chooser: str = ""
    shelf: Mapping[str, Any] = field(default_factory=dict)
    #: Whether keys may be added.
    grows: bool = False


_OPEN = _Kind(grows=True)


def _choice(chooser: str, shelf: Mapping[str, Any]) -> _Kind:
    return _Kind({chooser: None, "fields": _OPEN}, chooser=chooser, shelf=shelf)


_SCHEME = _choice("scheme", catalog.INITIALIZERS)
_ESTIMATOR = _Kind(
    {"estimator": None, "fields": _OPEN, "clip_latent": None}, chooser="estimator", shelf=catalog.BINARIZERS
)
_NODE = _Kind(
    {
        "type": None,
        "fields": _OPEN,
        "block": None,
        "repeat": None,
        "activation": _choice("type", catalog.ACTIVATIONS),
        "init": _Kind(each=_SCHEME, grows=True),
        "binarize": _Kind({"weight": _ESTIMATOR, "input": _ESTIMATOR}),
        "training": _Kind({"frozen": None, "lr_multiplier": None}),
        "shares": _OPEN,
    },
    chooser="type",
    shelf=catalog.LAYERS,
)
_NODES = _Kind(each=_NODE)
_BLOCK = _Kind({"arguments": _OPEN, "nodes": _NODES, "edges": None})
_OPTIONS: dict[str, Field] = {
    f.name: f for section in catalog.RECIPE_OPTIONS.values() for f in section.fields
}
_RECIPE = _Kind(
    {
        **dict.fromkeys(_OPTIONS),
        "data": _Kind(
            {"source": None, "fields": _OPEN, "split": _OPEN, "augment": None},
            chooser="source",
            shelf=catalog.SOURCES,
        ),
        "loss": _choice("type", catalog.LOSSES),
        "optimizer": _choice("type", catalog.OPTIMIZERS),
        "schedule": _choice("type", catalog.SCHEDULES),
        "epochs": None,
        "batch_size": None,
        "seed": None,
        "outputs": _OPEN,
    }
)
_NETWORK = _Kind(
    {
        "name": None,
        "nodes": _NODES,
        "edges": None,
        "blocks": _Kind(each=_BLOCK),
        "defaults": _OPEN,
        "recipe": _RECIPE,
        "view": _OPEN,
    }
)


def assign_all(network: Network, assignments: Iterable[str]) -> Network:
    """`network` with each assignment made, in order.

    Raises
    ------
    AssignProblem
        As :func:`assign`.
    """
    for assignment in assignments:
        network = assign(network, assignment)
    return network


def assign(network: Network, assignment: str) -> Network:
    """`network` with one value changed; `assignment` is ``"conv1.stride=2"``.

    The value is JSON where it can be read as such, else text. Where an entry of the catalogue is
    chosen (``recipe.optimizer=SGD``, ``conv1.init.weight.scheme=orthogonal``), fields that the new
    entry does not have go.

    Raises
    ------
    AssignProblem
        If the path leads nowhere, or the value does not fit; the message says what would.
    """
    path, equals, text = assignment.partition("=")
    words = path.strip().split(".")
    if not equals or not all(words):
        raise AssignProblem(f"--set {assignment}: write PATH=VALUE, such as conv1.stride=2.")
    form = copy.deepcopy(to_form(network))  # its lists are the network's own
    if words[0] in network.nodes:
        words.insert(0, "nodes")
    elif words[0] not in _NETWORK.keys and words[0] not in network.extra:
        known = [*network.nodes, *_NETWORK.keys]
        raise AssignProblem(
            f"--set {assignment}: there is no node or section {words[0]!r}.{did_you_mean(words[0], known)}"
        )
    try:
        option = _OPTIONS.get(words[1]) if words[0] == "recipe" and len(words) == 2 else None
        if option is not None and (wrong := option.check(_value(text))):
            raise AssignProblem(wrong)
        _set(form, _NETWORK, words, _value(text), text)
        return from_form(form)
    except (AssignProblem, FileProblem) as problem:
        raise AssignProblem(f"--set {assignment}: {problem}") from None


def _value(text: str) -> Any:
    try:
        return strict.loads(text.encode("utf-8", "surrogatepass"))
    except FileProblem:
        return text


def _set(form: Any, kind: _Kind, words: list[str], value: Any, text: str) -> None:
    """Put `value` at `words` in `form`, of which `kind` says what it may hold."""
    word, rest = words[0], words[1:]
    if isinstance(form, list):
        if not word.isdecimal() or int(word) >= len(form):
            raise AssignProblem(f"{word!r} is no place in a list of {len(form)}; they count from 0.")
        if rest:
            _set(form[int(word)], _OPEN, rest, value, text)
        else:
            form[int(word)] = value
        return
    if not isinstance(form, dict):
        raise AssignProblem(f"nothing lies below a plain value, so {word!r} leads nowhere.")
    if kind.chooser and ((word not in kind.keys and word not in form) or (word == "fields" and rest)):
        _set_field(form, kind, words if word != "fields" else rest, value, text)
        return
    if not (word in kind.keys or word in form or kind.grows):
        raise AssignProblem(f"there is no {word!r} here.{did_you_mean(word, [*kind.keys, *form])}")
    below = kind.keys.get(word, kind.each) or _OPEN
    chosen = below.chooser and not rest and isinstance(value, str)
    if (rest or chosen) and not isinstance(form.get(word), dict | list):
        form[word] = {}
    if rest:
        _set(form[word], below, rest, value, text)
    elif chosen:
        _choose(form[word], below, value)
    elif word == kind.chooser:
        _choose(form, kind, value)
    else:
        form[word] = text if word == "name" else value


def _choose(form: dict[str, Any], kind: _Kind, id: Any) -> None:
    """Choose another entry, keeping the fields that it has too."""
    if id not in kind.shelf:
        raise AssignProblem(f"there is no {id!r} in the catalogue.{did_you_mean(str(id), kind.shelf)}")
    names = {f.name for f in kind.shelf[id].fields}
    form["fields"] = {name: value for name, value in form.get("fields", {}).items() if name in names}
    form[kind.chooser] = id


def _set_field(form: dict[str, Any], kind: _Kind, words: list[str], value: Any, text: str) -> None:
    """Set a field of the entry that `form` chooses, held to that field's declaration."""
    name, rest = words[0], words[1:]
    fields = form.setdefault("fields", {})
    entry = kind.shelf.get(str(form.get(kind.chooser)))
    declared: dict[str, Field] = {f.name: f for f in entry.fields} if entry else {}
    if entry and name not in declared:
        raise AssignProblem(f"{entry.id} has no field {name!r}.{did_you_mean(name, [*declared, *kind.keys])}")
    if rest:
        if name not in fields and name in declared:
            initial = declared[name].initial
            fields[name] = list(initial) if isinstance(initial, tuple) else initial
        _set(fields.setdefault(name, {}), _OPEN, rest, value, text)
        value = fields[name]
    if name in declared and (wrong := declared[name].check(value)):
        if declared[name].check(text) is not None:
            raise AssignProblem(wrong)
        value = text  # a field for text takes 12 as the text "12"
    fields[name] = value
