"""Where examples come from. Each has a loader of the same id in :mod:`engine.data`."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Path

DIGITS = Source(
    id="digits",
    title="Handwritten digits, 8 × 8",
    doc="1,797 handwritten digits of 8 × 8 pixels, ten classes, scaled to 0 … 1. Comes with scikit-learn: nothing to download.",
    source="sklearn.datasets.load_digits; UCI, Alpaydin and Kaynak 1998",
    kind="image",
)
MNIST = Source(
    id="mnist",
    title="MNIST, 28 × 28",
    doc="70,000 handwritten digits of 28 × 28 pixels, ten classes, scaled to 0 … 1: 55,000 to train on, 5,000 to validate, "
    "10,000 to test. `folder` holds the four IDX files, gzipped or not.",
    source="LeCun, Cortes and Burges; IDX files",
    kind="image",
    fields=(
        Path(
            "folder",
            None,
            optional=True,
            folder=True,
            doc="Folder with the four IDX files; empty: LAYERLAB_DATA, then the user's data folder.",
        ),
    ),
)
