"""Layers of the user's own: installed packages that declare them under the entry point ``layerlab.layers``.

A package names a :class:`~engine.catalog.Layer`, or several::

    [project.entry-points."layerlab.layers"]
    gated = "my_package:GATED_LINEAR"

Installing it is the consent: its code runs in the processes that have torch (host, command line), never in the window,
which gets the declarations as data (:func:`described`, :func:`adopt`). Nothing in a file can name
code. ``tests/plugin_example`` is a whole package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from engine import catalog
from engine.catalog import fields as kinds
from engine.catalog.entry import Layer, Port, Settings

GROUP = "layerlab.layers"

#: Packages whose classes a layer may name.
_packages: set[str] = set()
_own: dict[str, Layer] = {}
_troubles: list[str] = []
_loaded = False


def load() -> tuple[str, ...]:
    """Bring the layers of all installed packages into the catalogue, once; what went wrong, in words."""
    global _loaded
    if not _loaded:
        _loaded = True
        for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
            try:
                value = point.load()
                for layer in (value,) if isinstance(value, Layer) else tuple(value):
                    _register(layer)
            except Exception as error:  # a plugin may do anything; the program goes on without it
                _troubles.append(f"The layers of the plugin {point.value!r} cannot be used: {error}")
            else:
                _packages.add(point.module.partition(".")[0])
    return tuple(_troubles)


def _register(layer: Layer) -> None:
    if not isinstance(layer, Layer):
        raise TypeError(f"{layer!r} is no engine.catalog.Layer.")
    if not layer.id.isidentifier():
        raise ValueError(f"{layer.id!r} is no id of a layer: use letters, digits and underscores.")
    if catalog.LAYERS.get(layer.id, layer) is not layer:
        raise ValueError(f"there is already a layer {layer.id!r}.")
    catalog.LAYERS[layer.id] = _own[layer.id] = layer
    if layer.is_activation:
        catalog.ACTIVATIONS[layer.id] = layer


def trusted(module: str) -> bool:
    """Whether `module` belongs to a package whose layers are in the catalogue."""
    return module.partition(".")[0] in _packages


def described() -> list[dict[str, Any]]:
    """The layers of plugins as plain values, for a process that runs none of their code."""
    return [_described(layer) for layer in _own.values()]


#: What a description has beside fields and ports.
_PLAIN = (
    "id",
    "title",
    "doc",
    "source",
    "group",
    "reads",
    "gives",
    "variadic",
    "activatable",
    "is_activation",
    "values",
)
_NAMES = ("dtypes", "ranks", "keywords")


def _described(layer: Layer) -> dict[str, Any]:
    start = layer.start()
    return {
        **{name: getattr(layer, name) for name in _PLAIN},
        **{name: list(getattr(layer, name)) for name in _NAMES},
        "parameters": list(layer.parameter_names(start)),
        "binarizable": list(layer.binarizable_names(start)),
        "inputs": [dataclasses.asdict(port) for port in layer.inputs],
        "outputs": [dataclasses.asdict(port) for port in layer.output_ports(start)],
        "fields": [_field(field) for field in layer.fields],
    }


def _field(field: kinds.Field) -> dict[str, Any]:
    values = {f.name: getattr(field, f.name) for f in dataclasses.fields(field)}
    if field.required:
        del values["default"]
    return {"class": type(field).__name__, **values}


def adopt(descriptions: Iterable[Mapping[str, Any]]) -> bool:
    """Bring described layers into this process's catalogue, to be drawn and set; whether any was new."""
    new = False
    for given in descriptions:
        if given["id"] in catalog.LAYERS:
            continue
        plain: dict[str, Any] = {name: given[name] for name in _PLAIN}
        plain |= {name: tuple(given[name]) for name in (*_NAMES, "parameters", "binarizable")}
        _register(
            Layer(
                **plain,
                inputs=tuple(Port(**port) for port in given["inputs"]),
                outputs=tuple(Port(**port) for port in given["outputs"]),
                fields=tuple(_field_of(field) for field in given["fields"]),
                call=_elsewhere,
            )
        )
        new = True
    return new


def _field_of(given: Mapping[str, Any]) -> kinds.Field:
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name != "class"}
    if isinstance(values.get("start"), tuple):
        values["start"] = list(values["start"])
    kind = getattr(kinds, given["class"])
    if not issubclass(kind, kinds.Field):
        raise ValueError(f"{given['class']!r} is no kind of field.")
    field: kinds.Field = kind(**values)
    return field


def _elsewhere(settings: Settings, inputs: object) -> None:
    raise RuntimeError("This layer is a plugin's, and its code runs in the host.")
