"""A network made ready: data, model and loss on a device, and proof that they fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.analysis import analyze
from engine.catalog import LOSSES
from engine.compile import build
from engine.compile.resolve import construct
from engine.data import Column, Dataset, Split, load
from engine.network import Network
from engine.problems import NetworkProblem

#: Examples per step of an evaluation; not a matter of training's batch size.
_EVALUATION_BATCH = 512


@dataclass(frozen=True)
class Task:
    """What it takes to train or evaluate a network."""

    network: Network
    dataset: Dataset
    model: nn.Module
    loss: nn.Module
    device: torch.device
    #: Whether class numbers become one-hot vectors for the loss.
    one_hot: bool

    @classmethod
    def of(cls, network: Network, device: torch.device) -> Task:
        """Load the data, build the model, and try both on two examples.

        Raises
        ------
        NetworkProblem
            If the network has errors, or does not fit its data.
        DataProblem
            If the data cannot be had.
        """
        recipe = network.recipe
        # What is wrong with the data, loading them says.
        errors = [str(problem) for problem in analyze(network).errors if problem.code != "data"]
        if errors:
            raise NetworkProblem("\n".join(errors))
        model = build(network, seed=recipe.seed)
        dataset = load(recipe.data, recipe.seed)
        if "train" not in dataset.splits:
            raise NetworkProblem("The split leaves no examples to train on. Lower validation or test.")
        entry = LOSSES[recipe.loss.id]
        loss = construct(entry.call(entry.settings(recipe.loss.fields)))
        task = cls(network, dataset, model, loss, device, one_hot=entry.target == "like")
        task._try()
        model.to(device)
        loss.to(device)
        return task

    def _try(self) -> None:
        split = self.dataset.splits["train"]
        outputs = {id: node for id, node in self.network.nodes.items() if node.type == "Output"}
        if len(outputs) != 1:
            raise NetworkProblem(
                f"Training needs exactly one Output, and this network has {len(outputs)}. "
                f"{'Remove all but one.' if outputs else 'Add one.'}"
            )
        (out,) = outputs
        example = [tensor[:2] for tensor in self.inputs(split)]
        self.model.eval()
        with torch.no_grad():
            output = self.model(*example)
        self.model.train()
        classes = self.dataset.description.classes
        fits = output.dim() == 2 and (
            output.shape[1] == classes if self.one_hot else output.shape[1] >= classes
        )
        if not fits:
            raise NetworkProblem(
                f"{out}: the data have {classes} classes, so the output must be {classes} values "
                f"per example; it is {list(output.shape[1:])}. End with a Linear of out_features {classes}."
            )

    def inputs(self, split: Split) -> list[Tensor | Column]:
        """The tensors of `split` that the model takes, in its order.

        Raises
        ------
        NetworkProblem
            If an Input asks for a column that the data do not have, or for another shape.
        """
        found: list[Tensor | Column] = []
        for id, node in self.network.nodes.items():
            if node.type != "Input":
                continue
            column = node.fields.get("column") or ("input" if len(split.inputs) == 1 else None)
            if column is None or (column not in split.inputs and len(split.inputs) > 1):
                raise NetworkProblem(
                    f"{id} › column: the data have the columns {', '.join(split.inputs)}. Choose one."
                )
            tensor = split.inputs.get(column)
            if tensor is None:
                raise NetworkProblem(f"{id} › column: the data have no column {column!r}. Leave it empty.")
            shape, wanted = list(tensor.shape[1:]), list(node.fields.get("shape", ()))
            if shape != wanted:
                raise NetworkProblem(
                    f"{id} › shape: the data's examples are {shape}, the Input is {wanted}. "
                    f"Set shape to {shape}."
                )
            found.append(tensor)
        return found

    def columns(self, split: Split) -> list[Tensor | Column]:
        """The model's inputs, then what the loss compares with, then the class numbers."""
        target = split.targets
        if self.one_hot:
            target = functional.one_hot(target, self.dataset.description.classes or -1).float()
        return [*self.inputs(split), target, split.targets]

    @property
    def sums(self) -> bool:
        """Whether the loss of a batch is a sum over its examples, and not their mean."""
        return getattr(self.loss, "reduction", "mean") == "sum"

    def evaluate(self, name: str) -> dict[str, float]:
        """Loss and accuracy on one split, in evaluation mode; the model is left in it."""
        self.model.eval()
        columns = self.columns(self.dataset.splits[name])
        count = len(columns[0])
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        hits = torch.zeros((), dtype=torch.int64, device=self.device)
        with torch.inference_mode():
            for start in range(0, count, _EVALUATION_BATCH):
                *inputs, target, label = [
                    column[start : start + _EVALUATION_BATCH].to(self.device, non_blocking=True)
                    for column in columns
                ]
                output = self.model(*inputs)
                value = self.loss(output, target)
                loss += value if self.sums else value.double() * len(label)
                hits += (output.argmax(1) == label).sum()
        return {"loss": float(loss) / count, "accuracy": int(hits) / count}


def better(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    """Whether validation figures `new` beat `old`: by accuracy where there is one, then by loss."""
    if old is None:
        return True
    return (new.get("accuracy", 0.0), -new["loss"]) > (old.get("accuracy", 0.0), -old["loss"])
