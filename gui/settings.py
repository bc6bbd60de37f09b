"""What the program remembers between two starts: typed fields over one INI file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

#: Recent files that are kept.
RECENT = 10
#: Raised when docks are renamed or regrouped, so that an older arrangement is not restored.
LAYOUT_VERSION = 1


class Machine(NamedTuple):
    """Another machine to train on."""

    name: str
    #: What starts a host there, as typed: ``ssh gpu1 layerlab host``.
    command: str


class Settings(QObject):
    """The settings, in the user's folder or at `path`."""

    recent_changed = Signal()
    machines_changed = Signal()

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        if path is None:
            scope = QSettings.Scope.UserScope
            self._store = QSettings(QSettings.Format.IniFormat, scope, "layerlab", "layerlab")
        else:
            self._store = QSettings(str(path), QSettings.Format.IniFormat)

    # ------------------------------------------------------------------ recent files

    @property
    def recent(self) -> list[Path]:
        """Files opened or saved lately, newest first; those that are gone are left out."""
        found = self._store.value("recent", [])
        names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return [path for path in map(Path, filter(None, map(str, names))) if path.is_file()]

    def remember(self, path: Path) -> None:
        """Put `path` on top of the recent files."""
        path = path.resolve()
        rest = [other for other in self.recent if other != path]
        self._store.setValue("recent", [str(other) for other in [path, *rest][:RECENT]])
        self.recent_changed.emit()

    def forget_recent(self) -> None:
        """Clear the recent files."""
        self._store.remove("recent")
        self.recent_changed.emit()

    # ------------------------------------------------------------------ look and habits

    @property
    def theme(self) -> str | None:
        """ "light", "dark", or None for the system's."""
        value = self._store.value("theme")
        return value if value in ("light", "dark") else None

    @theme.setter
    def theme(self, choice: str | None) -> None:
        self._store.setValue("theme", choice or "system")

    @property
    def device(self) -> str:
        """The device that runs were last trained on."""
        return str(self._store.value("device", "auto"))

    @device.setter
    def device(self, device: str) -> None:
        self._store.setValue("device", device)

    @property
    def machines(self) -> list[Machine]:
        """Other machines to train on, in the user's order."""
        try:
            found = json.loads(str(self._store.value("machines", "[]")))
            return [Machine(str(name), str(command)) for name, command in found]
        except (ValueError, TypeError):  # an INI file that was edited by hand
            return []

    @machines.setter
    def machines(self, machines: list[Machine]) -> None:
        self._store.setValue("machines", json.dumps(machines))
        self.machines_changed.emit()

    def command(self, machine: str) -> str | None:
        """The command of the machine of that name; None if there is none."""
        return dict(self.machines).get(machine) or None

    @property
    def folder(self) -> Path:
        """The folder that file dialogs begin in."""
        folder = Path(str(self._store.value("folder", Path.home())))
        return folder if folder.is_dir() else Path.home()

    @folder.setter
    def folder(self, folder: Path) -> None:
        self._store.setValue("folder", str(folder))

    # ------------------------------------------------------------------ the window

    @property
    def geometry(self) -> QByteArray | None:
        """The window's place and size."""
        value = self._store.value("geometry")
        return value if isinstance(value, QByteArray) else None

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._store.setValue("geometry", geometry)

    @property
    def layout(self) -> QByteArray | None:
        """The arrangement of docks."""
        value = self._store.value(f"layout{LAYOUT_VERSION}")
        return value if isinstance(value, QByteArray) else None

    @layout.setter
    def layout(self, layout: QByteArray) -> None:
        self._store.setValue(f"layout{LAYOUT_VERSION}", layout)

    def forget_layout(self) -> None:
        """Let the next start arrange the docks afresh."""
        self._store.remove(f"layout{LAYOUT_VERSION}")
