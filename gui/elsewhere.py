"""Hosts on other machines, each a pool of its own behind a command; which machine a run is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.host import remote
from engine.host.client import HostProblem
from engine.host.pool import Pool
from engine.host.protocol import Event, Warm, Welcome

#: What the names of machines begin with where a device is asked for.
MARK = "@"


def machine_of(device: str) -> str | None:
    """The machine that the choice `device` names; None where it is one of this computer's."""
    return device.removeprefix(MARK) if device.startswith(MARK) else None


class Elsewhere:
    """The pools of other machines, started when they are first wanted.

    Parameters
    ----------
    on_event
        Gets the answers to numbered requests, from any thread.
    on_silence
        As a pool's.
    numbers
        Numbers requests: one stream for all of a window's pools.

    Attributes
    ----------
    command
        Gives the command of a machine by its name, or None if there is no such machine.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        on_silence: Callable[[object], None],
        numbers: Iterator[int],
    ) -> None:
        self._on_event, self._on_silence, self._numbers = on_event, on_silence, numbers
        self.command: Callable[[str], str | None] = lambda name: None
        self._pools: dict[str, Pool] = {}
        #: Run folder -> the machine that it lies on.
        self._runs: dict[str, str] = {}

    def pool(self, machine: str) -> Pool:
        """The pool of a machine.

        Raises
        ------
        HostProblem
            If there is no machine of that name, or its command cannot be read.
        """
        command = self.command(machine)
        if command is None:
            raise HostProblem(f"There is no machine called {machine}. Choose another under Device.")
        if command not in self._pools:
            self._pools[command] = Pool(
                self._receive,
                on_silence=self._on_silence,
                command=remote.words(command),
                numbers=self._numbers,
                analyses=False,
            )
        return self._pools[command]

    def _receive(self, event: Event) -> None:
        if not isinstance(event, Warm | Welcome):  # these are about this computer's own hosts
            self._on_event(event)

    def note(self, run: str, machine: str) -> None:
        """The run in the folder `run` is on `machine`."""
        self._runs[run] = machine

    def machine(self, run: str | None) -> str | None:
        """The machine that a run is on; None: this computer."""
        return self._runs.get(run or "")

    def close(self) -> None:
        """End all hosts; runs make a checkpoint first."""
        for pool in self._pools.values():
            pool.close()
