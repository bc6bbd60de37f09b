"""Hosts on other machines: the same program behind a command, such as ``ssh gpu1 layerlab host``.

Frames go over the command's standard input and output, so whatever carries those carries a host:
ssh, docker exec, a job system. Data and run folders are those of the machine that the host runs
on: a recipe's data paths, LAYERLAB_DATA and the run's folder are looked up there.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Sequence

from engine.host.client import Exit, Host, HostProblem
from engine.host.protocol import Event, Welcome


def words(command: str) -> list[str]:
    """A command as a person types it, in words.

    A bare name is taken for a machine that ssh knows: ``gpu1`` means ``ssh gpu1 layerlab host``.

    Raises
    ------
    HostProblem
        If it is empty, or a quote is left open.
    """
    try:
        found = shlex.split(command)
    except ValueError as problem:
        raise HostProblem(f"{command!r} is no command: {problem}.") from None
    if not found:
        raise HostProblem("Type a command that starts a host, such as: ssh gpu1 layerlab host.")
    # Without BatchMode ssh would wait for a password where nobody can type one.
    return found if len(found) > 1 else ["ssh", "-o", "BatchMode=yes", found[0], "layerlab", "host"]


def probe(command: Sequence[str], timeout: float = 20.0) -> Welcome:
    """Start a host by `command`, hear what it is, and end it: what a Test button does.

    Raises
    ------
    HostProblem
        If it cannot be started, is no host or another version, or says nothing for `timeout` seconds.
    """
    heard = threading.Condition()
    welcomes: list[Welcome] = []
    exits: list[Exit] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Welcome):
            with heard:
                welcomes.append(event)
                heard.notify_all()

    def on_exit(exit: Exit) -> None:
        with heard:
            exits.append(exit)
            heard.notify_all()

    host = Host.start(on_event, on_exit, command=command)
    try:
        with heard:
            heard.wait_for(lambda: welcomes or exits, timeout)
        if welcomes:
            return welcomes[0]
        said = host.log.strip().splitlines()
        last = f" It last said: {said[-1]}" if said else ""
        if exits:
            reason = exits[0].message
            raise HostProblem(f"{shlex.join(command)}: {reason}{'' if last in reason else last}")
        raise HostProblem(
            f"{shlex.join(command)}: said nothing for {timeout:g} seconds.{last} Try it in a terminal."
        )
    finally:
        host.close(5.0)
