"""The one place that knows where templates, icons, style and help lie.

In a checkout they are in ``assets/`` beside the packages; a wheel installs them as
``engine/_assets``.
"""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """The folder that holds the assets."""
    here = Path(__file__).resolve().parent
    installed = here / "_assets"
    return installed if installed.is_dir() else here.parent / "assets"


def path(name: str) -> Path:
    """The asset called `name`, a path below the folder such as ``networks/digits_mlp.layerlab``."""
    return folder() / name


def read_text(name: str) -> str:
    """An asset's text."""
    return path(name).read_text(encoding="utf-8")
