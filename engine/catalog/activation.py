"""Non-linearities: as nodes of their own, and as any layer's `activation`."""

from __future__ import annotations

from collections.abc import Callable

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Field, Float, Int, Option


def _activation(
    id: str,
    title: str,
    doc: str,
    *fields: Field,
    paper: str = "",
    source: str = "",
    call: Callable[[Settings, Inputs], Call] | None = None,
    gives: str = "as its input",
    ranks: tuple[int, ...] = (),
    rules: tuple[Rule, ...] = (),
    parameters: tuple[str, ...] = (),
    keywords: tuple[str, ...] = (),
    values: str = "",
) -> Layer:
    """An activation; by default its module takes its fields by keyword."""
    return Layer(
        id=id,
        title=title,
        group="Activation",
        doc=doc,
        source=(source or f"torch.nn.{id}") + (f"; {paper}" if paper else ""),
        reads="any",
        gives=gives,
        fields=fields,
        call=call or (lambda f, x: Call(f"torch.nn.{id}", **vars(f))),
        ranks=ranks,
        rules=rules,
        parameters=parameters,
        activatable=False,
        is_activation=True,
        values=values,
        keywords=keywords,
    )


def _dim_exists(f: Settings, x: Inputs) -> Verdict | None:
    rank = len(x.shape)
    if -rank <= f.dim < rank:
        return None
    return Verdict(
        "dim",
        f"dimension {f.dim} does not exist: the input has {rank} (the batch is 0).",
        (Fix("Use the last dimension", {"dim": -1}),),
    )


def _halves(f: Settings, x: Inputs) -> Verdict | None:
    missing = _dim_exists(f, x)
    if missing or x.shape[f.dim] % 2 == 0:
        return missing
    return Verdict(
        "dim", f"dimension {f.dim} has {x.shape[f.dim]} entries, which cannot be halved. Make it even."
    )


def _slopes_fit(f: Settings, x: Inputs) -> Verdict | None:
    if f.num_parameters == 1 or (len(x.shape) > 1 and f.num_parameters == x.channels):
        return None
    channels = x.channels if len(x.shape) > 1 else 1
    return Verdict(
        "num_parameters",
        f"num_parameters ({f.num_parameters}) must be 1 or the input's channels ({channels}).",
        (
            Fix("One slope for all", {"num_parameters": 1}),
            Fix("One per channel", {"num_parameters": channels}),
        ),
    )


def _range_ordered(f: Settings, x: Inputs) -> Verdict | None:
    if f.min_val < f.max_val:
        return None
    return Verdict("max_val", f"max_val ({f.max_val:g}) must be above min_val ({f.min_val:g}).")


def _slopes_ordered(f: Settings, x: Inputs) -> Verdict | None:
    if f.lower <= f.upper:
        return None
    return Verdict("upper", f"upper ({f.upper:g}) must be at least lower ({f.lower:g}).")


def _alpha(doc: str) -> Float:
    return Float("alpha", 1.0, lo=-100, hi=100, doc=doc)


_DIM = Int("dim", start=1, lo=-8, hi=7, doc="Dimension that sums to 1; the batch is 0, classes are 1.")
_DIM_RULE = (Rule("dim-exists", _dim_exists),)

RELU = _activation(
    "ReLU",
    "ReLU",
    "max(0, x): passes what is positive, blocks the rest.",
    keywords=("rectifier",),
    values="0 … ∞",
)
LEAKY_RELU = _activation(
    "LeakyReLU",
    "Leaky ReLU",
    "x where positive, `negative_slope`·x elsewhere: a ReLU that cannot die.",
    Float("negative_slope", 0.01, lo=-10, hi=10, doc="Slope below zero."),
    values="−∞ … ∞",
)
SIGMOID = _activation(
    "Sigmoid",
    "Sigmoid",
    "1 / (1 + e⁻ˣ): squeezes to 0 … 1, flat at both ends.",
    keywords=("logistic",),
    values="0 … 1",
)
TANH = _activation(
    "Tanh",
    "Tanh",
    "Squeezes to −1 … 1, steepest at zero.",
    values="−1 … 1",
)
GELU = _activation(
    "GELU",
    "GELU",
    "x·Φ(x), with the normal distribution's Φ; `approximate` “tanh” is a little faster.",
    Option("approximate", "none", options=("none", "tanh"), doc="Exact, or by tanh."),
    paper="Hendrycks and Gimpel 2016, arXiv 1606.08415",
    keywords=("transformer",),
    values="−0.17 … ∞",
)
SILU = _activation(
    "SiLU",
    "SiLU",
    "x·sigmoid(x): a smooth ReLU, also called swish.",
    keywords=("swish",),
    values="−0.28 … ∞",
)
SOFTMAX = _activation(
    "Softmax",
    "Softmax",
    "Positive numbers that sum to 1 along `dim`: probabilities. CrossEntropyLoss has it built in.",
    _DIM,
    rules=_DIM_RULE,
    keywords=("probability",),
    values="0 … 1",
)
MORE = (
    _activation(
        "ELU",
        "ELU",
        "x where positive, `alpha`·(eˣ − 1) elsewhere: smooth, and negative values are kept.",
        _alpha("Depth of the negative side."),
        paper="Clevert et al. 2015, arXiv 1511.07289",
        values="−alpha … ∞",
    ),
    _activation(
        "CELU",
        "CELU",
        "max(0, x) + min(0, `alpha`·(e^(x/alpha) − 1)): an ELU whose slope is continuous.",
        Float("alpha", 1.0, lo=1e-3, hi=100, doc="Depth and reach of the negative side."),
        paper="Barron 2017, arXiv 1704.07483",
        values="−alpha … ∞",
    ),
    _activation(
        "SELU",
        "SELU",
        "An ELU scaled so that activations of dense networks keep mean 0 and spread 1.",
        paper="Klambauer et al. 2017, arXiv 1706.02515",
        keywords=("self-normalizing",),
        values="−1.76 … ∞",
    ),
    _activation(
        "PReLU",
        "PReLU",
        "x where positive, a·x elsewhere, with `num_parameters` learned slopes a that begin at `init`.",
        Int("num_parameters", 1, lo=1, hi=65536, doc="1, or one slope per channel."),
        Float("init", 0.25, lo=-10, hi=10, doc="First value of the slopes."),
        paper="He et al. 2015, arXiv 1502.01852",
        rules=(Rule("slopes-fit", _slopes_fit),),
        parameters=("weight",),
        values="−∞ … ∞",
    ),
    _activation(
        "RPReLU",
        "Moved PReLU",
        "PReLU(x − γ) + ζ with slope, γ and ζ learned per channel: moves and reshapes what the next sign sees. The "
        "slope begins at `init`, γ and ζ at 0.",
        Float("init", 0.25, lo=-10, hi=10, doc="First value of the slopes."),
        paper="Liu et al. 2020, arXiv 2003.03488 (ReActNet)",
        source="layerlab",
        call=lambda f, x: Call(
            "engine.compile.modules.RPReLU", (x.channels, *(1 for _ in x.spatial)), init=f.init
        ),
        parameters=("shift", "slope", "offset"),
        keywords=("reactnet", "binary"),
        values="−∞ … ∞",
    ),
    _activation(
        "RReLU",
        "Randomised ReLU",
        "x where positive, a·x elsewhere; a is drawn from `lower` … `upper` while training, their mean after.",
        Float("lower", 0.125, lo=0, hi=10, doc="Smallest slope."),
        Float("upper", 1 / 3, lo=0, hi=10, doc="Largest slope."),
        paper="Xu et al. 2015, arXiv 1505.00853",
        rules=(Rule("slopes-ordered", _slopes_ordered),),
        values="−∞ … ∞",
    ),
    _activation(
        "ReLU6",
        "ReLU6",
        "min(max(0, x), 6): made for low precision (MobileNet).",
        values="0 … 6",
    ),
    _activation(
        "Hardtanh",
        "Hard tanh",
        "x, cut off at `min_val` and `max_val`.",
        Float("min_val", -1.0, lo=-1e6, hi=1e6, doc="Lowest output."),
        Float("max_val", 1.0, lo=-1e6, hi=1e6, doc="Highest output."),
        rules=(Rule("range-ordered", _range_ordered),),
        keywords=("clip", "clamp"),
        values="min_val … max_val",
    ),
    _activation(
        "Hardsigmoid",
        "Hard sigmoid",
        "A sigmoid made of three straight lines: x/6 + ½ between −3 and 3.",
        values="0 … 1",
    ),
    _activation(
        "Hardswish",
        "Hard swish",
        "x·hardsigmoid(x): swish made of simple pieces (MobileNetV3).",
        paper="Howard et al. 2019, arXiv 1905.02244",
        values="−0.375 … ∞",
    ),
    _activation(
        "Mish",
        "Mish",
        "x·tanh(softplus(x)): smooth, slightly negative below zero.",
        paper="Misra 2019, arXiv 1908.08681",
        values="−0.31 … ∞",
    ),
    _activation(
        "Softplus",
        "Softplus",
        "log(1 + e^(`beta`·x))/beta, a smooth ReLU; linear above `threshold`.",
        Float("beta", 1.0, lo=1e-3, hi=1000, doc="Sharpness of the bend."),
        Float(
            "threshold",
            20.0,
            lo=0,
            hi=1000,
            doc="beta·x above which x itself is given.",
        ),
        values="0 … ∞",
    ),
    _activation(
        "Softshrink",
        "Soft shrink",
        "Moves every value towards zero by `lambd`, small ones to zero.",
        Float("lambd", 0.5, lo=0, hi=1e6, doc="The step towards zero."),
        values="−∞ … ∞",
    ),
    _activation(
        "Hardshrink",
        "Hard shrink",
        "Values within ±`lambd` become zero, the rest stay.",
        Float("lambd", 0.5, lo=0, hi=1e6, doc="Half width of the zone."),
        values="−∞ … ∞",
    ),
    _activation(
        "Tanhshrink",
        "Tanh shrink",
        "x − tanh(x).",
        values="−∞ … ∞",
    ),
    _activation(
        "Softsign",
        "Softsign",
        "x / (1 + |x|): a tanh with long tails.",
        values="−1 … 1",
    ),
    _activation(
        "LogSigmoid",
        "Log-sigmoid",
        "log of the sigmoid, computed without overflow.",
        values="−∞ … 0",
    ),
    _activation(
        "Threshold",
        "Threshold",
        "x where above `threshold`, else `value`.",
        Float("threshold", start=0.0, lo=-1e6, hi=1e6, doc="Where x begins to pass."),
        Float("value", start=0.0, lo=-1e6, hi=1e6, doc="Given elsewhere."),
        values="value, or above threshold",
    ),
    _activation(
        "GLU",
        "GLU",
        "Halves dimension `dim`: first half times sigmoid of the second. A gate.",
        Int("dim", -1, lo=-8, hi=7, doc="Dimension that is halved."),
        paper="Dauphin et al. 2016, arXiv 1612.08083",
        gives="half of dim",
        rules=(Rule("halves", _halves),),
        keywords=("gate",),
        values="−∞ … ∞",
    ),
    _activation(
        "LogSoftmax",
        "Log-softmax",
        "log of the softmax along `dim`, computed without overflow; for NLLLoss.",
        _DIM,
        rules=_DIM_RULE,
        values="−∞ … 0",
    ),
    _activation(
        "Softmin",
        "Softmin",
        "Softmax of −x along `dim`.",
        _DIM,
        rules=_DIM_RULE,
        values="0 … 1",
    ),
    _activation(
        "Softmax2d",
        "Softmax over channels",
        "Softmax over the channels at each pixel.",
        ranks=(4,),
        keywords=("segmentation",),
        values="0 … 1",
    ),
)
