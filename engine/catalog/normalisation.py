"""Layers that bring activations to a common mean and spread."""

from __future__ import annotations

from engine.catalog.entry import Call, Layer, Settings
from engine.catalog.fields import Bool, Field, Float

_BATCH_NORM_FIELDS: tuple[Field, ...] = (
    Float(
        "eps",
        1e-5,
        lo=0,
        hi=1,
        open_lo=True,
        log=True,
        doc="Added to the variance, so that nothing divides by zero.",
        advanced=True,
    ),
    Float(
        "momentum",
        0.1,
        lo=0,
        hi=1,
        optional=True,
        doc="Share of the newest batch in the running mean; empty: the plain mean of all batches.",
        advanced=True,
    ),
    Bool("affine", True, doc="Learn a scale and a shift per channel."),
    Bool("track_running_stats", True, doc="Keep running means for evaluation.", advanced=True),
)
_BATCH_NORM_DOC = (
    "Subtract each channel's mean over the batch and divide by its spread, then apply a learned scale and shift "
    "(`affine`). While training, `track_running_stats` keeps means with `momentum` for evaluation; `eps` guards the division."
)


def _options(f: Settings) -> dict[str, object]:
    return {
        "eps": f.eps,
        "momentum": f.momentum,
        "affine": f.affine,
        "track_running_stats": f.track_running_stats,
    }


BATCH_NORM_1D = Layer(
    id="BatchNorm1d",
    title="Batch normalisation 1-D",
    group="Normalisation",
    doc=_BATCH_NORM_DOC,
    source="torch.nn.BatchNorm1d; Ioffe and Szegedy 2015, arXiv 1502.03167",
    reads="N C or N C L",
    gives="as its input",
    ranks=(2, 3),
    fields=_BATCH_NORM_FIELDS,
    parameters=("weight", "bias"),
    call=lambda f, x: Call("torch.nn.BatchNorm1d", x.channels, **_options(f)),
    keywords=("bn", "normalize"),
)

BATCH_NORM_2D = Layer(
    id="BatchNorm2d",
    title="Batch normalisation 2-D",
    group="Normalisation",
    doc=_BATCH_NORM_DOC,
    source="torch.nn.BatchNorm2d; Ioffe and Szegedy 2015, arXiv 1502.03167",
    reads="N C H W",
    gives="as its input",
    ranks=(4,),
    fields=_BATCH_NORM_FIELDS,
    parameters=("weight", "bias"),
    call=lambda f, x: Call("torch.nn.BatchNorm2d", x.channels, **_options(f)),
    keywords=("bn", "normalize"),
)
