"""Layers that take the largest, the mean or the norm of a window."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Float, Int, Size
from engine.catalog.windows import (
    AXES,
    NAMES,
    OUT_NAMES,
    UNITS,
    each,
    half_padding,
    kernel,
    plain,
    steps,
    window_fits,
)

_CEIL = Bool("ceil_mode", False, doc="Keep a last window that hangs over the edge.", advanced=True)
_RULES = (Rule("pool-padding", half_padding), Rule("window-fits", window_fits))


def _stride(dims: int) -> Size:
    return steps(
        "stride",
        None,
        dims,
        "Step of the window; empty: as large as the window.",
        lo=1,
        hi=255,
        optional=True,
    )


def _max_pool(dims: int) -> Layer:
    return Layer(
        id=f"MaxPool{dims}d",
        title=f"Max pooling {dims}-D",
        group="Pooling",
        doc="Keep the largest value of each window of `kernel_size`, in steps of `stride`, after widening the border "
        "by `padding`; `dilation` spreads the window, `ceil_mode` keeps a last, hanging window.",
        source=f"torch.nn.MaxPool{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives=f"N C {OUT_NAMES[dims]}",
        ranks=(dims + 2,),
        fields=(
            kernel(dims, 2),
            _stride(dims),
            steps("padding", 0, dims, "Added on each side.", hi=127),
            steps(
                "dilation", 1, dims, "Distance between the points of the window.", lo=1, hi=255, advanced=True
            ),
            _CEIL,
        ),
        rules=_RULES,
        call=lambda f, x: Call(
            f"torch.nn.MaxPool{dims}d",
            f.kernel_size,
            stride=f.stride,
            padding=f.padding,
            dilation=f.dilation,
            ceil_mode=f.ceil_mode,
        ),
        keywords=("downsample", "subsample"),
    )


def _average_pool(dims: int) -> Layer:
    # torch's AvgPool1d has no divisor_override.
    divisor = (
        Int(
            "divisor_override",
            None,
            lo=1,
            hi=1 << 20,
            optional=True,
            doc="Divide by this instead of the window's size.",
            advanced=True,
        ),
    )
    overrides = dims > 1
    return Layer(
        id=f"AvgPool{dims}d",
        title=f"Average pooling {dims}-D",
        group="Pooling",
        doc="Keep the mean of each window of `kernel_size`, in steps of `stride`, after widening the border by "
        "`padding`. `ceil_mode` keeps a last, hanging window; `count_include_pad` counts the border in the mean"
        + ("; `divisor_override` divides by a number of your own." if overrides else "."),
        source=f"torch.nn.AvgPool{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives=f"N C {OUT_NAMES[dims]}",
        ranks=(dims + 2,),
        fields=(
            kernel(dims, 2),
            _stride(dims),
            steps("padding", 0, dims, "Added on each side.", hi=127),
            _CEIL,
            Bool("count_include_pad", True, doc="Count the padded border in the mean.", advanced=True),
            *(divisor if overrides else ()),
        ),
        rules=_RULES,
        call=lambda f, x: Call(
            f"torch.nn.AvgPool{dims}d",
            f.kernel_size,
            stride=f.stride,
            padding=f.padding,
            ceil_mode=f.ceil_mode,
            count_include_pad=f.count_include_pad,
            **({"divisor_override": f.divisor_override} if overrides else {}),
        ),
        keywords=("mean", "downsample"),
    )


def _adaptive(kind: str, dims: int) -> Layer:
    verb, name = {"Avg": ("Average", "average"), "Max": ("Keep the largest values", "max")}[kind]
    return Layer(
        id=f"Adaptive{kind}Pool{dims}d",
        title=f"Adaptive {name} pooling {dims}-D",
        group="Pooling",
        doc=f"{verb} over windows chosen so that the output has `output_size`, whatever the input's; 1 gives one "
        "number per channel (global pooling).",
        source=f"torch.nn.Adaptive{kind}Pool{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives="N C output_size",
        ranks=(dims + 2,),
        fields=(
            Size(
                "output_size",
                start=plain([1] * dims),
                dims=dims,
                lo=1,
                hi=4096,
                optional_items=dims > 1,
                unit=UNITS[dims],
                doc=f"{AXES[dims]} of the output" + ("; null keeps the input's." if dims > 1 else "."),
            ),
        ),
        call=lambda f, x: Call(f"torch.nn.Adaptive{kind}Pool{dims}d", f.output_size),
        keywords=("global", "gap"),
    )


def _lp_fits(f: Settings, x: Inputs) -> Verdict | None:
    return window_fits(Settings(**vars(f), padding=0), x)


def _lp_pool(dims: int) -> Layer:
    return Layer(
        id=f"LPPool{dims}d",
        title=f"Power-average pooling {dims}-D",
        group="Pooling",
        doc="The p-norm of each window of `kernel_size` in steps of `stride`: (Σ xᵖ)^(1/p) with p = `norm_type`; "
        "1 is a sum, large p approaches the maximum. `ceil_mode` keeps a last, hanging window.",
        source=f"torch.nn.LPPool{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives=f"N C {OUT_NAMES[dims]}",
        ranks=(dims + 2,),
        fields=(
            Float("norm_type", start=2.0, lo=0, hi=100, open_lo=True, doc="The exponent p."),
            kernel(dims, 2),
            _stride(dims),
            _CEIL,
        ),
        rules=(Rule("window-fits", _lp_fits),),
        call=lambda f, x: Call(
            f"torch.nn.LPPool{dims}d", f.norm_type, f.kernel_size, stride=f.stride, ceil_mode=f.ceil_mode
        ),
        keywords=("norm",),
    )


def _fractional_fits(f: Settings, x: Inputs) -> Verdict | None:
    dims = len(x.spatial)
    for k, out, size in zip(each(f.kernel_size, dims), each(f.output_size, dims), x.spatial, strict=True):
        if out + k - 1 > size:
            return Verdict(
                "output_size",
                f"output_size ({out}) + kernel_size ({k}) − 1 is more than the input ({size}).",
                (
                    Fix(
                        "Halve the input",
                        {
                            "output_size": plain([max(1, s // 2) for s in x.spatial]),
                            "kernel_size": plain([2] * dims),
                        },
                    ),
                ),
            )
    return None


def _fractional_pool(dims: int) -> Layer:
    return Layer(
        id=f"FractionalMaxPool{dims}d",
        title=f"Fractional max pooling {dims}-D",
        group="Pooling",
        doc="Keep the largest value of windows of `kernel_size` whose places are drawn at random so that the output "
        "has `output_size`: shrinks by any ratio.",
        source=f"torch.nn.FractionalMaxPool{dims}d; Graham 2014, arXiv 1412.6071",
        reads=f"N C {NAMES[dims]}",
        gives="N C output_size",
        ranks=(dims + 2,),
        fields=(
            kernel(dims, 2),
            Size(
                "output_size",
                start=plain([4] * dims),
                dims=dims,
                lo=1,
                hi=4096,
                unit=UNITS[dims],
                doc=f"{AXES[dims]} of the output.",
            ),
        ),
        rules=(Rule("window-fits", _fractional_fits),),
        call=lambda f, x: Call(
            f"torch.nn.FractionalMaxPool{dims}d", f.kernel_size, output_size=f.output_size
        ),
        keywords=("random",),
    )


MAX_POOLS = tuple(_max_pool(dims) for dims in (1, 2, 3))
AVERAGE_POOLS = tuple(_average_pool(dims) for dims in (1, 2, 3))
ADAPTIVE_AVERAGE_POOLS = tuple(_adaptive("Avg", dims) for dims in (1, 2, 3))
ADAPTIVE_MAX_POOLS = tuple(_adaptive("Max", dims) for dims in (1, 2, 3))
LP_POOLS = tuple(_lp_pool(dims) for dims in (1, 2, 3))
FRACTIONAL_POOLS = tuple(_fractional_pool(dims) for dims in (2, 3))
