"""Layers that sum a tensor up along dimensions."""

from __future__ import annotations

from engine.catalog import dims
from engine.catalog.entry import Apply, Layer
from engine.catalog.fields import Bool, Shape


def _reduction(id: str, title: str, function: str, what: str, keywords: tuple[str, ...]) -> Layer:
    return Layer(
        id=id,
        title=title,
        group="Reduce",
        doc=f"{what} along the dimensions `dim`, which then are gone, or 1 with `keepdim`.",
        source=function,
        reads="any",
        gives="without dim",
        fields=(
            Shape("dim", start=[-1], lo=-8, hi=7, min_dims=1, doc="Dimensions to sum up; the batch is 0."),
            Bool("keepdim", False, doc="Keep them as 1."),
        ),
        rules=(dims.exists(),),
        call=lambda f, x: Apply(function, dim=f.dim, keepdim=f.keepdim),
        keywords=keywords,
    )


MEAN = _reduction("Mean", "Mean", "torch.mean", "Mean", ("average", "global pooling"))
SUM = _reduction("Sum", "Sum", "torch.sum", "Sum", ("total",))
MAXIMUM = _reduction("Max", "Maximum", "torch.amax", "Largest value", ("amax", "global pooling"))
MINIMUM = _reduction("Min", "Minimum", "torch.amin", "Smallest value", ("amin",))
LOG_SUM_EXP = _reduction(
    "LogSumExp", "Log-sum-exp", "torch.logsumexp", "log Σ eˣ, a smooth maximum,", ("softmax",)
)
