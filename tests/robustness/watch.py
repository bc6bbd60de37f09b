"""Sees whether a file makes the program run, write or send anything."""

from __future__ import annotations

import os
import sys
from typing import Any

_CODE = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class")
_CODE += ("socket.connect", "socket.bind", "os.remove", "os.rename", "shutil.rmtree", "ctypes.dlopen")

#: What is run, loaded or sent, among what is heard; the rest is written.
HARM = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess", "pickle", "socket", "ctypes")


class Watch:
    """Sees, by Python's audit hook, whether anything is run, written or sent."""

    _events: list[str] | None = None
    _installed = False

    def __init__(self) -> None:
        if not Watch._installed:
            Watch._installed = True
            sys.addaudithook(Watch._heard)

    @staticmethod
    def _heard(event: str, arguments: tuple[Any, ...]) -> None:
        heard = Watch._events
        if heard is None:
            return
        if event in _CODE:
            heard.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            heard.append(f"open for writing {arguments[0]!r}")
        elif event == "compile" and arguments[1] not in (None, "<unknown>"):
            heard.append(f"compile {arguments[1]!r}")
        elif event == "exec" and not os.path.exists(arguments[0].co_filename):
            heard.append(f"exec {arguments[0].co_filename!r}")

    def __enter__(self) -> list[str]:
        Watch._events = []
        return Watch._events

    def __exit__(self, *_: object) -> None:
        Watch._events = None
