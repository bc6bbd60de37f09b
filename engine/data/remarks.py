"""What is odd about a data set, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.data.csv_style import is_number
from engine.data.pool import Shape
from engine.data.splits import Plan
from engine.dataview import ColumnView, InputView, Numbers, Remark
from engine.network import Data

#: The smallest class may have this share of the largest before it is said.
_BALANCE = 0.2
_FEW = 10
_LARGE = 20.0
#: Texts that name the parts of a data set.
_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "holdout"}


def remarks(
    data: Data,
    shape: Shape,
    chosen: Plan,
    counts: Mapping[str, int],
    balance: Mapping[str, tuple[int, int, int]],
    values: Mapping[str, Numbers],
    columns: Sequence[ColumnView],
    inputs: Sequence[InputView],
) -> Iterator[Remark]:
    """What is worth knowing before training, worst first."""
    if not counts["validation"]:
        yield Remark(
            "warning", "Nothing validates, so nothing tells learning from memorising. Raise validation."
        )
    yield from _of_classes(balance)
    if data.source == "csv":
        yield from _of_header(columns)
    yield from _of_columns(columns)
    for name, figures in values.items():
        if figures.std == 0:
            yield Remark("warning", f"{name} has the one value {figures.mean:g}: there is nothing to learn.")
        elif (
            data.fields.get("standardise_target") is False and max(abs(figures.lo), abs(figures.hi)) > _LARGE
        ):
            yield Remark(
                "hint",
                f"{name} runs from {figures.lo:g} to {figures.hi:g}. With standardise_target it is learned "
                "faster.",
            )
    for view in inputs:
        figures = view.numbers
        if view.dtype != "int64" and max(abs(figures.lo), abs(figures.hi)) > _LARGE and figures.std > 1:
            yield Remark(
                "hint",
                f"The network receives numbers from {figures.lo:.4g} to {figures.hi:.4g}. It learns faster "
                "from "
                "numbers about −1 … 1: standardise or scale them.",
            )
        if figures.lo == figures.hi:
            yield Remark("warning", f"All that the network receives is {figures.lo:g}. Look at the files.")
    if shape.overlap and chosen.kind in ("random", "stratified"):
        yield Remark(
            "warning",
            "Windows overlap, and a random split puts neighbours into training and validation: what is "
            "measured is "
            "too good. Split by time, or let stride be as long as a window.",
        )


def _of_classes(balance: Mapping[str, tuple[int, int, int]]) -> Iterator[Remark]:
    if not balance:
        return
    absent = [name for name, (train, _, _) in balance.items() if not train]
    if absent:
        shown = ", ".join(repr(name) for name in absent[:5]) + (" …" if len(absent) > 5 else "")
        yield Remark("warning", f"No training example is of class {shown}: it cannot be learned.")
    present = {name: train for name, (train, _, _) in balance.items() if train}
    rarest, commonest = min(present, key=lambda n: present[n]), max(present, key=lambda n: present[n])
    if present[rarest] < _BALANCE * present[commonest]:
        share = present[commonest] / sum(present.values())
        yield Remark(
            "warning",
            f"Classes are uneven: {commonest!r} has {present[commonest]:,} training examples, {rarest!r} "
            f"{present[rarest]:,}. Always saying {commonest!r} is right {share:.0%} of the time.",
        )
    elif present[rarest] < _FEW:
        yield Remark("warning", f"Class {rarest!r} has {present[rarest]:,} training examples only.")


def _of_header(columns: Sequence[ColumnView]) -> Iterator[Remark]:
    """A number that is measured, rather than counted as years are, names no column as a rule."""
    numbers = [column.name for column in columns if is_number(column.name) and not column.name.isdecimal()]
    if numbers:
        yield Remark(
            "hint",
            f"Columns are called by numbers, such as {numbers[0]}. If the first line is an example, set "
            "header to false.",
        )


def _of_columns(columns: Sequence[ColumnView]) -> Iterator[Remark]:
    for column in columns:
        if column.role == "target":
            continue
        if column.numbers is not None and column.numbers.std == 0:
            yield Remark(
                "warning",
                f"Column {column.name!r} is always {column.numbers.mean:g}: it tells nothing. Ignore it.",
            )
        if column.categories and {name.lower() for name, _ in column.categories} <= _PARTS:
            yield Remark(
                "warning",
                f"Column {column.name!r} says which part an example belongs to, and is read as something to "
                "learn from. List it in ignore; the recipe's split parts the examples.",
            )
        if column.different > 50:
            yield Remark(
                "hint",
                f"Column {column.name!r} becomes {column.different} inputs, one for each of its texts. "
                "Ignore it unless they mean something.",
            )
        if column.empty:
            yield Remark(
                "hint", f"Column {column.name!r} has {column.empty:,} empty cells, which are filled."
            )
