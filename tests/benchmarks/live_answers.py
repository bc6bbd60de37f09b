"""How soon a digit that is drawn, an example of the data that was seen before, and a decision boundary are
answered while a run begins and goes on.

The goal is one second from question to answer on two cores, one of them training. As a run begins it takes
the warm spare, and the next one has torch to import first: what is light is answered without it.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine import assets, edit
from engine.host.pool import Pool
from engine.host.protocol import Event, Failed, Mapped, Progress, Responded
from engine.network import Choice, Data, Network, Node, Recipe
from engine.storage.file import dumps, read
from tests.networks import chain

#: Seconds of a run in which is asked, and between two questions.
_SECONDS, _APART = 12.0, 0.25


def _plane() -> Network:
    network = chain(
        ("hidden", Node("Linear", {"out_features": 32}, activation=Choice("Tanh"))),
        ("logits", Node("Linear", {"out_features": 2})),
        shape=(2,),
    )
    return edit.set_recipe(
        network,
        Recipe(
            data=Data("spirals", {}),
            loss=Choice("CrossEntropyLoss"),
            optimizer=Choice("Adam"),
            epochs=1_000_000,
            batch_size=32,
        ),
    )


def _digits() -> Network:
    network = read(assets.path("networks/digits_mlp.layerlab"))
    return edit.set_recipe(network, replace(network.recipe, epochs=1_000_000))


class _Window:
    """A pool, and its answers."""

    def __init__(self) -> None:
        self._come = threading.Condition()
        self._answers: dict[int, Event] = {}
        self._known: tuple[float, ...] = ()
        self.pool = Pool(self._note)

    def _note(self, event: Event) -> None:
        if isinstance(event, Responded | Mapped | Failed):
            with self._come:
                self._answers[event.request] = event
                self._come.notify_all()

    def seconds(self, what: str, document: bytes, run: str | None, *, light: bool) -> float:
        """From question to answer."""
        asked = time.perf_counter()
        if what == "boundary":
            number = self.pool.boundary(document, run, light=light)
        elif what == "digit drawn":
            number = self.pool.respond(document, run, values=[0.5] * 64, light=light)
        else:
            number = self.pool.respond(document, run, light=light, known=self._known)
        with self._come:
            if not self._come.wait_for(lambda: number in self._answers, 120):
                raise TimeoutError("no answer within two minutes")
        answer = self._answers[number]
        if isinstance(answer, Failed):
            raise RuntimeError(answer.message)
        if isinstance(answer, Responded) and answer.values:
            self._known = answer.values
        return time.perf_counter() - asked


def _asked(what: str, *, light: bool) -> list[float]:
    """Milliseconds of each answer from the first step on."""
    window, document = _Window(), dumps(_plane() if what == "boundary" else _digits())
    with tempfile.TemporaryDirectory() as folder:
        run, begun = str(Path(folder) / "run"), threading.Event()
        try:
            window.pool.prepare(document)
            while not window.pool.ready:
                time.sleep(0.05)
            if what == "example":  # seen as one drew, before the run
                window.seconds(what, document, None, light=light)
            window.pool.train(document, run, lambda e: begun.set() if isinstance(e, Progress) else None)
            begun.wait(60)
            end, found = time.perf_counter() + _SECONDS, []
            while time.perf_counter() < end:
                found.append(1000 * window.seconds(what, document, run, light=light))
                time.sleep(_APART)
        finally:
            window.pool.close(3.0)
    return found


def measure() -> dict[str, dict[str, float]]:
    """First answer, median and worst, in milliseconds; beside them with a spare that is waited for."""
    figures = {}
    for name in ("digit drawn", "example", "boundary"):
        for how, light in (("", True), (", by the spare alone", False)):
            answers = _asked(name, light=light)
            figures[name + how] = {
                "first, ms": answers[0],
                "median, ms": statistics.median(answers),
                "worst, ms": max(answers),
                "answers": len(answers),
            }
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    lines = [f"{'':<36}{'first':>10}{'median':>10}{'worst':>10}{'answers':>10}"]
    for name, values in figures.items():
        if name not in ("benchmark", "machine"):
            lines.append(f"{name:<36}" + "".join(f"{value:10.0f}" for value in values.values()))
    return "\n".join(lines)
