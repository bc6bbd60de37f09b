"""One estimator on one real batch: what it gets, what it lets pass, and what a plain sign would.

A sign's own derivative is 0 wherever it has one. Here that is measured and not said: autograd's own
derivative of ``torch.sign`` is taken in the place of every estimator, in the same network on the same batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.host.protocol import Distribution, EstimatorSeen, LookAtEstimator
from engine.network import Network
from engine.problems import NetworkProblem
from engine.training import racing
from engine.training.lab_binary import Bench
from engine.training.responses import model_of
from engine.training.task import LOOK, Task


class PlainSign(nn.Module):
    """+1 where x ≥ 0 and −1 elsewhere, with the derivative that it has: 0."""

    def __init__(self) -> None:
        super().__init__()
        #: What arrived last, with its gradient to come.
        self.arrived: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Take the sign."""
        if x.requires_grad:
            x = x.view_as(x)
            x.retain_grad()
            self.arrived.append(x)
        return torch.sign(x) + (x == 0)


def look(request: LookAtEstimator, network: Network) -> EstimatorSeen:
    """What the estimator at `request.node` and `request.place` does on one batch of the recipe's size.

    Raises
    ------
    NetworkProblem
        If the network has errors, or there is no estimator.
    DataProblem, FileProblem
        If the data, or the run's weights, cannot be had.
    """
    drawn = network.at(request.node)
    if drawn is None or request.place not in drawn.binarize:
        raise NetworkProblem(f"{request.node} has no estimator on its {request.place}.")
    task = Task.of(network, torch.device("cpu"))
    model, note = model_of(network, request.run)
    bench = Bench(network, task, model, trained=request.run is not None)  # type: ignore[arg-type]
    batch = racing.first_batch(task, max(2, min(LOOK, network.recipe.batch_size)))
    path = f"{request.node}__{request.place}"
    felt = bench.gradients(batch)[path]
    if not felt:
        raise NetworkProblem(f"No output depends on {request.node}: its estimator gets no gradient.")
    came = sum(float(one.gradient.abs().sum()) for one in felt)
    stopped = sum(float(one.gradient.abs()[one.passed == 0].sum()) for one in felt)
    learning = bench.learning(batch)
    with bench.replaced({site.path: PlainSign() for site in bench.sites}):
        plain = bench.learning(batch)
        sign = bench.model.get_submodule(path)
        assert isinstance(sign, PlainSign)
        got = [x.grad for x in sign.arrived if x.grad is not None]
    return EstimatorSeen(
        request=request.request,
        node=request.node,
        place=request.place,
        note=note,
        examples=len(batch[0]),
        values=_distribution(torch.cat([one.x.flatten() for one in felt])),
        masked=stopped / came if came else None,
        gradient=_norm([one.passed for one in felt]),
        plain_gradient=_norm(got),
        learning=learning,
        plain_learning=plain,
        matrices=sum(part.tensor.dim() > 1 for part in bench.parts),
    )


def _norm(tensors: Sequence[Tensor]) -> float:
    """The Euclidean norm of all together."""
    return float(torch.stack([t.double().norm() for t in tensors]).norm()) if tensors else 0.0


def _distribution(values: Tensor) -> Distribution:
    """All of the values, as exactly as a histogram of 64 bins can be."""
    finite = values[values.isfinite()].double()
    if not len(finite):
        raise NetworkProblem(
            "What arrives there is no number. Look at the initialisation and the data's scale."
        )
    lo, hi = float(finite.min()), float(finite.max())
    counts = torch.histc(finite, 64, lo, hi) if hi > lo else torch.zeros(64)
    return Distribution(
        lo,
        hi,
        tuple(int(count) for count in counts),
        float(finite.mean()),
        float(finite.std(correction=0)),
        float(finite.norm()),
        float((finite == 0).double().mean()),
        len(values) - len(finite),
    )
