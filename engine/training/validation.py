"""Measuring on the validation examples: which weights are the best, and when to stop waiting for better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from engine.host.protocol import Confused, Event
from engine.training import averaging, weights
from engine.training.group import Group
from engine.training.heads import Head
from engine.training.keeping import Keeping
from engine.training.metrics import FIGURES, better, monitored
from engine.training.setup import Setup
from engine.training.task import Task
from engine.training.telling import Telling


class Validation:
    """Validates one run.

    Parameters
    ----------
    task
        What is trained.
    setup
        Which figure decides, by how much, and how long it is waited for; where the run is, and its best
        figures so far; the mean of the weights, which is measured in their place.
    group
        The processes that train together; the first one measures.
    telling, emit
        Get what is measured.
    keeping
        Gets the best weights.
    """

    def __init__(
        self,
        task: Task,
        setup: Setup,
        group: Group,
        telling: Telling,
        emit: Callable[[Event], None],
        keeping: Keeping,
    ) -> None:
        self._task, self._group = task, group
        self._options, self._position = setup.options, setup.position
        self._average, self._schedule = setup.average, setup.schedule
        self._telling, self._emit, self._keeping = telling, emit, keeping

    def measure(self) -> None:
        """Measure, if there is anything to measure on, and keep the weights if they are the best."""
        if "validation" not in self._task.dataset.splits:
            return
        position, options = self._position, self._options
        with averaging.in_place(self._average):
            confusions: dict[str, Tensor] = {}
            figures = self._group.told(
                self._task.evaluate("validation", confusions, self._telling.still_there)
                if self._group.writes
                else None
            )
            self._telling.figures("validation", figures)
            for output, counts in confusions.items():
                names = () if output else self._task.dataset.description.class_names
                told = tuple(counts.flatten().tolist())
                self._emit(Confused(position.step, "validation", output, names, told))
            if better(figures, position.best, options.monitor, options.min_delta):
                position.best, position.waited = figures, 0
                position.best_epoch = position.epoch + (1 if position.batch else 0)
                self._keeping.better(weights.state_of(self._task.model))
            else:
                position.waited += 1
        if self._schedule is not None and self._schedule.on_plateau:
            self._schedule.judge(figures[monitored(options.monitor, figures)])

    def given_up(self) -> str:
        """Why validation has waited long enough for something better; "": it has not."""
        patience, position = self._options.patience, self._position
        if patience is None or position.waited < patience:
            return ""
        waited = "validation" if patience == 1 else f"{patience} validations"
        decides = monitored(self._options.monitor, position.best or {})
        return f"Stopped early: no better {decides} in {waited}, since epoch {position.best_epoch}."


def unmeasured(monitor: str, heads: Sequence[Head]) -> Iterator[str]:
    """A word where the figure that is to decide is none of these outputs'."""
    known = [head.key + name for head in heads for name in FIGURES[head.figures]]
    if monitor not in ("auto", "loss", *known):
        yield (
            f"recipe.monitor: there is no {monitor} here, so the loss decides what is best. "
            f"There are {', '.join(known)}."
        )
