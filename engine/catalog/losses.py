"""What training makes small.

Losses of pairs and triplets (``CosineEmbeddingLoss``, ``TripletMarginLoss`` …), of alignments
(``CTCLoss``) and with a second prediction (``GaussianNLLLoss``) need examples of another form than
input and target, and are left out.
"""

from __future__ import annotations

from engine.catalog.entry import Call, Loss, Settings
from engine.catalog.fields import Bool, Field, Float, Floats, Int, Option

_REDUCTION = Option(
    "reduction",
    "mean",
    options=("mean", "sum"),
    doc="How the batch's losses are joined.",
    advanced=True,
)
_CLASS_WEIGHTS: tuple[Field, ...] = (
    Floats(
        "weight", None, lo=0, hi=1e9, optional=True, doc="How much each class counts, a number per class."
    ),
    Bool(
        "balanced",
        False,
        doc="Let classes count by how rare they are among the training examples: examples / (classes · own examples).",
    ),
)


def _all(target: str, f: Settings) -> Call:
    """Everything but `balanced`, which training turns into `weight`."""
    return Call(target, **{name: value for name, value in vars(f).items() if name != "balanced"})


# ---------------------------------------------------------------------------- classes

CROSS_ENTROPY = Loss(
    id="CrossEntropyLoss",
    title="Cross entropy",
    doc="−log of the probability given to the right class; takes raw scores (logits), softmax is built in. "
    "`label_smoothing` moves that share of the target to all classes evenly; `weight` or `balanced` weigh classes; "
    "targets equal to `ignore_index` count for nothing; `reduction` is over the batch. For sequences give scores [N, T, classes].",
    source="torch.nn.CrossEntropyLoss",
    target="class",
    fields=(
        Float("label_smoothing", 0.0, lo=0, hi=1, doc="Share of the target spread over all classes."),
        *_CLASS_WEIGHTS,
        Int("ignore_index", -100, lo=-(1 << 31), hi=1 << 31, doc="Target that is left out.", advanced=True),
        _REDUCTION,
    ),
    call=lambda f: _all("torch.nn.CrossEntropyLoss", f),
)
NLL = Loss(
    id="NLLLoss",
    title="Negative log likelihood",
    doc="−output of the right class; takes log-probabilities, as LogSoftmax gives them. `weight` or `balanced` weigh classes; targets "
    "equal to `ignore_index` count for nothing; `reduction` is over the batch.",
    source="torch.nn.NLLLoss",
    target="class",
    fields=(
        *_CLASS_WEIGHTS,
        Int("ignore_index", -100, lo=-(1 << 31), hi=1 << 31, doc="Target that is left out.", advanced=True),
        _REDUCTION,
    ),
    call=lambda f: _all("torch.nn.NLLLoss", f),
)
MULTI_MARGIN = Loss(
    id="MultiMarginLoss",
    title="Multi-class hinge",
    doc="Mean over wrong classes of max(0, `margin` − right score + wrong score)^`p`; takes raw scores. `weight` or `balanced` weigh "
    "classes; `reduction` is over the batch.",
    source="torch.nn.MultiMarginLoss",
    target="class",
    fields=(
        Option("p", "1", options=("1", "2"), doc="Power of the hinge."),
        Float("margin", 1.0, lo=0, hi=1e6, doc="By how much the right class must lead."),
        *_CLASS_WEIGHTS,
        _REDUCTION,
    ),
    call=lambda f: Call(
        "torch.nn.MultiMarginLoss", p=int(f.p), margin=f.margin, weight=f.weight, reduction=f.reduction
    ),
)

# ---------------------------------------------------------------------------- several labels at once

_POSITIVE = Floats(
    "pos_weight",
    None,
    lo=0,
    hi=1e9,
    optional=True,
    doc="How much a present label counts against an absent one, a number per label.",
)
BCE_WITH_LOGITS = Loss(
    id="BCEWithLogitsLoss",
    title="Binary cross entropy",
    doc="Cross entropy of each output on its own, present or absent; takes raw scores, the sigmoid is built in. For several labels at once, "
    "or one yes-or-no output. `pos_weight` weighs present labels; `reduction` is over the batch.",
    source="torch.nn.BCEWithLogitsLoss",
    target="multilabel",
    fields=(_POSITIVE, _REDUCTION),
    call=lambda f: _all("torch.nn.BCEWithLogitsLoss", f),
)
BCE = Loss(
    id="BCELoss",
    title="Binary cross entropy of probabilities",
    doc="As BCEWithLogitsLoss, of outputs that are probabilities already (end with Sigmoid). `reduction` is over the batch.",
    source="torch.nn.BCELoss",
    target="multilabel",
    fields=(_REDUCTION,),
    call=lambda f: _all("torch.nn.BCELoss", f),
)
MULTI_LABEL_SOFT_MARGIN = Loss(
    id="MultiLabelSoftMarginLoss",
    title="Multi-label soft margin",
    doc="Binary cross entropy averaged over an example's labels; takes raw scores. `weight` weighs labels; `reduction` is over the batch.",
    source="torch.nn.MultiLabelSoftMarginLoss",
    target="multilabel",
    fields=(_CLASS_WEIGHTS[0], _REDUCTION),
    call=lambda f: _all("torch.nn.MultiLabelSoftMarginLoss", f),
)
SOFT_MARGIN = Loss(
    id="SoftMarginLoss",
    title="Soft margin",
    doc="log(1 + exp(−target · output)) with targets +1 and −1, one against the rest. `reduction` is over the batch.",
    source="torch.nn.SoftMarginLoss",
    target="sign",
    fields=(_REDUCTION,),
    call=lambda f: _all("torch.nn.SoftMarginLoss", f),
)

# ---------------------------------------------------------------------------- values

MSE = Loss(
    id="MSELoss",
    title="Mean squared error",
    doc="Mean of (output − target)²; class targets are compared as one-hot vectors. `reduction` is over the batch.",
    source="torch.nn.MSELoss",
    target="like",
    fields=(_REDUCTION,),
    call=lambda f: _all("torch.nn.MSELoss", f),
)
L1 = Loss(
    id="L1Loss",
    title="Mean absolute error",
    doc="Mean of |output − target|: outliers pull less than in MSELoss. `reduction` is over the batch.",
    source="torch.nn.L1Loss",
    target="like",
    fields=(_REDUCTION,),
    call=lambda f: _all("torch.nn.L1Loss", f),
)
SMOOTH_L1 = Loss(
    id="SmoothL1Loss",
    title="Smooth L1",
    doc="d²/(2·`beta`) where |d| < `beta`, else |d| − `beta`/2, with d = output − target. `reduction` is over the batch.",
    source="torch.nn.SmoothL1Loss",
    target="like",
    fields=(
        Float("beta", 1.0, lo=0, hi=1e9, doc="Where the parabola ends and the line begins."),
        _REDUCTION,
    ),
    call=lambda f: _all("torch.nn.SmoothL1Loss", f),
)
HUBER = Loss(
    id="HuberLoss",
    title="Huber",
    doc="d²/2 where |d| ≤ `delta`, else `delta`·(|d| − `delta`/2), with d = output − target. `reduction` is over the batch.",
    source="torch.nn.HuberLoss",
    target="like",
    fields=(
        Float("delta", 1.0, lo=0, hi=1e9, open_lo=True, doc="Where the parabola ends and the line begins."),
        _REDUCTION,
    ),
    call=lambda f: _all("torch.nn.HuberLoss", f),
)
POISSON = Loss(
    id="PoissonNLLLoss",
    title="Poisson",
    doc="exp(output) − target·output: for counts; the output is the logarithm of the rate (with `log_input`, else the rate itself). `full` "
    "adds Stirling's term; `reduction` is over the batch.",
    source="torch.nn.PoissonNLLLoss",
    target="like",
    fields=(
        Bool("log_input", True, doc="The output is log(rate)."),
        Bool("full", False, doc="Add the Stirling approximation.", advanced=True),
        _REDUCTION,
    ),
    call=lambda f: _all("torch.nn.PoissonNLLLoss", f),
)
KL_DIVERGENCE = Loss(
    id="KLDivLoss",
    title="Kullback–Leibler divergence",
    doc="Σ target·(log target − output): the output is log-probabilities, the target a distribution (one-hot for classes; log-probabilities "
    "with `log_target`). `reduction` is over the batch.",
    source="torch.nn.KLDivLoss",
    target="like",
    fields=(
        Option(
            "reduction",
            "batchmean",
            options=("batchmean", "mean", "sum"),
            doc="Per example (the mathematical definition), per number, or the sum.",
            advanced=True,
        ),
        Bool("log_target", False, doc="Targets are logarithms.", advanced=True),
    ),
    call=lambda f: _all("torch.nn.KLDivLoss", f),
)
