"""Previews are computed elsewhere: ask, go on, show the newest answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QElapsedTimer, QObject, QTimer

from engine.host.protocol import Failed
from gui.session import Session

if TYPE_CHECKING:
    from gui.inspector.example import Example

#: Milliseconds between two requests while a value is being scrubbed.
_PAUSE = 40
#: Milliseconds after which an answer is no longer waited for: a host may have died with the request.
_PATIENCE = 3000
#: Answers that are kept for when the same is looked at again.
_KEPT = 64


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

    def look_at_estimator(self, node: str, place: str, run: str | None = None) -> int:
        """Ask what an estimator gets and lets pass on a real batch."""

    def what_if(self, node: str, block: str | None, path: str, field: str, values: tuple[Any, ...]) -> int:
        """Ask what a field's values would come to."""

    def look_at_data(self, path: str | None = None) -> int:
        """Ask what the document's data look like."""

    def respond(self, run: str | None, split: str, index: int, *, step: int | None = None) -> int:
        """Ask how every node responds to an example; `step`: with the run's weights of that step."""

    def newest_run(self) -> str | None:
        """The run whose weights are the newest."""


class Desk:
    """Where previews are asked for, and answers kept."""

    def __init__(self, workers: Previews, example: Example) -> None:
        self.workers = workers
        #: A real example on its way through the network.
        self.example = example
        #: The run that goes on, or went; None where there are no runs.
        self.session: Session | None = getattr(workers, "session", None)
        self._answers: dict[str, object] = {}

    def keep(self, key: str, answer: object) -> None:
        """Keep an answer; the oldest goes when there are many."""
        self._answers[key] = answer
        if len(self._answers) > _KEPT:
            del self._answers[next(iter(self._answers))]

    def find(self, key: str) -> object | None:
        """An answer that was kept."""
        return self._answers.get(key)


class Preview(QObject):
    """One picture's requests.

    A change of key makes a request, at most one per pause; only the newest request's answer is
    handed on. What was answered before is handed on at once.

    Parameters
    ----------
    receive
        Shows an answer.
    empty
        Shows nothing: called where something else is spoken of, and its answer has yet to come.
    """

    def __init__(
        self,
        desk: Desk,
        receive: Callable[[object], None],
        parent: QObject,
        *,
        empty: Callable[[], None] = lambda: None,
        patience: int = _PATIENCE,
    ) -> None:
        super().__init__(parent)
        self._patience = patience
        self._desk = desk
        self._receive = receive
        self._empty = empty
        self._turned = False
        self._key = ""
        self._ask: Callable[[], int] | None = None
        self._request: int | None = None
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._fire)
        desk.workers.answered.connect(self._answered)

    def turn(self) -> None:
        """Something else is spoken of: what is shown is not to be taken for it."""
        self._turned = True

    def want(self, key: object, ask: Callable[[], int]) -> None:
        """Show what `ask` requests, unless `key` says that this is it already."""
        name = repr(key)
        turned, self._turned = self._turned, False
        waited = self._request is not None and self._since.hasExpired(self._patience)
        if name == self._key and not waited:
            return
        self._key, self._request = name, None
        known = self._desk.find(name)
        if known is not None:
            self._ask = None
            self._receive(known)
            return
        if turned:
            self._empty()
        self._ask = ask
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Nothing is wanted now."""
        self._key, self._ask, self._request = "", None, None
        self._timer.stop()

    @property
    def waiting(self) -> int | None:
        """The request whose answer is waited for."""
        return self._request

    def _fire(self) -> None:
        if self._ask is not None:
            self._request, self._ask = self._ask(), None
            self._since.start()

    def _answered(self, request: int, event: object) -> None:
        if request == self._request:
            self._request = None
            if not isinstance(event, Failed):
                self._desk.keep(self._key, event)
            self._receive(event)
