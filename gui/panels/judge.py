"""The doctor beside a run: examines it piece by piece, so that the window answers in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.diagnosis import ILLNESSES, Curves, Finding, Record
from gui.session import Session

#: Seconds between two examinations of a run that is under way.
REST = 0.5

#: Seconds of examining after which something else may be done.
PIECE = 0.002


class Standing(NamedTuple):
    """How far one rule has come."""

    title: str
    #: Whether the network could have it at all.
    concerns: bool
    found: bool
    #: What it waits for; nothing: it has judged.
    waits: tuple[str, ...]

    def __str__(self) -> str:
        if not self.concerns:
            return f"{self.title}: does not concern this network"
        if self.waits:
            return f"{self.title}: needs {listed(self.waits)}"
        return f"{self.title}: {'found' if self.found else 'not found'}"


class Said(NamedTuple):
    """What it means that nothing is found: in a few words, in a sentence or two, and as an icon."""

    title: str
    hint: str
    icon: str


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


class Judge:
    """What a session's run shows, as far as it has come or is looked at.

    Attributes
    ----------
    findings
        What the last examination found.
    standing
        How far it could judge, rule by rule.
    step
        The last step that it knew of.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._curves = Curves()
        self._judged: tuple[object, ...] | None = None
        self._judged_at = 0.0
        self.findings: tuple[Finding, ...] = ()
        self.standing: tuple[Standing, ...] = ()
        self.step = 0

    @property
    def _now(self) -> tuple[object, ...]:
        session = self._session
        return session.begun, len(session.metrics), session.newest, session.state, session.at

    def counted(self) -> str:
        """How many rules can tell, or could."""
        concerned = [rule for rule in self.standing if rule.concerns]
        have = sum(not rule.waits for rule in concerned)
        can = "can" if self._session.active or self._session.at is not None else "could"
        return f"{have} of {len(concerned)} rules {can} tell at step {self.step:,}"

    def said(self) -> Said:
        """What it means that nothing is found."""
        needs = listed(list(dict.fromkeys(word for rule in self.standing for word in rule.waits)))
        if not needs:
            told = f"{self.counted()}: gradients, activations and curves look as they should."
            return Said("Nothing found", told, "mdi6.check-circle-outline")
        waiting = sum(bool(rule.waits) for rule in self.standing)
        others = "The other" if waiting == 1 else "The others"
        if self._session.active or self._session.at is not None:
            early = 2 * waiting > sum(rule.concerns for rule in self.standing)
            title = "Too early to tell" if early else "Nothing found so far"
            verb = "needs" if waiting == 1 else "need"
            return Said(title, f"{self.counted()}. {others} {verb} {needs}.", "mdi6.timer-sand")
        told = f"{self.counted()}. {others} would have needed {needs}."
        return Said("Nothing found, in so short a run", told, "mdi6.timer-sand-complete")

    @property
    def behind(self) -> bool:
        """Whether there is something new to examine."""
        return self._now != self._judged

    @property
    def due(self) -> bool:
        """Whether to examine it now; a run under way is given its rest."""
        session = self._session
        rests = time.perf_counter() - self._judged_at < REST
        return self.behind and not (session.state == "running" and session.at is None and rests)

    def examine(self) -> Iterator[None]:
        """Examine the run, with breaks."""
        now, found, standing = self._now, [], []
        record = self._record()
        begun = time.perf_counter()
        for illness in ILLNESSES.values() if record is not None else ():
            if time.perf_counter() - begun > PIECE:
                yield
                begun = time.perf_counter()
            assert record is not None
            ill = illness.diagnose(record)
            found += ill
            waits = () if ill else illness.waits(record)
            standing.append(Standing(illness.title, illness.concerns(record), bool(ill), waits))
        self.findings, self.standing = tuple(found), tuple(standing)
        self.step = 0 if record is None else record.step
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
            session.begun.validation_examples > 0,
            curves,
        )
