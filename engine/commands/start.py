"""Where to start: templates, a new file, and what the machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.output import Failure, out, print_json
from engine.storage import write

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("templates")(list_templates)
    app.command("new")(new)
    app.command("doctor")(doctor)
    app.command("host")(host)


def list_templates(json: Json = False) -> None:
    """List the networks to start from."""
    from engine.templates import templates

    if json:
        print_json(
            {
                "templates": [
                    {
                        "id": found.id,
                        "title": found.title,
                        "description": found.description,
                        "data": found.network.recipe.data.source,
                    }
                    for found in templates()
                ]
            }
        )
        return
    for found in templates():
        out.print(found.id, style="bold")
        out.print(f"  {found.title}. {found.description}")


def new(
    template: Annotated[str, typer.Argument(help="A template's id; `layerlab templates` lists them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to make.")],
) -> None:
    """Make a network file from a template."""
    from engine.templates import template as find

    found = find(template)
    if output.exists():
        raise Failure(f"{output} exists already. Choose another name, or remove it first.", 2)
    write(found.network, output)
    out.print(f"{output} is {found.title}. Train it with `layerlab train {output}`.")


def doctor(json: Json = False) -> None:
    """Look at what Layerlab needs on this machine, and name what is missing."""
    from engine import doctor as examine

    checks = examine.report()
    result = examine.as_json(checks)
    if json:
        print_json(result)
    else:
        marks = {"ok": ("✓", "green"), "note": ("·", "yellow"), "problem": ("✗", "red")}
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark, colour = marks[check.state]
            out.print(f"{mark} {check.name:<{width}}  {check.found}", style=colour)
            if check.mend:
                out.print(f"  {'':<{width}}  {check.mend}")
    if not result["ok"]:
        raise Failure


def host() -> None:
    """Serve analysis and training over standard input and output, as the window asks for them."""
    from engine.host.server import main as serve

    raise typer.Exit(serve([]))
