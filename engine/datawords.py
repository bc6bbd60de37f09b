"""A data set in words: what the Data panel shows and ``layerlab data`` prints, said once for both."""

from __future__ import annotations

from collections.abc import Sequence

from engine.dataview import DataView, Numbers, SampleView

#: Numbers of an example that are spelled out.
_NUMBERS = 8
#: Texts of a column that are spelled out.
_TEXTS = 5
#: Bars of a distribution, and their heights; a count that is not zero has one at least.
_BARS = 16
_BLOCKS = "\u00b7▁▂▃▄▅▆▇█"

SAMPLE_HEADINGS = ("Example", "What the network receives", "Target")
VARIED_HEADINGS = ("Example", "Before", "After augmentation", "Target")
COLUMN_HEADINGS = ("Column", "Role", "Empty", "What is in it")
BALANCE_HEADINGS = ("Class", "Train", "Validation", "Test")


def spelled(numbers: Numbers) -> str:
    """Range, mean and deviation."""
    return f"{numbers.lo:.4g} … {numbers.hi:.4g}, mean {numbers.mean:.4g}, deviation {numbers.std:.4g}"


def spark(numbers: Numbers) -> str:
    """How the numbers lie between the smallest and the largest, as a row of small bars."""
    if not numbers.counts:
        return ""
    wide = -(-len(numbers.counts) // _BARS)
    sums = [sum(numbers.counts[start : start + wide]) for start in range(0, len(numbers.counts), wide)]
    most = max(sums) or 1
    return "".join(_BLOCKS[-(-count * (len(_BLOCKS) - 1) // most)] for count in sums)


def size(shape: Sequence[int]) -> str:
    """``3 × 32 × 32``."""
    return " × ".join(map(str, shape))


def facts(view: DataView) -> list[tuple[str, str]]:
    """What it is, how it is parted, what the network receives, what is to be beaten: headings and words."""
    told = [("Reason", view.reason)] if view.reason else []
    told.append(("What it is", view.summary))
    counts = ", ".join(f"{count:,} {name}" for name, count in view.counts.items() if count)
    told.append(("Split", f"{counts} ({view.split})"))
    for column in view.inputs:
        name = "" if len(view.inputs) == 1 else f"{column.name}: "
        told.append(("Received", f"{name}{size(column.shape)} {column.dtype}, {spelled(column.numbers)}"))
        if column.augmented is not None:
            told.append(("Augmented", f"{name}{spelled(column.augmented)}"))
    for name, values in view.values.items():
        told.append(("To learn", f"{name}, {spelled(values)}  {spark(values)}".strip()))
    if view.baseline is not None:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in view.baseline.figures.items())
        told.append(("To be beaten", f"{view.baseline.says}: {figures}"))
    told.append(("SHA-256", view.sha256))
    return told


def remarks(view: DataView) -> list[str]:
    """What is odd, a line each."""
    return [f"{remark.severity.capitalize()}: {remark.message}" for remark in view.remarks]


def sample_rows(view: DataView) -> list[tuple[str, ...]]:
    """The shown examples, under :data:`SAMPLE_HEADINGS`, or :data:`VARIED_HEADINGS` where they are varied."""
    varied = any(is_varied(sample) for sample in view.samples)
    rows: list[tuple[str, ...]] = []
    for sample in view.samples:
        after = (_shown("", sample.varied_values, sample),) if varied else ()
        target = sample.target
        if sample.varied_target and sample.varied_target != target:
            target = f"{target} → {sample.varied_target}"
        rows.append((str(sample.index), _shown(sample.text, sample.values, sample), *after, target))
    return rows


def is_varied(sample: SampleView) -> bool:
    """Whether augmentation has made something else of an example."""
    return bool(sample.augmented or sample.varied_values or sample.varied_lines)


def _shown(text: str, values: Sequence[float], sample: SampleView) -> str:
    if text:
        return text.replace("\n", "⏎")
    if values:
        return ", ".join(f"{value:.4g}" for value in values[:_NUMBERS]) + (
            " …" if len(values) > _NUMBERS else ""
        )
    if sample.picture:
        return f"a picture of {size(sample.picture_shape)} pixels"
    return f"{len(sample.lines)} × {len(sample.lines[0])} steps" if sample.lines else ""


def column_rows(view: DataView) -> list[tuple[str, str, str, str]]:
    """A table's columns, under :data:`COLUMN_HEADINGS`."""
    rows = []
    for column in view.columns:
        if column.numbers is not None:
            inside = f"{spark(column.numbers)}  {spelled(column.numbers)}".strip()
        else:
            inside = ", ".join(f"{name} ({count:,})" for name, count in column.categories[:_TEXTS])
            inside += f", … {column.different:,} in all" if column.different > _TEXTS else ""
        rows.append((column.name, column.role, f"{column.empty:,}", inside))
    return rows
