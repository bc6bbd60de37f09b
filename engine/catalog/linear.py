"""Layers that multiply by a matrix."""

from __future__ import annotations

from engine.catalog.entry import Call, Layer
from engine.catalog.fields import Bool, Int

LINEAR = Layer(
    id="Linear",
    title="Linear",
    group="Linear",
    doc="y = x·Wᵀ + b: every one of `out_features` outputs is a weighted sum of all inputs, plus a learned "
    "`bias`. Works on the last dimension.",
    source="torch.nn.Linear",
    reads="N … features",
    gives="N … out_features",
    fields=(
        Int("out_features", start=64, lo=1, hi=1 << 20, unit="features", doc="Number of outputs."),
        Bool("bias", True, doc="Add a learned number to each output."),
    ),
    parameters=("weight", "bias"),
    binarizable=("weight",),
    call=lambda f, x: Call("torch.nn.Linear", x.features, f.out_features, bias=f.bias),
    keywords=("dense", "fully connected", "fc", "affine", "perceptron"),
)
