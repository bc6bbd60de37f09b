"""The rules of binarized networks that matter more than the estimator: each with its lesson and its ways out.

A rule reads the drawing, with the shapes that an analysis knows, and needs no torch. The analysis
tells what breaks a rule; :mod:`engine.binarize_network` takes the first way out of each until none
is broken. Figures in the lessons were measured on MNIST (three layers of 1024, Adam, 3 epochs).
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.binary.around import Around
from engine.binary.end_rules import ENDS
from engine.binary.latent_rules import LATENT
from engine.binary.order_rules import ORDER
from engine.binary.rule import BinaryRule, Fault

RULES: tuple[BinaryRule, ...] = (*ORDER, *ENDS, *LATENT)


def faults(around: Around) -> Iterator[tuple[BinaryRule, Fault]]:
    """All that breaks a rule."""
    if not any(step.node.binarize for step in around.steps.values()):
        return
    for rule in RULES:
        for fault in rule.find(around):
            yield rule, fault
