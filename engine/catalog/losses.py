"""What training makes small."""

from __future__ import annotations

from engine.catalog.entry import Call, Loss
from engine.catalog.fields import Float, Option

_REDUCTION = ("mean", "sum")

CROSS_ENTROPY = Loss(
    id="CrossEntropyLoss",
    title="Cross entropy",
    doc="−log of the probability given to the right class; takes raw scores (logits), softmax is built in. "
    "`label_smoothing` moves that share of the target to all classes evenly; `reduction` is over the batch.",
    source="torch.nn.CrossEntropyLoss",
    target="class",
    fields=(
        Float("label_smoothing", 0.0, lo=0, hi=1, doc="Share of the target spread over all classes."),
        Option(
            "reduction", "mean", options=_REDUCTION, doc="How the batch's losses are joined.", advanced=True
        ),
    ),
    call=lambda f: Call(
        "torch.nn.CrossEntropyLoss", label_smoothing=f.label_smoothing, reduction=f.reduction
    ),
)
MSE = Loss(
    id="MSELoss",
    title="Mean squared error",
    doc="Mean of (output − target)²; class targets are compared as one-hot vectors. `reduction` is over the batch.",
    source="torch.nn.MSELoss",
    target="like",
    fields=(
        Option(
            "reduction", "mean", options=_REDUCTION, doc="How the batch's losses are joined.", advanced=True
        ),
    ),
    call=lambda f: Call("torch.nn.MSELoss", reduction=f.reduction),
)
