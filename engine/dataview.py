"""What a data set looks like: plain values that host, window and command line share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Numbers(msgspec.Struct, frozen=True):
    """Figures of many numbers."""

    lo: float
    hi: float
    mean: float
    std: float
    #: Counts over equal bins from lo to hi.
    counts: tuple[int, ...] = ()


class InputView(msgspec.Struct, frozen=True):
    """One column as the network receives it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    #: Measured on (a sample of) the training examples.
    numbers: Numbers
    #: Likewise after augmentation; None where there is none.
    augmented: Numbers | None = None


class ColumnView(msgspec.Struct, frozen=True):
    """One column of a table as the file has it."""

    name: str
    #: "target", "feature" or "ignored".
    role: str
    #: "number" or "category".
    kind: str
    empty: int = 0
    numbers: Numbers | None = None
    #: The commonest categories with their counts.
    categories: tuple[tuple[str, int], ...] = ()
    #: How many categories there are.
    different: int = 0


class SampleView(msgspec.Struct, frozen=True):
    """One training example."""

    index: int
    #: Its target in words.
    target: str
    #: 8-bit ``[H, W]`` or ``[H, W, 3]``, for pictures (of a video: its middle frame).
    picture: bytes = b""
    picture_shape: tuple[int, ...] = ()
    #: The same after augmentation.
    augmented: bytes = b""
    #: Likewise its numbers or its lines, and its target in words where mixup has blended it.
    varied_values: tuple[float, ...] = ()
    varied_lines: tuple[tuple[float, ...], ...] = ()
    varied_target: str = ""
    #: A text as it was.
    text: str = ""
    #: The numbers of a table's row or of a point.
    values: tuple[float, ...] = ()
    #: A series: for each of the first columns its steps.
    lines: tuple[tuple[float, ...], ...] = ()


class Baseline(msgspec.Struct, frozen=True):
    """What can be had without looking at the inputs: the best constant answer, on the validation examples."""

    #: "always 'cat'", "always the mean".
    says: str
    #: Figures by the names that training gives them: accuracy, or mae and mse.
    figures: Mapping[str, float]


class Remark(msgspec.Struct, frozen=True):
    """Something worth knowing before training."""

    #: "warning" or "hint".
    severity: str
    message: str


class Offer(msgspec.Struct, frozen=True):
    """What could be fetched, if the user says so."""

    title: str
    files: int
    #: Bytes in all.
    size: int
    #: From where, and into which folder.
    address: str
    folder: str


class DataView(msgspec.Struct, frozen=True):
    """A data set, looked at."""

    source: str
    title: str
    #: The fields of the source that were set.
    fields: Mapping[str, Any]
    #: "image", "table", "text", "series", "array" or "points".
    kind: str
    #: "class", "value" or "token".
    target: str
    #: Why it was taken for this, where it was guessed.
    reason: str
    #: What it is, in a sentence.
    summary: str
    #: "train", "validation", "test" -> examples.
    counts: Mapping[str, int]
    split: str
    inputs: tuple[InputView, ...]
    #: Class -> examples of "train", "validation" and "test".
    balance: Mapping[str, tuple[int, int, int]]
    #: Of values to learn: name -> figures of the training examples, in the file's own units.
    values: Mapping[str, Numbers]
    columns: tuple[ColumnView, ...]
    samples: tuple[SampleView, ...]
    baseline: Baseline | None
    remarks: tuple[Remark, ...]
    sha256: str
    seconds: float
