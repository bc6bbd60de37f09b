"""Bare learned numbers, and fixed ones."""

from __future__ import annotations

from engine.catalog.entry import Call, Layer
from engine.catalog.fields import Bool, Float, Option, Shape

SCALE = Layer(
    id="Scale",
    title="Learned scale",
    group="Other",
    doc="Multiply by a learned number that begins at `value`: one for all, or one per channel with `per_channel`.",
    source="layerlab; as in Touvron et al. 2021, arXiv 2103.17239 (LayerScale)",
    reads="N C …",
    gives="as its input",
    fields=(
        Float("value", 1.0, lo=-1e6, hi=1e6, doc="First value."),
        Bool("per_channel", False, doc="One number per channel (dimension 1)."),
    ),
    parameters=("weight",),
    call=lambda f, x: Call(
        "engine.compile.modules.Scale",
        (x.channels, *(1 for _ in x.spatial)) if f.per_channel and len(x.shape) > 1 else (),
        f.value,
    ),
    keywords=("gain", "multiply", "layerscale"),
)
PARAMETER = Layer(
    id="Parameter",
    title="Parameter",
    group="Other",
    doc="A learned tensor of `shape`, the same for every example; it begins as N(0, `std`²).",
    source="torch.nn.Parameter",
    gives="1 shape",
    inputs=(),
    fields=(
        Shape("shape", start=[64], doc="Its shape, without the batch."),
        Float("std", 0.02, lo=0, hi=1000, doc="Spread of the first values."),
    ),
    parameters=("weight",),
    call=lambda f, x: Call("engine.compile.modules.Parameter", f.shape, f.std),
    keywords=("learned", "tensor", "bias"),
)
CONSTANT_TENSOR = Layer(
    id="Constant",
    title="Constant",
    group="Other",
    doc="A tensor of `shape` that is not learned, all equal to `value` until its numbers are loaded; `dtype` is "
    "the kind of its numbers.",
    source="torch.nn.Module.register_buffer",
    gives="1 shape",
    inputs=(),
    fields=(
        Shape("shape", start=[1], doc="Its shape, without the batch."),
        Float("value", 1.0, lo=-1e30, hi=1e30, doc="Its numbers."),
        Option("dtype", "float32", options=("float32", "int64"), doc="Kind of numbers; int64 for token ids."),
    ),
    call=lambda f, x: Call("engine.compile.modules.Constant", f.shape, f.value, dtype=f.dtype),
    keywords=("fixed", "buffer", "number"),
)
