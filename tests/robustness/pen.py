"""A pen: what is not trusted is worked on in a forked process, which can neither hang nor fill the machine.

The child says in shared memory which item it is at and since when; the parent kills one that stays
too long. Beyond a ceiling the system gives the child no memory, and beneath it each item's own
growth is measured.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable

#: Seconds of computing at one item after which a child is killed, and so many times longer for one that waits:
#: the machine may be busy elsewhere. Far above what counts as hanging, which is measured in the child.
HUNG, _WAITING = 20.0, 10
#: What a child may take beyond what it began with, in bytes, before the system refuses.
CEILING = 2 << 30
_PLACE = struct.Struct("<qdd")

#: Told by the child: the number of the item that it begins.
Mark = Callable[[int], None]


class PenProblem(Exception):
    """The child was killed, or died, at an item."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number


def penned(work: Callable[[Mark], bytes], hung: float = HUNG) -> bytes:
    """What `work` gives, done in a child.

    Raises
    ------
    PenProblem
        If the child stood at an item for longer than `hung` seconds, or ended by itself.
    """
    shared = mmap.mmap(-1, _PLACE.size)
    shared[:] = _PLACE.pack(-1, time.monotonic(), 0.0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(work, shared, writing)
    os.close(writing)
    os.set_blocking(reading, False)
    try:
        return _watched(child, reading, shared, hung)
    finally:
        os.close(reading)
        shared.close()


def _child(work: Callable[[Mark], bytes], shared: mmap.mmap, writing: int) -> None:
    code = 1
    try:
        if sys.platform == "linux":
            ceiling = sizes()[0] + CEILING
            resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))

        def mark(number: int) -> None:
            shared[:] = _PLACE.pack(number, time.monotonic(), time.process_time())

        data = memoryview(work(mark))
        while data:
            mark(-1)  # the parent's pace counts from here on
            data = data[os.write(writing, data) :]
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _watched(child: int, reading: int, shared: mmap.mmap, hung: float) -> bytes:
    said = b""
    while True:
        try:
            piece = os.read(reading, 1 << 20)
        except BlockingIOError:
            number, since, computed = _PLACE.unpack(shared[:])
            if _computed(child) - computed > hung or time.monotonic() - since > _WAITING * hung:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise PenProblem(number, f"hung for {hung:.0f} s") from None
            time.sleep(0.02)
            continue
        if not piece:
            break
        said += piece
    _, status = os.waitpid(child, 0)
    if status:
        number, _, _ = _PLACE.unpack(shared[:])
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "an exception"
        raise PenProblem(number, f"ended the process with {how}")
    return said


def _computed(child: int) -> float:
    """Seconds that a process has computed, as far as the system says it."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(
        (~child << 3) | 2
    )  # its clock of processor time, as clock_getcpuclockid() has it


def sizes() -> tuple[int, int]:
    """Bytes of this process's memory: now, and the most there has ever been.

    On Linux what it has been given, whether it has used it or not; elsewhere the most that it has used.
    """
    if sys.platform != "linux":
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return most, most
    with open("/proc/self/status", "rb") as file:
        text = file.read()
    return _kilobytes(text, b"VmSize:"), _kilobytes(text, b"VmPeak:")


def _kilobytes(text: bytes, key: bytes) -> int:
    return int(text.partition(key)[2].split(maxsplit=1)[0]) * 1024


class Growth:
    """Measures by how much the memory grew since :meth:`begin`, at its highest."""

    def begin(self) -> None:
        """Measure from here."""
        self._size, self._peak = sizes()

    def most(self) -> int:
        """Bytes at the highest; nought where an earlier peak, itself measured, was not reached again."""
        peak = sizes()[1]
        return peak - self._size if peak > self._peak else 0
