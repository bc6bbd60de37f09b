"""The batch size that fits into memory, found by trying in a process that may die of it.

The child may allocate what memory is free now and no more (Linux), and asks to be the first that the
system ends. It says each size before it tries it; where it dies of one, the next child starts below.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from engine.network import Network
from engine.problems import DataProblem, FileProblem, NetworkProblem
from engine.storage.file import read, write

#: Of the memory that is free, what a run may take.
_SHARE = 0.9


def find_batch(
    network: Network,
    *,
    device: str = "auto",
    limit: int | None = None,
    tell: Callable[[int], None] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "engine.training.fitting"),
) -> int | None:
    """The largest of `network`'s batch size, its half, quarter … that trains here; None if none does.

    Parameters
    ----------
    device
        As for training.
    limit
        Bytes that training may allocate; nine tenths of what is free if left out.
    tell
        Gets each size before it is tried.
    command
        What tries; gets a file, a size to begin with, a device and the limit.

    Raises
    ------
    NetworkProblem
        If the network cannot be trained for another reason; it says which.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "network.layerlab"
        write(network, file)
        size = network.recipe.batch_size
        while size >= 1:
            found, size = _ask([*command, str(file), str(size), device, str(limit or 0)], size, tell)
            if found:
                return size
            size //= 2
    return None


def _ask(command: list[str], size: int, tell: Callable[[int], None] | None) -> tuple[bool, int]:
    """Whether a child found a size, and which it was, or which it died of."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = ""
    with child, contextlib.ExitStack() as stack:
        stack.callback(child.kill)
        assert child.stdout is not None
        for line in child.stdout:
            word, _, said = line.strip().partition(" ")
            if word == "fits":
                return True, int(said)
            if word == "refused":
                raise NetworkProblem(said)
            if word == "none":
                return False, 0
            if word == "trying":
                size = int(said)
                if tell is not None:
                    tell(size)
    return False, size


# ---------------------------------------------------------------------------- the child


def _main(file: str, size: str, device: str, limit: str) -> None:
    from engine.training import parameters
    from engine.training.device import choose
    from engine.training.memory import trains
    from engine.training.options import options
    from engine.training.task import Task

    _first_to_go()
    network = read(file)
    recipe = network.recipe
    try:
        task = Task.of(network, choose(device))
        parts = parameters.parts(network, task.model)
        optimizer, _, _ = parameters.optimizer(recipe.optimizer, parts, decay=options(recipe).decay)
    except (NetworkProblem, DataProblem, FileProblem) as problem:
        print(f"refused {' '.join(str(problem).split())}", flush=True)
        return
    _limit(int(limit) or int(_free() * _SHARE))
    columns = task.columns(task.dataset.splits["train"])
    task.model.train()
    batch = min(int(size), len(columns[0]))
    while batch >= 1:
        print(f"trying {batch}", flush=True)
        if trains(task, [column[:batch] for column in columns], optimizer):
            print(f"fits {batch}", flush=True)
            return
        batch //= 2
    print("none", flush=True)


def _first_to_go() -> None:
    """Where memory runs out, let the system end this process and no other (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _status(file: str, name: str) -> int:
    """Bytes that a file of /proc tells under `name`; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in Path(file).read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _free() -> int:
    """Memory that is free for this process: of the machine, and of its control group; 0 if unknown."""
    free = _status("/proc/meminfo", "MemAvailable")
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        most, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if most != "max":
            free = min(free, int(most) - int(used))
    return free


def _limit(more: int) -> None:
    """Let this process allocate so many bytes more and not another one (Linux)."""
    now = _status("/proc/self/status", "VmData")
    if now and more > 0:
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(
                resource.RLIMIT_DATA, (now + more, resource.getrlimit(resource.RLIMIT_DATA)[1])
            )


if __name__ == "__main__":
    torch.set_num_threads(1)  # another thread's stack and arena would count as the batch's
    _main(*sys.argv[1:])
