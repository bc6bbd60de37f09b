"""One real example on its way through the network: what each layer really receives and gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from engine.host.protocol import Excerpt, Failed, Responded, Response
from engine.network import Network
from gui.document import Document
from gui.inspector.preview import Previews

#: After an edit the example is sent through again when the hands have rested so long, milliseconds.
REST = 300
#: The example that is shown: the first one of these.
SPLIT, INDEX = "validation", 0


class Example(QObject):
    """Sent through when a person asks for it, and again after each edit that matters."""

    changed = Signal()

    def __init__(self, document: Document, workers: Previews, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._workers = document, workers
        self._data: object = None
        self._request: int | None = None
        self._again = False
        self.responded: Responded | None = None
        #: Why there is none; empty: it was not asked for, or it is there.
        self.message = ""
        self._rest = QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self._send)
        document.changed.connect(self._document_changed)
        workers.answered.connect(self._answered)

    @property
    def waiting(self) -> bool:
        """Whether an answer is owed."""
        return self._request is not None

    def ask(self) -> None:
        """Send an example of the document's data through, now and after edits."""
        self._data = self._document.network.recipe.data
        self._send()

    def response(self, path: str) -> Response | None:
        """How a node responds, by its path."""
        return None if self.responded is None else self.responded.nodes.get(path)

    @property
    def said(self) -> str:
        """Which example, and with which weights; "" while there is none."""
        if self.responded is None:
            return ""
        note = self.responded.note
        return f"A {SPLIT} example, {note if 'weights' in note else f'weights {note}'}."

    def _send(self) -> None:
        if self._request is not None:
            self._again = True
            return
        self._again, self.message = False, ""
        self._request = self._workers.respond(self._workers.newest_run(), SPLIT, INDEX)
        self.changed.emit()

    def _document_changed(self, before: Network, after: Network) -> None:
        if self._data is None:
            return
        if after.recipe.data != self._data:  # other data are read only when a person asks for them
            self._data, self.responded = None, None
            self.changed.emit()
        elif any(getattr(before, part) is not getattr(after, part) for part in ("nodes", "edges", "blocks")):
            self._rest.start()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        self._request = None
        if isinstance(event, Responded):
            self.responded = event if self._data is not None else None
        elif isinstance(event, Failed):
            self.responded, self.message = None, event.message
        if self._again:
            self._send()
        self.changed.emit()


def picture_of(excerpt: Excerpt) -> NDArray[np.float32]:
    """The map of an excerpt that is shown: a colour picture's mean, else the first channel."""
    values = np.frombuffer(excerpt.values, np.int8).reshape(excerpt.shape) * (excerpt.scale / 127)
    while values.ndim > 2:
        values = values.mean(axis=0) if values.shape[0] in (1, 3) else values[0]
    return values.astype(np.float32)
