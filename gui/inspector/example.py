"""One real example on its way through the network: what each layer really receives and gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from engine.catalog import SOURCES
from engine.catalog.fields import Path
from engine.findings import Analysis
from engine.host.protocol import Excerpt, Failed, Responded, Response
from engine.network import Data, Network
from gui.asking import Asking
from gui.document import Document
from gui.inspector.preview import Previews
from gui.session import Session

#: After an edit the example is sent through again when the hands have rested so long, milliseconds.
REST = 300
#: Networks of more parameters, or operations, are sent one when a person asks for it.
_LIGHT = {"parameters": 5_000_000, "macs": 500_000_000}
#: The example that is shown: the first one of these.
SPLIT, INDEX = "validation", 0


class Example(QObject):
    """Sent through while someone looks, and again after each edit that matters.

    Unasked only where that is quick, and reads no file that the document names by its path:
    a network from a stranger says nothing about what is on this machine.

    Parameters
    ----------
    view
        Where it is looked at.
    """

    changed = Signal()

    def __init__(self, document: Document, workers: Previews, view: QWidget) -> None:
        super().__init__(view)
        self._document, self._workers, self._view = document, workers, view
        self._analysis = Analysis()
        self._data: Data | None = None
        #: Whether a person asked: only then is it said why there is none.
        self._asked = False
        self._wanted = False
        self._request: int | None = None
        self._again = False
        self.responded: Responded | None = None
        #: The networks that were asked last, and that what is there is of.
        self._asked_of: Network | None = None
        self._of: Network | None = None
        #: Why there is none; empty: it was not asked for, or it is there.
        self.message = ""
        self._rest = QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self._rested)
        document.changed.connect(self._document_changed)
        workers.answered.connect(self._answered)
        #: The run, whose weights it follows; None where there are no runs.
        self._session: Session | None = getattr(workers, "session", None)
        #: The step whose weights responded last; None: the best ones.
        self._step: int | None = None
        self._asking = Asking(self)
        self._asking.due.connect(self._due)
        #: Whether what is under way follows the run: only that has to be fair to it.
        self._following = False
        if self._session is not None:
            for signal in (self._session.weights_kept, self._session.sought, self._session.state_changed):
                signal.connect(self._follow)

    @property
    def waiting(self) -> bool:
        """Whether an answer is owed."""
        return self._request is not None

    @property
    def pending(self) -> bool:
        """Whether one is on its way, or about to be sent."""
        return self.waiting or self._rest.isActive()

    def set_analysis(self, analysis: Analysis) -> None:
        """Know how large the network is."""
        self._analysis = analysis

    def ask(self) -> None:
        """Send an example of the document's data through, now and after edits."""
        self._data, self._asked = self._document.network.recipe.data, True
        self._send()

    def offer(self) -> None:
        """Send one through soon, unasked, if it may be."""
        if self._data is None and self._free:
            self._wanted = True
            self._rest.start()

    @property
    def _free(self) -> bool:
        """Whether it may be sent through unasked."""
        data, totals = self._document.network.recipe.data, self._analysis.totals
        source = SOURCES.get(data.source)
        if source is None or not self._analysis.nodes or self._analysis.errors:
            return False
        named = any(isinstance(field, Path) and data.fields.get(field.name) for field in source.fields)
        return not named and all(totals.get(name, 0) <= most for name, most in _LIGHT.items())

    def _rested(self) -> None:
        if not self._asked and not self._free:
            self._data, self.responded = None, None
            self.changed.emit()
        elif self._view.isVisible():
            self._wanted = False
            self._data = self._document.network.recipe.data
            self._send()
        else:
            self._wanted = True

    def _due(self) -> None:
        if self._request is None:
            self._following = True
            self._asking.asked()
        self._rested()

    def seen(self) -> None:
        """The view is shown: what was wanted while it was not comes now."""
        if self._wanted:
            self._rest.start()

    def response(self, path: str) -> Response | None:
        """How a node responds, by its path."""
        return None if self.responded is None else self.responded.nodes.get(path)

    @property
    def stale(self) -> bool:
        """Whether the drawing has been edited since what is there was asked for."""
        drawn = self._document.network
        return self.responded is not None and self._of is not None and _differ(self._of, drawn)

    @property
    def said(self) -> str:
        """Which example, and with which weights; "" while there is none."""
        if self.responded is None:
            return ""
        if self.stale:
            return "As before the edit; being sent through anew."
        note = self.responded.note
        return f"A {SPLIT} example, {note if 'weights' in note else f'weights {note}'}."

    def _send(self) -> None:
        if self._request is not None:
            self._again = True
            return
        self._again, self.message = False, ""
        self._step = None if self._session is None else self._session.weights_step()
        self._asked_of = self._document.network
        self._request = self._workers.respond(self._workers.newest_run(), SPLIT, INDEX, step=self._step)
        self.changed.emit()

    def _follow(self, *_: object) -> None:
        """Other weights belong to what is looked at: send it through them, as soon as that is fair."""
        if self._data is not None and self._session is not None:
            if self._session.run and not self._session.active:
                self._rest.start()  # it has ended: there is nothing to be fair to
            elif self._session.weights_step() != self._step:
                self._asking.soon()

    def _document_changed(self, before: Network, after: Network) -> None:
        if self._data is None:
            return
        if after.recipe.data != self._data:  # other data are read only when a person asks for them
            self._data, self._asked, self.responded, self.message = None, False, None, ""
            self.changed.emit()
        elif _differ(before, after):
            self._rest.start()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        self._request = None
        if self._following:
            self._following = False
            self._asking.answered()
        if isinstance(event, Responded):
            self.responded = event if self._data is not None else None
            self._of = self._asked_of
        elif isinstance(event, Failed):
            self.responded, self.message = None, event.message if self._asked else ""
        if self._again:
            self._send()
        self.changed.emit()


def _differ(before: Network, after: Network) -> bool:
    """Whether what flows through them may differ."""
    return any(getattr(before, part) is not getattr(after, part) for part in ("nodes", "edges", "blocks"))


def picture_of(excerpt: Excerpt) -> NDArray[np.float32]:
    """The map of an excerpt that is shown: a colour picture's mean, else the first channel."""
    values = np.frombuffer(excerpt.values, np.int8).reshape(excerpt.shape) * (excerpt.scale / 127)
    while values.ndim > 2:
        values = values.mean(axis=0) if values.shape[0] in (1, 3) else values[0]
    return values.astype(np.float32)
