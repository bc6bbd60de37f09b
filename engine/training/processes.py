"""Training one run in several processes of this computer: started, listened to, and ended together."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.data.progress import Cancelled
from engine.host.protocol import (
    CANCELLED,
    ChannelProblem,
    Event,
    Failed,
    Progress,
    decoded_event,
    read_frame,
)
from engine.network import Network
from engine.problems import NetworkProblem
from engine.runs import RunFolder
from engine.storage.atomic import write_bytes
from engine.storage.file import read
from engine.storage.file import write as write_network
from engine.training.control import Control
from engine.training.session import check_same

#: Seconds that processes have to write what they know once another of them has died.
_GRACE = 15.0


def run(
    network: Network,
    path: Path,
    *,
    nproc: int,
    device: str = "auto",
    resume: bool = False,
    weights: str | Path | None = None,
    control: Control | None = None,
    emit: Callable[[Event], None] | None = None,
    observe: bool = True,
) -> dict[str, Any]:
    """As :func:`engine.training.session.run`, in `nproc` processes that share every batch.

    A run of several processes can be stopped, but not paused or taken step by step.

    Raises
    ------
    Cancelled
        If it was told to stop while its data were loaded.
    NetworkProblem
        Also if one of the processes dies: the run is interrupted then, and can be resumed.
    """
    folder = RunFolder(path)
    if resume:
        check_same(network, folder)
    path.mkdir(parents=True, exist_ok=True)
    if not resume or read(folder.network) != network:
        write_network(network, folder.network)
    arguments = [str(path), device, "1" if resume else "0", str(weights or ""), "1" if observe else "0"]
    command = [sys.executable, "-m", "engine.training.worker", *arguments]
    workers = [
        subprocess.Popen(
            command,
            env=_environment(rank, nproc, port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
        )
        for port in (_free_port(),)
        for rank in range(nproc)
    ]
    watch = threading.Thread(target=_end_together, args=(workers,), name="processes", daemon=True)
    watch.start()
    try:
        step = _listen(workers[0], control, emit)
    except Cancelled:
        if not resume:
            folder.network.unlink(missing_ok=True)
        raise
    finally:
        for worker in workers:
            if worker.poll() is None and sys.exc_info()[0] is not None:
                worker.kill()
        watch.join()
    died = [(rank, worker.returncode) for rank, worker in enumerate(workers) if worker.returncode]
    result = folder.read_result()
    if result is not None and not died:
        return result
    # The one that died of itself; the others were ended because of it.
    rank, code = next(((r, c) for r, c in died if c < 0 and c != -signal.SIGTERM), (died or [(0, 0)])[0])
    how = f"was killed (signal {-code})" if code < 0 else f"ended by itself (exit code {code})"
    message = (
        f"Process {rank + 1} of {nproc} {how} after step {step}. The run can go on from its last checkpoint: "
        f"layerlab train --resume {path} --nproc {nproc}."
    )
    if result is None:
        raise NetworkProblem(message)
    result |= {"state": "failed", "message": message}
    write_bytes(folder.result, msgspec.json.format(msgspec.json.encode(result)))
    return result


def _environment(rank: int, size: int, port: int) -> Mapping[str, str]:
    """As torchrun sets it. Processes share the processor's cores."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // size))
    return {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "OMP_NUM_THREADS": threads,
    }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _listen(
    first: subprocess.Popen[bytes], control: Control | None, emit: Callable[[Event], None] | None
) -> int:
    """Hand on what the first process tells, until it tells no more; the last step heard of."""
    assert first.stdout is not None
    step, asked = 0, False
    with first.stdout as stream:
        while (body := _next(stream)) is not None:
            event = decoded_event(body)
            if isinstance(event, Failed):
                first.wait()
                if event.message == CANCELLED:
                    raise Cancelled
                raise NetworkProblem(event.message)
            step = event.step if isinstance(event, Progress) else step
            if emit is not None:
                emit(event)
            if control is not None and control.interrupted and not asked:
                asked = True
                first.send_signal(signal.SIGINT)
    return step


def _next(stream: Any) -> bytes | None:
    try:
        return read_frame(stream)
    except ChannelProblem:  # it died within a frame
        return None


def _end_together(workers: list[subprocess.Popen[bytes]]) -> None:
    """Wait for all. When one fails, the others notice and say so; what then waits for ever is ended."""
    waiting = list(workers)
    deadline = math.inf
    while waiting:
        for worker in list(waiting):
            try:
                code = worker.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            waiting.remove(worker)
            if code:
                deadline = min(deadline, time.monotonic() + _GRACE)
        if time.monotonic() > deadline:
            for other in waiting:
                other.terminate()
