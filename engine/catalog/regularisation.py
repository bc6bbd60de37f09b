"""Layers that make a network rely on no single path."""

from __future__ import annotations

from engine.catalog.entry import Call, Layer
from engine.catalog.fields import Float

DROPOUT = Layer(
    id="Dropout",
    title="Dropout",
    group="Regularisation",
    doc="While training, set each value to zero with probability `p` and scale the rest by 1/(1 − p); does nothing in "
    "evaluation.",
    source="torch.nn.Dropout; Hinton et al. 2012, arXiv 1207.0580",
    reads="any",
    gives="as its input",
    fields=(Float("p", 0.5, lo=0, hi=1, doc="Probability that a value is dropped."),),
    call=lambda f, x: Call("torch.nn.Dropout", p=f.p),
    keywords=("noise", "regularize"),
)
