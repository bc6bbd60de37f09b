"""The recipe's own options, complete: what the file says, else the catalogue's defaults."""

from __future__ import annotations

from engine.catalog import RECIPE_OPTIONS, Settings
from engine.network import Recipe
from engine.problems import NetworkProblem


def options(recipe: Recipe) -> Settings:
    """Every field of every section of :mod:`engine.catalog.recipe`, by attribute.

    Raises
    ------
    NetworkProblem
        If the file has a wrong value.
    """
    found = Settings()
    for section in RECIPE_OPTIONS.values():
        for field in section.fields:
            value = recipe.options.get(field.name, field.default)
            if wrong := field.check(value):
                raise NetworkProblem(f"recipe › {field.name}: {wrong}")
            setattr(found, field.name, field.canonical(value))
    return found
