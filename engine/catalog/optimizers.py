"""How weights follow their gradients."""

from __future__ import annotations

from engine.catalog.entry import Call, Optimizer, Settings
from engine.catalog.fields import Bool, Field, Float, Floats


def _rate(default: float) -> Float:
    return Float("lr", default, lo=0, hi=1000, log=True, doc="Learning rate: the size of a step.")


def _adam_fields(weight_decay: float, decay_doc: str) -> tuple[Field, ...]:
    return (
        _rate(1e-3),
        Floats(
            "betas",
            (0.9, 0.999),
            count=2,
            lo=0,
            hi=0.9999999,
            doc="Memory of the mean gradient and of its square.",
        ),
        Float("eps", 1e-8, lo=0, hi=1, log=True, doc="Added to the divisor.", advanced=True),
        Float("weight_decay", weight_decay, lo=0, hi=10, doc=decay_doc),
        Bool("amsgrad", False, doc="Never let the second moment shrink.", advanced=True),
    )


def _all(target: str, f: Settings) -> Call:
    return Call(target, **vars(f))


SGD = Optimizer(
    id="SGD",
    title="SGD",
    doc="Step against the gradient by `lr`, with optional `momentum` (damped by `dampening`, looking ahead with `nesterov`) and "
    "`weight_decay`.",
    source="torch.optim.SGD",
    fields=(
        _rate(1e-3),
        Float("momentum", 0.0, lo=0, hi=0.99999, doc="Share of the last step that is kept."),
        Float(
            "dampening", 0.0, lo=0, hi=1, doc="Reduces what the gradient adds to the momentum.", advanced=True
        ),
        Float("weight_decay", 0.0, lo=0, hi=10, doc="Pull of all weights towards zero."),
        Bool(
            "nesterov",
            False,
            doc="Look ahead along the momentum (needs momentum, no dampening).",
            advanced=True,
        ),
    ),
    call=lambda f: _all("torch.optim.SGD", f),
)
ADAM = Optimizer(
    id="Adam",
    title="Adam",
    doc="Steps of about `lr` per weight, whatever the gradient's size: momentum and a running square (`betas`), `eps` in the "
    "divisor, `weight_decay` as an L2 term, `amsgrad` for a monotone second moment.",
    source="torch.optim.Adam; Kingma and Ba 2014, arXiv 1412.6980",
    fields=_adam_fields(0.0, "L2 term added to the gradient."),
    call=lambda f: _all("torch.optim.Adam", f),
)
ADAMW = Optimizer(
    id="AdamW",
    title="AdamW",
    doc="Adam whose `weight_decay` pulls on the weights themselves and not through the gradient; `lr`, `betas`, `eps` and `amsgrad` as "
    "in Adam.",
    source="torch.optim.AdamW; Loshchilov and Hutter 2017, arXiv 1711.05101",
    fields=_adam_fields(1e-2, "Pull of weights towards zero, apart from the gradient."),
    call=lambda f: _all("torch.optim.AdamW", f),
)
