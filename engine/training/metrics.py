"""What a network is worth on a split, in the figures of its field.

Computed by scikit-learn, which the project has anyway and which the field checks against; the
training loop itself only counts right answers, which costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

#: Figures of which more is better; of all others less is.
LARGER_IS_BETTER = frozenset({"accuracy", "top5", "f1", "r2"})
#: What is measured of each kind of output, beside the loss.
FIGURES = {"class": ("accuracy", "top5", "f1"), "multilabel": ("accuracy", "f1"), "value": ("mae", "r2")}
#: How many classes there must be for five guesses to say something.
_TOP = 5
#: More classes than this make a confusion matrix that nobody reads.
MOST_CLASSES = 64


def aligned(output: Tensor, target: Tensor) -> Tensor:
    """Scores with the classes in dimension 1, where torch's losses look for them.

    A layer applied to each place of a sequence gives ``[N, T, classes]`` for targets ``[N, T]``.
    """
    if target.dim() > 1 and output.dim() == target.dim() + 1 and output.shape[1:-1] == target.shape[1:]:
        return output.movedim(-1, 1)
    return output


class Gathered:
    """Outputs and labels of a split, kept as small as the figures allow.

    Parameters
    ----------
    kind
        "class", "multilabel" or "value".
    ignore
        Label that counts for nothing.
    """

    def __init__(self, kind: str, ignore: int | None = None) -> None:
        self._kind, self._ignore = kind, ignore
        self._rows: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def add(self, output: Tensor, label: Tensor) -> None:
        """Keep what the figures need of one batch."""
        if self._kind == "class":
            scores = aligned(output, label)
            in_top = None
            if scores.shape[1] > _TOP:
                in_top = scores.topk(_TOP, 1).indices.eq(label.unsqueeze(1)).any(1).flatten()
            self._rows.append((scores.argmax(1).flatten(), label.flatten(), in_top))
        elif self._kind == "multilabel":
            self._rows.append((output > 0, label > 0.5, None))
        else:
            self._rows.append((output.flatten(1).float(), label.reshape(len(label), -1).float(), None))

    def confusion(self, classes: int) -> Tensor | None:
        """Examples by class (row) and answer (column); None without classes, or with too many to see."""
        if self._kind != "class" or classes > MOST_CLASSES:
            return None
        answers, labels = (torch.cat([row[i] for row in self._rows]).long().cpu() for i in (0, 1))  # type: ignore[misc]
        told = (labels >= 0) & (labels < classes) & (answers < classes)
        if self._ignore is not None:
            told &= labels != self._ignore
        counts = torch.bincount(labels[told] * classes + answers[told], minlength=classes * classes)
        return counts.reshape(classes, classes)

    def figures(self) -> dict[str, float]:
        """Accuracy, top-5 and macro F1 for classes; the latter for labels; MAE and R² for values."""
        predicted, label = (torch.cat([row[i] for row in self._rows]) for i in (0, 1))  # type: ignore[misc]
        if self._kind == "value":
            return _values(predicted, label)
        found: dict[str, float] = {}
        if self._kind == "class":
            counted = (
                torch.ones_like(label, dtype=torch.bool) if self._ignore is None else label != self._ignore
            )
            total = max(1, int(counted.sum()))
            found["accuracy"] = int((predicted.eq(label) & counted).sum()) / total
            tops = [row[2] for row in self._rows if row[2] is not None]
            if tops:
                found["top5"] = int((torch.cat(tops) & counted).sum()) / total
            predicted, label = predicted[counted], label[counted]
        else:
            found["accuracy"] = float(predicted.eq(label).double().mean())
        found["f1"] = _f1(predicted, label)
        return found


def _f1(predicted: Tensor, label: Tensor) -> float:
    from sklearn.metrics import f1_score

    if not len(label):
        return 0.0
    return float(f1_score(label.cpu().numpy(), predicted.cpu().numpy(), average="macro", zero_division=0))


def _values(predicted: Tensor, target: Tensor) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, r2_score

    if not bool(predicted.isfinite().all()):
        return {"mae": math.inf}
    known, told = target.double().cpu().numpy(), predicted.double().cpu().numpy()
    found = {"mae": float(mean_absolute_error(known, told))}
    if len(known) > 1:
        found["r2"] = float(r2_score(known, told))
    return found


def monitored(monitor: str, figures: Mapping[str, Any]) -> str:
    """The name of the figure that decides what is best."""
    if monitor != "auto" and monitor in figures:
        return monitor
    return "accuracy" if monitor == "auto" and "accuracy" in figures else "loss"


def better(
    new: Mapping[str, Any], old: Mapping[str, Any] | None, monitor: str = "auto", min_delta: float = 0.0
) -> bool:
    """Whether validation figures `new` beat `old` by more than `min_delta`; in a draw the loss decides."""
    if old is None:
        return True
    name = monitored(monitor, new)
    sign = 1 if name in LARGER_IS_BETTER else -1
    lead = sign * (new[name] - old[name])
    if lead == 0 and name != "loss" and min_delta == 0:
        return bool(new["loss"] < old["loss"])
    return bool(lead > min_delta)
