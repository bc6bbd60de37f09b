"""Everything that a run needs to go on exactly as if it had never stopped.

A checkpoint is a safetensors file and a JSON manifest beside it, written last, with the SHA-256 of
the first. Two are kept, so that there is a whole one whatever happens while another is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from engine.problems import FileProblem
from engine.storage.atomic import WriteProblem, reason, write_bytes
from engine.training.weights import dumps

_KEPT = 2
_BLANK = "0" * 64


class Position(msgspec.Struct):
    """Where a run is, and what it has counted so far."""

    step: int = 0
    epoch: int = 0
    #: Batches of `epoch` that are behind it.
    batch: int = 0
    #: Training time.
    seconds: float = 0.0
    #: Sums over the running epoch: loss, right answers, examples.
    epoch_sums: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    #: The same since figures were last told.
    sums: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    #: Figures of the last whole epoch on the training examples.
    train: dict[str, float] = {}
    #: Figures of the best weights on the validation examples, and after which epoch they were had.
    best: dict[str, float] | None = None
    best_epoch: int = 0


class Manifest(msgspec.Struct):
    """The JSON part."""

    sha256: str
    position: Position
    threads: int
    #: What of the optimizer's state is no tensor: parameter number -> name -> value.
    optimizer: dict[int, dict[str, Any]]
    #: 2; those of version 1 had no `check`.
    version: int = 2
    #: SHA-256 of the manifest's own text, with zeros in this place.
    check: str = _BLANK


def _sealed(manifest: Manifest) -> bytes:
    """The manifest's text, with its check in it."""
    text = msgspec.json.format(msgspec.json.encode(manifest))
    return text.replace(_BLANK.encode(), hashlib.sha256(text).hexdigest().encode())


def _opened(text: bytes) -> Manifest | None:
    """The manifest in `text`; None if it is not as it was written.

    Raises
    ------
    msgspec.MsgspecError
        If it is no manifest at all.
    """
    manifest = msgspec.json.decode(text, type=Manifest)
    if manifest.version == 1:
        return manifest
    blank = text.replace(manifest.check.encode(), _BLANK.encode())
    return manifest if hashlib.sha256(blank).hexdigest() == manifest.check else None


def _names(folder: Path) -> list[Path]:
    """Manifests, the newest first."""
    return sorted(folder.glob("step-*.json"), reverse=True)


def save(
    folder: Path, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> None:
    """Write a checkpoint into `folder`, and forget all but the two newest.

    Raises
    ------
    OSError
        If it cannot be written; those that are there stay.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": t for name, t in model.state_dict().items()}
    plain: dict[int, dict[str, Any]] = {}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{number}.{name}"] = value
            else:
                plain.setdefault(number, {})[name] = value
    tensors["random.cpu"] = torch.get_rng_state()
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    data = dumps(tensors)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise WriteProblem(error.errno, f"Cannot write {folder}: {reason(error)}") from error
    manifest = folder / f"step-{position.step:010}.json"
    write_bytes(manifest.with_suffix(".safetensors"), data)
    facts = Manifest(hashlib.sha256(data).hexdigest(), position, torch.get_num_threads(), plain)
    write_bytes(manifest, _sealed(facts))
    # The new one is there; that an old one cannot be removed is no reason to end a run.
    with contextlib.suppress(OSError):
        for old in _names(folder)[_KEPT:]:
            old.unlink()
            old.with_suffix(".safetensors").unlink(missing_ok=True)


def newest(folder: Path) -> tuple[Manifest, Mapping[str, Tensor]] | None:
    """The newest checkpoint in `folder` that is whole; None if there has never been one.

    Raises
    ------
    FileProblem
        If there are some, and all are damaged.
    """
    found = _names(folder)
    for path in found:
        try:
            manifest = _opened(path.read_bytes())
            if manifest is None:
                continue
            data = path.with_suffix(".safetensors").read_bytes()
            if hashlib.sha256(data).hexdigest() == manifest.sha256:
                return manifest, safetensors.torch.load(data)
        except (OSError, ValueError, msgspec.MsgspecError, safetensors.SafetensorError):
            continue
    if found:
        raise FileProblem(f"{folder}: its checkpoints are damaged. Start a new run.")
    return None


def restore(
    manifest: Manifest,
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> None:
    """Put `model`, `optimizer` and torch's random generators back to where they were."""
    model.load_state_dict(_under("model.", tensors))
    state: dict[int, dict[str, Any]] = {n: dict(values) for n, values in manifest.optimizer.items()}
    for name, tensor in _under("optimizer.", tensors).items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random.cpu"])
    if device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
