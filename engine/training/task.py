"""A network made ready: data, model and losses on a device, and proof that they fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.analysis import analyze
from engine.compile import build
from engine.data import Column, Dataset, Split, load
from engine.network import Network
from engine.problems import NetworkProblem, did_you_mean
from engine.training import lsuv
from engine.training.heads import Head, heads
from engine.training.metrics import Gathered

#: Examples per step of an evaluation; not a matter of training's batch size.
_EVALUATION_BATCH = 512


#: Examples on which initialisations that need a batch are measured.
LOOK = 256


@dataclass(frozen=True)
class Task:
    """What it takes to train or evaluate a network."""

    network: Network
    dataset: Dataset
    model: nn.Module
    #: The network's outputs, in its order: what each is compared with.
    heads: Sequence[Head]
    device: torch.device

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
        task = cls(network, dataset, model, heads(network, dataset), device)
        task._try()
        lsuv.rescale(network, model, [tensor[:LOOK] for tensor in task.inputs(dataset.splits["train"])])
        model.to(device)
        for head in task.heads:
            head.loss.to(device)
        return task

    def _try(self) -> None:
        split = self.dataset.splits["train"]
        example = [tensor[:2] for tensor in self.inputs(split)]
        self.model.eval()
        with torch.no_grad():
            output = self.model(*example)
        self.model.train()
        for head in self.heads:
            head.fit(self.output(output, head), split)

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
            column = node.fields.get("column") or (
                next(iter(split.inputs)) if len(split.inputs) == 1 else None
            )
            if column is None or (column not in split.inputs and len(split.inputs) > 1):
                raise NetworkProblem(
                    f"{id} › column: the data have the columns {', '.join(split.inputs)}. Choose one."
                )
            tensor = split.inputs.get(column)
            if tensor is None:
                raise NetworkProblem(
                    f"{id} › column: the data have no column {column!r}.{did_you_mean(column, split.inputs)} "
                    "Leave it empty."
                )
            shape, wanted = list(tensor.shape[1:]), list(node.fields.get("shape", ()))
            if shape != wanted:
                raise NetworkProblem(
                    f"{id} › shape: the data's examples are {shape}, the Input is {wanted}. "
                    f"Set shape to {shape}."
                )
            found.append(tensor)
        return found

    def columns(self, split: Split) -> list[Tensor | Column]:
        """The model's inputs, then what each loss compares with, then what each is counted by."""
        prepared = [head.prepared(split) for head in self.heads]
        return [*self.inputs(split), *(target for target, _ in prepared), *(label for _, label in prepared)]

    def parted(self, batch: Sequence[Tensor]) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        """A batch of :meth:`columns` as inputs, targets, labels."""
        count = len(self.heads)
        return batch[: -2 * count], batch[-2 * count : -count], batch[-count:]

    def output(self, outputs: Any, head: Head) -> Tensor:
        """What the model gives for one head."""
        found: Tensor = outputs if len(self.heads) == 1 else outputs[head.id]
        return found

    def loss(self, outputs: Any, *targets: Tensor) -> Tensor:
        """The weighted sum of the heads' losses, of a batch."""
        losses = [
            head.loss_of(self.output(outputs, head), target) * head.weight
            for head, target in zip(self.heads, targets, strict=True)
        ]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    @property
    def sums(self) -> bool:
        """Whether the loss of a batch is a sum over its examples, and not their mean."""
        return all(head.sums for head in self.heads)

    def idle(self, parameters: Sequence[Tensor]) -> bool:
        """Whether no output depends on some of `parameters`: on those of a node that leads nowhere."""
        training = self.model.training
        self.model.eval()  # so that nothing moves
        inputs = [column[:2].to(self.device) for column in self.inputs(self.dataset.splits["train"])]
        outputs = self.model(*inputs)
        total = torch.stack([self.output(outputs, head).double().sum() for head in self.heads]).sum()
        found = torch.autograd.grad(total, list(parameters), allow_unused=True)
        self.model.train(training)
        return any(gradient is None for gradient in found)

    def evaluate(
        self,
        name: str,
        confusions: dict[str, Tensor] | None = None,
        between: Callable[[], None] | None = None,
    ) -> dict[str, float]:
        """Loss and figures on one split, in evaluation mode; the model is left in it.

        With several outputs, each one's figures bear its name: ``age.mae``. `confusions` takes in, by
        output ("" where there is one), which classes were taken for which, shape [classes, classes].
        `between` is called after each batch.
        """
        self.model.eval()
        columns = self.columns(self.dataset.splits[name])
        count = len(columns[0])
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        gathered = [Gathered(head.figures, head.ignore) for head in self.heads]
        with torch.inference_mode():
            for start in range(0, count, _EVALUATION_BATCH):
                batch = [
                    column[start : start + _EVALUATION_BATCH].to(self.device, non_blocking=True)
                    for column in columns
                ]
                inputs, targets, labels = self.parted(batch)
                outputs = self.model(*inputs)
                value = self.loss(outputs, *targets)
                loss += value if self.sums else value.double() * len(batch[0])
                for head, rows, label in zip(self.heads, gathered, labels, strict=True):
                    rows.add(self.output(outputs, head), label)
                if between is not None:
                    between()
        found = {"loss": float(loss) / count}
        for head, rows in zip(self.heads, gathered, strict=True):
            found |= {head.key + figure: value for figure, value in rows.figures().items()}
            counts = None if head.classes is None else rows.confusion(head.classes)
            if confusions is not None and counts is not None:
                confusions[head.key.removesuffix(".")] = counts
            if head.tokens:
                found[f"{head.key}perplexity"] = float(torch.tensor(found["loss"]).exp())
        return found
