"""A model's tensors in a safetensors file, with a hash of their values in its metadata.

safetensors itself does not notice a flipped bit in the values.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from engine.problems import FileProblem
from engine.storage.atomic import write_bytes


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the parameters and buffers of `model`, on their device."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name]
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def dumps(state: Mapping[str, Tensor]) -> bytes:
    """`state` as the bytes of a safetensors file. Nobody may change it meanwhile."""
    whole, held = {}, set()
    for name, tensor in state.items():
        values = tensor.detach().cpu().contiguous()
        memory = values.untyped_storage().data_ptr()
        # Tensors that share memory are written out one by one.
        whole[name] = values.clone() if memory in held else values
        held.add(memory)
    data: bytes = safetensors.torch.save(whole, _metadata(whole))
    return data


def _metadata(state: Mapping[str, Tensor]) -> dict[str, str]:
    # Two words say that a file is ours: were it one, a flipped bit in it would pass for another's file.
    return {"format": "pt", "sha256": digest(state), "written_by": "layerlab"}


def _damaged(stated: Mapping[str, str], state: Mapping[str, Tensor]) -> bool:
    """Whether a file of ours is not as it was written; of others' files nothing can be said."""
    if "sha256" not in stated and stated.get("written_by") != "layerlab":
        return False
    expected = _metadata(state)
    # Before `written_by` there was the hash alone.
    return stated not in (expected, {"format": "pt", "sha256": expected["sha256"]})


def save(path: str | os.PathLike[str], state: Mapping[str, Tensor]) -> None:
    """Write `state` to `path`, atomically.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_bytes(path, dumps(state))


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors in the file at `path`, on the CPU.

    Raises
    ------
    FileProblem
        If it cannot be read, is no safetensors file, or its values are not those that were written.
    """
    where = Path(path)
    try:
        with safetensors.safe_open(where, "pt") as file:
            stated = dict(file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise FileProblem(f"{where}: there are no weights of that name.") from None
    except (OSError, safetensors.SafetensorError) as problem:
        raise FileProblem(f"{where}: cannot be read as safetensors: {problem}.") from problem
    if _damaged(stated, state):
        raise FileProblem(f"{where}: the weights are damaged: they are not those that were written.")
    return state


def start_from(model: nn.Module, path: str | os.PathLike[str], anew: Collection[str] = frozenset()) -> str:
    """Copy into `model` those tensors of the file whose name and shape fit; says which, for people.

    Those named in `anew` keep what the model has.

    Raises
    ------
    FileProblem
        If the file cannot be read, or nothing in it fits.
    """
    loaded = load(path)
    own = model.state_dict()
    fitting = {name: loaded[name] for name in own if name in loaded and loaded[name].shape == own[name].shape}
    whole = len(fitting)
    for name in anew:
        fitting.pop(name, None)
    if not whole:
        raise FileProblem(
            f"{Path(path)}: none of its {len(loaded)} tensors fits this network by name and shape."
        )
    model.load_state_dict(fitting, strict=False)
    fresh = [name for name in own if name not in fitting]
    told = f"started from {Path(path).name}: {len(fitting)} of {len(own)} tensors"
    return f"{told}; fresh: {', '.join(fresh)}" if fresh else told
