"""What killed writers leave: unfinished files beside those that they meant to replace."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from pathlib import Path

from engine.runs import owner
from engine.storage import atomic

#: An unfinished file's name: the machine and the process that write it, and a number of its own.
_NAME = re.compile(r"\.layerlab-([0-9a-f]{8})-([1-9][0-9]{0,9})-[0-9a-f]{12}\.tmp")
#: An unfinished file that nobody has written to for so long, in seconds, may be a crash's.
_ABANDONED = 60.0


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left unfinished in `folder`.

    Only files that this user wrote on this machine, in a process that is gone, and that are old: what
    is still being written, here or elsewhere, is never touched.
    """
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            name = _NAME.fullmatch(entry.name)
            if name is None or name[1] != atomic.machine():
                continue
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
                old = time.time() - status.st_mtime > _ABANDONED
                if stat.S_ISREG(status.st_mode) and mine and old and not owner.is_there(int(name[2])):
                    os.unlink(entry.path)
