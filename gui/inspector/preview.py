"""Previews are computed elsewhere: ask, go on, show the newest answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTimer

#: Milliseconds between two requests while a value is being scrubbed.
_PAUSE = 40


class Previews(Protocol):
    """The part of :class:`gui.workers.Workers` that previews need."""

    #: Signal (int request, object event).
    answered: Any

    def preview_init(self, node: str, parameter: str) -> int:
        """Ask for a draw of one parameter."""

    def preview_activation(self, id: str, fields: dict[str, Any]) -> int:
        """Ask for an activation's curve."""

    def preview_binarizer(self, id: str, fields: dict[str, Any]) -> int:
        """Ask for an estimator's curves."""


class Preview(QObject):
    """One picture's requests.

    A change of key makes a request, at most one per pause; only the newest request's answer is
    handed on.
    """

    def __init__(self, workers: Previews, receive: Callable[[object], None], parent: QObject) -> None:
        super().__init__(parent)
        self._receive = receive
        self._key: object = None
        self._ask: Callable[[], int] | None = None
        self._request: int | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._fire)
        workers.answered.connect(self._answered)

    def want(self, key: object, ask: Callable[[], int]) -> None:
        """Show what `ask` requests, unless `key` says that this is it already."""
        if key == self._key:
            return
        self._key, self._ask = key, ask
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Nothing is wanted now."""
        self._key = self._ask = self._request = None
        self._timer.stop()

    def _fire(self) -> None:
        if self._ask is not None:
            self._request = self._ask()
            self._ask = None

    def _answered(self, request: int, event: object) -> None:
        if request == self._request:
            self._receive(event)
