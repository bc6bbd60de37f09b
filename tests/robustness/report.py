"""``python -m tests.robustness.report`` prints the promise's table, in its short form.

``--full`` takes the counts that the help states (hours on two cores); ``--only NAME`` takes one line, as
often as named. With ``--results FOLDER`` what has been counted is kept there, chunk by chunk, and a later call
goes on from it, so that the full table can be made bit by bit; ``--share K`` lets several count at once
(not where all trials are listed); ``--again`` feeds files that broke the promise once more, after what they
found has been mended; ``--write`` puts the kept table into the help page and its counts into the README.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from tests.benchmarks.__main__ import machine
from tests.pages import ROOT, put
from tests.robustness import faults, flips, hosts, kills, strangers, strangers_window
from tests.robustness.promise import Row

PAGE = ROOT / "assets" / "help" / "promise.md"
RESULTS = ROOT / "tests" / "benchmarks" / "results" / "promise"
#: The trials of a share have numbers of their own.
_APART = 100_000_000


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    #: Given a folder to work in, how many trials, how many there have been, and a file for what was learned.
    measure: Callable[[Path, int, int, Path | None], Row]
    short: int
    #: All there are, where that is less.
    full: int
    #: How many are made between two looks at the clock; 0: all at once, anew each time.
    chunk: int = 0


LINES = {
    "kills": Line(lambda folder, count, done, kept: kills.measure(folder, count, done), 200, 10_000, 500),
    "faults": Line(
        lambda folder, count, done, kept: faults.measure(folder, tuple(faults.PATHS)[:count]),
        2,
        len(faults.PATHS),
    ),
    "flips": Line(lambda folder, count, done, kept: flips.measure(folder, count, done), 900, 10_000),
    "naughty": Line(
        lambda folder, count, done, kept: strangers.measure_naughty(count, done, kept), 500, 1_000_000, 2_000
    ),
    "suite": Line(
        lambda folder, count, done, kept: strangers.measure_suite(count, done, kept), 2_000, 1_000_000, 5_000
    ),
    "mutated": Line(
        lambda folder, count, done, kept: strangers.measure_mutated(count, done, kept), 1_500, 100_000, 2_000
    ),
    "window": Line(lambda folder, count, done, kept: strangers_window.measure(count, done), 60, 5_000, 200),
    "hosts": Line(lambda folder, count, done, kept: hosts.measure(folder, count, done), 1, 20),
}


def table(rows: list[Row]) -> str:
    """The rows for people, as Markdown."""
    lines = ["| What was done | Times | Broken promises | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {row.what} | {row.tried:,} | {len(row.breaches):,} | {row.note} |" for row in rows]
    return "\n".join(lines)


def _counts(rows: dict[str, Row]) -> str:
    """The rows in a sentence."""
    words = {
        "kills": "kills in the middle of editing and saving",
        "faults": "faults injected into calls of the system",
        "flips": "flipped bits",
        "naughty": "files with naughty strings",
        "suite": "files with pieces of the JSONTestSuite",
        "mutated": "mutated files",
        "window": "files opened in the window",
        "hosts": "faults of its processes",
    }
    parts = [f"{rows[name].tried:,} {what}" for name, what in words.items() if name in rows]
    broken = sum(len(row.breaches) for row in rows.values())
    return (
        f"{', '.join(parts[:-1])} and {parts[-1]} broke it {f'{broken:,} times' if broken else 'not once'}."
    )


def _write(rows: dict[str, Row]) -> None:
    found = machine()
    where = f"Measured {date.today():%d %B %Y} on {found['system']}, {found['cores']} cores, Python {found['python']}."
    put(PAGE, "table", f"{table(list(rows.values()))}\n\n{where}")
    put(ROOT / "README.md", "promise", textwrap.fill(f"So far {_counts(rows)}", 120))


def _row(path: Path) -> Row:
    return Row(**json.loads(path.read_text()))


def _kept(folder: Path | None, name: str) -> Row | None:
    """What is kept of a line, all shares together."""
    found = None
    for path in sorted(folder.glob(f"{name}*.json")) if folder is not None else ():
        row = _row(path)
        if found is None:
            found = row
        else:
            found.add(row)
    return found


def _measured(name: str, full: bool, results: Path | None, share: int) -> Row:
    """One line, from what has been kept of it to its end."""
    line = LINES[name]
    total = line.full if full else line.short
    stem = f"{name}-{share}" if share else name
    own = None if results is None else results / f"{stem}.json"
    row = _row(own) if own is not None and line.chunk and own.exists() else None
    learned = None if results is None else results / f"{stem}.learned"
    while True:
        done = row.tried if row is not None else 0
        others = (_kept(results, name) or Row("")).tried - done if results is not None and line.chunk else 0
        left = total - others - done
        if row is not None and left <= 0:
            return row
        with tempfile.TemporaryDirectory(prefix="layerlab-promise-") as folder:
            more = line.measure(Path(folder), min(line.chunk or total, left), done + share * _APART, learned)
        for breach in more.breaches[:5]:
            print(f"  {name}: {breach[:2000]}", file=sys.stderr)
        if row is None:
            row = more
        else:
            row.add(more)
        if own is not None:
            own.write_text(json.dumps(asdict(row), indent=1) + "\n")
        if not more.tried or not line.chunk:
            return row


def main() -> int:
    """Measure and print; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.report", description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", action="append", choices=list(LINES))
    parser.add_argument("--results", type=Path)
    parser.add_argument("--share", type=int, default=0)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if chosen.write:
        kept = {name: row for name in LINES if (row := _kept(chosen.results or RESULTS, name)) is not None}
        _write(kept)
        rows = list(kept.values())
    elif chosen.again:
        rows = []
        for path in (chosen.results or RESULTS).glob("*.json"):
            rows.append(strangers.again(_row(path)))
            path.write_text(json.dumps(asdict(rows[-1]), indent=1) + "\n")
    else:
        if chosen.results is not None:
            chosen.results.mkdir(parents=True, exist_ok=True)
        rows = []
        for name in chosen.only or LINES:
            began = time.monotonic()
            rows.append(_measured(name, chosen.full, chosen.results, chosen.share))
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(table(rows))
    return int(any(row.breaches for row in rows))


if __name__ == "__main__":
    sys.exit(main())
