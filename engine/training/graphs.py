"""Forward and backward pass of a batch as one CUDA graph: recorded once, replayed for every batch.

A small network on a GPU waits for Python, which launches its kernels one by one; a graph launches
them all at once. What recording asks for (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs):
everything at fixed addresses, a few passes on a stream of its own beforehand, and no autograd graph
of another stream alive. The passes beforehand are the first batches themselves, so that nothing
(running statistics, random numbers) moves that would not move without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

#: Batches on the stream of its own before the recording.
_BEFORE = 3

Forward = Callable[[tuple[Tensor, ...]], tuple[Any, Tensor]]
Backward = Callable[[Tensor, "Tensor | float"], None]


class Recorded:
    """Takes the place of a forward and a backward pass.

    Parameters
    ----------
    forward
        Gives outputs and loss of a batch.
    backward
        Makes the gradients of a loss, multiplied by the number beside it.
    parameters
        What gets gradients.
    device
        The GPU.
    columns
        How many of a batch's columns both passes read.
    sums
        Whether several batches make one step, whose gradients are added up.
    """

    def __init__(
        self,
        forward: Forward,
        backward: Backward,
        parameters: Sequence[Tensor],
        device: torch.device,
        *,
        columns: int,
        sums: bool = False,
    ) -> None:
        self._forward, self._backward = forward, backward
        self._parameters, self._device, self._columns, self._sums = parameters, device, columns, sums
        self._stream = torch.cuda.Stream(device)
        self._before = 0
        self._size = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: tuple[Tensor, ...] = ()
        self._factor = torch.ones((), device=device)
        self._factor_is = 1.0
        self._gradients: list[Tensor | None] = []
        self._output: Any = None
        self._loss = torch.empty(0)

    def takes(self, batch: Sequence[Tensor]) -> bool:
        """Whether `batch` is of the size that is recorded, which is the first one's."""
        return self._size in (0, len(batch[0]))

    def forget(self) -> None:
        """Record anew: something has changed that is no tensor."""
        self._graph, self._output, self._gradients, self._before = None, None, [], 0

    def __call__(self, batch: tuple[Tensor, ...], factor: float = 1.0) -> tuple[Any, Tensor]:
        """Outputs and loss of a batch; the gradients of loss · `factor` are added to the parameters'."""
        self._size, batch = len(batch[0]), batch[: self._columns]
        if self._before < _BEFORE:
            self._before += 1
            return self._passed(batch, factor)
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        for place, tensor in zip(self._batch, batch, strict=True):
            place.copy_(tensor, non_blocking=True)
        if factor != self._factor_is:
            self._factor.fill_(factor)
            self._factor_is = factor
        self._graph.replay()
        # The graph writes into the same memory each time: a sum of several batches must lie elsewhere.
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            if gradient is None:
                continue
            if not self._sums:
                parameter.grad = gradient
            elif parameter.grad is None:
                parameter.grad = gradient.clone()
            else:
                parameter.grad.add_(gradient)
        # And so must what is looked at later.
        return _copied(self._output), self._loss.clone()

    def _passed(self, batch: tuple[Tensor, ...], factor: float) -> tuple[Any, Tensor]:
        own, now = self._stream, torch.cuda.current_stream(self._device)
        own.wait_stream(now)
        with torch.cuda.stream(own):
            output, loss = self._forward(batch)
            self._backward(loss, factor)
        now.wait_stream(own)
        return detached(output), loss.detach()

    def _record(self, batch: tuple[Tensor, ...]) -> None:
        self._batch = tuple(tensor.clone() for tensor in batch)
        kept = [parameter.grad for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        graph, now = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        random = torch.cuda.default_generators[self._device.index or 0]
        before = random.clone_state()
        try:
            # The outer one puts the stream back where a recording that fails leaves it as it is.
            with (
                torch.cuda.stream(now),
                torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
            ):
                output, loss = self._forward(self._batch)
                self._backward(loss, self._factor)
        except RuntimeError as problem:
            random.graphsafe_set_state(before)  # it would take itself for recorded for ever
            first = problem.__context__ or problem  # ending the recording fails too, and says less
            if isinstance(first, torch.OutOfMemoryError):
                raise first from None
            why = str(first).partition("\n")[0].rstrip(".")
            raise RuntimeError(
                f"this network cannot be recorded as a CUDA graph ({why}). Set recipe.cuda_graphs to false."
            ) from problem
        self._gradients = [parameter.grad for parameter in self._parameters]
        for parameter, gradient in zip(self._parameters, kept, strict=True):
            parameter.grad = gradient
        self._output, self._loss, self._graph = detached(output), loss.detach(), graph


def detached(output: Any) -> Any:
    """A model's outputs without the way that led to them."""
    if isinstance(output, dict):
        return {name: tensor.detach() for name, tensor in output.items()}
    return output.detach()


def _copied(output: Any) -> Any:
    if isinstance(output, dict):
        return {name: tensor.clone() for name, tensor in output.items()}
    return output.clone()
