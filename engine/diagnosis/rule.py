"""An illness, declared once, and what is found of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from engine.diagnosis.record import Record
from engine.findings import Problem, Repair


class Finding(msgspec.Struct, frozen=True):
    """One illness in one place."""

    code: str
    title: str
    #: The numbers in a sentence.
    evidence: str
    #: Why, in one sentence.
    cause: str
    #: Node's path; None: the network, or its recipe.
    node: str | None = None
    #: The same numbers by name, for tables.
    figures: Mapping[str, float] = {}
    repairs: tuple[Repair, ...] = ()
    source: str = ""
    #: "error" or "warning".
    severity: str = "warning"

    def problem(self) -> Problem:
        """As a problem, for lists of those."""
        return Problem(
            self.severity,
            self.code,
            f"{self.title}. {self.evidence}",
            node=self.node,
            repairs=self.repairs,
            lesson=f"{self.cause} Source: {self.source}",
        )


class Evidence(msgspec.Struct, frozen=True):
    """What a rule saw."""

    words: str
    node: str | None = None
    figures: Mapping[str, float] = {}


@dataclass(frozen=True, kw_only=True)
class Illness:
    """Something that keeps a network from learning: how it shows, why it is so, and what helps."""

    code: str
    title: str
    #: One sentence.
    cause: str
    #: Where the rule and its threshold come from.
    source: str
    #: What shows it; nothing where the network is well, or where too little is known yet.
    find: Callable[[Record], list[Evidence]]
    #: Edits that heal it, the surest first.
    repairs: Callable[[Record, Evidence], tuple[Repair, ...]]
    severity: str = "warning"

    def diagnose(self, record: Record) -> list[Finding]:
        """What `record` shows of it."""
        return [
            Finding(
                self.code,
                self.title,
                seen.words,
                self.cause,
                seen.node,
                seen.figures,
                self.repairs(record, seen),
                self.source,
                self.severity,
            )
            for seen in self.find(record)
        ]
