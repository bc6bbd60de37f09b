"""Whether what a file holds has room in memory, said before it is tried."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine.problems import DataProblem


def free_memory() -> int | None:
    """Bytes that this process may still take; None where the system does not say."""
    found: list[int] = []
    with suppress(OSError, ValueError, IndexError):
        told = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()
        found.append(int(told[0]) * 1024)
    with suppress(OSError, ValueError):  # a container's share
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text())
        found.append(most - int((group / "memory.current").read_text()))
    return min(found, default=None)


def need_room(path: Path, needed: int, instead: str, field: str = "path") -> None:
    """Refuse what would fill the memory; `instead` says what else can be done.

    Raises
    ------
    DataProblem
        If reading `path`, which takes `needed` bytes, would leave nothing free.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise DataProblem(
            f"{path}: reading it takes about {needed / 1e9:,.1f} GB of memory, and "
            f"{max(free, 0) / 1e9:,.1f} GB are free. {instead}",
            field,
        )
