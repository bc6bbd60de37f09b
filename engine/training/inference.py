"""What a run's best weights are worth, and what they make of examples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.data.arrays import npy
from engine.data.pictures import open_picture
from engine.host.protocol import Prediction
from engine.problems import DataChanged, DataProblem, FileProblem
from engine.runs import RunFolder
from engine.storage.file import read
from engine.training import weights
from engine.training.changed import changed
from engine.training.device import choose
from engine.training.task import Task


def _warn(message: str) -> None:
    warnings.warn(message, DataChanged, stacklevel=4)


def _open(run: str | Path, device: str, warn: Callable[[str], None] | None, step: int | None = None) -> Task:
    """A run's network with its weights (:meth:`RunFolder.weights_at`)."""
    folder = RunFolder(Path(run))
    if not folder.network.is_file():
        raise FileProblem(f"{folder.path}: is no run: it has no {folder.network.name}.")
    found = folder.weights_at(step)
    if found is None:
        raise FileProblem(f"{folder.path}: this run has written no weights yet.")
    chosen, _ = found
    task = Task.of(read(folder.network), choose(device))
    try:
        task.model.load_state_dict(weights.load(chosen))
    except RuntimeError as problem:
        raise FileProblem(f"{chosen}: these are not the weights of this run's network.") from problem
    task.model.eval()
    if said := changed(folder, task.dataset.sha256):
        (warn or _warn)(said)
    return task


def evaluate(
    run: str | Path, device: str = "auto", *, warn: Callable[[str], None] | None = None
) -> dict[str, dict[str, float]]:
    """Loss and accuracy of a run's best weights on each split: ``{"validation": {"loss": …}, …}``.

    Where the data have changed since the run began, `warn` gets that in words; without it, it is a
    Python warning (:class:`~engine.problems.DataChanged`).

    Raises
    ------
    FileProblem
        If `run` is no run, or its weights cannot be read.
    NetworkProblem, DataProblem
        If its network or data are no longer there as they were.
    """
    task = _open(run, device, warn)
    return {name: task.evaluate(name) for name in task.dataset.splits}


def predict(
    run: str | Path,
    *,
    split: str = "validation",
    first: int = 0,
    count: int = 16,
    file: str | Path | None = None,
    device: str = "auto",
    pictures: bool = True,
    warn: Callable[[str], None] | None = None,
    step: int | None = None,
) -> tuple[tuple[str, ...], tuple[Prediction, ...]]:
    """What a run's best weights make of examples of its data, or of a file.

    Parameters
    ----------
    run
        The run's folder.
    split, first, count
        Which examples: `count` of them from number `first` on; fewer at the split's end.
    file
        A picture (made grey or coloured and resized as the network reads it, values 0 … 1, bright
        strokes on a dark ground as in the data), or an ``.npy`` array of one example or several.
    device
        As for training.
    pictures
        Whether the examples' own pictures come along.
    warn
        Gets in words that the data have changed since the run began; without it, that is a Python
        warning (:class:`~engine.problems.DataChanged`).
    step
        Take the weights of the last step up to this one that are kept, instead of the best ones.

    Returns
    -------
    tuple
        The classes' names, and a prediction per example.

    Raises
    ------
    FileProblem
        If `run` is no run, its weights or `file` cannot be read.
    NetworkProblem, DataProblem
        If its network or data are no longer there as they were, or there is no such split.
    """
    task = _open(run, device, warn, step)
    targets: Sequence[float | None]
    if file is not None:
        inputs = [_from_file(Path(file), _example_shape(task))]
        targets = [None] * len(inputs[0])
        first = 0
    else:
        if split not in task.dataset.splits:
            raise DataProblem(
                f"The data have no {split!r} split. They have {', '.join(task.dataset.splits)}."
            )
        chosen = task.dataset.splits[split]
        inputs = [tensor[first : first + count] for tensor in task.inputs(chosen)]
        targets = [_number(value) for value in chosen.targets[first : first + count].tolist()]
    with torch.inference_mode():
        told = task.model(*[tensor.to(task.device) for tensor in inputs])
    head = task.heads[0]  # of several outputs, the first is shown
    outputs = task.output(told, head).cpu()
    # Scores in the place of logits, as cross entropy takes them; other losses have no probabilities.
    probabilities = outputs.softmax(1) if head.takes == "class" and outputs.dim() == 2 else None
    predictions = tuple(
        Prediction(
            index=first + i,
            outputs=tuple(outputs[i].flatten().tolist()),
            probabilities=() if probabilities is None else tuple(probabilities[i].tolist()),
            predicted=int(outputs[i].argmax()) if head.figures == "class" and outputs.dim() == 2 else None,
            target=targets[i],
            picture=picture.tobytes(),
            picture_shape=picture.shape,
        )
        for i, picture in enumerate(
            _picture(example) if pictures else np.empty(0, np.uint8) for example in inputs[0]
        )
    )
    return task.dataset.description.class_names, predictions


def _number(target: float | list[float]) -> float | None:
    """The target of an example; None where it has several."""
    if not isinstance(target, list):
        return target
    return target[0] if len(target) == 1 else None


def _example_shape(task: Task) -> tuple[int, ...]:
    shapes = [tuple(tensor.shape[1:]) for tensor in task.inputs(task.dataset.splits["train"])]
    if len(shapes) != 1:
        raise DataProblem("A file can be given to a network of one Input only.")
    return shapes[0]


def _picture(example: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """An example as 8-bit ``[H, W]`` or ``[H, W, 3]``; empty where it is no picture."""
    if example.dim() != 3 or example.shape[0] not in (1, 3):
        return np.empty(0, np.uint8)
    values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = (
        example.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    )
    return np.ascontiguousarray(values[:, :, 0] if values.shape[2] == 1 else values)


def _from_file(path: Path, shape: tuple[int, ...]) -> Tensor:
    """The examples in `path`, ``[N, *shape]``."""
    try:
        if path.suffix == ".npy":
            return _from_array(path, npy(path), shape)
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise FileProblem(
                f"{path}: this network reads {list(shape)}, which is no picture. Give an .npy file."
            )
        with open_picture(path) as image:
            fitted = image.convert("L" if shape[0] == 1 else "RGB").resize((shape[2], shape[1]))
        pixels = torch.from_numpy(np.array(fitted, np.float32) / 255)
        return pixels.reshape(1, shape[1], shape[2], shape[0]).permute(0, 3, 1, 2).contiguous()
    except FileNotFoundError:
        raise FileProblem(f"{path}: there is no such file.") from None
    except DataProblem as problem:
        raise FileProblem(str(problem)) from problem
    except (OSError, ValueError) as problem:  # OSError: Pillow's UnidentifiedImageError too
        raise FileProblem(f"{path}: cannot be read as a picture or .npy array: {problem}.") from problem


def _from_array(path: Path, values: np.ndarray, shape: tuple[int, ...]) -> Tensor:  # type: ignore[type-arg]
    if values.shape == shape:
        values = values[None]
    if values.shape[1:] != shape or not np.issubdtype(values.dtype, np.number):
        raise FileProblem(
            f"{path}: holds {values.dtype} of shape {list(values.shape)}; the network reads numbers of shape "
            f"{list(shape)}, or several of those."
        )
    return torch.from_numpy(values.astype(np.float32))
