"""``python -m tests.benchmarks`` lists the benchmarks; with a NAME it runs one and prints its figures.

A benchmark is a module beside this one: its docstring says what it measures, ``measure()`` gives
its figures as plain values, ``table(figures)`` the same for people.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(path.stem for path in HERE.glob("[a-z]*.py") if not path.stem.endswith(("_peers", "_peer")))


def machine() -> dict[str, object]:
    """What it runs on, in general terms."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": usable,
        "load": load,
        "python": platform.python_version(),
    }


def main() -> int:
    """List the benchmarks, or run one."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names(), help="the benchmark to run")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()
    if chosen.name is None:
        for name in names():
            module = importlib.import_module(f"tests.benchmarks.{name}")
            print(f"{name:<16} {(module.__doc__ or '').strip().splitlines()[0]}")
        return 0
    module = importlib.import_module(f"tests.benchmarks.{chosen.name}")
    figures = {"benchmark": chosen.name, "machine": machine(), **module.measure()}
    print(json.dumps(figures, indent=2) if chosen.json else module.table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
