"""Train, and use what was trained."""

import typer


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
