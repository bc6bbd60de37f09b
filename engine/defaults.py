"""Which initialisation a parameter has: its own, else the network's for its family, else for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog import INITIALIZERS, LAYERS
from engine.network import Choice, Network, Node
from engine.problems import FileProblem
from engine.storage.form import choice_from_form


def scheme_of(network: Network, node: Node, parameter: str, dims: int) -> Choice | None:
    """The scheme of one parameter of `node`, which has `dims` dimensions; None: the layer's own way.

    A default applies only where its scheme takes a tensor of that many dimensions.
    """
    if parameter in node.init:
        return node.init[parameter]
    for scope in (LAYERS[node.type].group, "all"):
        default = default_scheme(network.defaults, scope, parameter)
        if default is not None:
            entry = INITIALIZERS[default.id]
            if entry.min_dims <= dims <= entry.max_dims:
                return default
    return None


def default_scheme(defaults: Mapping[str, Any], scope: str, parameter: str) -> Choice | None:
    """The network's default, if there is one and it makes sense; the analysis tells of those that do not."""
    value: Any = defaults
    for key in ("init", scope, parameter):
        value = value.get(key) if isinstance(value, Mapping) else None
    try:
        choice = choice_from_form(value, "the default", "scheme")
    except FileProblem:
        return None
    entry = INITIALIZERS.get(choice.id)
    return choice if entry is not None and not entry.check(choice.fields) else None
