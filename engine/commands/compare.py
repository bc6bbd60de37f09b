"""What differs between two networks, as meaning and not as text."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from msgspec import UNSET

from engine.commands.output import count, out, print_json
from engine.commands.start import Json
from engine.diff import Change, changes
from engine.storage import read

_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("diff")(diff)


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="The network before.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The network after.")],
    json: Json = False,
) -> None:
    """Show what differs between two networks: layers, fields, wires, recipe."""
    found = changes(read(a), read(b))
    meant = [change for change in found if change.path[0] != "view"]
    if json:
        print_json({"same": not meant, "changes": [_form(change) for change in found]})
        return
    for change in meant:
        out.print(str(change), style=_STYLES[kind(change)])
    layout = len(found) - len(meant)
    said = f"{count(len(meant), 'difference')}." if meant else "The networks are the same."
    out.print(f"{said} The layout differs too, which means nothing." if layout else said)


def kind(change: Change) -> str:
    """ "added", "removed" or "changed"."""
    if change.before is UNSET:
        return "added"
    return "removed" if change.after is UNSET else "changed"


def _form(change: Change) -> dict[str, Any]:
    form: dict[str, Any] = {"kind": kind(change), "path": ".".join(change.path)}
    if change.before is not UNSET:
        form["before"] = change.before
    if change.after is not UNSET:
        form["after"] = change.after
    form["layout"] = change.path[0] == "view"
    return form
