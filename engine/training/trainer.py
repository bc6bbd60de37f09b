"""The training loop: plain PyTorch, with nothing in it per batch that need not be there.

Losses and outputs of batches are kept as they are and counted together a few times a second, so
the device is never waited for in between. What is told (curves, bests, the order of examples)
depends on the recipe alone; only when it is told, and what probes see, follows the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import msgspec
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from engine.catalog import Horizon
from engine.compile.plan import CompiledNetwork
from engine.data.augment import Variation
from engine.host.protocol import Confused, Event, Metrics, Progress, RunStarted, RunState
from engine.runs import RunFolder
from engine.training import checkpoint, compute, parameters, randomness, weights
from engine.training.averaging import Average
from engine.training.checkpoint import Position
from engine.training.control import Control
from engine.training.direct import DirectStep
from engine.training.fastest import fastest
from engine.training.feed import Feed
from engine.training.graphs import detached
from engine.training.group import Group
from engine.training.metrics import FIGURES, LARGER_IS_BETTER, better, monitored
from engine.training.options import options
from engine.training.probes import Probes
from engine.training.schedules import Schedule
from engine.training.state import State
from engine.training.tally import Tally
from engine.training.task import Task

#: Seconds between two looks at where the run is.
_TICK = 0.1
#: Seconds without a word after which a validation says that it goes on.
_LONG = 0.5
#: Seconds of training between two checkpoints, at an epoch's end and within one.
_CHECKPOINT_EPOCH = 10.0
_CHECKPOINT_WITHIN = 60.0
#: Steps per second from which on one more is no wait.
_QUICK = 4.0
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
    warnings
        What must not be overlooked, likewise.
    group
        The processes that train together.
    chosen
        How to compute, where that was settled before (a run that is repeated).
    keeps
        Whether anything is written: checkpoints and best weights.

    Attributes
    ----------
    choices
        How it computes: as `chosen`, as its checkpoint says, or as the recipe asks.
    watch
        Called before each batch with its number, and after each step; for replays.
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
        warnings: Sequence[str] = (),
        group: Group | None = None,
        chosen: compute.Choices | None = None,
        keeps: bool = True,
    ) -> None:
        self.task, self.folder, self.control, self.emit = task, folder, control, emit
        self.group = group or Group()
        self._keeps = keeps and self.group.writes
        recipe = task.network.recipe
        self.options = options(recipe)
        self.epochs = recipe.epochs
        # Other machines may not see the folder.
        found = self.group.asked(lambda: checkpoint.newest(folder.checkpoints)) if resume else None
        measured: Sequence[str] = ()
        if chosen is not None:
            self.choices = chosen
        else:
            before = None if found is None else compute.Choices(**found[0].choices)
            self.choices = compute.choices(task, self.options, before)
        if self.group.size > 1:  # averaging over processes is not recorded
            self.choices = msgspec.structs.replace(self.choices, cuda_graphs=False)
        # Another number of threads adds in another order, and the curve would not be the same.
        torch.set_num_threads(self.choices.threads)
        self.parts = parameters.parts(task.network, task.model)
        trained = [part for part in self.parts if not part.frozen]
        for part in self.parts:
            part.tensor.requires_grad_(not part.frozen)
        self._parameters = [part.tensor for part in trained]
        self._latent: list[Tensor] = [part.tensor for part in trained if part.clipped]
        self._frozen = parameters.frozen_modules(task.network, task.model)
        self._progressing: list[Any] = [m for m in task.model.modules() if hasattr(m, "set_progress")]
        columns = task.columns(task.dataset.splits["train"])
        normalises = any(isinstance(module, _BatchNorm) for module in task.model.modules())
        at_least = self.group.size * (2 if normalises else 1)
        vary = Variation.of(recipe, len(columns) - 2 * len(task.heads), task.device)
        self.feed = Feed(columns, recipe.batch_size, recipe.seed, task.device, at_least=at_least, vary=vary)
        if self.options.fastest and found is None and chosen is None:
            tried = fastest(task, self.feed, self.options, self.choices, recording=self.group.size == 1)
            self.choices, measured = self.group.told(tried)  # not one way here and another there
            torch.set_num_threads(self.choices.threads)
        # First, for it may lay the weights out anew: what is made of them after that is laid out likewise.
        whole = self.group.wrapped(task.model, lambda: task.idle(self._parameters))
        self.compute = compute.Compute(task, whole, self.options.precision, self.choices)
        self.optimizer, name, multipliers = parameters.optimizer(
            recipe.optimizer, self.parts, decay=self.options.decay
        )
        self._schedule = self._scheduled(multipliers)
        self._average = (
            None if self.options.ema_decay is None else Average(task.model, self.options.ema_decay)
        )
        self._recorded = self.compute.recorded(self._parameters, sums=self.options.accumulate > 1)
        self._state = State(task, self.optimizer, self._schedule, self._average, self.compute.scaler)
        self._point = max(min(_STEPS_PER_POINT, self.feed.steps), math.ceil(self.feed.steps / _POINTS))
        self.position = Position()
        #: Why the run ended before its time, for people.
        self.message = ""
        self._best: dict[str, Tensor] | None = None
        self._best_written = True
        if found is not None:
            self._state.restore(*found, rank=self.group.rank)
            self.position = found[0].position
        elif self.group.rank:  # each process draws its own dropout
            torch.manual_seed(torch.initial_seed() + 7919 * self.group.rank)
        self.notes = (
            name,
            *(["data on the device"] if self.feed.resident and task.device.type != "cpu" else []),
            *([f"{self.group.size} processes"] if self.group.size > 1 else []),
            *([self.options.precision] if self.options.precision != "float32" else []),
            *measured,
            *notes,
        )
        self._step = DirectStep(self.optimizer)
        self._warnings = (*warnings, *self._unmeasured())
        budget = self.options.observe_budget
        self.probes: Probes | None = None
        if observe and self.group.writes:
            span = self.position.step, self.epochs * self.feed.steps
            self.probes = Probes(self.parts, task.model, budget, span)
        self._tally = Tally(task, self.group)
        self._rates: list[float] = []  # of the batches that wait to be counted, where they move
        self._clips = self.options.clip_norm is not None or self.options.clip_value is not None
        self._pending = 0  # batches whose gradients wait for a step
        self._began = time.perf_counter()
        self._before = self.position.seconds
        self._first_step = self.position.step
        self._halted: float | None = None
        self._told_at = self._began
        #: Step and seconds when the first figures were told, from which the pace is measured.
        self._paced: tuple[int, float] | None = None
        self._tick = self._began + (_TICK if self.position.step else 0.0)  # the first figures at once
        self._saved_step, self._saved_at = self.position.step, self._began
        self.watch: Watch | None = None

    def _scheduled(self, multipliers: list[float]) -> Schedule | None:
        choice = self.task.network.recipe.schedule
        if choice is None:
            return None
        per_epoch = math.ceil(self.feed.steps / self.options.accumulate)
        return Schedule(
            choice,
            self.optimizer,
            multipliers,
            Horizon(per_epoch * self.epochs, per_epoch),
            larger_is_better=self.options.monitor in LARGER_IS_BETTER,
        )

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
                warnings=self._warnings,
                weights={} if self.probes is None else self.probes.initial(),
            )
        )
        self.emit(RunState("running", self.position.step))
        state = "finished"
        with self._bound():
            while state == "finished" and self.position.epoch < self.epochs and not self._given_up():
                state = self._epoch()
        self._halted = time.perf_counter()
        if state == "diverged" or not self.save():
            state = "diverged"
            self._tell_progress()
            self._write_best()
        return state

    def _bound(self) -> AbstractContextManager[None]:
        """Nothing replaces the model's parts while it trains, so they need not be looked up at each step."""
        model = self.task.model
        if isinstance(model, CompiledNetwork) and not self.choices.compile:
            return model.bound()
        return nullcontext()

    def save(self) -> bool:
        """Write a checkpoint, and the best weights if they are newer than their file.

        False where the weights are no numbers any more: the last good checkpoint stays then.
        """
        self._tell_progress()  # and the record is handed on: it must reach as far as the checkpoint
        others = self.group.gathered(randomness.state(self.task.device))
        if not self._keeps:
            return True
        self._write_best()
        if self.position.step > self._saved_step or not self.folder.checkpoints.exists():
            if not self._sound():
                self.message = f"The weights are no numbers any more at step {self.position.step}."
                return False
            self._saved_step = self.position.step
            self.position.seconds = self.seconds
            self._state.save(self.folder.checkpoints, self.position, self.choices, others)
        self._saved_at = time.perf_counter()
        return True

    def _sound(self) -> bool:
        floating = [part.tensor.detach() for part in self.parts if part.tensor.is_floating_point()]
        return not floating or bool(torch.stack([t.isfinite().all() for t in floating]).all())

    def _write_best(self) -> None:
        if self._keeps and not self._best_written and self._best is not None:
            weights.save(self.folder.best, self._best)
            self._best_written = True

    def last(self) -> dict[str, Tensor]:
        """The weights that the run ends with: the average, where there is one."""
        with self._averaged():
            return weights.state_of(self.task.model)

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

    def _given_up(self) -> bool:
        """Whether validation has waited too long for something better."""
        patience = self.options.patience
        if patience is None or self.position.waited < patience:
            return False
        waited = "validation" if patience == 1 else f"{patience} validations"
        since = f"since epoch {self.position.best_epoch}"
        self.message = f"Stopped early: no better {self._monitored()} in {waited}, {since}."
        return True

    def _unmeasured(self) -> Iterator[str]:
        """A word where the figure that is to decide is none of these outputs'."""
        known = [head.key + name for head in self.task.heads for name in FIGURES[head.figures]]
        if self.options.monitor not in ("auto", "loss", *known):
            yield (
                f"recipe.monitor: there is no {self.options.monitor} here, so the loss decides what is best. "
                f"There are {', '.join(known)}."
            )

    def _monitored(self) -> str:
        return monitored(self.options.monitor, self.position.best or {})

    def _epoch(self) -> str:
        self._training_mode()
        for module in self._progressing:
            module.set_progress(self.position.epoch, self.epochs)
        if self._progressing and self._recorded is not None:
            self._recorded.forget()
        for piece in self.feed.pieces(self.position.epoch, self.position.batch):
            state = self._train(piece)
            if state is not None:
                return state
            # A GPU is not waited for here: it has work while the next piece is fetched.
            if not self.feed.lasting and not self._count():
                return "diverged"
        return self._end_epoch() if self._count() else "diverged"

    def _train(self, batches: Iterator[tuple[Tensor, ...]]) -> str | None:
        """Train on `batches`; returns a state if the run ends within them."""
        run, optimizer, tally, task = self.compute, self.optimizer, self._tally, self.task
        control, probes, parameters, group = self.control, self.probes, self._parameters, self.group
        heads, accumulate = -len(task.heads), self.options.accumulate
        after, share, scaler = self._after_step(), self._share(), run.scaler
        recorded = self._recorded
        together, moving, rates = group.size > 1, self._schedule is not None, self._rates
        within = self.options.validate_unit == "steps"
        clock = time.perf_counter
        for batch in batches:
            if control.interrupted and not self._pending and not together:
                if probes is not None and self._owes_look(probes):
                    probes.asked = True  # one step more, and then it pauses
                else:
                    if not self._count():
                        return "diverged"
                    told = control.heed(self._pausing)
                    self._going_on(told)
                    if told == "stop":
                        return "stopped"
                    if told == "step" and probes is not None:
                        probes.asked = True
            if self.watch is not None:
                self.watch.before(self.position.step + len(tally) + 1)
            whole = len(batch[0])
            if together:
                batch = group.share(batch)
            due = accumulate == 1 or self._step_due(accumulate)
            step = self.position.step + len(tally) + 1
            peeking, looking = None, None
            if probes is not None and due and probes.wanted(step + accumulate):
                looking = probes
            if looking is not None and looking.peeks(step):
                peeking, looking = looking, None
            factor = 1.0 if share is None else share(whole, len(batch[0]))
            if recorded is not None and looking is None and recorded.takes(batch):
                output, loss = recorded(batch, factor)
            else:
                if looking is None:
                    output, loss = run(batch)
                else:
                    with looking.watching():
                        output, loss = run(batch)
                run.backward(loss, factor)
                if recorded is not None:  # which must not find the way that led here
                    output, loss = detached(output), loss.detach()
            tally.add(loss, output, batch[heads:])
            if moving:
                rates.append(float(optimizer.param_groups[0]["lr"]))
            if not due:
                continue
            if scaler is not None:
                scaler.unscale_(optimizer)
            if peeking is not None:
                peeking.peek()
            rate = None
            if looking is not None:
                looking.before()
                rate = float(optimizer.param_groups[0]["lr"])  # of this step; a schedule moves it behind it
            if self._clips:
                self._clip()
            if self.watch is not None:
                self.watch.gradients(step)
            if scaler is None:
                self._step()
            else:
                scaler.step(optimizer)
                scaler.update()
            for act in after:
                act()
            for parameter in parameters:
                parameter.grad = None
            if self.watch is not None:
                self.watch.after(step)
            if looking is not None:
                observation = looking.after(step, step / self.feed.steps, rate)
                self.emit(observation)
                looking.done()
            if within and step % self.options.validate_every == 0:
                if not self._count():
                    return "diverged"
                self._validate()
                self._training_mode()
                if self._given_up():
                    return "finished"
            if together:
                if step % self._point == 0 or len(tally) >= 64:
                    state = self._agreed()
                    if state is not None:
                        return state
            elif clock() >= self._tick:
                if not self._count():
                    return "diverged"
                if clock() - self._saved_at > _CHECKPOINT_WITHIN:
                    if not self.save():
                        return "diverged"
                else:
                    self._tell_progress()
                self._tick = clock() + _TICK
        return None

    def _owes_look(self, probes: Probes) -> bool:
        """Whether the run pauses behind a step that was not looked at: who pauses wants to see where it
        stands. Where steps take long, it pauses at once, and where it is stopped or goes by steps.
        """
        control = self.control
        if control.stopping or control.stepping or self.steps_per_second < _QUICK:
            return False
        return self.position.step + len(self._tally) > probes.looked

    def _after_step(self) -> list[Callable[[], Any]]:
        """What follows every step of this recipe."""
        after: list[Callable[[], Any]] = []
        if self._latent:
            after.append(self._keep_latent)
        if self._average is not None:
            after.append(self._average.update)
        if self._schedule is not None and self._schedule.per_step:
            after.append(self._schedule.move)
        return after

    def _share(self) -> Callable[[int, int], float] | None:
        """What a loss is multiplied by before the backward pass: its batch's share of the step."""
        accumulate, size = self.options.accumulate, self.group.size
        if accumulate == 1 and size == 1:
            return None

        def share(whole: int, own: int) -> float:
            # Gradients are averaged over processes, whose shares of a batch may differ by one.
            factor = float(size) if self.task.sums else own * size / whole
            return factor if self.task.sums else factor / min(accumulate, self._left)

        return share

    @property
    def _left(self) -> int:
        """Batches of the step that is being gathered: an epoch's last step may have fewer."""
        batch: int = self.position.batch + len(self._tally)
        first: int = batch - batch % self.options.accumulate
        return self.feed.steps - first

    def _step_due(self, accumulate: int) -> bool:
        batch = self.position.batch + len(self._tally) + 1
        self._pending = 0 if batch % accumulate == 0 or batch == self.feed.steps else batch % accumulate
        return not self._pending

    def _clip(self) -> None:
        if self.options.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self.options.clip_norm, foreach=True)
        if self.options.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self._parameters, self.options.clip_value)

    def _keep_latent(self) -> None:
        with torch.no_grad():
            torch._foreach_clamp_min_(self._latent, -1.0)
            torch._foreach_clamp_max_(self._latent, 1.0)

    def _agreed(self) -> str | None:
        """Count, save and stop as the first process says: all of them at the same step."""
        if not self._count():
            return "diverged"
        late = time.perf_counter() - self._saved_at > _CHECKPOINT_WITHIN
        stop, save = self.group.told(
            (self.control.interrupted and not self._pending, late and not self._pending)
        )
        if save and not self.group.told(self.save()):
            return "diverged"
        self._tell_progress()
        return "stopped" if stop else None

    def _count(self) -> bool:
        """Count the batches since the last time; False where a loss is no number."""
        position = self.position
        rates = {"lr": list(self._rates)} if self._rates else {}
        self._rates.clear()
        for number, (loss, figures, size) in enumerate(self._tally.take()):
            position.step += 1
            position.batch += 1
            if not math.isfinite(loss):
                self.message = f"The loss is {loss} at step {position.step}."
                return False
            found = [loss, float(size), *figures]
            position.epoch_sums = _added(position.epoch_sums, found)
            position.sums = _added(position.sums, found)
            if position.step == 1 or position.batch % self._point == 0 or position.batch == self.feed.steps:
                moved = {name: values[number] for name, values in rates.items()}
                self._tell("train", {**self._means(position.sums), **moved})
                position.sums = []
        return True

    def _means(self, sums: Sequence[float]) -> dict[str, float]:
        loss, examples, *figures = sums
        names = [head.key + head.counts for head in self.task.heads]
        return {"loss": loss / examples} | {n: f / examples for n, f in zip(names, figures, strict=True)}

    def _end_epoch(self) -> str:
        position = self.position
        position.train = self._means(position.epoch_sums)
        position.epoch_sums = []
        position.epoch += 1
        position.batch = 0
        if self.options.validate_unit == "epochs" and (
            position.epoch % self.options.validate_every == 0 or position.epoch == self.epochs
        ):
            self._validate()
        if self._schedule is not None and not self._schedule.per_step and not self._schedule.on_plateau:
            self._schedule.move()
        if self.group.told(time.perf_counter() - self._saved_at > _CHECKPOINT_EPOCH) and not self.group.told(
            self.save()
        ):
            return "diverged"
        return "finished"

    def _averaged(self) -> Any:
        return nullcontext() if self._average is None else self._average.in_place()

    def _validate(self) -> None:
        """Measure on the validation examples, and keep the weights if they are the best."""
        if "validation" not in self.task.dataset.splits:
            return
        position = self.position
        with self._averaged():
            confusions: dict[str, Tensor] = {}
            figures = self.group.told(
                self.task.evaluate("validation", confusions, self._still_there) if self.group.writes else None
            )
            self._tell("validation", figures)
            for output, counts in confusions.items():
                names = () if output else self.task.dataset.description.class_names
                told = tuple(counts.flatten().tolist())
                self.emit(Confused(position.step, "validation", output, names, told))
            if better(figures, position.best, self.options.monitor, self.options.min_delta):
                position.best, position.waited = figures, 0
                position.best_epoch = position.epoch + (1 if position.batch else 0)
                self._best, self._best_written = weights.state_of(self.task.model), False
            else:
                position.waited += 1
        if self._schedule is not None and self._schedule.on_plateau:
            self._schedule.judge(figures[monitored(self.options.monitor, figures)])

    # ------------------------------------------------------------------------ telling

    def _tell(self, split: str, figures: dict[str, float]) -> None:
        step = self.position.step
        self.emit(Metrics(step, step / self.feed.steps, split, figures, self.seconds))

    def _still_there(self) -> None:
        """A long validation makes no step, and must not pass for a run that stands still."""
        if time.perf_counter() - self._told_at > _LONG:
            self._tell_progress()

    def _tell_progress(self) -> None:
        self._told_at = time.perf_counter()
        step, steps, seconds = self.position.step, self.feed.steps * self.epochs, self.seconds
        # The first step, for which much is made ready, says nothing of those that follow.
        self._paced = self._paced or (step, seconds)
        rate = (step - self._paced[0]) / max(seconds - self._paced[1], 1e-9)
        self.emit(
            Progress(
                step=step,
                steps=steps,
                epoch=self.position.epoch,
                epochs=self.epochs,
                steps_per_second=rate,
                left=(steps - step) / rate if rate else None,
                seconds=seconds,
            )
        )

    def _pausing(self) -> None:
        self._halted = time.perf_counter()
        self._tell_progress()
        self.emit(RunState("paused", self.position.step))

    def _going_on(self, told: str) -> None:
        """Leave the time of a pause, if there was one, out of training time."""
        if self._halted is not None:
            paused = time.perf_counter() - self._halted
            self._began += paused
            if self.probes is not None:
                self.probes.paused(paused)
            self._halted = None
            if told == "run":
                self.emit(RunState("running", self.position.step))


def _added(sums: list[float], more: list[float]) -> list[float]:
    return [a + b for a, b in zip(sums, more, strict=True)] if sums else more


class Watch(Protocol):
    """Looks on, batch by batch; numbers count from 1."""

    def before(self, step: int) -> None:
        """A batch is about to be run."""

    def gradients(self, step: int) -> None:
        """The gradients of a step are there."""

    def after(self, step: int) -> None:
        """A step has been made."""
