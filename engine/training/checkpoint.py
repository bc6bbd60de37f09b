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
from torch import Tensor

from engine.problems import FileProblem
from engine.storage.atomic import WriteProblem, reason, write_bytes
from engine.training.weights import dumps

_KEPT = 2
_BLANK = "0" * 64


class Position(msgspec.Struct):
    """Where a run is, and what it has counted so far."""

    #: Batches behind it.
    step: int = 0
    epoch: int = 0
    #: Batches of `epoch` that are behind it.
    batch: int = 0
    #: Training time.
    seconds: float = 0.0
    #: Sums over the running epoch: loss, examples, a figure per output.
    epoch_sums: list[float] = []
    #: The same since figures were last told.
    sums: list[float] = []
    #: Figures of the last whole epoch on the training examples.
    train: dict[str, float] = {}
    #: Figures of the best weights on the validation examples, and after which epoch they were had.
    best: dict[str, float] | None = None
    best_epoch: int = 0
    #: Validations since then.
    waited: int = 0


class Manifest(msgspec.Struct):
    """The JSON part."""

    sha256: str
    position: Position
    #: What was chosen by measuring, or by the computer: threads, fused, compiled …
    choices: dict[str, Any]
    #: What of the state is no tensor: "optimizer", "groups", "schedule", "scaler", "averaged".
    plain: dict[str, Any]
    version: int = 3
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
    blank = text.replace(manifest.check.encode(), _BLANK.encode())
    return manifest if hashlib.sha256(blank).hexdigest() == manifest.check else None


def _names(folder: Path) -> list[Path]:
    """Manifests, the newest first."""
    return sorted(folder.glob("step-*.json"), reverse=True)


def save(
    folder: Path,
    position: Position,
    tensors: Mapping[str, Tensor],
    plain: dict[str, Any],
    choices: dict[str, Any],
) -> None:
    """Write a checkpoint into `folder`, and forget all but the two newest.

    Raises
    ------
    OSError
        If it cannot be written; those that are there stay.
    """
    data = dumps(tensors)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise WriteProblem(error.errno, f"Cannot write {folder}: {reason(error)}") from error
    manifest = folder / f"step-{position.step:010}.json"
    write_bytes(manifest.with_suffix(".safetensors"), data)
    facts = Manifest(hashlib.sha256(data).hexdigest(), position, choices, plain)
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
