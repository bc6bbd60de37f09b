"""The training loop: plain PyTorch, with nothing in it per batch that need not be there.

Losses and outputs of batches are kept as they are and counted together a few times a second, so
the device is never waited for in between. What is told (curves, bests, the order of examples)
depends on the recipe alone; only when it is told, and what probes see, follows the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from engine.data.augment import Variation
from engine.host.protocol import Event, Metrics, Progress, RunStarted, RunState
from engine.runs import RunFolder
from engine.training import checkpoint, parameters, weights
from engine.training.checkpoint import Position
from engine.training.control import Control
from engine.training.feed import Feed
from engine.training.probes import Probes
from engine.training.task import Task, better

#: Seconds between two looks at where the run is.
_TICK = 0.1
#: Seconds of training between two checkpoints, at an epoch's end and within one.
_CHECKPOINT_EPOCH = 10.0
_CHECKPOINT_WITHIN = 60.0
#: Points per epoch of the training curve, and steps per point at least.
_POINTS = 20
_STEPS_PER_POINT = 10


class Trainer:
    """One run of one task, in one folder.

    Parameters
    ----------
    task
        What is trained.
    folder
        The run's folder, which exists.
    control
        Asked between batches.
    emit
        Gets every event, in this thread.
    observe
        Whether weights and gradients are sampled.
    resume
        Go on from the newest checkpoint in the folder, if there is one.
    notes
        What is worth knowing about this run, for its first event.
    """

    def __init__(
        self,
        task: Task,
        folder: RunFolder,
        control: Control,
        emit: Callable[[Event], None],
        *,
        observe: bool = True,
        resume: bool = False,
        notes: Sequence[str] = (),
    ) -> None:
        self.task, self.folder, self.control, self.emit = task, folder, control, emit
        recipe = task.network.recipe
        self.epochs = recipe.epochs
        self.parts = parameters.parts(task.network, task.model)
        trained = [part for part in self.parts if not part.frozen]
        for part in self.parts:
            part.tensor.requires_grad_(not part.frozen)
        self._parameters = [part.tensor for part in trained]
        self._latent: list[Tensor] = [part.tensor for part in trained if part.clipped]
        self._frozen = parameters.frozen_modules(task.network, task.model)
        self._progressing: list[Any] = [m for m in task.model.modules() if hasattr(m, "set_progress")]
        self.optimizer, name = parameters.optimizer(recipe.optimizer, self.parts)
        columns = task.columns(task.dataset.splits["train"])
        normalises = any(isinstance(module, _BatchNorm) for module in task.model.modules())
        vary = Variation.of(recipe, len(task.inputs(task.dataset.splits["train"])), task.device)
        self.feed = Feed(
            columns, recipe.batch_size, recipe.seed, task.device, avoid_one=normalises, vary=vary
        )
        self._point = max(min(_STEPS_PER_POINT, self.feed.steps), math.ceil(self.feed.steps / _POINTS))
        self.position = Position()
        #: Why the run ended before its time, for people.
        self.message = ""
        self._best: dict[str, Tensor] | None = None
        self._best_written = True
        found = checkpoint.newest(folder.checkpoints) if resume else None
        if found is not None:
            manifest, tensors = found
            # Another number of threads adds in another order, and the curve would not be the same.
            torch.set_num_threads(manifest.threads)
            checkpoint.restore(manifest, tensors, task.model, self.optimizer, task.device)
            self.position = manifest.position
        self.notes = (
            name,
            *(["data on the device"] if self.feed.resident and task.device.type != "cpu" else []),
        )
        self.notes += tuple(notes)
        self.probes = Probes(self.parts, task.model) if observe else None
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._began = time.perf_counter()
        self._before = self.position.seconds
        self._first_step = self.position.step
        self._halted: float | None = None
        self._saved_step, self._saved_at = self.position.step, self._began

    # ------------------------------------------------------------------------ the run

    def run(self) -> str:
        """Train to the end, or until told to stop; returns "finished", "stopped" or "diverged"."""
        description = self.task.dataset.description
        self._began = time.perf_counter()
        self.emit(
            RunStarted(
                run=str(self.folder.path),
                device=str(self.task.device),
                epochs=self.epochs,
                steps_per_epoch=self.feed.steps,
                step=self.position.step,
                parameters={part.name: tuple(part.tensor.shape) for part in self.parts},
                train_examples=description.counts["train"],
                validation_examples=description.counts["validation"],
                threads=torch.get_num_threads(),
                notes=self.notes,
            )
        )
        self.emit(RunState("running", self.position.step))
        state = "finished"
        while state == "finished" and self.position.epoch < self.epochs:
            state = self._epoch()
        self._halted = time.perf_counter()
        if state == "diverged":
            self._tell_progress()
            self._write_best()
        else:
            self.save()
        return state

    def save(self) -> None:
        """Write a checkpoint, and the best weights if they are newer than their file."""
        self._tell_progress()  # and the record is handed on: it must reach as far as the checkpoint
        self._write_best()
        if self.position.step > self._saved_step or not self.folder.checkpoints.exists():
            self._saved_step = self.position.step
            self.position.seconds = self.seconds
            checkpoint.save(
                self.folder.checkpoints, self.position, self.task.model, self.optimizer, self.task.device
            )
        self._saved_at = time.perf_counter()

    def _write_best(self) -> None:
        if not self._best_written and self._best is not None:
            weights.save(self.folder.best, self._best)
            self._best_written = True

    @property
    def seconds(self) -> float:
        """Training time so far, pauses left out; it stands still once the loop has ended."""
        now = time.perf_counter() if self._halted is None else self._halted
        return self._before + now - self._began

    @property
    def steps_per_second(self) -> float:
        """Since the start or resumption of this run, validation included."""
        return (self.position.step - self._first_step) / max(self.seconds - self._before, 1e-9)

    # ------------------------------------------------------------------------ an epoch

    def _training_mode(self) -> None:
        self.task.model.train()
        for module in self._frozen:
            module.eval()

    def _epoch(self) -> str:
        self._training_mode()
        for module in self._progressing:
            module.set_progress(self.position.epoch, self.epochs)
        for piece in self.feed.pieces(self.position.epoch, self.position.batch):
            state = self._train(piece)
            if state is not None:
                return state
            if not self._count():
                return "diverged"
        return self._end_epoch()

    def _train(self, batches: Iterator[tuple[Tensor, ...]]) -> str | None:
        """Train on `batches`; returns a state if the run ends within them."""
        model, loss_of, optimizer = self.task.model, self.task.loss, self.optimizer
        control, probes, parameters = self.control, self.probes, self._parameters
        losses, outputs, labels = self._losses, self._outputs, self._labels
        clock = time.perf_counter
        tick = clock() + (_TICK if self.position.step else 0.0)  # the first figures at once
        observed = math.inf if probes is None else probes.due
        for *inputs, target, label in batches:
            if control.interrupted:
                if not self._count():
                    return "diverged"
                told = control.heed(self._pausing)
                self._going_on(told)
                if told == "stop":
                    return "stopped"
                if told == "step" and probes is not None:
                    observed = 0.0
            looking = probes if clock() >= observed else None
            if looking is not None and observed and not looking.peeked:
                peeking, looking = looking, None  # the step before the one that is observed
            else:
                peeking = None
            if looking is None:
                output = model(*inputs)
            else:
                with looking.watching():
                    output = model(*inputs)
            loss = loss_of(output, target)
            loss.backward()
            if peeking is not None:
                peeking.peek()
            if looking is not None:
                looking.before()
            optimizer.step()
            if self._latent:
                with torch.no_grad():
                    torch._foreach_clamp_min_(self._latent, -1.0)
                    torch._foreach_clamp_max_(self._latent, 1.0)
            for parameter in parameters:
                parameter.grad = None
            losses.append(loss.detach())
            outputs.append(output.detach())
            labels.append(label)
            if looking is not None:
                step = self.position.step + len(losses)
                rate = float(optimizer.param_groups[0]["lr"])
                observation = looking.after(step, step / self.feed.steps, rate)
                begun = clock()
                self.emit(observation)
                looking.done(clock() - begun)
                observed = looking.due
            if clock() >= tick:
                if not self._count():
                    return "diverged"
                if clock() - self._saved_at > _CHECKPOINT_WITHIN:
                    self.save()
                else:
                    self._tell_progress()
                tick = clock() + _TICK
        return None

    def _count(self) -> bool:
        """Count the batches since the last time; False where a loss is no number."""
        if not self._losses:
            return True
        position = self.position
        sizes = [len(label) for label in self._labels]
        right = torch.cat(self._outputs).argmax(1).eq(torch.cat(self._labels)).cumsum(0)
        ends = torch.tensor(sizes).cumsum(0).sub_(1)
        totals = right[ends.to(right.device)].tolist()
        losses = torch.stack(self._losses).tolist()
        self._losses.clear()
        self._outputs.clear()
        self._labels.clear()
        before = 0
        for loss, total, size in zip(losses, totals, sizes, strict=True):
            position.step += 1
            position.batch += 1
            if not math.isfinite(loss):
                self.message = (
                    f"The loss is {loss} at step {position.step}. Lower the learning rate, or look at the "
                    "initialisation and the data's scale."
                )
                return False
            weighed = loss if self.task.sums else loss * size
            for sums in (position.epoch_sums, position.sums):
                sums[0] += weighed
                sums[1] += total - before
                sums[2] += size
            before = total
            if position.step == 1 or position.batch % self._point == 0 or position.batch == self.feed.steps:
                self._tell("train", _means(position.sums))
                position.sums = [0.0, 0.0, 0.0]
        return True

    def _end_epoch(self) -> str:
        position = self.position
        position.train = _means(position.epoch_sums)
        position.epoch_sums = [0.0, 0.0, 0.0]
        position.epoch += 1
        position.batch = 0
        if "validation" in self.task.dataset.splits:
            figures = self.task.evaluate("validation")
            self._tell("validation", figures)
            if better(figures, position.best):
                position.best, position.best_epoch = figures, position.epoch
                self._best, self._best_written = weights.state_of(self.task.model), False
        if time.perf_counter() - self._saved_at > _CHECKPOINT_EPOCH:
            self.save()
        return "finished"

    # ------------------------------------------------------------------------ telling

    def _tell(self, split: str, figures: dict[str, float]) -> None:
        step = self.position.step
        self.emit(Metrics(step, step / self.feed.steps, split, figures, self.seconds))

    def _tell_progress(self) -> None:
        step, steps = self.position.step, self.feed.steps * self.epochs
        rate = self.steps_per_second
        self.emit(
            Progress(
                step=step,
                steps=steps,
                epoch=self.position.epoch,
                epochs=self.epochs,
                steps_per_second=rate,
                left=(steps - step) / rate if rate else None,
                seconds=self.seconds,
            )
        )

    def _pausing(self) -> None:
        self._halted = time.perf_counter()
        self._tell_progress()
        self.emit(RunState("paused", self.position.step))

    def _going_on(self, told: str) -> None:
        """Leave the time of a pause, if there was one, out of training time."""
        if self._halted is not None:
            self._began += time.perf_counter() - self._halted
            self._halted = None
            if told == "run":
                self.emit(RunState("running", self.position.step))


def _means(sums: Sequence[float]) -> dict[str, float]:
    loss, right, examples = sums
    return {"loss": loss / examples, "accuracy": right / examples}
