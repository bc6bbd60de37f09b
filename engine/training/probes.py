"""Looking at weights, gradients and activations while they train, within a budget.

Probes sample by wall clock, measure what they cost and come back later the more they cost. They
draw no random numbers and change no numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from engine.compile.plan import CompiledNetwork, Line
from engine.host.protocol import Activation, Distribution, Excerpt, Observation
from engine.training.activations import Watch
from engine.training.distributions import Values, cosines, distributions, samples
from engine.training.excerpts import excerpts
from engine.training.parameters import Part
from engine.training.signs import Signs

#: Seconds between two samples, at least; and while the allowance lasts.
_APART, _APART_FIRST = 0.1, 0.03
#: Of the share of the time that observing may take, what is planned with: it is judged afterwards, and
#: passes that are watched are slower, which no look can time.
_PLANNED = 0.65
#: Seconds that looking may take beyond what is planned, so that a run of seconds is seen too; it is their
#: slowdown that this is measured by (tests/benchmarks/observation.py).
_ALLOWANCE = 0.03
#: Seconds that it may take beyond the whole budget for steps that are looked at whatever the time.
_SURE = 0.03
#: Share of the time that looking may take for a while; and while the allowance lasts, so that a run of
#: half a second is seen too.
_MOST, _MOST_FIRST = 0.05, 0.15
#: Of a run's first look, the share that is planned with until the second says what a look costs: a process
#: that has not looked before takes up to ten times as long for it.
_COLD = 0.3
#: Of what looking costs, the share that activations may have: where they cost more than weights and
#: gradients together, they are looked at less often.
_ACTIVATIONS = 0.5


@contextmanager
def _freely() -> Iterator[None]:
    """Let looks use what has no deterministic form, as histograms on GPUs: they change no number."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode(0)
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


class Probes:
    """Samples the weights, gradients and activations of a model.

    A step that is to be observed is run within :meth:`watching`, between :meth:`peek` after the
    backward pass of the step before it, and :meth:`before` and :meth:`after` around its optimizer step.

    Attributes
    ----------
    due
        The time (of ``time.perf_counter``) from which on the next step is to be observed.
    sure
        The step that is observed whatever the time: as many on as the last look had behind it, where looks
        are not too dear for that, and the last of `span`, the run's steps. A run of half a second is seen
        from its beginning to its end.
    looked
        The step of the last observation.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        model: nn.Module | None = None,
        budget: float = 0.02,
        span: tuple[int, float] = (0, math.inf),
    ) -> None:
        self._parts = parts
        self._model = model if isinstance(model, CompiledNetwork) else None
        self._whole_budget, self._budget = budget, _PLANNED * budget
        # What looking costs is told in the processor's time where it is the processor's work: on a
        # machine that others use too, a look that was interrupted is none the dearer for it.
        on_processor = all(part.tensor.device.type == "cpu" for part in parts)
        self._clock = time.thread_time if on_processor else time.perf_counter
        self._on_processor = on_processor
        self._began, self._begun = time.perf_counter(), self._clock()
        #: When the observation was handed over, to whoever tells it.
        self._handed: float | None = None
        # Peek at the first step and observe the second: the first step's figures come before that.
        self.due = self._began
        self._first_step, self._last_step = span
        self.looked = self._first_step
        self.sure: float = self._first_step + 2
        #: What looking has cost, and of that what the next looks wait for: not the first one's excess.
        self._cost = self._spent = 0.0
        self._looks, self._first = 0, 0.0
        self._least = math.inf
        #: What looking has cost for the observation that is being made.
        self._now = 0.0
        self._gradients: dict[str, Distribution] = {}
        self._gradient_excerpts: dict[str, Excerpt] = {}
        self._cosines: dict[str, float] = {}
        self._before: list[Tensor] = []
        self._moving: list[Part] = []
        #: Samples of the gradients of the step before.
        self._last: dict[str, Values] = {}
        self._binary = Signs(parts, self._model)
        self._watch: Watch | None = None
        self._activations: dict[str, Activation] = {}
        #: What looking at activations has cost so far.
        self._watched = 0.0

    @property
    def peeked(self) -> bool:
        """Whether the gradients of the step before are known, to compare the next ones with."""
        return bool(self._last)

    def _begin(self) -> float:
        """The time at which a look begins; what a GPU had to do until then is no part of it."""
        if not self._on_processor:
            torch.cuda.synchronize()
        return self._clock()

    def peek(self) -> None:
        """Keep a sample of this step's gradients; the next step is observed."""
        begun = self._begin()
        found = samples({p.name: p.tensor.grad for p in self._parts if p.tensor.grad is not None})
        self._last = {name: values.copy() for name, values in found.items()}
        self._now += self._clock() - begun

    def watching(self) -> AbstractContextManager[object]:
        """The context in which the forward pass of the observed step runs.

        Activations are left out where they have had their share; not of a step that is asked for.
        """
        if self._model is None:
            return nullcontext()
        watching = ExitStack()
        asked = time.perf_counter() < self.due
        if asked or self._watched <= _ACTIVATIONS * self._cost:
            self._watch = Watch(self._model)
            watching.enter_context(self._model.watched(self._watch))
        elif self._binary.hears:  # only a network that is watched calls what is hooked
            watching.enter_context(self._model.watched(_unseen))
        watching.enter_context(self._binary.watching())
        return watching

    @_freely()
    def before(self) -> None:
        """Look at activations and gradients, and keep the weights to compare with."""
        begun = self._begin()
        with torch.no_grad():
            self._activations = {} if self._watch is None else self._watch.figures(distributions)
            if self._watch is not None:
                self._watched += self._clock() - begun
            self._watch = None
            self._moving = [part for part in self._parts if part.tensor.grad is not None]
            gradients = {p.name: p.tensor.grad for p in self._moving if p.tensor.grad is not None}
            sampled = samples(gradients)
            self._gradients = distributions(gradients, sampled)
            self._gradient_excerpts = excerpts(gradients)
            self._cosines = cosines(self._last, sampled)
            self._last = {}
            self._binary.before()
            self._before = [part.tensor.detach().clone() for part in self._moving]
        self._now += self._clock() - begun

    @_freely()
    def after(self, step: int, epoch: float, learning_rate: float | None = None) -> Observation:
        """Look at the weights, now after step number `step`."""
        begun = self._begin()
        self.looked = step
        twice = max(2 * (step - self._first_step), 2) + self._first_step
        self.sure = min(twice, self._last_step) if step < self._last_step else math.inf
        tensors = {part.name: part.tensor for part in self._parts}
        weights = distributions(tensors)
        updates: dict[str, float] = {}
        if self._moving:
            torch._foreach_sub_(self._before, [part.tensor.detach() for part in self._moving])
            norms = torch.stack(torch._foreach_norm(self._before)).tolist()
            for part, norm in zip(self._moving, norms, strict=True):
                size = weights[part.name].norm
                updates[part.name] = norm / size if size else 0.0
        self._before = []
        binary = self._binary.weights()
        observation = Observation(
            step,
            epoch,
            weights,
            self._gradients,
            updates,
            self.cost,
            self._activations,
            self._cosines,
            self._binary.flips,
            excerpts(tensors),
            self._gradient_excerpts,
            learning_rate,
            binary,
            self._binary.inputs(distributions),
        )
        self._handed = self._clock()
        self._now += self._handed - begun
        return observation

    def done(self, telling: float = 0.0) -> None:
        """The observation is dealt with, which took `telling` seconds more beside what this thread did
        since :meth:`after`: set the time for the next.

        Over the run looking takes its budget of the time, with an allowance at the start, so that
        a run of seconds is seen too; and no stretch of it takes more than :data:`_MOST`.
        """
        now, worked = time.perf_counter(), self._clock()
        if self._handed is not None:
            telling += worked - self._handed
            self._handed = None
        spent, self._now = self._now + telling, 0.0
        self._cost += spent
        self._looks += 1
        if self._looks == 1:
            self._first, spent = spent, _COLD * spent
        elif self._looks == 2:
            # Activations, which the second may leave out, cost about twice as much as the rest.
            self._spent = self._least = min(self._first, 3 * spent)
        self._spent += spent
        self._least = min(self._least, spent)
        # How long a second of this thread's work lasts.
        lasts = max(1.0, (now - self._began) / max(worked - self._begun, 1e-9))
        if self._spent + self._least > self._whole_budget * (now - self._began) + _SURE:
            # Layers so large that a look takes long: the steps that follow are not waited for so dearly.
            self.sure = self._last_step if self.looked < self._last_step else math.inf
        affordable = self._began + lasts * (self._spent + self._least - _ALLOWANCE) / self._budget
        apart, most = (_APART, _MOST) if self._spent > _ALLOWANCE else (_APART_FIRST, _MOST_FIRST)
        self.due = max(now + apart, now + lasts * spent / max(most, self._budget), affordable)

    @property
    def cost(self) -> float:
        """The share of the time since the start that observing has taken."""
        return self._cost / max(self._clock() - self._begun, 1e-9)


def _unseen(_line: Line, _result: object) -> None:
    """See nothing. One function for all looks: torch.compile would take each new one for a new program."""
