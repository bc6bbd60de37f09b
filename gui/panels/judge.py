"""The doctor beside a run: examines it piece by piece, so that the window answers in between."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.diagnosis import ILLNESSES, Curves, Finding, Record
from gui.session import Session

#: Seconds between two examinations of a run that is under way.
REST = 0.5

#: Seconds of examining after which something else may be done.
PIECE = 0.002


class Judge:
    """What a session's run shows, as far as it has come or is looked at.

    Attributes
    ----------
    findings
        What the last examination found.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._curves = Curves()
        self._judged: tuple[object, ...] | None = None
        self._judged_at = 0.0
        self.findings: tuple[Finding, ...] = ()

    @property
    def _now(self) -> tuple[object, ...]:
        session = self._session
        return session.begun, len(session.metrics), session.newest, session.state, session.at

    @property
    def due(self) -> bool:
        """Whether there is something new to examine; a run under way is given its rest."""
        session = self._session
        rests = time.perf_counter() - self._judged_at < REST
        return self._now != self._judged and not (session.state == "running" and session.at is None and rests)

    def examine(self) -> Iterator[None]:
        """Examine the run, with breaks."""
        now, found = self._now, []
        record = self._record()
        begun = time.perf_counter()
        for illness in ILLNESSES.values() if record is not None else ():
            if time.perf_counter() - begun > PIECE:
                yield
                begun = time.perf_counter()
            assert record is not None
            found += illness.diagnose(record)
        self.findings = tuple(found)
        self._judged, self._judged_at = now, time.perf_counter()

    def _record(self) -> Record | None:
        session = self._session
        if session.network is None or session.begun is None:
            return None
        at = session.at
        if at is not None:
            curves = Curves([m for m in session.metrics if m.step <= at])
        else:
            if self._curves.source is not session.metrics:
                self._curves = Curves(session.metrics)
            curves = self._curves
        curves.read()
        return Record(
            session.network,
            tuple(curves.source),
            tuple(session.seen()),
            session.begun.parameters,
            session.begun.steps_per_epoch,
            session.state == "diverged",
            curves,
        )
