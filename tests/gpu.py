"""Everything that needs a GPU, in one go: ``python -m tests.gpu [--out FILE] [--seconds S] [--rounds N]``.

First the tests of tests/test_cuda.py, then the table of training speeds (tests/benchmarks/train_speed.py)
on the GPU. What was found is printed as it comes and written to FILE as JSON. It needs what the engine
needs and pytest: no Qt, no network. With the usual settings it takes about ten minutes; --skip-tests and
--skip-speed leave one half out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]


def machine() -> dict[str, Any]:
    """What it runs on, in general terms."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "gpu": properties.name,
        "gpus": torch.cuda.device_count(),
        "gpu_memory": properties.total_memory,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def tests() -> dict[str, Any]:
    """How the tests ended, and what those said that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "tests/test_cuda.py", "-q", "-p", "no:cacheprovider"]
        subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, check=False)
        if not report.exists():
            return {"problem": "pytest did not run: is it installed?"}
        cases = ElementTree.parse(report).getroot().findall(".//testcase")
    found: dict[str, Any] = {"passed": 0, "skipped": {}, "failed": {}}
    for case in cases:
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None:
            found["failed"][case.get("name")] = (bad.get("message") or "")[:2000]
        elif skipped is not None:
            found["skipped"][case.get("name")] = skipped.get("message")
        else:
            found["passed"] += 1
    return found


def speed(seconds: float, rounds: int) -> dict[str, Any]:
    """The table of training speeds on the GPU."""
    environment = {
        **os.environ,
        "LAYERLAB_BENCHMARK_DEVICE": "cuda",
        "LAYERLAB_BENCHMARK_SECONDS": str(seconds),
        "LAYERLAB_BENCHMARK_ROUNDS": str(rounds),
    }
    command = [sys.executable, "-m", "tests.benchmarks", "train_speed", "--json"]
    told = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(told.stdout)
    except ValueError:
        return {"problem": f"the benchmark ended with {told.returncode}: {told.stdout[-2000:]}"}
    return found


def main() -> int:
    """Run it; 0 where all is well, 1 where a test failed, 2 without a GPU."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, help="a file for the figures")
    parser.add_argument("--seconds", type=float, default=3.0, help="that each contender trains in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-tests", action="store_true")
    parser.add_argument("--skip-speed", action="store_true")
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch sees no GPU on this computer: there is nothing to run.", file=sys.stderr)
        return 2
    found: dict[str, Any] = {"machine": machine()}
    parts = {
        "tests": None if chosen.skip_tests else tests,
        "train_speed": None if chosen.skip_speed else lambda: speed(chosen.seconds, chosen.rounds),
    }
    for name, part in parts.items():
        if part is not None:
            found[name] = part()
            if chosen.out is not None:  # a machine may be given back in the middle
                chosen.out.write_text(json.dumps(found, indent=2))
    print(json.dumps(found, indent=2))
    bad = found.get("tests", {}).get("failed") or any("problem" in found.get(name, {}) for name in parts)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
