"""One node against its declaration alone: type, fields, activation, initialisation, binarization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.catalog import ACTIVATIONS, BINARIZERS, INITIALIZERS, LAYERS, Entry, Fix, Layer
from engine.network import Node
from engine.problems import did_you_mean


class Finding(NamedTuple):
    """A problem of some node, not yet bound to its id."""

    severity: str
    code: str
    field: str | None
    message: str
    #: Ways out that set fields of the node.
    fixes: tuple[Fix, ...] = ()
    lesson: str = ""
    #: Ways out that take a part of the node away: text -> its path in the node's document form.
    removals: tuple[tuple[str, tuple[str, ...]], ...] = ()


def declared(node: Node) -> list[Finding]:
    """All that is wrong with `node` whatever its inputs are."""
    layer = LAYERS.get(node.type)
    if layer is None:
        return [
            Finding(
                "error",
                "unknown-type",
                None,
                f"There is no layer {node.type!r}.{did_you_mean(node.type, LAYERS)} It is kept as it is; "
                "replace it to run the network.",
            )
        ]
    findings = _fields(layer, node.fields, (), "")
    findings += _activation(layer, node)
    findings += _init(layer, node)
    findings += _binarize(layer, node)
    findings += _training(node)
    findings += _unknown_keys(node)
    return findings


def _fields(entry: Entry, fields: Mapping[str, Any], path: tuple[str, ...], prefix: str) -> list[Finding]:
    findings = []
    names = {field.name for field in entry.fields}
    for name, message in entry.check(fields):
        place = f"{prefix}.{name}" if prefix else name
        fixes: tuple[Fix, ...] = ()
        removals: tuple[tuple[str, tuple[str, ...]], ...] = ()
        if name not in names:
            code = "unknown-field"
            removals = ((f"Remove {name}", (*path, "fields", name)),)
        else:
            field = entry.field(name)
            code = "wrong-field" if name in fields else "missing-field"
            if not path:
                value = list(field.initial) if isinstance(field.initial, tuple) else field.initial
                fixes = (Fix(f"Set {name} to {value}", {name: value}),)
            elif not field.required:
                removals = ((f"Use the default of {name}", (*path, "fields", name)),)
        findings.append(Finding("error", code, place, message, fixes, removals=removals))
    return findings


def _activation(layer: Layer, node: Node) -> list[Finding]:
    choice = node.activation
    if choice is None:
        return []
    removal = (("Remove the activation", ("activation",)),)
    if not layer.activatable:
        message = f"{layer.id} takes no activation inside. Add {choice.id} as a node of its own behind it."
        return [Finding("error", "activation-place", "activation", message, removals=removal)]
    if choice.id not in ACTIVATIONS:
        hint = did_you_mean(choice.id, ACTIVATIONS)
        what = "is a layer and no activation" if choice.id in LAYERS else "is no activation"
        message = f"{choice.id!r} {what}.{hint}"
        return [Finding("error", "unknown-activation", "activation", message, removals=removal)]
    return _fields(ACTIVATIONS[choice.id], choice.fields, ("activation",), "activation")


def _init(layer: Layer, node: Node) -> list[Finding]:
    findings = []
    names = layer.parameter_names(node.fields)
    for parameter, choice in node.init.items():
        place, path = f"init.{parameter}", ("init", parameter)
        removal = ((f"Use the default for {parameter}", path),)
        if parameter not in names:
            known = ", ".join(names) or "none"
            hint = did_you_mean(parameter, names)
            message = f"{layer.id} has no parameter {parameter!r} to initialise.{hint} It has: {known}."
            findings.append(Finding("error", "unknown-parameter", place, message, removals=removal))
        elif choice.id not in INITIALIZERS:
            message = f"There is no initialiser {choice.id!r}.{did_you_mean(choice.id, INITIALIZERS)}"
            findings.append(Finding("error", "unknown-initialiser", place, message, removals=removal))
        else:
            findings += _fields(INITIALIZERS[choice.id], choice.fields, path, place)
    return findings


def _binarize(layer: Layer, node: Node) -> list[Finding]:
    findings = []
    for part, choice in node.binarize.items():
        place, path = f"binarize.{part}", ("binarize", part)
        removal = ((f"Do not binarize the {part}", path),)
        code, message = "binarize-place", ""
        if part not in ("weight", "input"):
            message = f"Binarize 'weight' or 'input', not {part!r}."
        elif part == "weight" and not layer.binarizable:
            message = f"{layer.id} has no weight to binarize."
        elif part == "input" and (not layer.inputs or "float32" not in layer.dtypes):
            message = f"{layer.id} has no single real input to binarize."
        elif choice.id not in BINARIZERS:
            code = "unknown-binarizer"
            message = f"There is no binarizer {choice.id!r}.{did_you_mean(choice.id, BINARIZERS)}"
        elif part not in BINARIZERS[choice.id].places:
            message = (
                f"{choice.id} binarizes the {' or '.join(BINARIZERS[choice.id].places)}, not the {part}."
            )
        if message:
            findings.append(Finding("error", code, place, message, removals=removal))
        else:
            findings += _fields(BINARIZERS[choice.id], choice.fields, path, place)
            clip = choice.extra.get("clip_latent", True)
            if part == "weight" and not isinstance(clip, bool):
                removals = (("Clip the latent weights", (*path, "clip_latent")),)
                message = f"is true or false, not {clip!r}."
                findings.append(
                    Finding("error", "wrong-field", f"{place}.clip_latent", message, removals=removals)
                )
    return findings


#: Keys beside an estimator that are no fields of it.
_KNOWN_BESIDE: dict[str, tuple[str, ...]] = {"weight": ("clip_latent",), "input": ()}


def _training(node: Node) -> list[Finding]:
    if node.training is None or 0 <= node.training.lr_multiplier <= 1000:
        return []
    message = f"{node.training.lr_multiplier:g} is out of range: a number from 0 to 1000."
    return [Finding("error", "wrong-field", "training.lr_multiplier", message)]


def _unknown_keys(node: Node) -> list[Finding]:
    parts: list[tuple[str, Mapping[str, Any]]] = [("", node.extra)]
    if node.activation is not None:
        parts.append(("activation.", node.activation.extra))
    parts += [(f"init.{name}.", choice.extra) for name, choice in node.init.items()]
    parts += [
        (
            f"binarize.{name}.",
            {key: value for key, value in choice.extra.items() if key not in _KNOWN_BESIDE[name]},
        )
        for name, choice in node.binarize.items()
        if name in _KNOWN_BESIDE
    ]
    if node.training is not None:
        parts.append(("training.", node.training.extra))
    return [
        Finding(
            "warning",
            "unknown-key",
            f"{prefix}{key}",
            f"{prefix + key!r} is no key that this version knows. It stays in the file and does nothing.",
        )
        for prefix, extra in parts
        for key in extra
    ]
