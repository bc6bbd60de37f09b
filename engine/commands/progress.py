"""Training as the terminal shows it: a line per epoch, and a bar with the time left where one is watched."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.commands.output import count, progress_console
from engine.host import protocol


class TrainingProgress:
    """Takes the events of a run, or of several; a context manager around them.

    Parameters
    ----------
    brief
        Show the bar alone, and no line per epoch: for many runs.
    """

    def __init__(self, *, brief: bool = False) -> None:
        self._brief, self._run = brief, ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=progress_console,
            disable=not progress_console.is_terminal,
        )
        self._task = self._bar.add_task("Preparing", total=None, speed="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def name_run(self, name: str) -> None:
        """Call the run that comes now `name`."""
        self._run = f"{name}  "

    def __call__(self, event: protocol.Event) -> None:
        """Show one event."""
        if isinstance(event, protocol.Loading):
            self._bar.update(
                self._task, description=event.what, total=event.total or None, completed=event.done
            )
        elif isinstance(event, protocol.RunStarted):
            total = event.epochs * event.steps_per_epoch
            self._bar.update(
                self._task, description=f"{self._run}Training", total=total, completed=event.step
            )
            self._say(
                f"{count(event.train_examples, 'example')} to train on, "
                f"{event.validation_examples:,} to validate, on {event.device}"
                + "".join(f"; {note}" for note in event.notes)
            )
            for warning in event.warnings:
                self._say(f"warning: {warning}")
        elif isinstance(event, protocol.Progress):
            self._bar.update(
                self._task,
                description=f"{self._run}Epoch {min(event.epoch + 1, event.epochs)}/{event.epochs}",
                completed=event.step,
                speed=f"{event.steps_per_second:,.0f} steps/s",
            )
        elif isinstance(event, protocol.Metrics) and event.split == "validation":
            self._say(f"epoch {event.epoch:.3g}: validation {figures(event.values)}")

    def _say(self, text: str) -> None:
        if not self._brief:
            self._bar.console.print(text)


def figures(values: Mapping[str, float]) -> str:
    """``loss 0.0712, accuracy 97.8 %``."""
    return ", ".join(
        f"{name} {100 * value:.2f} %" if name == "accuracy" else f"{name} {value:.4g}"
        for name, value in values.items()
    )
