"""Looking at weights, gradients and activations while they train, within a budget.

Probes measure what they cost, and come back the later the more that is (:mod:`engine.training.pace`). They
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
from engine.training.pace import Pace
from engine.training.parameters import Part
from engine.training.signs import Signs

#: Of what looking costs, the share that activations may have: where they cost more than twice as much as
#: weights and gradients together, they are looked at less often.
_ACTIVATIONS = 0.67


@contextmanager
def _alone() -> Iterator[None]:
    """Let a look compute on one thread, whose work is timed; so little is not worth waiting for others.

    And let it use what has no deterministic form on a GPU: it changes no number.
    """
    deterministic, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    torch.set_deterministic_debug_mode(0)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(deterministic)


class Probes:
    """Samples the weights, gradients and activations of a model.

    A step that is to be observed is run within :meth:`watching`, between :meth:`peek` after the
    backward pass of the step before it, and :meth:`before` and :meth:`after` around its optimizer step.

    Attributes
    ----------
    asked
        Whether the next step is to be observed whatever it costs; set it.
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
        # A GPU's work is no thread's.
        self._on_processor = all(part.tensor.device.type == "cpu" for part in parts)
        self._clock = time.thread_time if self._on_processor else time.perf_counter
        self.pace = Pace(budget, span, self._clock)
        self.asked = False
        self.looked = span[0]
        #: When the observation was handed over, to whoever tells it.
        self._handed: float | None = None
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

    def paused(self, seconds: float) -> None:
        """Nothing was done for so many seconds."""
        self.pace.paused(seconds, worked=not self._on_processor)

    def wanted(self, step: int) -> bool:
        """Whether one of the steps up to `step` is to be observed, of which the next is the first."""
        return self.asked or self.pace.wanted(step)

    def peeks(self, step: int) -> bool:
        """Whether `step`, which is wanted, is the one before, whose gradients are compared."""
        return not (self.asked or self._last or step >= self.pace.sure)

    def _begin(self) -> float:
        """The time at which a look begins; what a GPU had to do until then is no part of it."""
        if not self._on_processor:
            torch.cuda.synchronize()
        return self._clock()

    @_alone()
    def initial(self) -> dict[str, Distribution]:
        """Look at the weights before the first step; the first look's price has this in it."""
        begun = self._begin()
        weights = distributions({part.name: part.tensor for part in self._parts})
        self._now += self._clock() - begun
        return weights

    def peek(self) -> None:
        """Keep a sample of this step's gradients; the next step is observed."""
        begun = self._begin()
        found = samples({p.name: p.tensor.grad for p in self._parts if p.tensor.grad is not None})
        self._last = {name: values.copy() for name, values in found.items()}
        self._now += self._clock() - begun

    def watching(self) -> AbstractContextManager[object]:
        """The context in which the forward pass of the observed step runs.

        Activations are left out where they have had their share; not of a look that comes before its time.
        """
        if self._model is None:
            return nullcontext()
        watching = ExitStack()
        if self.asked or self.pace.early or self._watched <= _ACTIVATIONS * self.pace.cost:
            self._watch = Watch(self._model)
            watching.enter_context(self._model.watched(self._watch))
        elif self._binary.hears:  # only a network that is watched calls what is hooked
            watching.enter_context(self._model.watched(_unseen))
        watching.enter_context(self._binary.watching())
        return watching

    @_alone()
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

    @_alone()
    def after(self, step: int, epoch: float, learning_rate: float | None = None) -> Observation:
        """Look at the weights, now after step number `step`."""
        begun = self._begin()
        self.looked = step
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
        since :meth:`after`.
        """
        if self._handed is not None:
            telling += self._clock() - self._handed
            self._handed = None
        self.pace.paid(self.looked, self._now + telling)
        self._now, self.asked = 0.0, False

    @property
    def cost(self) -> float:
        """The share of the work since the start that observing has been."""
        return self.pace.cost / max(self.pace.worked, 1e-9)


def _unseen(_line: Line, _result: object) -> None:
    """See nothing. One function for all looks: torch.compile would take each new one for a new program."""
