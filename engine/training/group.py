"""The processes that train one model together: each on its share of every batch, one of them writing.

Processes are started by ``torchrun`` (which ``layerlab train --nproc`` calls); they find each other
through the environment that it sets.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class Group:
    """The processes of a run; a run of one process is a group of one, at no cost.

    Attributes
    ----------
    rank, size
        The number of this process, and how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def join(cls, device: str) -> Group:
        """The group that torchrun has started this process for; a group of one without it."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        cuda = device != "cpu" and torch.cuda.is_available()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if cuda else "gloo")
        return cls(distributed.get_rank(), size)

    def leave(self) -> None:
        """Part in good order."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    @property
    def writes(self) -> bool:
        """Whether this is the process that tells and writes."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """This process's own device: a GPU each where there are GPUs."""
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if self.size == 1 or name == "cpu" or not torch.cuda.is_available():
            return name
        return f"cuda:{local}"

    def wrapped(self, model: nn.Module) -> nn.Module:
        """`model`, its gradients averaged over the group and its weights those of the first process."""
        if self.size == 1:
            return model
        # Running statistics are the writer's own: they follow its share of each batch.
        return DistributedDataParallel(model)

    def share(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """This process's examples of a batch."""
        if self.size == 1:
            return batch
        first, last = (len(batch[0]) * n // self.size for n in (self.rank, self.rank + 1))
        return tuple(column[first:last] for column in batch)

    def total(self, figures: Tensor) -> Tensor:
        """The sum of `figures` over the group."""
        if self.size > 1:
            distributed.all_reduce(figures)
        return figures

    def told(self, what: Any) -> Any:
        """What the first process says, for all."""
        if self.size == 1:
            return what
        box = [what]
        distributed.broadcast_object_list(box)
        return box[0]
