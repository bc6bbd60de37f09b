"""A look at a data set: what it is, what the network will receive, and what is odd about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.catalog import AUGMENTATIONS, SOURCES
from engine.data import augment, splits
from engine.data.column import Column
from engine.data.dataset import Dataset, Split, load
from engine.data.description import fields, loader
from engine.data.pool import Shape
from engine.data.remarks import remarks
from engine.dataview import Baseline, ColumnView, DataView, InputView, Numbers, Remark, SampleView
from engine.network import Data
from engine.problems import DataProblem

#: Examples of which numbers are measured, evenly taken.
_MEASURED = 2000
#: Examples that are shown.
SAMPLES = 24
_BINS = 32
_CATEGORIES = 8
_LONGEST = 256
#: Columns of numbers, and of names, of a table that are looked at one by one.
_COLUMNS = 500


def view(data: Data, seed: int = 0, *, reason: str = "", samples: int = SAMPLES) -> DataView:
    """Load `data` and look at it.

    Parameters
    ----------
    data
        Source, fields, split and augmentation.
    seed
        The training seed: it chooses a random split.
    reason
        Why it was taken for this, where it was guessed.
    samples
        How many training examples are shown; classes take turns.

    Raises
    ------
    DataProblem
        If it cannot be had.
    """
    started = time.perf_counter()
    for choice in data.augment:
        entry = AUGMENTATIONS.get(choice.id)
        for field, message in [("", "is not known.")] if entry is None else entry.check(choice.fields):
            raise DataProblem(f"augment › {choice.id} {field}: {message}", "augment")
    dataset = load(data, seed)
    source = SOURCES[data.source]
    shape = loader(data).shape(fields(data))
    chosen = splits.plan(data.split, data.source, shape)
    train = dataset.splits["train"]
    indices = _shown(train, shape, samples)
    values = _values(dataset)
    balance = _balance(dataset)
    columns = _columns(data)
    inputs = tuple(_input(name, column, data, seed) for name, column in train.inputs.items())
    return DataView(
        source=data.source,
        title=source.title,
        fields=dict(data.fields),
        kind=source.kind,
        target=shape.target,
        reason=reason,
        summary=_summary(dataset, shape),
        counts=dataset.description.counts,
        split=chosen.kind,
        inputs=inputs,
        balance=balance,
        values=values,
        columns=columns,
        samples=tuple(_samples(data, dataset, shape, indices, seed)),
        baseline=_baseline(dataset),
        remarks=(
            *remarks(data, shape, chosen, dataset.description.counts, balance, values, columns, inputs),
            *_left_out(data),
        ),
        sha256=dataset.sha256,
        seconds=time.perf_counter() - started,
    )


def _summary(dataset: Dataset, shape: Shape) -> str:
    description = dataset.description
    total = sum(description.counts.values())
    inputs = ", ".join(
        f"{name + ' ' if len(description.input_shapes) > 1 else ''}{' × '.join(map(str, size))}"
        for name, size in description.input_shapes.items()
    )
    if shape.target == "class":
        learned = f"{description.classes} classes"
    elif shape.target == "token":
        learned = f"the token that follows, of {description.classes:,}"
    else:
        learned = f"the value {' and '.join(description.target_names[:4])}"
    return f"{total:,} examples of {inputs}; to learn: {learned}."


def _sampled(column: Tensor | Column) -> Tensor:
    step = max(1, len(column) // _MEASURED)
    return column[torch.arange(0, len(column), step)]


def numbers(values: Tensor) -> Numbers:
    """Figures and histogram of `values`."""
    flat = values.detach().double().flatten()
    lo, hi = float(flat.min()), float(flat.max())
    counts = torch.histc(flat, _BINS, lo, hi).long().tolist() if hi > lo else []
    return Numbers(lo, hi, float(flat.mean()), float(flat.std(correction=0)), tuple(counts))


def _input(name: str, column: Tensor | Column, data: Data, seed: int) -> InputView:
    sample = _sampled(column)
    varied = None
    if data.augment and sample.is_floating_point():
        varied = numbers(augment.preview(sample[:256], data.augment, seed, name).values)
    dtype = str(column.dtype).removeprefix("torch.")
    return InputView(name, tuple(column.shape[1:]), dtype, numbers(sample), varied)


def _balance(dataset: Dataset) -> dict[str, tuple[int, int, int]]:
    description = dataset.description
    if description.classes is None or description.target == "token":
        return {}
    counted = [
        torch.bincount(dataset.splits[part].targets, minlength=description.classes).tolist()
        if part in dataset.splits
        else [0] * description.classes
        for part in ("train", "validation", "test")
    ]
    return {name: (a, b, c) for name, a, b, c in zip(description.class_names, *counted, strict=True)}


def _values(dataset: Dataset) -> dict[str, Numbers]:
    if dataset.description.target != "value":
        return {}
    own = _own_units(dataset, dataset.splits["train"].targets)
    return {name: numbers(own[:, i]) for i, name in enumerate(dataset.description.target_names)}


def _own_units(dataset: Dataset, targets: Tensor) -> Tensor:
    if dataset.target_scale is None:
        return targets
    mean, deviation = (torch.tensor(figures) for figures in dataset.target_scale)
    return targets * deviation + mean


def _baseline(dataset: Dataset) -> Baseline | None:
    """The best constant answer, learned on the training and measured on the validation examples."""
    train, held = dataset.splits["train"].targets, dataset.splits.get("validation")
    if held is None:
        return None
    names = dataset.description.class_names
    if dataset.description.classes is not None:
        commonest = int(torch.bincount(train.flatten(), minlength=len(names)).argmax())
        accuracy = float((held.targets == commonest).double().mean())
        return Baseline(f"always {names[commonest]!r}", {"accuracy": accuracy})
    error = held.targets.double() - train.double().mean(0)
    figures = {"mae": float(error.abs().mean()), "mse": float(error.square().mean())}
    says = "always the training examples' mean"
    if dataset.target_scale is not None:  # as training measures them
        says += ", in standard deviations of the target"
    return Baseline(says, figures)


def _columns(data: Data) -> tuple[ColumnView, ...]:
    if data.source not in ("csv", "parquet"):
        return ()
    from engine.data.tables import table

    found = table(data.source, fields(data))
    views = []
    for name, values in islice(found.numbers.items(), _COLUMNS):
        known = values[~np.isnan(values)]
        figures = numbers(torch.from_numpy(known))
        views.append(ColumnView(name, "feature", "number", int(len(values) - len(known)), figures))
    for name, (names, places) in islice(found.categories.items(), _COLUMNS):
        views.append(_category(name, "feature", names, places))
    if found.target == "class":
        views.append(_category(found.target_columns[0], "target", found.class_names, found.targets))
    else:
        for number, name in enumerate(found.target_columns):
            figures = numbers(torch.from_numpy(found.targets[:, number]))
            views.append(ColumnView(name, "target", "number", 0, figures))
    return tuple(views)


def _left_out(data: Data) -> Iterator[Remark]:
    """Rows of a table that have been dropped are never dropped in silence."""
    if data.source not in ("csv", "parquet"):
        return
    from engine.data.tables import table

    count = table(data.source, fields(data)).left_out
    if count:
        where = "a cell" if fields(data)["missing"] == "drop" else "what is to be learned"
        rows = "1 row is" if count == 1 else f"{count:,} rows are"
        yield Remark("hint", f"{rows} left out: {where} is empty there.")


def _category(name: str, role: str, names: tuple[str, ...], places: Any) -> ColumnView:
    from engine.data.tables import EMPTY

    counts = np.bincount(places, minlength=len(names))
    commonest = [(names[i], int(counts[i])) for i in np.argsort(-counts, kind="stable")[:_CATEGORIES]]
    empty = int(counts[names.index(EMPTY)]) if EMPTY in names else 0
    return ColumnView(name, role, "category", empty, None, tuple(commonest), len(names))


# ---------------------------------------------------------------------------- samples


def _shown(split: Split, shape: Shape, count: int) -> list[int]:
    """The numbers of training examples to show: classes take turns, else evenly taken."""
    total = len(split)
    if shape.target != "class":
        return list(dict.fromkeys(int(i) for i in np.linspace(0, total - 1, min(count, total))))
    order: list[int] = []
    by_class = [torch.nonzero(split.targets == n).flatten()[:count].tolist() for n in split.targets.unique()]
    for turn in range(count):
        order += [members[turn] for members in by_class if turn < len(members)]
    return order[:count]


def _samples(data: Data, dataset: Dataset, shape: Shape, indices: list[int], seed: int) -> list[SampleView]:
    split = dataset.splits["train"]
    first = next(iter(split.inputs.values()))
    rows = first[torch.tensor(indices)]
    varied = augment.preview(rows, data.augment, seed, "samples") if data.augment else None
    own = _own_units(dataset, split.targets) if shape.target == "value" else split.targets
    targets = [_target(own[index], shape) for index in indices]
    shows = _shows(data, shape, rows)
    found = []
    for at, index in enumerate(indices):
        shown = shows(rows[at])
        if varied is not None and "text" not in shown:
            after = shows(varied.values[at])
            if "picture" in after:
                shown["augmented"] = after["picture"]
            else:
                shown |= {f"varied_{name}": value for name, value in after.items()}
        if varied is not None and varied.partner is not None and varied.share is not None:
            other = int(varied.partner[at])
            shown["varied_target"] = _blend(
                own[indices[at]],
                own[indices[other]],
                float(varied.share[at]),
                targets[at],
                targets[other],
                shape,
            )
        found.append(SampleView(index, targets[at], **shown))
    return found


def _shows(data: Data, shape: Shape, rows: Tensor) -> Callable[[Tensor], dict[str, Any]]:
    """How an example is shown: as a picture, as text, as lines or as numbers."""
    kind = SOURCES[data.source].kind
    joined = "" if data.fields.get("level", "character") == "character" else " "
    lo, hi = float(rows.min()), float(rows.max())

    def show(example: Tensor) -> dict[str, Any]:
        if kind == "text":
            return {"text": joined.join(shape.class_names[i] for i in example[:_LONGEST].tolist())}
        if kind == "series":
            lines = example if data.fields.get("layout") == "channels first" else example.T
            return {"lines": tuple(tuple(line[:_LONGEST].tolist()) for line in lines[:4])}
        if example.dim() >= 3 and example.shape[0] in (1, 3):
            picture = _picture(example, lo, hi)
            return {"picture": picture.tobytes(), "picture_shape": picture.shape}
        return {"values": tuple(example.flatten()[:64].tolist())}

    return show


def _blend(value: Tensor, other: Tensor, share: float, name: str, other_name: str, shape: Shape) -> str:
    """What mixup makes of a target."""
    if shape.target == "value":
        return _target(torch.lerp(other, value, share), shape)
    if name == other_name:
        return name
    return f"{100 * share:.0f} % of {name}, {100 - 100 * share:.0f} % of {other_name}"


def _target(value: Tensor, shape: Shape) -> str:
    if shape.target == "value":
        return ", ".join(f"{number:.4g}" for number in value.flatten()[:4].tolist())
    names = [shape.class_names[number] for number in value.flatten()[-1:].tolist()]
    return repr(names[0]) if shape.target == "token" else names[0]


def _picture(example: Tensor, lo: float, hi: float) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """8-bit ``[H, W]`` or ``[H, W, 3]``; where values are not in 0 … 1, lo … hi is spread over the range."""
    while example.dim() > 3:  # a video: its middle frame
        example = example[:, example.shape[1] // 2]
    if lo < 0 or hi > 1:
        example = (example - lo) / max(hi - lo, 1e-12)
    pixels = example.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def as_form(found: DataView) -> Mapping[str, Any]:
    """What ``layerlab data --json`` prints: all but the pictures."""
    import msgspec

    form: dict[str, Any] = msgspec.to_builtins(found)
    for sample in form["samples"]:
        for key in ("picture", "augmented"):
            sample.pop(key)
    return form
