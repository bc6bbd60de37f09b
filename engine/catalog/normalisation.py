"""Layers that bring activations to a common mean and spread."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Field, Float, Int
from engine.catalog.windows import NAMES


def _eps(default: float | None = 1e-5, optional: bool = False) -> Float:
    return Float(
        "eps",
        default,
        lo=0,
        hi=1,
        open_lo=True,
        log=True,
        optional=optional,
        doc="Added to the variance, so that nothing divides by zero."
        + (" Empty: the smallest step of the number type." if optional else ""),
        advanced=True,
    )


def _momentum(default: float = 0.1, optional: bool = True) -> Float:
    return Float(
        "momentum",
        default,
        lo=0,
        hi=1,
        optional=optional,
        doc="Share of the newest batch in the running mean"
        + ("; empty: the plain mean of all batches." if optional else "."),
        advanced=True,
    )


def _batch_norm(dims: int) -> Layer:
    return Layer(
        id=f"BatchNorm{dims}d",
        title=f"Batch normalisation {dims}-D",
        group="Normalisation",
        doc="Subtract each channel's mean over the batch and divide by its spread, then apply a learned scale and "
        "shift (`affine`). While training, `track_running_stats` keeps means with `momentum` for evaluation; `eps` "
        "guards the division.",
        source=f"torch.nn.BatchNorm{dims}d; Ioffe and Szegedy 2015, arXiv 1502.03167",
        reads="N C or N C L" if dims == 1 else f"N C {NAMES[dims]}",
        gives="as its input",
        ranks=(2, 3) if dims == 1 else (dims + 2,),
        fields=(
            _eps(),
            _momentum(),
            Bool("affine", True, doc="Learn a scale and a shift per channel."),
            Bool("track_running_stats", True, doc="Keep running means for evaluation.", advanced=True),
        ),
        parameters=("weight", "bias"),
        call=lambda f, x: Call(
            f"torch.nn.BatchNorm{dims}d",
            x.channels,
            eps=f.eps,
            momentum=f.momentum,
            affine=f.affine,
            track_running_stats=f.track_running_stats,
        ),
        keywords=("bn", "normalize"),
    )


def _more_than_one_value(f: Settings, x: Inputs) -> Verdict | None:
    count = 1
    for size in x.spatial:
        count *= size
    if count > 1 or f.track_running_stats:
        return None
    return Verdict(None, "each channel has a single value, which minus its own mean is always 0.")


def _instance_norm(dims: int) -> Layer:
    return Layer(
        id=f"InstanceNorm{dims}d",
        title=f"Instance normalisation {dims}-D",
        group="Normalisation",
        doc="Normalise each channel of each example by its own mean and spread; a learned scale and shift with "
        "`affine`. `track_running_stats` keeps means with `momentum` for evaluation; `eps` guards the division.",
        source=f"torch.nn.InstanceNorm{dims}d; Ulyanov et al. 2016, arXiv 1607.08022",
        reads=f"N C {NAMES[dims]}",
        gives="as its input",
        ranks=(dims + 2,),
        fields=(
            _eps(),
            _momentum(optional=False),
            Bool("affine", False, doc="Learn a scale and a shift per channel."),
            Bool("track_running_stats", False, doc="Keep running means for evaluation.", advanced=True),
        ),
        parameters=("weight", "bias"),
        rules=(Rule("more-than-one-value", _more_than_one_value),),
        call=lambda f, x: Call(
            f"torch.nn.InstanceNorm{dims}d",
            x.channels,
            eps=f.eps,
            momentum=f.momentum,
            affine=f.affine,
            track_running_stats=f.track_running_stats,
        ),
        keywords=("style", "normalize"),
    )


def _dims_exist(f: Settings, x: Inputs) -> Verdict | None:
    most = len(x.shape) - 1
    if f.dims <= most:
        return None
    return Verdict(
        "dims",
        f"dims ({f.dims}) is more than the input's dimensions without the batch ({most}).",
        (Fix(f"Set dims to {most}", {"dims": most}),),
    )


_DIMS = Int("dims", 1, lo=1, hi=7, doc="How many trailing dimensions are normalised together.")
_AFFINE = Bool("elementwise_affine", True, doc="Learn a scale per element.")

LAYER_NORM = Layer(
    id="LayerNorm",
    title="Layer normalisation",
    group="Normalisation",
    doc="Normalise each example over its last `dims` dimensions, then apply a learned scale "
    "(`elementwise_affine`) and shift (`bias`); `eps` guards the division. Independent of the batch.",
    source="torch.nn.LayerNorm; Ba et al. 2016, arXiv 1607.06450",
    reads="N … features",
    gives="as its input",
    fields=(_DIMS, _eps(), _AFFINE, Bool("bias", True, doc="Learn a shift as well.")),
    parameters=("weight", "bias"),
    rules=(Rule("dims-exist", _dims_exist),),
    call=lambda f, x: Call(
        "torch.nn.LayerNorm",
        x.shape[-f.dims :],
        eps=f.eps,
        elementwise_affine=f.elementwise_affine,
        bias=f.bias,
    ),
    keywords=("ln", "transformer", "normalize"),
)
RMS_NORM = Layer(
    id="RMSNorm",
    title="RMS normalisation",
    group="Normalisation",
    doc="Divide each example by the root of its mean square over the last `dims` dimensions, then apply a learned "
    "scale (`elementwise_affine`); `eps` guards the division. Cheaper than layer normalisation, and as good.",
    source="torch.nn.RMSNorm; Zhang and Sennrich 2019, arXiv 1910.07467",
    reads="N … features",
    gives="as its input",
    fields=(_DIMS, _eps(None, optional=True), _AFFINE),
    parameters=("weight",),
    rules=(Rule("dims-exist", _dims_exist),),
    call=lambda f, x: Call(
        "torch.nn.RMSNorm", x.shape[-f.dims :], eps=f.eps, elementwise_affine=f.elementwise_affine
    ),
    keywords=("llama", "transformer", "normalize"),
)


def _groups_divide(f: Settings, x: Inputs) -> Verdict | None:
    if x.channels % f.num_groups == 0:
        return None
    best = max(g for g in range(1, f.num_groups + 1) if x.channels % g == 0)
    return Verdict(
        "num_groups",
        f"num_groups ({f.num_groups}) must divide the input's channels ({x.channels}).",
        (Fix(f"Set num_groups to {best}", {"num_groups": best}),),
    )


_GROUP_FIELDS: tuple[Field, ...] = (
    Int("num_groups", start=4, lo=1, hi=65536, doc="Number of channel groups."),
    _eps(),
    Bool("affine", True, doc="Learn a scale and a shift per channel."),
)
GROUP_NORM = Layer(
    id="GroupNorm",
    title="Group normalisation",
    group="Normalisation",
    doc="Normalise each example over each of `num_groups` groups of channels, then apply a learned scale and shift "
    "(`affine`); `eps` guards the division. Works with any batch size.",
    source="torch.nn.GroupNorm; Wu and He 2018, arXiv 1803.08494",
    reads="N C …",
    gives="as its input",
    ranks=(2, 3, 4, 5),
    fields=_GROUP_FIELDS,
    parameters=("weight", "bias"),
    rules=(Rule("groups-divide", _groups_divide),),
    call=lambda f, x: Call("torch.nn.GroupNorm", f.num_groups, x.channels, eps=f.eps, affine=f.affine),
    keywords=("gn", "normalize"),
)
LOCAL_RESPONSE_NORM = Layer(
    id="LocalResponseNorm",
    title="Local response normalisation",
    group="Normalisation",
    doc="Divide each value by (`k` + `alpha`·mean of squares over `size` neighbouring channels) to the power `beta`. "
    "Of historical interest (AlexNet).",
    source="torch.nn.LocalResponseNorm; Krizhevsky et al. 2012",
    reads="N C …",
    gives="as its input",
    ranks=(3, 4, 5),
    fields=(
        Int("size", start=5, lo=1, hi=1024, unit="channels", doc="Neighbouring channels that are summed."),
        Float("alpha", 1e-4, lo=0, hi=100, doc="Weight of the neighbours."),
        Float("beta", 0.75, lo=0, hi=10, doc="Exponent."),
        Float("k", 1.0, lo=0, hi=100, doc="Added before the power is taken."),
    ),
    call=lambda f, x: Call("torch.nn.LocalResponseNorm", f.size, alpha=f.alpha, beta=f.beta, k=f.k),
    keywords=("lrn", "alexnet"),
)

BATCH_NORMS = tuple(_batch_norm(dims) for dims in (1, 2, 3))
INSTANCE_NORMS = tuple(_instance_norm(dims) for dims in (1, 2, 3))
