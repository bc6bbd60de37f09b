"""Points and curves drawn by formula: small problems whose answer can be seen."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Field, Float, Int, Option


def _drawn(examples: int, noise: float, *more: Field) -> tuple[Field, ...]:
    return (
        Int("examples", examples, lo=10, hi=10_000_000, doc="How many are drawn."),
        Float("noise", noise, lo=0, hi=10, doc="Deviation of the chance added to each."),
        *more,
        Int("seed", 0, lo=0, hi=(1 << 63) - 1, doc="Which draw; the training seed only parts it."),
    )


MOONS = Source(
    id="moons",
    title="Two moons",
    doc="Two half circles that reach into one another, as points in the plane.",
    source="sklearn.datasets.make_moons",
    kind="points",
    fields=_drawn(1000, 0.1),
)
CIRCLES = Source(
    id="circles",
    title="Two circles",
    doc="A circle within a circle, as points in the plane. `factor` is the inner radius; the outer is 1.",
    source="sklearn.datasets.make_circles",
    kind="points",
    fields=_drawn(
        1000,
        0.05,
        Float("factor", 0.5, lo=0, hi=1, open_hi=True, doc="Radius of the inner circle; the outer has 1."),
    ),
)
SPIRALS = Source(
    id="spirals",
    title="Spirals",
    doc="Arms of a spiral, each a class; evenly dense in the disc. `turns` is how far each winds.",
    source="after Lang and Witbrock 1988",
    kind="points",
    fields=_drawn(
        1000,
        0.02,
        Int("arms", 2, lo=2, hi=20, doc="Arms, and so classes."),
        Float("turns", 1.5, lo=0, hi=10, unit="turns", doc="How far each arm winds."),
    ),
)
XOR = Source(
    id="xor",
    title="Exclusive or",
    doc="Points of the square −1 … 1: one class where the two signs differ, the other where they agree.",
    source="Minsky and Papert 1969",
    kind="points",
    fields=_drawn(1000, 0.05),
)
BLOBS = Source(
    id="blobs",
    title="Round clouds",
    doc="Normal clouds around points on a circle of radius 3, each a class. `noise` is their deviation.",
    source="after sklearn.datasets.make_blobs",
    kind="points",
    fields=_drawn(1000, 1.0, Int("classes", 3, lo=2, hi=100, doc="How many clouds.")),
)
CURVE = Source(
    id="curve",
    title="A curve of one variable",
    doc="Values of a function on −1 … 1, with noise: regression that can be drawn. sine: sin 2πx; step: the sign; "
    "bump: Runge's 1/(1+25x²); absolute: |x|; chirp: sin 3π(x+1)².",
    source="Runge 1901 for the bump",
    kind="points",
    target="value",
    fields=_drawn(
        1000,
        0.1,
        Option(
            "function",
            "sine",
            options=("sine", "step", "bump", "absolute", "chirp"),
            doc="Which curve.",
        ),
    ),
)
