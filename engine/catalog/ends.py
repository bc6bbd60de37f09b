"""Where data comes in and results go out."""

from __future__ import annotations

from engine.catalog.entry import Layer, Port
from engine.catalog.fields import Option, Shape, Text

_GROUP = "Input and output"

INPUT = Layer(
    id="Input",
    title="Input",
    group=_GROUP,
    doc="Where the examples come in. `shape` is one example, without the batch; `dtype` is the kind of its "
    "numbers; `column` names the part of the data set, where it has several.",
    source="layerlab",
    gives="N …",
    inputs=(),
    activatable=False,
    fields=(
        Shape(
            "shape",
            doc="Shape of one example, without the batch: [channels, height, width].",
            start=[1, 8, 8],
        ),
        Option("dtype", "float32", options=("float32", "int64"), doc="Kind of numbers; int64 for token ids."),
        Text(
            "column", None, optional=True, doc="Column of the data set; empty: its only input.", advanced=True
        ),
    ),
    call=lambda f, x: None,
    keywords=("source", "image", "data", "placeholder"),
)

OUTPUT = Layer(
    id="Output",
    title="Output",
    group=_GROUP,
    doc="What the network answers with. The loss compares it with the target.",
    source="layerlab",
    reads="N …",
    outputs=(),
    activatable=False,
    dtypes=(),
    inputs=(Port("input", doc="The result."),),
    call=lambda f, x: None,
    keywords=("result", "prediction", "logits", "sink"),
)
