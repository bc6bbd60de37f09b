"""The document form: a network as plain JSON values, in the fixed order of the file.

``to_form`` and ``from_form`` are inverse. Unknown keys travel in ``extra`` and come back last in
their object, so that nothing a newer version or another tool wrote is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from engine.expression import is_expression
from engine.network import (
    FORMAT_VERSION,
    Argument,
    Block,
    Choice,
    Data,
    Edge,
    End,
    Network,
    Node,
    Recipe,
    Training,
)
from engine.problems import FileProblem

Form = dict[str, Any]
T = TypeVar("T")


# ---------------------------------------------------------------------------- writing


def choice_to_form(choice: Choice, key: str = "type") -> Form:
    """A choice as ``{key: id, "fields": {…}}``; `key` is "type", "scheme" or "estimator"."""
    return {key: choice.id, "fields": dict(choice.fields), **choice.extra}


def node_to_form(node: Node) -> Form:
    """A node as the file has it; parts at their default are left out."""
    form: Form = {"type": node.type}
    if node.block is not None:
        form["block"] = node.block
    form["fields"] = dict(node.fields)
    if node.repeat_expression:
        form["repeat"] = {"expr": node.repeat_expression}
    elif node.repeat != 1:
        form["repeat"] = node.repeat
    if node.activation is not None:
        form["activation"] = choice_to_form(node.activation)
    if node.init:
        form["init"] = {name: choice_to_form(c, "scheme") for name, c in node.init.items()}
    if node.binarize:
        form["binarize"] = {name: choice_to_form(c, "estimator") for name, c in node.binarize.items()}
    if node.training is not None:
        form["training"] = {
            "frozen": node.training.frozen,
            "lr_multiplier": node.training.lr_multiplier,
            **node.training.extra,
        }
    if node.shares:
        form["shares"] = dict(node.shares)
    form.update(node.extra)
    return form


def edge_to_form(edge: Edge) -> list[str]:
    """An edge as ``["conv1", "add.other"]``."""
    return [str(edge.source), str(edge.target)]


def block_to_form(block: Block) -> Form:
    """A block definition as the file has it."""
    return {
        "arguments": {
            name: {
                "type": argument.type,
                "default": argument.default,
                **({"doc": argument.doc} if argument.doc else {}),
                **argument.extra,
            }
            for name, argument in block.arguments.items()
        },
        "nodes": {id: node_to_form(node) for id, node in block.nodes.items()},
        "edges": [edge_to_form(edge) for edge in block.edges],
        **block.extra,
    }


def recipe_to_form(recipe: Recipe) -> Form:
    """The recipe as the file has it."""
    data: Form = {"source": recipe.data.source, "fields": dict(recipe.data.fields)}
    if recipe.data.split:
        data["split"] = dict(recipe.data.split)
    if recipe.data.augment:
        data["augment"] = [choice_to_form(choice) for choice in recipe.data.augment]
    data.update(recipe.data.extra)
    return {
        "data": data,
        "loss": choice_to_form(recipe.loss),
        "optimizer": choice_to_form(recipe.optimizer),
        "schedule": None if recipe.schedule is None else choice_to_form(recipe.schedule),
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "seed": recipe.seed,
        **recipe.options,
    }


def to_form(network: Network) -> Form:
    """The whole network as the file has it."""
    form: Form = {
        "format": "layerlab",
        "version": FORMAT_VERSION,
        "min_reader": 1,
        "name": network.name,
        "nodes": {id: node_to_form(node) for id, node in network.nodes.items()},
        "edges": [edge_to_form(edge) for edge in network.edges],
    }
    if network.blocks:
        form["blocks"] = {name: block_to_form(block) for name, block in network.blocks.items()}
    if network.defaults:
        form["defaults"] = dict(network.defaults)
    form["recipe"] = recipe_to_form(network.recipe)
    form["view"] = dict(network.view)
    form.update(network.extra)
    return form


# ---------------------------------------------------------------------------- reading


def _wrong(where: str, expected: str, value: object) -> FileProblem:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    found = kinds.get(type(value), "a number")
    return FileProblem(f"{where}: expected {expected}, found {found}.")


def _object(value: object, where: str) -> Form:
    if not isinstance(value, dict):
        raise _wrong(where, "an object {…}", value)
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, 'text in "quotes"', value)
    return value


def _integer(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(where, "a whole number", value)
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise _wrong(where, "a list […]", value)
    return value


def _required(form: Form, key: str, where: str) -> Any:
    if key not in form:
        raise FileProblem(f"{where}: the key {key!r} is missing.")
    return form[key]


def _rest(form: Form, *known: str) -> Form:
    return {key: value for key, value in form.items() if key not in known}


def choice_from_form(value: object, where: str, key: str = "type") -> Choice:
    """Read ``{key: id, "fields": {…}}``."""
    form = _object(value, where)
    return Choice(
        _text(_required(form, key, where), f"{where}.{key}"),
        _object(form.get("fields", {}), f"{where}.fields"),
        _rest(form, key, "fields"),
    )


def _mapping(value: object, where: str, read: Callable[[object, str], T]) -> dict[str, T]:
    return {key: read(item, f"{where}.{key}") for key, item in _object(value, where).items()}


def _training(value: object, where: str) -> Training:
    form = _object(value, where)
    frozen = form.get("frozen", False)
    if not isinstance(frozen, bool):
        raise _wrong(f"{where}.frozen", "true or false", frozen)
    multiplier = form.get("lr_multiplier", 1.0)
    if isinstance(multiplier, bool) or not isinstance(multiplier, int | float):
        raise _wrong(f"{where}.lr_multiplier", "a number", multiplier)
    return Training(frozen, float(multiplier), _rest(form, "frozen", "lr_multiplier"))


def node_from_form(value: object, where: str = "node") -> Node:
    """Read one node; any type and any field values, which the analysis then judges."""
    form = _object(value, where)
    activation = form.get("activation")
    training = form.get("training")
    block = form.get("block")
    repeat = form.get("repeat", 1)
    computed = is_expression(repeat) and isinstance(repeat["expr"], str)
    return Node(
        type=_text(_required(form, "type", where), f"{where}.type"),
        fields=_object(form.get("fields", {}), f"{where}.fields"),
        activation=None if activation is None else choice_from_form(activation, f"{where}.activation"),
        init=_mapping(form.get("init", {}), f"{where}.init", lambda v, w: choice_from_form(v, w, "scheme")),
        binarize=_mapping(
            form.get("binarize", {}),
            f"{where}.binarize",
            lambda v, w: choice_from_form(v, w, "estimator"),
        ),
        training=None if training is None else _training(training, f"{where}.training"),
        shares=_mapping(form.get("shares", {}), f"{where}.shares", _text),
        block=None if block is None else _text(block, f"{where}.block"),
        repeat=1 if computed else _integer(repeat, f"{where}.repeat"),
        repeat_expression=repeat["expr"].strip() if computed else "",
        extra=_rest(
            form, "type", "fields", "activation", "init", "binarize", "training", "shares", "block", "repeat"
        ),
    )


def edge_from_form(value: object, where: str = "edge") -> Edge:
    """Read ``[source, target]``."""
    if isinstance(value, list) and len(value) == 2:
        source, target = value
        if isinstance(source, str) and isinstance(target, str):
            return Edge(End.parse(source), End.parse(target))
    raise FileProblem(f'{where}: an edge is a pair of names, such as ["conv1", "pool"].')


def _edges(value: object, where: str) -> tuple[Edge, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "a list […]", value)
    return tuple(edge_from_form(edge, f"{where}[{i}]") for i, edge in enumerate(value))


def _argument(value: object, where: str) -> Argument:
    form = _object(value, where)
    return Argument(
        _text(form.get("type", "int"), f"{where}.type"),
        form.get("default"),
        _text(form.get("doc", ""), f"{where}.doc"),
        _rest(form, "type", "default", "doc"),
    )


def block_from_form(value: object, where: str = "block") -> Block:
    """Read one block definition."""
    form = _object(value, where)
    return Block(
        arguments=_mapping(form.get("arguments", {}), f"{where}.arguments", _argument),
        nodes=_mapping(form.get("nodes", {}), f"{where}.nodes", node_from_form),
        edges=_edges(form.get("edges", []), f"{where}.edges"),
        extra=_rest(form, "arguments", "nodes", "edges"),
    )


def data_from_form(value: object, where: str = "recipe.data") -> Data:
    """Read the recipe's data entry."""
    form = _object(value, where)
    return Data(
        source=_text(form.get("source", "digits"), f"{where}.source"),
        fields=_object(form.get("fields", {}), f"{where}.fields"),
        split=_object(form.get("split", {}), f"{where}.split"),
        augment=tuple(
            Choice(item) if isinstance(item, str) else choice_from_form(item, f"{where}.augment.{number}")
            for number, item in enumerate(_list(form.get("augment", []), f"{where}.augment"))
        ),
        extra=_rest(form, "source", "fields", "split", "augment"),
    )


def recipe_from_form(value: object, where: str = "recipe") -> Recipe:
    """Read the recipe; keys that are absent are at their default."""
    form = _object(value, where)
    standard = Recipe()
    known = ("data", "loss", "optimizer", "schedule", "epochs", "batch_size", "seed")
    schedule = form.get("schedule")
    return Recipe(
        data=data_from_form(form["data"], f"{where}.data") if "data" in form else standard.data,
        loss=choice_from_form(form["loss"], f"{where}.loss") if "loss" in form else standard.loss,
        optimizer=choice_from_form(form["optimizer"], f"{where}.optimizer")
        if "optimizer" in form
        else standard.optimizer,
        schedule=None if schedule is None else choice_from_form(schedule, f"{where}.schedule"),
        epochs=_integer(form.get("epochs", standard.epochs), f"{where}.epochs"),
        batch_size=_integer(form.get("batch_size", standard.batch_size), f"{where}.batch_size"),
        seed=_integer(form.get("seed", standard.seed), f"{where}.seed"),
        options=_rest(form, *known),
    )


def from_form(value: object) -> Network:
    """Read a whole network from plain JSON values.

    Raises
    ------
    FileProblem
        Where the value is not shaped like a network; the message names the place. What is shaped
        right but makes no sense (an unknown layer, a cycle, a wrong value) is read as it stands
        and left to the analysis.
    """
    form = _object(value, "The file")
    if form.get("format") != "layerlab":
        raise FileProblem('This is not a Layerlab network: the key "format" is not "layerlab".')
    newest = _integer(form.get("min_reader", 1), "min_reader")
    if newest > FORMAT_VERSION:
        raise FileProblem(
            f"This file was written by a newer Layerlab: it needs a reader of format {newest}, "
            f"and this one reads up to {FORMAT_VERSION}. Update Layerlab to open it."
        )
    _integer(_required(form, "version", "The file"), "version")
    return Network(
        name=_text(form.get("name", "Untitled"), "name"),
        nodes=_mapping(form.get("nodes", {}), "nodes", node_from_form),
        edges=_edges(form.get("edges", []), "edges"),
        blocks=_mapping(form.get("blocks", {}), "blocks", block_from_form),
        defaults=_object(form.get("defaults", {}), "defaults"),
        recipe=recipe_from_form(form.get("recipe", {})),
        view=_object(form.get("view", {}), "view"),
        extra=_rest(
            form,
            "format",
            "version",
            "min_reader",
            "name",
            "nodes",
            "edges",
            "blocks",
            "defaults",
            "recipe",
            "view",
        ),
    )
