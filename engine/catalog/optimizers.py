"""How weights follow their gradients.

Left out of torch.optim: ``LBFGS`` (wants the whole training set again and again within one step),
``SparseAdam`` (sparse gradients alone, which no layer here gives) and ``Muon`` (matrices alone).
"""

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


# ---------------------------------------------------------------------------- others of Adam's family

_DECOUPLED = Bool(
    "decoupled_weight_decay",
    False,
    doc="Decay pulls on the weights themselves, as in AdamW.",
    advanced=True,
)


def _adaptive(lr: float, *more: Field) -> tuple[Field, ...]:
    """Adam's fields without amsgrad, and `more`."""
    return (_rate(lr), *_adam_fields(0.0, "L2 term added to the gradient.")[1:4], *more)


NADAM = Optimizer(
    id="NAdam",
    title="NAdam",
    doc="Adam with Nesterov's look ahead, which `momentum_decay` lets in slowly; `lr`, `betas`, `eps` and `weight_decay` as in Adam; "
    "`decoupled_weight_decay` as in AdamW.",
    source="torch.optim.NAdam; Dozat 2016",
    fields=_adaptive(
        2e-3, Float("momentum_decay", 4e-3, lo=0, hi=1, doc="How fast the look ahead comes in."), _DECOUPLED
    ),
    call=lambda f: _all("torch.optim.NAdam", f),
)
RADAM = Optimizer(
    id="RAdam",
    title="RAdam",
    doc="Adam whose first steps are held back until its running square can be trusted: a warm-up that needs no schedule; `lr`, `betas`, "
    "`eps` and `weight_decay` as in Adam, `decoupled_weight_decay` as in AdamW.",
    source="torch.optim.RAdam; Liu et al. 2019, arXiv 1908.03265",
    fields=_adaptive(1e-3, _DECOUPLED),
    call=lambda f: _all("torch.optim.RAdam", f),
)
ADAMAX = Optimizer(
    id="Adamax",
    title="Adamax",
    doc="Adam with the largest recent gradient in place of the running square; `lr`, `betas`, `eps` and `weight_decay` as in Adam.",
    source="torch.optim.Adamax; Kingma and Ba 2014, §7.1",
    fields=_adaptive(2e-3),
    call=lambda f: _all("torch.optim.Adamax", f),
)

# ---------------------------------------------------------------------------- rates per weight

_L2 = Float("weight_decay", 0.0, lo=0, hi=10, doc="L2 term added to the gradient.")


def _eps(default: float) -> Float:
    return Float("eps", default, lo=0, hi=1, log=True, doc="Added to the divisor.", advanced=True)


RMSPROP = Optimizer(
    id="RMSprop",
    title="RMSprop",
    doc="Gradient over the root of its running square (memory `alpha`, `eps` in the divisor), times `lr`; `centered` takes the running mean off "
    "first; with `momentum` and `weight_decay`.",
    source="torch.optim.RMSprop; Hinton, lecture 6e",
    fields=(
        _rate(1e-2),
        Float("alpha", 0.99, lo=0, hi=0.9999999, doc="Memory of the square."),
        _eps(1e-8),
        _L2,
        Float("momentum", 0.0, lo=0, hi=0.99999, doc="Share of the last step that is kept."),
        Bool("centered", False, doc="Divide by the variance and not by the square.", advanced=True),
    ),
    call=lambda f: _all("torch.optim.RMSprop", f),
)
ADAGRAD = Optimizer(
    id="Adagrad",
    title="Adagrad",
    doc="Gradient over the root of the sum of all its squares (which begins at `initial_accumulator_value`, `eps` in the divisor), times `lr`, "
    "which falls by `lr_decay`; with `weight_decay`.",
    source="torch.optim.Adagrad; Duchi et al. 2011",
    fields=(
        _rate(1e-2),
        Float("lr_decay", 0.0, lo=0, hi=1, doc="How the rate falls per step."),
        _L2,
        Float("initial_accumulator_value", 0.0, lo=0, hi=1e6, doc="Where the sum begins.", advanced=True),
        _eps(1e-10),
    ),
    call=lambda f: _all("torch.optim.Adagrad", f),
)
ADADELTA = Optimizer(
    id="Adadelta",
    title="Adadelta",
    doc="Steps as large as recent steps were, per unit of recent gradient (memory `rho`, `eps` under both roots), times `lr`; with "
    "`weight_decay`.",
    source="torch.optim.Adadelta; Zeiler 2012, arXiv 1212.5701",
    fields=(
        _rate(1.0),
        Float("rho", 0.9, lo=0, hi=0.9999999, doc="Memory of the squares."),
        _eps(1e-6),
        _L2,
    ),
    call=lambda f: _all("torch.optim.Adadelta", f),
)
ADAFACTOR = Optimizer(
    id="Adafactor",
    title="Adafactor",
    doc="Adam's running square kept as a row and a column per matrix: little memory. `beta2_decay` is the exponent of its memory, `d` the largest "
    "root mean square of an update; `lr` and `weight_decay` as usual.",
    source="torch.optim.Adafactor; Shazeer and Stern 2018, arXiv 1804.04235",
    fields=(
        _rate(1e-2),
        Float("beta2_decay", -0.8, lo=-10, hi=0, doc="Exponent of the square's memory.", advanced=True),
        Float("d", 1.0, lo=1, hi=1e6, doc="Where updates are clipped.", advanced=True),
        Float("weight_decay", 0.0, lo=0, hi=10, doc="Pull of weights towards zero, apart from the gradient."),
    ),
    call=lambda f: _all("torch.optim.Adafactor", f),
)

# ---------------------------------------------------------------------------- signs and averages

RPROP = Optimizer(
    id="Rprop",
    title="Rprop",
    doc="A step per weight from the gradient's sign alone, beginning at `lr`, times the second of `etas` while the sign stays, times the first when it "
    "turns, within `step_sizes`. For whole data sets as one batch.",
    source="torch.optim.Rprop; Riedmiller and Braun 1993",
    fields=(
        _rate(1e-2),
        Floats("etas", (0.5, 1.2), count=2, lo=0.001, hi=1000, doc="Factors when the sign turns and stays."),
        Floats(
            "step_sizes", (1e-6, 50.0), count=2, lo=0, hi=1e6, doc="Smallest and largest step.", advanced=True
        ),
    ),
    call=lambda f: _all("torch.optim.Rprop", f),
)
ASGD = Optimizer(
    id="ASGD",
    title="Averaged SGD",
    doc="SGD whose rate falls from `lr` (term `lambd`, power `alpha`) and which averages its weights from step `t0` on; with `weight_decay`.",
    source="torch.optim.ASGD; Polyak and Juditsky 1992",
    fields=(
        _rate(1e-2),
        Float("lambd", 1e-4, lo=0, hi=1, doc="Decay term."),
        Float("alpha", 0.75, lo=0, hi=10, doc="Power of the rate's fall."),
        Float("t0", 1e6, lo=0, hi=1e12, unit="steps", doc="Where averaging begins."),
        _L2,
    ),
    call=lambda f: _all("torch.optim.ASGD", f),
)
