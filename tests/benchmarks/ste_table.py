"""Estimators on MNIST: test accuracy of every row of the table, trained by `layerlab train`, beside PyTorch by hand.

A row is a network file of tests/ste with what is set in it (tests/ste/rows.py). Beside it stands the
accuracy that was measured with hand-written PyTorch of the same network and recipe, and by how many
points the two differ. At the end: whether rows that differ by more than a point there keep their order here.

LAYERLAB_BENCHMARK_ROWS names the rows to train, by a part of their names, with commas between. Each takes
about a minute on two cores; MNIST must be where LAYERLAB_DATA says.
"""

from __future__ import annotations

import os
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.ste.rows import ROWS, Row, train

#: Points by which a row may differ from its reference.
TOLERANCE = 0.6
#: Points from which on the order of two rows says something.
APART = 1.0


def chosen() -> list[Row]:
    """The rows asked for."""
    words = [word.strip() for word in os.environ.get("LAYERLAB_BENCHMARK_ROWS", "").split(",")]
    return [row for row in ROWS if any(word in row.name for word in words)]


def measure() -> dict[str, Any]:
    """Train every row; accuracies in percent of the 10,000 test images."""
    rows = []
    for row in chosen():
        with tempfile.TemporaryDirectory() as folder:
            result = train(row, Path(folder))
        rows.append(
            {
                "name": row.name,
                "accuracy": round(100 * result["test"]["accuracy"], 2),
                "reference": row.reference,
                "seconds": round(result["seconds"], 1),
            }
        )
        print(line(rows[-1]), file=sys.stderr, flush=True)
    return {"rows": rows, "out_of_order": swapped(rows)}


def swapped(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Pairs of rows more than a point apart in the reference whose order is another one here."""
    return [
        [a["name"], b["name"]]
        for a, b in combinations([row for row in rows if row["reference"] is not None], 2)
        if abs(a["reference"] - b["reference"]) > APART
        and (a["reference"] - b["reference"]) * (a["accuracy"] - b["accuracy"]) <= 0
    ]


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    reference = row["reference"]
    apart = "" if reference is None else f"{row['accuracy'] - reference:+.2f}"
    within = "" if reference is None or abs(row["accuracy"] - reference) <= TOLERANCE else "  <- out"
    known = "" if reference is None else f"{reference:.1f}"
    return f"{row['name']:<36} {row['accuracy']:>8.2f} {known:>10} {apart:>7}{within}"


def table(figures: dict[str, Any]) -> str:
    """The table for people."""
    head = f"{'MNIST: test accuracy, % (3 epochs)':<36} {'Layerlab':>8} {'reference':>10} {'apart':>7}"
    order = (
        "All rows more than a point apart keep their order."
        if not figures["out_of_order"]
        else "Out of order: " + "; ".join(" and ".join(pair) for pair in figures["out_of_order"])
    )
    return "\n".join([head, *(line(row) for row in figures["rows"]), "", order])
