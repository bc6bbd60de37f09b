"""What the user folded and unfolded: remembered by name, also until the next start."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QSettings

#: Lives as long as the program, and longer where it has a name.
_open: dict[str, bool] = {}


def recall(key: str, standard: bool) -> bool:
    """Whether what `key` names was left open; `standard`: it was never touched."""
    if key not in _open and QCoreApplication.organizationName():
        _open[key] = bool(_store().value(key, standard, type=bool))
    return _open.get(key, standard)


def remember(key: str, open: bool) -> None:
    """The user has left it open, or folded."""
    _open[key] = open
    if QCoreApplication.organizationName():
        _store().setValue(key, open)


def _store() -> QSettings:
    """The file in which the window keeps its state."""
    name = QCoreApplication.organizationName()
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, name, name)
