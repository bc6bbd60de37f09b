"""Running out of memory: noticed, survived, and answered with a batch size that fits."""

from __future__ import annotations

import gc

import torch

from engine.training.task import Task


def release() -> None:
    """Give the memory of a GPU that no run needs any more back, for other programs to have."""
    if torch.cuda.is_initialized():
        gc.collect()  # a run's parts know one another, and would hold it until they are next looked for
        torch.cuda.empty_cache()


def fitting_batch(task: Task, failed: int, optimizer: torch.optim.Optimizer | None = None) -> int | None:
    """The largest half, quarter, … of batch size `failed` that trains, found by trying; None if none does.

    With the steps of `optimizer`, whose state takes memory from its first one on, the model's weights move;
    without it its running statistics alone do.
    """
    columns = task.columns(task.dataset.splits["train"])
    size = min(failed, len(columns[0])) // 2
    task.model.train()
    while size >= 1:
        if trains(task, [column[:size] for column in columns], optimizer):
            return size
        size //= 2
    return None


def trains(task: Task, columns: list[torch.Tensor], optimizer: torch.optim.Optimizer | None = None) -> bool:
    """Whether a forward and a backward pass go through, and a step of `optimizer`."""
    try:
        inputs, targets, _ = task.parted([column.to(task.device) for column in columns])
        task.loss(task.model(*inputs), *targets).backward()
        if optimizer is not None:
            optimizer.step()
    except (RuntimeError, MemoryError, ValueError):  # also what a batch of one is refused with
        return False
    finally:
        task.model.zero_grad()
        if task.device.type == "cuda":
            torch.cuda.empty_cache()
    return True
