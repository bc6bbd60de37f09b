"""Layers that slide learned windows: convolution and transposed convolution, 1-D to 3-D."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Int, Option, Size
from engine.catalog.windows import AXES, NAMES, OUT_NAMES, UNITS, each, kernel, plain, steps, window_fits


def _groups_divide(f: Settings, x: Inputs) -> Verdict | None:
    if x.channels % f.groups == 0 and f.out_channels % f.groups == 0:
        return None
    return Verdict(
        "groups",
        f"groups ({f.groups}) must divide the input's channels ({x.channels}) and out_channels "
        f"({f.out_channels}).",
        (Fix("Set groups to 1", {"groups": 1}),),
    )


def _same_needs_stride_one(f: Settings, x: Inputs) -> Verdict | None:
    dims = len(x.spatial)
    stride = each(f.stride, dims)
    if f.padding != "same" or all(step == 1 for step in stride):
        return None
    spread = zip(each(f.dilation, dims), each(f.kernel_size, dims), strict=True)
    half = plain([(d * (k - 1)) // 2 for d, k in spread])
    return Verdict(
        "padding",
        f"“same” padding needs stride 1, and the stride is {plain(stride)}.",
        (
            Fix(f"Set padding to {half}", {"padding": half}),
            Fix("Set stride to 1", {"stride": plain([1] * dims)}),
        ),
    )


def _border_available(f: Settings, x: Inputs) -> Verdict | None:
    """Reflection needs a border smaller than the input, wrapping one no larger."""
    if f.padding_mode not in ("reflect", "circular"):
        return None
    dims = len(x.spatial)
    if f.padding == "same":
        reaches = zip(each(f.dilation, dims), each(f.kernel_size, dims), strict=True)
        padding = tuple(-(-(d * (k - 1)) // 2) for d, k in reaches)
    elif isinstance(f.padding, str):
        return None
    else:
        padding = each(f.padding, dims)
    spare = 1 if f.padding_mode == "reflect" else 0
    for p, size in zip(padding, x.spatial, strict=True):
        if p > size - spare:
            return Verdict(
                "padding",
                f"a border of {p} cannot be filled by “{f.padding_mode}” from an input of {size}: at most "
                f"{size - spare}.",
                (Fix("Fill the border with zeros", {"padding_mode": "zeros"}),),
            )
    return None


def _output_padding_small(f: Settings, x: Inputs) -> Verdict | None:
    dims = len(x.spatial)
    most = [max(s, d) - 1 for s, d in zip(each(f.stride, dims), each(f.dilation, dims), strict=True)]
    for extra, limit in zip(each(f.output_padding, dims), most, strict=True):
        if extra > limit:
            return Verdict(
                "output_padding",
                f"output_padding ({extra}) must be smaller than stride or dilation: at most {limit}.",
                (Fix(f"Set output_padding to {plain(most)}", {"output_padding": plain(most)}),),
            )
    return None


def _transposed_output_exists(f: Settings, x: Inputs) -> Verdict | None:
    dims = len(x.spatial)
    for size, s, p, d, k, extra in zip(
        x.spatial,
        each(f.stride, dims),
        each(f.padding, dims),
        each(f.dilation, dims),
        each(f.kernel_size, dims),
        each(f.output_padding, dims),
        strict=True,
    ):
        out = (size - 1) * s - 2 * p + d * (k - 1) + extra + 1
        if out < 1:
            return Verdict(
                "padding",
                f"the output would have {out} {UNITS[dims]}: ({size} − 1)·{s} − 2·{p} + {d}·({k} − 1) + {extra} + 1. "
                "Lower padding.",
                (Fix("Set padding to 0", {"padding": plain([0] * dims)}),),
            )
    return None


def _convolution(dims: int) -> Layer:
    unit = UNITS[dims]
    what = {1: "a sequence", 2: "an image", 3: "a volume"}[dims]
    zero = 0 if dims == 1 else (0,) * dims
    return Layer(
        id=f"Conv{dims}d",
        title=f"Convolution {dims}-D",
        group="Convolution",
        doc=f"Slide `out_channels` learned windows of `kernel_size` over {what} in steps of `stride`. `padding` "
        "widens the border first (`padding_mode` says with what), `dilation` spreads the window, `groups` splits "
        "the channels into parts that do not see each other, `bias` adds a learned number per output channel.",
        source=f"torch.nn.Conv{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives=f"N out_channels {OUT_NAMES[dims]}",
        fields=(
            Int("out_channels", start=16, lo=1, hi=65536, unit="channels", doc="Channels of the output."),
            kernel(dims, 3),
            steps("stride", 1, dims, f"Step of the window; 2 halves the {AXES[dims].lower()}.", lo=1, hi=255),
            Size(
                "padding",
                zero,
                dims=dims,
                lo=0,
                hi=1024,
                words=("same", "valid"),
                unit=unit,
                doc="Added on each side; “same” keeps the size.",
            ),
            steps(
                "dilation", 1, dims, "Distance between the points of the window.", lo=1, hi=255, advanced=True
            ),
            Int(
                "groups",
                1,
                lo=1,
                hi=65536,
                doc="Channel groups that do not see each other; as many as channels: depthwise.",
                advanced=True,
            ),
            Bool("bias", True, doc="Add a learned number to each output channel."),
            Option(
                "padding_mode",
                "zeros",
                options=("zeros", "reflect", "replicate", "circular"),
                doc="What the border is filled with.",
                advanced=True,
            ),
        ),
        parameters=("weight", "bias"),
        binarizable=("weight",),
        ranks=(dims + 2,),
        rules=(
            Rule("groups-divide", _groups_divide),
            Rule("same-needs-stride-one", _same_needs_stride_one),
            Rule("window-fits", window_fits),
            Rule("border-available", _border_available),
        ),
        call=lambda f, x: Call(
            f"torch.nn.Conv{dims}d",
            x.channels,
            f.out_channels,
            f.kernel_size,
            stride=f.stride,
            padding=f.padding,
            dilation=f.dilation,
            groups=f.groups,
            bias=f.bias,
            padding_mode=f.padding_mode,
        ),
        keywords=("cnn", "filter", "kernel", "depthwise"),
    )


def _transposed(dims: int) -> Layer:
    return Layer(
        id=f"ConvTranspose{dims}d",
        title=f"Transposed convolution {dims}-D",
        group="Convolution",
        doc="The backward pass of a convolution used forward: spreads every input point over a window of "
        "`kernel_size`, `stride` apart, and so enlarges. `padding` trims the border, `output_padding` adds to one "
        "side, `dilation` spreads the window, `groups` splits the channels, `bias` adds a learned number per one "
        "of the `out_channels`.",
        source=f"torch.nn.ConvTranspose{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives=f"N out_channels {OUT_NAMES[dims]}",
        fields=(
            Int("out_channels", start=16, lo=1, hi=65536, unit="channels", doc="Channels of the output."),
            kernel(dims, 2),
            steps("stride", 1, dims, "Distance of the windows; 2 doubles the size.", lo=1, hi=255),
            steps("padding", 0, dims, "Trimmed from each side."),
            steps("output_padding", 0, dims, "Added to one side of the output.", hi=254, advanced=True),
            Int("groups", 1, lo=1, hi=65536, doc="Channel groups that do not see each other.", advanced=True),
            Bool("bias", True, doc="Add a learned number to each output channel."),
            steps(
                "dilation", 1, dims, "Distance between the points of the window.", lo=1, hi=255, advanced=True
            ),
        ),
        parameters=("weight", "bias"),
        binarizable=("weight",),
        ranks=(dims + 2,),
        rules=(
            Rule("groups-divide", _groups_divide),
            Rule("output-padding-small", _output_padding_small),
            Rule("output-exists", _transposed_output_exists),
        ),
        call=lambda f, x: Call(
            f"torch.nn.ConvTranspose{dims}d",
            x.channels,
            f.out_channels,
            f.kernel_size,
            stride=f.stride,
            padding=f.padding,
            output_padding=f.output_padding,
            groups=f.groups,
            bias=f.bias,
            dilation=f.dilation,
        ),
        keywords=("deconvolution", "upsample", "decoder"),
    )


CONVOLUTIONS = tuple(_convolution(dims) for dims in (1, 2, 3))
TRANSPOSED_CONVOLUTIONS = tuple(_transposed(dims) for dims in (1, 2, 3))
