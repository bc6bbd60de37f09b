"""``python -m tests.robustness.report`` prints the promise's table, in its short form.

``--full`` takes the counts that the help states (hours on two busy cores); ``--only NAME`` takes one
line, as often as named. ``--results FILE`` keeps lines from earlier calls and ``--count N`` adds N further
trials to them, so that the full table can be made bit by bit; ``--write`` puts the table into the help page.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path

from tests.benchmarks.__main__ import machine
from tests.robustness import faults, flips, hosts, kills, strangers
from tests.robustness.promise import Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "assets" / "help" / "promise.md"
#: Name -> how it is measured in a folder, and how often: in short, in full.
LINES: dict[str, tuple[Callable[[Path, int, int], Row], int, int]] = {
    "kills": (kills.measure, 200, 10_000),
    "faults": (lambda folder, paths, seed: faults.measure(folder, tuple(faults.PATHS)[:paths]), 2, 5),
    "flips": (flips.measure, 900, 10_000),
    "naughty": (lambda folder, most, first: strangers.measure_naughty(most, first), 500, 1_000_000),
    "suite": (lambda folder, most, first: strangers.measure_suite(most, first), 2_000, 1_000_000),
    "mutated": (lambda folder, count, seed: strangers.measure_mutated(count, seed), 1_500, 100_000),
    "hosts": (hosts.measure, 1, 20),
}


def table(rows: list[Row]) -> str:
    """The rows for people, as Markdown."""
    lines = ["| What was done | Times | Broken promises | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {row.what} | {row.tried:,} | {len(row.breaches):,} | {row.note} |" for row in rows]
    return "\n".join(lines)


def _write(rows: list[Row]) -> None:
    found = machine()
    where = f"Measured {date.today():%d %B %Y} on {found['system']}, {found['cores']} cores, Python {found['python']}."
    text = PAGE.read_text(encoding="utf-8")
    block = f"<!-- table -->\n{table(rows)}\n\n{where}\n<!-- end -->"
    PAGE.write_text(
        re.sub(r"<!-- table -->.*<!-- end -->", lambda _: block, text, flags=re.DOTALL), encoding="utf-8"
    )


def main() -> int:
    """Measure and print; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.report", description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", action="append", choices=list(LINES))
    parser.add_argument("--results", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    kept: dict[str, Row] = {}
    if chosen.results is not None and chosen.results.exists():
        kept = {name: Row(**row) for name, row in json.loads(chosen.results.read_text()).items()}
    for name in [] if chosen.write else chosen.only or LINES:
        measure, short, full = LINES[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="layerlab-promise-") as folder:
            before = kept.get(name) if chosen.count else None
            count = chosen.count or (full if chosen.full else short)
            row = measure(Path(folder), count, before.tried if before else 0)
        if before is not None:
            before.add(row)
        kept[name] = before or row
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        for breach in row.breaches[:5]:
            print(f"  {breach}", file=sys.stderr)
        if chosen.results is not None:
            chosen.results.write_text(json.dumps({name: asdict(row) for name, row in kept.items()}, indent=1))
    rows = [kept[name] for name in LINES if name in kept]
    print(table(rows))
    if chosen.write:
        _write(rows)
    return int(any(row.breaches for row in rows))


if __name__ == "__main__":
    sys.exit(main())
