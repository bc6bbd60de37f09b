"""A loss and an optimizer made for binarized networks."""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog.entry import Call, Entry, Loss, Optimizer, Settings
from engine.catalog.fields import Float, Nested, Option


def _real_optimizers() -> Mapping[str, Entry]:
    from engine import catalog

    return {id: entry for id, entry in catalog.OPTIMIZERS.items() if id != "Bop"}


def _bop(f: Settings) -> Call:
    entry = _real_optimizers()[f.real["type"]]
    assert isinstance(entry, Optimizer)
    real = entry.call(entry.settings(f.real.get("fields", {})))
    return Call("engine.training.optimizers.Bop", threshold=f.threshold, gamma=f.gamma, real=real)


SQUARED_HINGE = Loss(
    id="SquaredHingeLoss",
    title="Squared hinge",
    doc="Mean of max(0, 1 − t·y)², t = +1 for the right class and −1 for all others: one class against the rest. "
    "`reduction` is over the batch.",
    source="layerlab; Courbariaux et al. 2015, arXiv 1511.00363; Hubara et al. 2016, arXiv 1602.02830",
    target="class",
    fields=(
        Option(
            "reduction",
            "mean",
            options=("mean", "sum"),
            doc="How the batch's losses are joined.",
            advanced=True,
        ),
    ),
    call=lambda f: Call("engine.training.losses.SquaredHingeLoss", reduction=f.reduction),
)
BOP = Optimizer(
    id="Bop",
    title="Bop",
    doc="For binary weights without latent ones: a weight flips when the running mean of its gradient (share `gamma` of each "
    "new one) exceeds `threshold` and points along the weight. All other parameters follow the optimizer `real`.",
    source="Helwegen et al. 2019, arXiv 1906.02107; larq Bop",
    fields=(
        Float(
            "threshold",
            1e-8,
            lo=0,
            hi=1,
            log=True,
            doc="Smallest mean gradient that flips. Small runs: 1e-6.",
        ),
        Float(
            "gamma",
            1e-4,
            lo=0,
            hi=1,
            open_lo=True,
            log=True,
            doc="Share of each new gradient in the mean. Small runs: 1e-3.",
        ),
        Nested(
            "real",
            {"type": "Adam", "fields": {}},
            shelf=_real_optimizers,
            doc="The optimizer of all parameters that are not binarized.",
        ),
    ),
    call=_bop,
)
