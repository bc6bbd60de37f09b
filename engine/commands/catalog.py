"""What the catalogue has: ``layerlab catalog``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from engine import catalog as shelves
from engine.catalog import plugins
from engine.catalog.entry import Entry
from engine.commands.output import Failure, complain, out, print_json
from engine.commands.start import Json
from engine.problems import did_you_mean

#: Heading -> entries by id.
_SHELVES: dict[str, Mapping[str, Entry]] = {
    "layers": shelves.LAYERS,
    "initializers": shelves.INITIALIZERS,
    "binarizers": shelves.BINARIZERS,
    "losses": shelves.LOSSES,
    "optimizers": shelves.OPTIMIZERS,
    "schedules": shelves.SCHEDULES,
    "recipe": shelves.RECIPE_OPTIONS,
    "sources": shelves.SOURCES,
    "augmentations": shelves.AUGMENTATIONS,
}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("catalog")(catalog)


def catalog(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Explain this entry.")] = None,
    json: Json = False,
) -> None:
    """List layers, initialisers, binarizers, losses, optimizers and data sources, or explain one."""
    for trouble in plugins.load():
        complain(trouble)
    if id is None:
        _list(json)
        return
    found = [(kind, shelf[id]) for kind, shelf in _SHELVES.items() if id in shelf]
    if not found:
        known = [name for shelf in _SHELVES.values() for name in shelf]
        raise Failure(f"There is no {id!r} in the catalogue.{did_you_mean(id, known)}", 2)
    kind, entry = found[0]
    if json:
        print_json({"kind": kind, **_form(entry)})
    else:
        _explain(kind, entry)


def _list(json: bool) -> None:
    if json:
        print_json({kind: [_form(entry) for entry in shelf.values()] for kind, shelf in _SHELVES.items()})
        return
    for kind, shelf in _SHELVES.items():
        if shelf:
            out.print(kind.capitalize(), style="bold")
            width = max(map(len, shelf))
            for id, entry in shelf.items():
                out.print(f"  {id:<{width}}  {entry.title}")


def _explain(kind: str, entry: Entry) -> None:
    out.print(f"{entry.id}: {entry.title}", style="bold")
    out.print(entry.doc)
    for field in entry.fields:
        default = "required" if field.required else f"default {_shown(field.default)}"
        out.print(f"\n  {field.name}  ({default})", style="bold")
        out.print(f"    {field.doc} Takes {field.expected}.")
    out.print(f"\nSource: {entry.source}")


def _shown(default: Any) -> Any:
    if default is None:
        return "empty"
    return list(default) if isinstance(default, tuple) else default


def _form(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "doc": entry.doc,
        "source": entry.source,
        "fields": {
            "type": "object",
            "properties": {field.name: field.schema() for field in entry.fields},
            "required": [field.name for field in entry.fields if field.required],
            "additionalProperties": False,
        },
    }
