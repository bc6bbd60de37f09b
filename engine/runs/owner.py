"""Whether the process that trains a run is still there.

A process number alone may have passed to another program, so the owner's start time is kept
beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec


class Owner(msgspec.Struct, frozen=True):
    """The process that trains a run."""

    pid: int
    #: Opaque; differs between two processes that had the same number.
    started: str


def me() -> Owner:
    """This process."""
    return Owner(os.getpid(), _started(os.getpid()) or "")


def is_alive(owner: Owner) -> bool:
    """Whether that very process still runs."""
    return _started(owner.pid) == owner.started


def is_there(pid: int) -> bool:
    """Whether any process has that number now."""
    return _started(pid) is not None


def _started(pid: int) -> str | None:
    """When process `pid` started, as the system says it; None if there is no such process."""
    if sys.platform == "win32":
        return _started_on_windows(pid)
    try:
        # Behind the name in brackets, which may hold anything: state is field 3, start time 22.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except FileNotFoundError:
        if sys.platform == "linux":
            return None
    told = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or None


def _started_on_windows(pid: int) -> str | None:
    import ctypes
    from ctypes import wintypes

    query_limited_information, still_active = 0x1000, 259
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return None
    try:
        code = wintypes.DWORD()
        times = [wintypes.FILETIME() for _ in range(4)]
        known = kernel.GetExitCodeProcess(handle, ctypes.byref(code)) and kernel.GetProcessTimes(
            handle, *map(ctypes.byref, times)
        )
        if not known or code.value != still_active:
            return None
        return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime)
    finally:
        kernel.CloseHandle(handle)
