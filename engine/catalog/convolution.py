"""Layers that slide learned windows."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Int, Option, Size


def _window_fits(f: Settings, x: Inputs) -> Verdict | None:
    if isinstance(f.padding, str):
        return None
    for axis, size in enumerate(x.spatial):
        reach = f.dilation[axis] * (f.kernel_size[axis] - 1) + 1
        padded = size + 2 * f.padding[axis]
        if reach > padded:
            needed = tuple(
                max(p, -(-(d * (k - 1) + 1 - s) // 2))
                for p, d, k, s in zip(f.padding, f.dilation, f.kernel_size, x.spatial, strict=True)
            )
            fitting = tuple(
                min(k, (s + 2 * p - 1) // d + 1)
                for p, d, k, s in zip(f.padding, f.dilation, f.kernel_size, x.spatial, strict=True)
            )
            return Verdict(
                "kernel_size",
                f"the window ({reach}) is larger than its padded input ({size} + 2·{f.padding[axis]} = "
                f"{padded}). Lower kernel_size or raise padding.",
                (
                    Fix(f"Set padding to {list(needed)}", {"padding": list(needed)}),
                    Fix(f"Set kernel_size to {list(fitting)}", {"kernel_size": list(fitting)}),
                ),
            )
    return None


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
    if f.padding != "same" or all(step == 1 for step in f.stride):
        return None
    half = [(d * (k - 1)) // 2 for d, k in zip(f.dilation, f.kernel_size, strict=True)]
    return Verdict(
        "padding",
        f'"same" padding needs stride 1, and the stride is {list(f.stride)}.',
        (
            Fix(f"Set padding to {half}", {"padding": half}),
            Fix("Set stride to 1", {"stride": [1] * len(half)}),
        ),
    )


CONV2D = Layer(
    id="Conv2d",
    title="Convolution 2-D",
    group="Convolution",
    doc="Slide `out_channels` learned windows of `kernel_size` over an image in steps of `stride`. `padding` widens "
    "the border first (`padding_mode` says with what), `dilation` spreads the window's pixels, `groups` splits the "
    "channels into parts that do not see each other, `bias` adds a learned number per output channel.",
    source="torch.nn.Conv2d",
    reads="N C H W",
    gives="N out_channels H' W'",
    fields=(
        Int("out_channels", start=16, lo=1, hi=65536, unit="channels", doc="Channels of the output."),
        Size(
            "kernel_size",
            start=[3, 3],
            dims=2,
            lo=1,
            hi=255,
            unit="px",
            doc="Height and width of the window.",
        ),
        Size("stride", (1, 1), dims=2, lo=1, hi=255, unit="px", doc="Step of the window; 2 halves the side."),
        Size(
            "padding",
            (0, 0),
            dims=2,
            lo=0,
            hi=1024,
            words=("same", "valid"),
            unit="px",
            doc="Pixels added on each side; “same” keeps the size.",
        ),
        Size(
            "dilation",
            (1, 1),
            dims=2,
            lo=1,
            hi=255,
            unit="px",
            doc="Distance between the window's pixels.",
            advanced=True,
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
    ranks=(4,),
    rules=(
        Rule("groups-divide", _groups_divide),
        Rule("same-needs-stride-one", _same_needs_stride_one),
        Rule("window-fits", _window_fits),
    ),
    call=lambda f, x: Call(
        "torch.nn.Conv2d",
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
    keywords=("cnn", "filter", "kernel"),
)
