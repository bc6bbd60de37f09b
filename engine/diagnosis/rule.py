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
class Needs:
    """What must have been seen before finding nothing means that a network is well."""

    #: Looks at weights and gradients.
    looks: int = 0
    #: Whether one of the later looks must be at activations.
    activations: bool = False
    #: Points of the training loss, and validations.
    points: int = 0
    validations: int = 0
    #: Steps, and epochs; both must have been made.
    steps: int = 0
    epochs: int = 0
    #: Steps from the first look to the last.
    watched: int = 0

    def missing(self, record: Record) -> tuple[str, ...]:
        """What is still waited for, in words; nothing where there is enough."""
        looks = record.observations
        validations = [step for step, _ in record.curve("validation", "loss")]
        words = []
        if len(looks) < self.looks:
            words.append(_counted(self.looks, "look", len(looks)))
        elif self.activations and not any(look.activations for look in record.recent):
            words.append("a look at activations")
        if len(record.losses) < self.points:
            words.append(_counted(self.points, "training point", len(record.losses)))
        until = max(self.steps, self.epochs * record.steps_per_epoch)
        if record.step < until:
            words.append(f"step {until:,}")
        if self.watched and (not looks or looks[-1].step < looks[0].step + self.watched):
            words.append(f"a look from step {self.watched + (looks[0].step if looks else 0):,} on")
        if len(validations) < self.validations:
            words.append(_counted(self.validations, "validation", len(validations)))
            if validations:
                about = validations[-1] * self.validations // len(validations)
                ends = record.steps_per_epoch * record.network.recipe.epochs
                words[-1] += f", about step {about:,}" + (", beyond this run's end" if about > ends else "")
        return tuple(words)


def _counted(need: int, noun: str, have: int) -> str:
    return f"{need} {noun}{'' if need == 1 else 's'} ({have} so far)"


@dataclass(frozen=True, kw_only=True)
class Illness:
    """Something that keeps a network from learning: how it shows, why it is so, and what helps."""

    code: str
    title: str
    #: One sentence.
    cause: str
    #: Where the rule and its threshold come from.
    source: str
    #: What shows it; nothing where the network is well.
    find: Callable[[Record], list[Evidence]]
    #: Edits that heal it, the surest first.
    repairs: Callable[[Record, Evidence], tuple[Repair, ...]]
    severity: str = "warning"
    #: What must be there before it is judged.
    needs: Needs
    #: Whether it may show before that is there.
    early: bool = False
    #: Whether the network could have it at all.
    concerns: Callable[[Record], bool] = lambda record: True

    def waits(self, record: Record) -> tuple[str, ...]:
        """What is missing for a judgement, in words; nothing where one is made, or none is to be made."""
        return self.needs.missing(record) if self.concerns(record) else ()

    def diagnose(self, record: Record) -> list[Finding]:
        """What `record` shows of it."""
        if not self.concerns(record) or (not self.early and self.needs.missing(record)):
            return []
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
