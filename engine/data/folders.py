"""Where data sets lie on this computer."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_data_folder() -> Path:
    """The folder for data of this user, by the platform's custom: it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "layerlab"


def places(source: str, folder: str | None) -> list[Path]:
    """The folders in which the files of `source` are sought, in order; only `folder` if that is given."""
    if folder is not None:
        chosen = Path(folder).expanduser()
        return [chosen, chosen / source]
    shared = os.environ.get("LAYERLAB_DATA")
    bases = [*([Path(shared).expanduser()] if shared else []), user_data_folder()]
    return [place for base in bases for place in (base / source, base)]


def user_cache_folder() -> Path:
    """The folder for what can be made again, by the platform's custom: it need not exist."""
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "layerlab" / "cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "layerlab"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layerlab"
