"""One batch, forward and backward: in which precision, compiled or recorded, and how that is chosen.

The step is the optimizer's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from engine.catalog import Settings
from engine.problems import NetworkProblem
from engine.training.direct import backward
from engine.training.graphs import Recorded
from engine.training.task import Task

# cuBLAS adds in a fixed order only with workspaces of its own, and torch asks for them once, at the first
# product of a process: later it is too late for a run in deterministic mode.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Choices(msgspec.Struct):
    """What is chosen by measuring or by the computer: recorded with a run, and used again when it goes on."""

    threads: int
    channels_last: bool = False
    compile: bool = False
    cuda_graphs: bool = False


def choices(task: Task, options: Settings, before: Choices | None = None) -> Choices:
    """What the recipe asks for, and where it leaves the choice, what is known to be good.

    Parameters
    ----------
    before
        What was chosen when the run began, perhaps on another device: it stays, as far as it can be had here.

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
    if before is not None:
        return msgspec.structs.replace(before, cuda_graphs=before.cuda_graphs and cuda)
    return Choices(
        threads=options.threads or torch.get_num_threads(),
        channels_last=innermost(options, task.model, task.device.type),
        compile=options.compile,
        cuda_graphs=options.cuda_graphs,
    )


def innermost(options: Settings, model: nn.Module, device: str) -> bool:
    """Whether images are to have their channels innermost on this kind of device.

    Left to choose, they have where it pays: on processors (1.05 to 1.56 times the steps of small and middling
    networks, 0.98 to 1.09 of ResNet-18: ``python -m tests.benchmarks layout``), on GPUs in half precision.
    """
    if options.channels_last != "auto":
        return bool(options.channels_last == "on")
    return pictures(model) and (device == "cpu" or options.precision in _HALF)


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
        # On the processor and alone, torch's checks around the backward pass can be left out.
        self._direct = task.device.type == "cpu" and model is task.model and not chosen.compile
        #: The scaler that float16 needs, lest small gradients vanish.
        self.scaler = torch.amp.GradScaler(task.device.type) if precision == "float16" else None

    @property
    def _simple(self) -> bool:
        return self._heads == 1 and self._task.heads[0].weight == 1.0

    def __call__(self, batch: tuple[Tensor, ...]) -> tuple[Any, Tensor]:
        """Outputs and loss of a batch."""
        if self._chosen.channels_last:
            batch = tuple(
                t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in batch
            )
        inputs, labels = batch[: self._inputs], batch[self._inputs : self._inputs + self._heads]
        if self._half is None:
            output = self._run(*inputs)
            return output, self._loss(output, *labels)
        with torch.autocast(self._task.device.type, self._half):
            output = self._run(*inputs)
        # Losses want range more than speed.
        output = {k: v.float() for k, v in output.items()} if isinstance(output, dict) else output.float()
        return output, self._loss(output, *labels)

    def backward(self, loss: Tensor, factor: Tensor | float = 1.0) -> None:
        """Add the gradients of `loss` · `factor`, scaled where there is a scaler, to the parameters'."""
        if isinstance(factor, Tensor) or factor != 1:
            loss = loss * factor
        if self.scaler is not None:
            self.scaler.scale(loss).backward()
        elif self._direct:
            backward(loss)
        else:
            loss.backward()

    def recorded(self, parameters: Sequence[Tensor], *, sums: bool = False) -> Recorded | None:
        """Both passes as a CUDA graph, if that is chosen; see :class:`~engine.training.graphs.Recorded`."""
        if not self._chosen.cuda_graphs:
            return None
        wanted = self._inputs + self._heads
        return Recorded(self, self.backward, parameters, self._task.device, columns=wanted, sums=sums)


@contextmanager
def settled(device: torch.device, options: Settings) -> Iterator[None]:
    """Set torch's own switches for a run (TensorFloat-32, deterministic algorithms), and put them back.

    A GPU becomes the current one: streams, graphs and NCCL belong to that unless told otherwise.
    """
    with ExitStack() as back:

        def put(where: Any, name: str, value: bool) -> None:
            back.callback(setattr, where, name, getattr(where, name))
            setattr(where, name, value)

        if device.type == "cuda":
            back.enter_context(torch.cuda.device(device))
            put(torch.backends.cudnn, "benchmark", not options.deterministic)
            # float32 is as torch has it: products exact, convolutions perhaps rounded to TensorFloat-32.
            if options.precision != "float32":
                put(torch.backends.cuda.matmul, "allow_tf32", True)
                put(torch.backends.cudnn, "allow_tf32", True)
        before = torch.are_deterministic_algorithms_enabled()
        back.callback(torch.use_deterministic_algorithms, before)
        torch.use_deterministic_algorithms(bool(options.deterministic) or before)
        yield
