"""Layers that take the largest or the mean of a window."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Int, Size


def _pool_fits(f: Settings, x: Inputs) -> Verdict | None:
    dilation = getattr(f, "dilation", (1,) * len(f.kernel_size))
    for k, p, d, size in zip(f.kernel_size, f.padding, dilation, x.spatial, strict=True):
        reach = d * (k - 1) + 1
        if reach > size + 2 * p:
            fitting = [
                min(k, (s + 2 * p - 1) // d + 1)
                for k, p, d, s in zip(f.kernel_size, f.padding, dilation, x.spatial, strict=True)
            ]
            return Verdict(
                "kernel_size",
                f"the window ({reach}) is larger than its padded input ({size} + 2·{p} = {size + 2 * p}). "
                "Lower kernel_size, or pool less before it.",
                (Fix(f"Set kernel_size to {fitting}", {"kernel_size": fitting}),),
            )
    return None


def _half_padding(f: Settings, x: Inputs) -> Verdict | None:
    for k, p in zip(f.kernel_size, f.padding, strict=True):
        if p > k // 2:
            most = [k // 2 for k in f.kernel_size]
            return Verdict(
                "padding",
                f"padding ({p}) may be at most half the window ({k} // 2 = {k // 2}).",
                (Fix(f"Set padding to {most}", {"padding": most}),),
            )
    return None


_RULES = (Rule("pool-padding", _half_padding), Rule("window-fits", _pool_fits))
_KERNEL = Size(
    "kernel_size", start=[2, 2], dims=2, lo=1, hi=255, unit="px", doc="Height and width of the window."
)
_STRIDE = Size(
    "stride",
    None,
    dims=2,
    lo=1,
    hi=255,
    optional=True,
    unit="px",
    doc="Step of the window; empty: as large as the window.",
)
_PADDING = Size("padding", (0, 0), dims=2, lo=0, hi=127, unit="px", doc="Pixels added on each side.")
_CEIL = Bool("ceil_mode", False, doc="Keep a last window that hangs over the edge.", advanced=True)

MAX_POOL_2D = Layer(
    id="MaxPool2d",
    title="Max pooling 2-D",
    group="Pooling",
    doc="Keep the largest value of each window of `kernel_size`, in steps of `stride`, after widening the border by "
    "`padding`; `dilation` spreads the window, `ceil_mode` keeps a last, hanging window.",
    source="torch.nn.MaxPool2d",
    reads="N C H W",
    gives="N C H' W'",
    ranks=(4,),
    fields=(
        _KERNEL,
        _STRIDE,
        _PADDING,
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
        _CEIL,
    ),
    rules=_RULES,
    call=lambda f, x: Call(
        "torch.nn.MaxPool2d",
        f.kernel_size,
        stride=f.stride,
        padding=f.padding,
        dilation=f.dilation,
        ceil_mode=f.ceil_mode,
    ),
    keywords=("downsample", "subsample"),
)

AVG_POOL_2D = Layer(
    id="AvgPool2d",
    title="Average pooling 2-D",
    group="Pooling",
    doc="Keep the mean of each window of `kernel_size`, in steps of `stride`, after widening the border by `padding`. "
    "`ceil_mode` keeps a last, hanging window; `count_include_pad` counts the border in the mean; "
    "`divisor_override` divides by a number of your own.",
    source="torch.nn.AvgPool2d",
    reads="N C H W",
    gives="N C H' W'",
    ranks=(4,),
    fields=(
        _KERNEL,
        _STRIDE,
        _PADDING,
        _CEIL,
        Bool("count_include_pad", True, doc="Count the padded border in the mean.", advanced=True),
        Int(
            "divisor_override",
            None,
            lo=1,
            hi=1 << 20,
            optional=True,
            doc="Divide by this instead of the window's size.",
            advanced=True,
        ),
    ),
    rules=_RULES,
    call=lambda f, x: Call(
        "torch.nn.AvgPool2d",
        f.kernel_size,
        stride=f.stride,
        padding=f.padding,
        ceil_mode=f.ceil_mode,
        count_include_pad=f.count_include_pad,
        divisor_override=f.divisor_override,
    ),
    keywords=("mean", "downsample"),
)

ADAPTIVE_AVG_POOL_2D = Layer(
    id="AdaptiveAvgPool2d",
    title="Adaptive average pooling 2-D",
    group="Pooling",
    doc="Average to a fixed `output_size`, whatever the input's; 1 gives one number per channel (global average).",
    source="torch.nn.AdaptiveAvgPool2d",
    reads="N C H W",
    gives="N C output_size",
    ranks=(4,),
    fields=(
        Size(
            "output_size",
            start=[1, 1],
            dims=2,
            lo=1,
            hi=4096,
            optional_items=True,
            unit="px",
            doc="Height and width of the output; null keeps the input's.",
        ),
    ),
    call=lambda f, x: Call("torch.nn.AdaptiveAvgPool2d", f.output_size),
    keywords=("global", "gap"),
)
