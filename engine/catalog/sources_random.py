"""Numbers without meaning, to try a network on before its own data are there."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Int, Shape

RANDOM = Source(
    id="random",
    title="Random numbers",
    doc="Standard normal numbers of any shape with random classes: nothing to learn, but enough to see what a network "
    "costs in time and memory before its own data are there.",
    source="layerlab",
    kind="array",
    fields=(
        Shape("shape", (1, 8, 8), doc="Shape of one example."),
        Int("classes", 10, lo=2, hi=100_000, doc="How many classes."),
        Int("examples", 256, lo=10, hi=1_000_000, doc="How many examples."),
        Int("seed", 0, lo=0, hi=(1 << 62) - 1, doc="Which of all such sets.", advanced=True),
    ),
)
