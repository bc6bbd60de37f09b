"""A folder of 100,000 small pictures: seconds to index, seconds to open again, and memory while training reads it.

Pictures of 32 × 32 pixels are written as JPEG; each step is measured in a process of its own, so
that nothing is kept from the one before. Memory is what the process holds for itself when all
examples have been fed once (anonymous pages, torch itself included), and beside it all that is
mapped, file pages that the system may take back at will included.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.data_feed import write_pictures

PICTURES, SIDE = 100_000, 32

_STEP = """
import json, sys, time
import torch
from engine.data import load
from engine.network import Data
from engine.training.feed import Feed
def held(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) / 1024
torch.set_num_threads(1)
before = held("RssAnon")
started = time.perf_counter()
dataset = load(Data("image_folder", {"folder": sys.argv[1], "size": [32, 32]}), 0)
opened = time.perf_counter() - started
split = dataset.splits["train"]
feed = Feed([*split.inputs.values(), split.targets], 64, 0, torch.device("cpu"))
started, count = time.perf_counter(), 0
for piece in feed.pieces(0):
    for batch in piece:
        count += len(batch[1])
fed = time.perf_counter() - started
print(json.dumps({"seconds_to_open": opened, "examples_fed": count, "examples_per_second": count / fed,
    "megabytes_of_torch_alone": before, "megabytes_held": held("RssAnon"), "megabytes_mapped": held("VmRSS")}))
"""


def _step(root: Path, cache: Path) -> dict[str, float]:
    import os

    done = subprocess.run(
        [sys.executable, "-c", _STEP, str(root)],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure() -> dict[str, Any]:
    """Figures of the first opening, which indexes, and of the next."""
    with tempfile.TemporaryDirectory() as name:
        root, cache = Path(name) / "pictures", Path(name) / "cache"
        started = time.perf_counter()
        write_pictures(root, PICTURES, SIDE)
        written = time.perf_counter() - started
        return {
            "pictures": PICTURES,
            "seconds_to_write_them": written,
            "first": _step(root, cache),
            "again": _step(root, cache),
        }


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{figures['pictures']:,} pictures of {SIDE} × {SIDE}"]
    for name in ("first", "again"):
        found = figures[name]
        lines.append(
            f"{name:<6} opened in {found['seconds_to_open']:.1f} s; {found['megabytes_held']:.0f} MB held "
            f"({found['megabytes_of_torch_alone']:.0f} MB of them before), {found['megabytes_mapped']:.0f} MB with "
            f"file pages; {found['examples_per_second']:,.0f} examples/s"
        )
    return "\n".join(lines)
