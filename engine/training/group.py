"""The processes that train one model together: each on its share of every batch, one of them writing.

Processes are started by ``torchrun`` (which ``layerlab train --nproc`` calls); they find each other
through the environment that it sets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from engine.problems import FileProblem, NetworkProblem


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
        """The group that torchrun has started this process for; a group of one without it.

        Raises
        ------
        NetworkProblem
            If this process has no GPU of its own where GPUs train.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group(_backend(device))
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
        if self.size == 1 or name == "cpu" or not torch.cuda.is_available():
            return name
        return f"cuda:{_local_rank()}"

    def wrapped(self, model: nn.Module, idle: Callable[[], bool] = lambda: False) -> nn.Module:
        """`model`, its gradients averaged over the group and its weights those of the first process.

        `idle` says whether some of its weights get no gradient, which must then be looked for at each step.
        """
        if self.size == 1:
            return model
        # Running statistics are the writer's own: they follow its share of each batch.
        return DistributedDataParallel(model, find_unused_parameters=idle())

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

    def asked(self, make: Callable[[], Any]) -> Any:
        """What `make` gives the first process, for all; a problem of it is raised by all."""
        if self.size == 1:
            return make()
        found: tuple[Any, Exception | None] = (None, None)
        if self.writes:
            try:
                found = make(), None
            except (FileProblem, NetworkProblem) as problem:
                found = None, problem
        value, refused = self.told(found)
        if refused is not None:
            raise refused
        return value

    def gathered(self, own: Any) -> list[Any]:
        """What each process brings, by rank, for the first; nothing for the others, or for one alone."""
        if self.size == 1:
            return []
        found = [None] * self.size if self.writes else None
        distributed.gather_object(own, found)
        return found or []

    def told(self, what: Any) -> Any:
        """What the first process says, for all."""
        if self.size == 1:
            return what
        box = [what]
        distributed.broadcast_object_list(box)
        return box[0]


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def _backend(device: str) -> str:
    """How processes talk: NCCL between GPUs, gloo for what lies in ordinary memory."""
    if device == "cpu" or not torch.cuda.is_available():
        return "gloo"
    require_gpus(_local_rank() + 1)
    # NCCL talks from the current GPU: two processes on the same one would wait for each other for ever.
    torch.cuda.set_device(_local_rank())
    return "cpu:gloo,cuda:nccl" if distributed.is_nccl_available() else "gloo"


def require_gpus(processes: int) -> None:
    """Refuse more processes than there are GPUs on this computer.

    Raises
    ------
    NetworkProblem
        If there are fewer.
    """
    count = torch.cuda.device_count()
    if processes > count:
        raise NetworkProblem(
            f"{processes} processes need a GPU each, and this computer has {count}. Start {count}, or choose "
            "--device cpu."
        )
