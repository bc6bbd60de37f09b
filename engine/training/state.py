"""Everything that moves while a run trains: gathered for a checkpoint, and put back from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from engine.training import checkpoint, randomness
from engine.training.averaging import Average
from engine.training.checkpoint import Manifest, Position
from engine.training.compute import Choices
from engine.training.schedules import Schedule
from engine.training.task import Task


class State:
    """The moving parts of one run."""

    def __init__(
        self,
        task: Task,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule | None,
        average: Average | None,
        scaler: torch.amp.GradScaler | None,
    ) -> None:
        self._task, self._optimizer = task, optimizer
        self._schedule, self._average, self._scaler = schedule, average, scaler

    def save(
        self,
        folder: Path,
        position: Position,
        choices: Choices,
        generators: Sequence[Mapping[str, Tensor]] = (),
    ) -> None:
        """Write a checkpoint into `folder`.

        Parameters
        ----------
        generators
            Where the random generators of each process are, by rank, if there are several.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        tensors: dict[str, Tensor] = {f"model.{n}": t for n, t in self._task.model.state_dict().items()}
        form = self._optimizer.state_dict()
        plain: dict[str, Any] = {"optimizer": {}, "groups": []}
        for number, values in form["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{number}.{name}"] = value
                else:
                    plain["optimizer"].setdefault(str(number), {})[name] = value
        for group in form["param_groups"]:
            # What schedules move: rates and momenta.
            plain["groups"].append({n: _number(v) for n, v in group.items() if n != "params" and _moves(v)})
        tensors |= {f"random.{name}": t for name, t in randomness.state(self._task.device).items()}
        for rank, state in enumerate(generators):
            tensors |= {f"random.{rank}.{name}": t for name, t in state.items()}
        if self._schedule is not None:
            plain["schedule"] = self._schedule.state()
        if self._average is not None:
            plain["averaged"] = self._average.updates
            tensors |= {f"average.{name}": t for name, t in self._average.state().items()}
        if self._scaler is not None:
            plain["scaler"] = self._scaler.state_dict()
        checkpoint.save(folder, position, tensors, plain, msgspec.to_builtins(choices))

    def restore(self, manifest: Manifest, tensors: Mapping[str, Tensor], *, rank: int = 0) -> None:
        """Put everything back to where `manifest` and its `tensors` say, for the process of this rank."""
        self._task.model.load_state_dict(_under("model.", tensors))
        plain = manifest.plain
        state: dict[int, dict[str, Any]] = {int(n): dict(values) for n, values in plain["optimizer"].items()}
        trained = [weight for group in self._optimizer.param_groups for weight in group["params"]]
        for name, tensor in _under("optimizer.", tensors).items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = _laid_out(tensor, trained[int(number)])
        groups = [
            {**group, **{n: _like(group.get(n), v) for n, v in kept.items()}}
            for group, kept in zip(self._optimizer.state_dict()["param_groups"], plain["groups"], strict=True)
        ]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        if self._schedule is not None and "schedule" in plain:
            self._schedule.restore(plain["schedule"])
        if self._average is not None and "averaged" in plain:
            self._average.restore(_under("average.", tensors), plain["averaged"])
        if self._scaler is not None and "scaler" in plain:
            self._scaler.load_state_dict(plain["scaler"])
        own = _under(
            f"random.{rank}.", tensors
        )  # of one process alone, or of fewer, there are no others' states
        randomness.restore(own or _under("random.", tensors), self._task.device)
        if rank and not own:
            torch.manual_seed(torch.initial_seed() + 7919 * rank + manifest.position.step)


def _moves(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float | Tensor) or (
        isinstance(value, tuple | list) and all(isinstance(item, float) for item in value)
    )


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


def _like(old: Any, new: Any) -> Any:
    """`new`, which has been through JSON, as the optimizer has it."""
    if isinstance(old, Tensor):
        return torch.full_like(old, new)
    return tuple(new) if isinstance(new, list) else new


def _laid_out(tensor: Tensor, parameter: Tensor) -> Tensor:
    """`tensor` in memory as a parameter of its shape is: fused kernels go through both side by side."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
