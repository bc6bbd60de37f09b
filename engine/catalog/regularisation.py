"""Layers that make a network rely on no single path."""

from __future__ import annotations

from engine.catalog.entry import Call, Layer
from engine.catalog.fields import Field, Float
from engine.catalog.windows import NAMES


def _p(what: str) -> tuple[Field, ...]:
    return (Float("p", 0.5, lo=0, hi=1, doc=f"Probability that {what} is dropped."),)


DROPOUT = Layer(
    id="Dropout",
    title="Dropout",
    group="Regularisation",
    doc="While training, set each value to zero with probability `p` and scale the rest by 1/(1 − p); does nothing in "
    "evaluation.",
    source="torch.nn.Dropout; Hinton et al. 2012, arXiv 1207.0580",
    reads="any",
    gives="as its input",
    fields=_p("a value"),
    call=lambda f, x: Call("torch.nn.Dropout", p=f.p),
    keywords=("noise", "regularize"),
)


def _channel_dropout(dims: int) -> Layer:
    return Layer(
        id=f"Dropout{dims}d",
        title=f"Channel dropout {dims}-D",
        group="Regularisation",
        doc="While training, set whole channels to zero with probability `p` and scale the rest by 1/(1 − p): right "
        "where neighbouring values say the same.",
        source=f"torch.nn.Dropout{dims}d; Tompson et al. 2014, arXiv 1411.4280",
        reads=f"N C {NAMES[dims]}",
        gives="as its input",
        ranks=(dims + 2,),
        fields=_p("a channel"),
        call=lambda f, x: Call(f"torch.nn.Dropout{dims}d", p=f.p),
        keywords=("spatial", "regularize"),
    )


CHANNEL_DROPOUTS = tuple(_channel_dropout(dims) for dims in (1, 2, 3))

ALPHA_DROPOUT = Layer(
    id="AlphaDropout",
    title="Alpha dropout",
    group="Regularisation",
    doc="Dropout with probability `p` that keeps mean and spread, made for SELU networks.",
    source="torch.nn.AlphaDropout; Klambauer et al. 2017, arXiv 1706.02515",
    reads="any",
    gives="as its input",
    fields=_p("a value"),
    call=lambda f, x: Call("torch.nn.AlphaDropout", p=f.p),
    keywords=("selu", "self-normalizing"),
)
FEATURE_ALPHA_DROPOUT = Layer(
    id="FeatureAlphaDropout",
    title="Feature alpha dropout",
    group="Regularisation",
    doc="Alpha dropout of whole channels with probability `p`.",
    source="torch.nn.FeatureAlphaDropout; Klambauer et al. 2017, arXiv 1706.02515",
    reads="N C …",
    gives="as its input",
    fields=_p("a channel"),
    call=lambda f, x: Call("torch.nn.FeatureAlphaDropout", p=f.p),
    keywords=("selu", "self-normalizing"),
)
