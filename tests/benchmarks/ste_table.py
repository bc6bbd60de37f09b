"""Estimators on MNIST: test accuracy of every row of the table, trained by `layerlab train`, beside PyTorch by hand.

A row is a network file of tests/ste with what is set in it (tests/ste/rows.py). Beside it stand the accuracy
known before, by how many points the two differ, and, for the rows that tests/ste/by_hand.py can train, what the
same network and recipe written by hand comes to in this run. At the end: rows more than a point apart by what is
known whose order is another one here, or by hand where that was measured.

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

from tests.ste import by_hand
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
                "by_hand": round(by_hand.accuracy(row.name, 0), 2) if row.name in by_hand.ROWS else None,
                "seconds": round(result["seconds"], 1),
            }
        )
        print(line(rows[-1]), file=sys.stderr, flush=True)
    return {"rows": rows, "out_of_order": swapped(rows)}


def known(row: dict[str, Any]) -> float | None:
    """What a row should come to: as written by hand in this run, else as measured before."""
    return row["reference"] if row["by_hand"] is None else row["by_hand"]


def swapped(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Pairs of rows that should be more than a point apart and have the other order here."""
    pairs = combinations([(row, known(row)) for row in rows], 2)
    return [
        [a["name"], b["name"]]
        for (a, above), (b, below) in pairs
        if above is not None and below is not None
        if abs(above - below) > APART and (above - below) * (a["accuracy"] - b["accuracy"]) <= 0
    ]


def line(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    before, hand, should = row["reference"], row["by_hand"], known(row)
    apart = "" if should is None else f"{row['accuracy'] - should:+.2f}"
    out = "" if should is None or abs(row["accuracy"] - should) <= TOLERANCE else "  <- out"
    columns = ["" if value is None else f"{value:.2f}" for value in (before, hand)]
    return f"{row['name']:<36} {row['accuracy']:>8.2f} {columns[0]:>10} {columns[1]:>8} {apart:>7}{out}"


def table(figures: dict[str, Any]) -> str:
    """The table for people."""
    head = f"{'MNIST: test accuracy, % (3 epochs)':<36} {'Layerlab':>8} {'known':>10} {'by hand':>8} {'apart':>7}"
    order = (
        "All rows more than a point apart keep their order."
        if not figures["out_of_order"]
        else "Out of order: " + "; ".join(" and ".join(pair) for pair in figures["out_of_order"])
    )
    return "\n".join([head, *(line(row) for row in figures["rows"]), "", order])
