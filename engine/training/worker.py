"""One of the processes that train a run together; :mod:`engine.training.processes` starts them.

The first tells its events on standard output, frame by frame, as a host does. What cannot be
trained at all it tells as ``Failed``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from engine.data import Cancelled
from engine.host.channel import take_channel
from engine.host.protocol import CANCELLED, Event, Failed, frame
from engine.problems import DataProblem, FileProblem, NetworkProblem
from engine.runs import RunFolder
from engine.storage.file import read
from engine.training import session
from engine.training.control import Control
from engine.training.group import Group


def main(run: str, device: str, resume: str, weights: str, observe: str) -> int:
    """Train in the folder `run`; "1" says yes."""
    _, outgoing = take_channel()
    control = Control()
    # Ctrl+C reaches every process of a terminal; the first one decides for all.
    signal.signal(signal.SIGINT, lambda *_: control.stop())

    def tell(event: Event) -> None:
        os.write(outgoing, frame(event))

    group = Group(int(os.environ.get("RANK", "0")))
    try:
        group = Group.join(device)
        session.run(
            read(RunFolder(Path(run)).network),
            Path(run),
            device=group.device(device),
            resume=resume == "1",
            weights=weights or None,
            control=control,
            emit=tell if group.writes else None,
            observe=observe == "1",
            group=group,
        )
    except Cancelled:
        if group.writes:
            tell(Failed(0, CANCELLED))
        return 3
    except (DataProblem, FileProblem, NetworkProblem) as problem:
        if group.writes:
            tell(Failed(0, str(problem)))
        return 2
    except RuntimeError as problem:  # before training has begun: another process is gone, or torch refuses
        print(f"process {group.rank + 1}: {str(problem).partition(chr(10))[0]}", file=sys.stderr)
        return 4
    group.leave()
    return 0


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # All is written and told. An ordinary end destroys gloo's threads while they may still run, which
    # now and then aborts a process that has done its work.
    os._exit(code)
