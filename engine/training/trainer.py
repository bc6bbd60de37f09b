"""The training loop: plain PyTorch, with nothing in it per batch that need not be there.

Losses and outputs of batches are kept as they are and counted together a few times a second, so
the device is never waited for in between. What is told (curves, bests, the order of examples)
depends on the recipe alone; only when it is told, and what probes see, follows the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.compile.plan import CompiledNetwork
from engine.host.protocol import Event, RunStarted, RunState
from engine.runs import RunFolder
from engine.training import averaging, compute, parameters, randomness, weights
from engine.training.control import Control
from engine.training.curve import Curve
from engine.training.direct import DirectStep
from engine.training.graphs import detached
from engine.training.group import Group
from engine.training.keeping import Keeping
from engine.training.probes import Probes
from engine.training.setup import Setup
from engine.training.stepping import Gathering, clipping, following
from engine.training.tally import Tally
from engine.training.task import Task
from engine.training.telling import Telling
from engine.training.validation import Validation, unmeasured

#: Seconds between two looks at where the run is.
_TICK = 0.1
#: Seconds of training between two checkpoints, at an epoch's end and within one.
_CHECKPOINT_EPOCH = 10.0
_CHECKPOINT_WITHIN = 60.0
#: Steps per second from which on one more is no wait.
_QUICK = 4.0


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
    position
        Where it is, and what it has counted so far.
    message
        Why the run ended before its time, for people.
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
        self.group = group = group or Group()
        setup = Setup(task, folder, group, resume=resume, chosen=chosen)
        self.options, self.choices, self.position = setup.options, setup.choices, setup.position
        self.parts, self.feed, self.compute = setup.parts, setup.feed, setup.compute
        self.optimizer, self._schedule, self._average = setup.optimizer, setup.schedule, setup.average
        self._recorded, self._parameters = setup.recorded, [part.tensor for part in setup.trained]
        self.epochs, steps = task.network.recipe.epochs, self.feed.steps
        self.message = ""
        self._notes = (*setup.notes, *notes)
        self._warnings = (*warnings, *unmeasured(self.options.monitor, task.heads))
        self._frozen = parameters.frozen_modules(task.network, task.model)
        self._progressing: list[Any] = [m for m in task.model.modules() if hasattr(m, "set_progress")]
        self._step = DirectStep(self.optimizer)
        self.probes: Probes | None = None
        if observe and group.writes:
            span = self.position.step, self.epochs * steps
            self.probes = Probes(self.parts, task.model, self.options.observe_budget, span)
        self._telling = Telling(emit, self.position, steps, self.epochs)
        self._tally = Tally(task, group)
        self._curve = Curve(task, self._tally, self.position, self._telling, steps)
        self._gathering = Gathering(self._tally, setup, size=group.size, sums=task.sums)
        self._clip = clipping(self.options, self._parameters)
        self._after = following(setup.trained, self._average, self._schedule)
        self._keeping = Keeping(folder, setup, self._telling, writes=keeps and group.writes)
        self._validation = Validation(task, setup, group, self._telling, emit, self._keeping)
        # The first figures at once.
        self._tick = time.perf_counter() + (_TICK if self.position.step else 0.0)
        self.watch: Watch | None = None

    # ------------------------------------------------------------------------ the run

    def run(self) -> str:
        """Train to the end, or until told to stop; returns "finished", "stopped" or "diverged"."""
        description = self.task.dataset.description
        self._telling.begin()
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
                notes=self._notes,
                warnings=self._warnings,
                weights={} if self.probes is None else self.probes.initial(),
            )
        )
        self.emit(RunState("running", self.position.step))
        state = "finished"
        with self._bound():
            while state == "finished" and self.position.epoch < self.epochs and not self._given_up():
                state = self._epoch()
        self._telling.end()
        if state == "diverged" or not self.save():
            state = "diverged"
            self._telling.progress()
            self._keeping.save_best()
        return state

    def _bound(self) -> AbstractContextManager[None]:
        """Nothing replaces the model's parts while it trains, so they need not be looked up at each step."""
        model = self.task.model
        if isinstance(model, CompiledNetwork) and not self.choices.compile:
            return model.bound()
        return nullcontext()

    def save(self) -> bool:
        """Keep what there is so far; False where the weights are no numbers any more."""
        self._telling.progress()  # and the record is handed on: it must reach as far as the checkpoint
        others = self.group.gathered(randomness.state(self.task.device))
        if self._keeping.save(others):
            return True
        self.message = f"The weights are no numbers any more at step {self.position.step}."
        return False

    def last(self) -> dict[str, Tensor]:
        """The weights that the run ends with: the average, where there is one."""
        with averaging.in_place(self._average):
            return weights.state_of(self.task.model)

    @property
    def seconds(self) -> float:
        """Training time so far, pauses left out; it stands still once the loop has ended."""
        return self._telling.seconds

    @property
    def steps_per_second(self) -> float:
        """Since the start or resumption of this run, validation included."""
        return self._telling.steps_per_second

    # ------------------------------------------------------------------------ an epoch

    def _training_mode(self) -> None:
        self.task.model.train()
        for module in self._frozen:
            module.eval()

    def _given_up(self) -> bool:
        """Whether validation has waited too long for something better."""
        why = self._validation.given_up()
        self.message = why or self.message
        return bool(why)

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
        heads, accumulate, gathering = -len(task.heads), self.options.accumulate, self._gathering
        share, clip, after, scaler = gathering.share(), self._clip, self._after, run.scaler
        recorded = self._recorded
        together, moving, rates = group.size > 1, self._schedule is not None, self._curve.rates
        within = self.options.validate_unit == "steps"
        clock = time.perf_counter
        for batch in batches:
            if control.interrupted and not gathering.pending and not together:
                state = self._heed()
                if state is not None:
                    return state
            if self.watch is not None:
                self.watch.before(self.position.step + len(tally) + 1)
            whole = len(batch[0])
            if together:
                batch = group.share(batch)
            due = accumulate == 1 or gathering.due()
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
            if clip is not None:
                clip()
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
                self._validation.measure()
                self._training_mode()
                if self._given_up():
                    return "finished"
            if together:
                if step % self._curve.apart == 0 or len(tally) >= 64:
                    state = self._agreed()
                    if state is not None:
                        return state
            elif clock() >= self._tick:
                if not self._count():
                    return "diverged"
                if self._keeping.age > _CHECKPOINT_WITHIN:
                    if not self.save():
                        return "diverged"
                else:
                    self._telling.progress()
                self._tick = clock() + _TICK
        return None

    def _count(self) -> bool:
        """Count the batches since the last time; False where a loss is no number."""
        wrong = self._curve.count()
        if wrong is not None:
            self.message = f"The loss is {wrong} at step {self.position.step}."
        return wrong is None

    def _end_epoch(self) -> str:
        position, every = self.position, self.options.validate_every
        self._curve.end_epoch()
        if self.options.validate_unit == "epochs" and (
            position.epoch % every == 0 or position.epoch == self.epochs
        ):
            self._validation.measure()
        if self._schedule is not None and not self._schedule.per_step and not self._schedule.on_plateau:
            self._schedule.move()
        if self.group.told(self._keeping.age > _CHECKPOINT_EPOCH) and not self.group.told(self.save()):
            return "diverged"
        return "finished"

    # ------------------------------------------------------------------------ between batches

    def _heed(self) -> str | None:
        """Pause, step or stop as is told; returns a state if the run ends here."""
        probes = self.probes
        if probes is not None and self._owes_look(probes):
            probes.asked = True  # one step more, and then it pauses
            return None
        if not self._count():
            return "diverged"
        told = self.control.heed(self._telling.pausing)
        paused = self._telling.going_on()
        if paused is not None:
            if probes is not None:
                probes.paused(paused)
            if told == "run":
                self.emit(RunState("running", self.position.step))
        if told == "step" and probes is not None:
            probes.asked = True
        return "stopped" if told == "stop" else None

    def _owes_look(self, probes: Probes) -> bool:
        """Whether the run pauses behind a step that was not looked at: who pauses wants to see where it
        stands. Where steps take long, it pauses at once, and where it is stopped or goes by steps.
        """
        control = self.control
        if control.stopping or control.stepping or self.steps_per_second < _QUICK:
            return False
        return self.position.step + len(self._tally) > probes.looked

    def _agreed(self) -> str | None:
        """Count, save and stop as the first process says: all of them at the same step."""
        if not self._count():
            return "diverged"
        late, whole = self._keeping.age > _CHECKPOINT_WITHIN, not self._gathering.pending
        stop, save = self.group.told((self.control.interrupted and whole, late and whole))
        if save and not self.group.told(self.save()):
            return "diverged"
        self._telling.progress()
        return "stopped" if stop else None


class Watch(Protocol):
    """Looks on, batch by batch; numbers count from 1."""

    def before(self, step: int) -> None:
        """A batch is about to be run."""

    def gradients(self, step: int) -> None:
        """The gradients of a step are there."""

    def after(self, step: int) -> None:
        """A step has been made."""
