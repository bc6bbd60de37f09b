"""One batch, forward: in which precision, compiled or not, and how that is chosen.

The backward pass follows from it; the step is the optimizer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from engine.catalog import Settings
from engine.problems import NetworkProblem
from engine.training.task import Task

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Choices(msgspec.Struct):
    """What is chosen by measuring or by the computer: recorded with a run, and used again when it goes on."""

    threads: int
    channels_last: bool = False
    compile: bool = False
    cuda_graphs: bool = False


def choices(task: Task, options: Settings) -> Choices:
    """What the recipe asks for, and where it leaves the choice, what is known to be good.

    Raises
    ------
    NetworkProblem
        If it asks for what this device cannot do.
    """
    cuda = task.device.type == "cuda"
    for name, wanted in (("cuda_graphs", options.cuda_graphs), ("precision", options.precision)):
        if not cuda and wanted in (True, "tf32", "float16"):
            raise NetworkProblem(
                f"recipe.{name}: {'CUDA graphs' if wanted is True else wanted} is for GPUs, and this run is "
                f"on the {task.device}. Set it to {'false' if wanted is True else 'float32'}."
            )
    pays = cuda and options.precision in _HALF and pictures(task.model)
    return Choices(
        threads=options.threads or torch.get_num_threads(),
        channels_last=pays if options.channels_last == "auto" else options.channels_last == "on",
        compile=options.compile,
        cuda_graphs=options.cuda_graphs,
    )


def pictures(model: nn.Module) -> bool:
    """Whether there are 2-D convolutions, so that the layout of images matters."""
    return any(isinstance(module, _ConvNd) and module.weight.dim() == 4 for module in model.modules())


class Compute:
    """Model and loss on a batch, as chosen.

    Call it with a batch of the feed; it gives the model's outputs and the loss.

    Parameters
    ----------
    task
        Whose model is run.
    model
        What is called in its place: the model itself, or wrapped for several processes.
    precision
        "float32", "tf32", "bfloat16", "float16".
    chosen
        How.
    """

    def __init__(self, task: Task, model: nn.Module, precision: str, chosen: Choices) -> None:
        self._task, self._chosen = task, chosen
        self._inputs = sum(node.type == "Input" for node in task.network.nodes.values())
        self._heads = len(task.heads)
        if chosen.channels_last and pictures(task.model):
            task.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._run: Callable[..., Any] = torch.compile(model) if chosen.compile else model
        self._loss: Callable[..., Tensor] = task.heads[0].loss_of if self._simple else task.loss
        self._half = _HALF.get(precision)
        self._graphed: Callable[..., tuple[Any, Tensor]] | None = None
        self._size = 0
        #: The scaler that float16 needs, lest small gradients vanish.
        self.scaler = torch.amp.GradScaler(task.device.type) if precision == "float16" else None

    @property
    def _simple(self) -> bool:
        return self._heads == 1 and self._task.heads[0].weight == 1.0

    def __call__(self, batch: tuple[Tensor, ...]) -> tuple[Any, Tensor]:
        """Outputs and loss of a batch."""
        if self._half is None and not self._chosen.channels_last and not self._chosen.cuda_graphs:
            output = self._run(*batch[: self._inputs])
            return output, self._loss(output, *batch[self._inputs : self._inputs + self._heads])
        return self._special(batch)

    def _special(self, batch: tuple[Tensor, ...]) -> tuple[Any, Tensor]:
        if self._chosen.channels_last:
            batch = tuple(
                t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in batch
            )
        if self._chosen.cuda_graphs:
            arguments = batch[: self._inputs + self._heads]
            if self._graphed is None:
                self._size = len(batch[0])
                whole = _Whole(self._forward, self._task.model)
                self._graphed = torch.cuda.make_graphed_callables(whole, tuple(map(_sample, arguments)))  # type: ignore[assignment]
            if len(batch[0]) == self._size and self._graphed is not None:
                # The graph writes to the same memory each time; what is counted later must be its own.
                output, loss = self._graphed(*arguments)
                return {k: v.clone() for k, v in output.items()} if isinstance(
                    output, dict
                ) else output.clone(), loss
        return self._forward(*batch[: self._inputs + self._heads])

    def _forward(self, *batch: Tensor) -> tuple[Any, Tensor]:
        with torch.autocast(self._task.device.type, self._half, enabled=self._half is not None):
            output = self._run(*batch[: self._inputs])
        if self._half is not None:  # losses want range more than speed
            output = {k: v.float() for k, v in output.items()} if isinstance(output, dict) else output.float()
        return output, self._loss(output, *batch[self._inputs :])


def _sample(tensor: Tensor) -> Tensor:
    return tensor.clone()


class _Whole(nn.Module):
    """Forward pass and loss as one module, as a CUDA graph wants them; it owns the model's parameters."""

    def __init__(self, forward: Callable[..., tuple[Any, Tensor]], model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._call = forward

    def forward(self, *batch: Tensor) -> tuple[Any, Tensor]:
        """Outputs and loss."""
        return self._call(*batch)


@contextmanager
def settled(device: torch.device, options: Settings) -> Iterator[None]:
    """Set torch's own switches for a run (TensorFloat-32, deterministic algorithms), and put them back."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = (
        matmul.allow_tf32,
        cudnn.allow_tf32,
        cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
    )
    if device.type == "cuda":
        matmul.allow_tf32 = cudnn.allow_tf32 = options.precision != "float32" and not options.deterministic
        cudnn.benchmark = not options.deterministic
    torch.use_deterministic_algorithms(bool(options.deterministic) or before[3])
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before[:3]
        torch.use_deterministic_algorithms(before[3])
