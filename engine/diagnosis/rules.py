"""Every illness that is looked for. Adding one touches this list alone."""

from __future__ import annotations

from engine.diagnosis.depth import ASLEEP, DEAD, EXPLODING, SATURATED, STUCK, VANISHING
from engine.diagnosis.record import Record
from engine.diagnosis.rule import Finding, Illness
from engine.diagnosis.time import CHANCE, OVERFITTING, RATE_HIGH, RATE_LOW

ILLNESSES: dict[str, Illness] = {
    illness.code: illness
    for illness in (
        EXPLODING,
        RATE_HIGH,
        VANISHING,
        DEAD,
        SATURATED,
        ASLEEP,
        STUCK,
        CHANCE,
        RATE_LOW,
        OVERFITTING,
    )
}


def diagnose(record: Record) -> tuple[Finding, ...]:
    """All that `record` shows, causes before what follows from them."""
    return tuple(finding for illness in ILLNESSES.values() for finding in illness.diagnose(record))
