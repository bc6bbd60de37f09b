"""Where numbers first went wrong: the run's last stretch again, with every tensor looked at.

The loop itself only looks at losses, a few times a second. When one is no number, training starts
again from the newest good checkpoint (or from the beginning), which gives the same numbers, and
each node's output, each gradient and each weight is checked as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

from engine.compile.plan import CompiledNetwork, Line, _flat
from engine.network import Network
from engine.runs import RunFolder
from engine.training import randomness
from engine.training import weights as tensors
from engine.training.compute import Choices
from engine.training.control import Control
from engine.training.task import Task
from engine.training.trainer import Trainer


class Origin(msgspec.Struct):
    """The first tensor that was no number."""

    step: int
    #: The node that it belongs to; empty for the loss.
    node: str
    #: What it is: "output of fc1", "gradient of fc1.weight", "fc1.weight", "loss" …
    tensor: str


class _Found(Exception):
    def __init__(self, origin: Origin) -> None:
        self.origin = origin


def locate(
    network: Network, folder: RunFolder, device: Any, choices: Choices, weights: str | Path | None = None
) -> Origin | None:
    """The first bad tensor of the run in `folder`, trained again from its newest checkpoint.

    None if the numbers stay sound this time.
    """
    with randomness.seeded(network.recipe.seed, device):
        task = Task.of(network, device)
        if weights is not None:
            tensors.start_from(task.model, weights)
        plain = msgspec.structs.replace(choices, compile=False, cuda_graphs=False)
        trainer = Trainer(
            task, folder, Control(), lambda event: None, observe=False, resume=True, chosen=plain, keeps=False
        )
        trainer.watch = _Watch(trainer)
        try:
            trainer.run()
        except _Found as found:
            return found.origin
    return None


class _Watch:
    """Looks at everything, and raises at the first number that is none."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._step = 0
        # A scaler's gradients may overflow for their scale alone: it finds that, and leaves the step out.
        self._scaler = trainer.compute.scaler
        self._outputs: list[tuple[str, Tensor]] = []
        model = trainer.task.model
        assert isinstance(model, CompiledNetwork)
        self._inputs = model._inputs
        model._lines = tuple(self._watched(line) for line in model._lines)
        compute: Callable[..., tuple[Any, Tensor]] = trainer.compute
        trainer.compute = self._computing(compute)  # type: ignore[assignment]

    def _check(self, tensor: Any, node: str, what: str) -> None:
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise _Found(Origin(self._step, node, what))

    def _watched(self, line: Line) -> Line:
        def run(child: Any, *inputs: Tensor) -> Any:
            # A name of its own for each reader: its gradient is what this node alone sends back.
            own = [x.view_as(x) if x.requires_grad else x for x in inputs]
            for tensor in own:
                if tensor.requires_grad and self._scaler is None:
                    tensor.register_hook(self._sent(line.node))
            result = child(*own) if line.run is None else line.run(child, *own)
            for tensor in _flat(result):
                self._check(tensor, line.node, f"output of {line.node}")
            return result

        return line._replace(run=run, name="")

    def _sent(self, node: str) -> Callable[[Tensor], None]:
        return lambda gradient: self._check(gradient, node, f"gradient of the input of {node}")

    def _computing(self, compute: Any) -> Any:
        watch = self

        class Computing:
            scaler, backward = compute.scaler, compute.backward

            def __call__(self, batch: tuple[Tensor, ...]) -> tuple[Any, Tensor]:
                for name, tensor in zip(watch._inputs, batch, strict=False):
                    watch._check(tensor, name, f"data of {name}")
                outputs, loss = compute(batch)
                watch._check(loss, "", "loss")
                found = outputs.values() if isinstance(outputs, dict) else (outputs,)
                for tensor in found:
                    if tensor.requires_grad and watch._scaler is None:
                        tensor.register_hook(lambda g: watch._check(g, "", "gradient of the loss"))
                return outputs, loss

        return Computing()

    def before(self, step: int) -> None:
        """Weights that are bad before the first step came so."""
        first = self._step == 0
        self._step = step
        if first:
            self._weights()

    def gradients(self, step: int) -> None:
        """Of each weight."""
        for part in self._trainer.parts if self._scaler is None else ():
            self._check(part.tensor.grad, _node(part.name), f"gradient of {part.name}")

    def after(self, step: int) -> None:
        """A step may overflow though its gradient did not."""
        self._weights()

    def _weights(self) -> None:
        for name, tensor in self._trainer.task.model.state_dict().items():
            self._check(tensor, _node(name), name)


def _node(name: str) -> str:
    """The node that a parameter belongs to."""
    path, _, _ = name.rpartition(".")
    return ".".join(_own(path.split(".")))


def _own(words: list[str]) -> Iterator[str]:
    *parents, last = words
    yield from parents
    yield last.partition("__")[0]
