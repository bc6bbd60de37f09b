"""The outputs of a network: what each is compared with, by which loss, and how much that counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.catalog import LOSSES, Call
from engine.compile.resolve import construct
from engine.data import Dataset, Split
from engine.network import Choice, Network
from engine.problems import NetworkProblem, did_you_mean
from engine.training.metrics import aligned

#: Settings of losses that torch wants as tensors.
_TENSORS = ("weight", "pos_weight")


@dataclass(frozen=True)
class Head:
    """One output."""

    id: str
    #: What its figures' names begin with: nothing where it is the only one.
    key: str
    loss: nn.Module
    #: What the loss takes: "class", "like", "multilabel" or "sign" (:class:`engine.catalog.Loss`).
    takes: str
    #: A column of the data, or "target".
    target: str
    #: How many classes its target has; None where it has none.
    classes: int | None
    weight: float = 1.0

    @property
    def figures(self) -> str:
        """The kind of figures that say what it is worth: "class", "multilabel" or "value"."""
        if self.classes is not None and not (self.takes == "multilabel" and self.classes <= 2):
            return "class"
        return "multilabel" if self.takes in ("multilabel", "sign") else "value"

    @property
    def counts(self) -> str:
        """The figure that the training loop counts beside the loss."""
        return "mae" if self.figures == "value" else "accuracy"

    @property
    def ignore(self) -> int | None:
        """Label that counts for nothing."""
        return getattr(self.loss, "ignore_index", None)

    @property
    def sums(self) -> bool:
        """Whether its loss is a sum over the batch, and not a mean."""
        return getattr(self.loss, "reduction", "mean") == "sum"

    @property
    def tokens(self) -> bool:
        """Whether it predicts a class at each place of a sequence, so that perplexity says something."""
        return self._dims > 1 and self.takes == "class"

    #: Dimensions of its labels, the batch included.
    _dims: int = 1

    def loss_of(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        if self._dims > 1 and self.takes == "class":
            output = aligned(output, target)
        elif output.dim() == target.dim() + 1 and output.shape[-1] == 1 and self.takes != "class":
            output = output.squeeze(-1)
        found: Tensor = self.loss(output, target)
        return found

    def labels(self, split: Split) -> Tensor:
        """The column of `split` that it is compared with, as the data have it."""
        return _whole(split, self.target)

    def prepared(self, split: Split) -> tuple[Tensor, Tensor]:
        """What the loss compares with, and what right answers are counted by."""
        label = self.labels(split)
        if self.classes is None or self.takes == "class":
            target = label if self.takes == "class" else label.float()
            return (target * 2 - 1 if self.takes == "sign" else target), label
        if self.takes == "multilabel" and self.classes == 2:
            return label.float(), label
        target = functional.one_hot(label, self.classes)
        return (target * 2 - 1 if self.takes == "sign" else target).float(), label

    def fit(self, output: Tensor, split: Split) -> None:
        """Refuse an output, of two examples, that the loss cannot compare with its target.

        Raises
        ------
        NetworkProblem
            If it does not fit.
        """
        if self.takes in ("multilabel", "sign") and self.classes is None:
            every = self.labels(split)
            if float(every.min()) < 0 or float(every.max()) > 1:
                raise NetworkProblem(
                    f"{self.id}: {type(self.loss).__name__} wants labels of 0 and 1, and the data's targets "
                    f"go from {float(every.min()):.3g} to {float(every.max()):.3g}. If they are labels, set "
                    "the data's standardise_target to false."
                )
        target, label = (tensor[:2] for tensor in self.prepared(split))
        own = list(output.shape[1:])
        if self.takes == "class":
            if self.classes is None:
                raise NetworkProblem(
                    f"{self.id}: {type(self.loss).__name__} wants class numbers, and the data's target is "
                    "values. Choose MSELoss, L1Loss or HuberLoss."
                )
            scores = aligned(output, label)
            if scores.dim() < 2 or scores.shape[1] < self.classes or scores.shape[2:] != label.shape[1:]:
                places = f" at each of {list(label.shape[1:])} places" if label.dim() > 1 else " per example"
                raise NetworkProblem(
                    f"{self.id}: the data have {self.classes} classes, so the output must be {self.classes} "
                    f"values{places}; it is {own}. End with a Linear of out_features {self.classes}."
                )
            return
        wanted = list(target.shape[1:])
        if own not in (wanted, [*wanted, 1]):
            if self.classes is not None:
                raise NetworkProblem(
                    f"{self.id}: the data have {self.classes} classes, so the output must be {self.classes} "
                    f"values per example; it is {own}. End with a Linear of out_features {self.classes}."
                )
            raise NetworkProblem(
                f"{self.id}: its target is {wanted or [1]} values per example, and the output is {own}. "
                "Let both be of one shape."
            )


def heads(network: Network, dataset: Dataset) -> list[Head]:
    """The heads of `network`, in the order of its Output nodes.

    Without ``recipe.outputs`` the one Output is compared with the data's target by ``recipe.loss``.

    Raises
    ------
    NetworkProblem
        If an output has nothing to be compared with.
    """
    outputs = [id for id, node in network.nodes.items() if node.type == "Output"]
    declared = network.recipe.options.get("outputs") or {}
    if not outputs:
        raise NetworkProblem("Training needs an Output, and this network has none. Add one.")
    if not declared:
        if len(outputs) != 1:
            raise NetworkProblem(
                f"This network has {len(outputs)} Outputs ({', '.join(outputs)}). Say in recipe.outputs what "
                "each is compared with, or remove all but one."
            )
        return [_head(outputs[0], "", network.recipe.loss, {}, dataset)]
    for id in declared:
        if id not in outputs:
            raise NetworkProblem(
                f"recipe.outputs › {id}: there is no Output of that id.{did_you_mean(id, outputs)}"
            )
    found = []
    for id in outputs:
        form = declared.get(id)
        if not isinstance(form, dict):
            raise NetworkProblem(
                f'recipe.outputs › {id}: is missing: say its target, as in {{"target": "target"}}.'
            )
        loss = form.get("loss")
        choice = network.recipe.loss
        if isinstance(loss, dict) and isinstance(loss.get("type"), str):
            choice = Choice(loss["type"], loss.get("fields", {}))
        elif loss is not None:
            choice = Choice(str(loss))
        found.append(_head(id, f"{id}." if len(outputs) > 1 else "", choice, form, dataset))
    return found


def _whole(split: Split, name: str) -> Tensor:
    """A column as one tensor; one that is kept as it is stored is read."""
    column = split.targets if name == "target" else split.inputs[name]
    return column if isinstance(column, Tensor) else column[:]


def _head(id: str, key: str, choice: Choice, form: dict[str, Any], dataset: Dataset) -> Head:
    place = f"recipe.outputs › {id}"
    entry = LOSSES.get(choice.id)
    if entry is None:
        raise NetworkProblem(
            f"{place} › loss: there is no loss {choice.id!r}.{did_you_mean(choice.id, LOSSES)}"
        )
    for field, message in entry.check(choice.fields):
        raise NetworkProblem(f"{place} › loss › {field}: {message}")
    split = dataset.splits["train"]
    target = form.get("target", "target")
    known = ["target", *split.inputs]
    if target not in known:
        raise NetworkProblem(
            f"{place} › target: the data have no column {target!r}.{did_you_mean(str(target), known)} "
            f"They have {', '.join(known)}."
        )
    weight = form.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight >= 0:
        raise NetworkProblem(f"{place} › weight: {weight!r} is not a number of at least 0.")
    classes = dataset.description.classes if target == "target" else None
    label = _whole(split, str(target))
    if label.is_floating_point():
        classes = None
    settings = entry.settings(choice.fields)
    call = entry.call(settings)
    kwargs = dict(call.kwargs)
    if getattr(settings, "balanced", False) and classes is not None:
        counts = torch.bincount(label.flatten(), minlength=classes).clamp_min(1)
        kwargs["weight"] = (counts.sum() / (classes * counts)).tolist()
    for name in _TENSORS:
        if kwargs.get(name) is not None:
            values = kwargs[name]
            if classes is not None and entry.target == "class" and len(values) != classes:
                raise NetworkProblem(
                    f"recipe.loss › {name}: has {len(values)} numbers, and the data have {classes} classes."
                )
            kwargs[name] = torch.tensor(values, dtype=torch.float32)
    loss = construct(Call(call.target, *call.args, **kwargs))
    return Head(id, key, loss, entry.target, str(target), classes, float(weight), label.dim())
