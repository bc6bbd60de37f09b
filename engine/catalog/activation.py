"""Non-linearities: as nodes of their own, and as any layer's `activation`."""

from __future__ import annotations

from collections.abc import Callable

from engine.catalog.entry import Call, Inputs, Layer, Settings
from engine.catalog.fields import Field, Float, Int, Option


def _activation(
    id: str,
    title: str,
    doc: str,
    source: str,
    fields: tuple[Field, ...] = (),
    call: Callable[[Settings, Inputs], Call] | None = None,
    keywords: tuple[str, ...] = (),
    parameters: tuple[str, ...] = (),
) -> Layer:
    """An activation; by default its module takes its fields by keyword."""
    return Layer(
        id=id,
        title=title,
        group="Activation",
        doc=doc,
        source=source,
        reads="any",
        gives="as its input",
        fields=fields,
        call=call or (lambda f, x: Call(f"torch.nn.{id}", **vars(f))),
        activatable=False,
        is_activation=True,
        keywords=keywords,
        parameters=parameters,
    )


RELU = _activation(
    "ReLU",
    "ReLU",
    "max(0, x): passes what is positive, blocks the rest.",
    "torch.nn.ReLU",
    keywords=("rectifier",),
)
LEAKY_RELU = _activation(
    "LeakyReLU",
    "Leaky ReLU",
    "x where positive, `negative_slope`·x elsewhere: a ReLU that cannot die.",
    "torch.nn.LeakyReLU",
    fields=(Float("negative_slope", 0.01, lo=-10, hi=10, doc="Slope below zero."),),
)
SIGMOID = _activation(
    "Sigmoid",
    "Sigmoid",
    "1 / (1 + e⁻ˣ): squeezes to 0 … 1, flat at both ends.",
    "torch.nn.Sigmoid",
    keywords=("logistic",),
)
TANH = _activation("Tanh", "Tanh", "Squeezes to −1 … 1, steepest at zero.", "torch.nn.Tanh")
GELU = _activation(
    "GELU",
    "GELU",
    "x·Φ(x), with the normal distribution's Φ; `approximate` “tanh” is a little faster.",
    "torch.nn.GELU; Hendrycks and Gimpel 2016, arXiv 1606.08415",
    fields=(Option("approximate", "none", options=("none", "tanh"), doc="Exact, or by tanh."),),
)
SILU = _activation(
    "SiLU", "SiLU", "x·sigmoid(x): a smooth ReLU, also called swish.", "torch.nn.SiLU", keywords=("swish",)
)
SOFTMAX = _activation(
    "Softmax",
    "Softmax",
    "Positive numbers that sum to 1 along `dim`: probabilities. CrossEntropyLoss has it built in.",
    "torch.nn.Softmax",
    fields=(
        Int("dim", start=1, lo=-8, hi=7, doc="Dimension that sums to 1; the batch is 0, classes are 1."),
    ),
    keywords=("probability",),
)
