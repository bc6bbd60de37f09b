"""Layers that enlarge, shrink and rearrange pictures without weights."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Float, Int, Option, Shape, Size
from engine.catalog.windows import steps

_MODES = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_FOR_RANK = {3: "linear", 4: "bilinear", 5: "trilinear"}


def _one_of_two(f: Settings, x: Inputs) -> Verdict | None:
    if (f.size is None) == (f.scale_factor is None):
        both = "both are" if f.size is not None else "neither is"
        return Verdict(
            "scale_factor",
            f"give either size or scale_factor; {both} given.",
            (Fix("Double the size", {"size": None, "scale_factor": 2.0}),),
        )
    if f.size is not None and len(f.size) not in (1, len(x.spatial)):
        return Verdict("size", f"size has {len(f.size)} numbers for {len(x.spatial)} dimensions.")
    for s in x.spatial:
        if f.scale_factor is not None and int(s * f.scale_factor) < 1:
            return Verdict("scale_factor", f"{s} times {f.scale_factor:g} leaves nothing.")
    return None


def _mode_fits(f: Settings, x: Inputs) -> Verdict | None:
    rank = len(x.shape)
    fitting = _FOR_RANK.get(rank, "nearest")
    if f.mode in _MODES and _MODES[f.mode] != rank:
        return Verdict(
            "mode",
            f"“{f.mode}” takes inputs of {_MODES[f.mode]} dimensions with the batch, and this has {rank}.",
            (Fix(f"Set mode to {fitting}", {"mode": fitting}),),
        )
    if f.align_corners is not None and f.mode not in _MODES:
        return Verdict(
            "align_corners",
            f"align_corners means nothing for “{f.mode}”.",
            (Fix("Clear align_corners", {"align_corners": None}),),
        )
    return None


UPSAMPLE = Layer(
    id="Upsample",
    title="Upsample",
    group="Shape",
    doc="Resize to `size`, or by `scale_factor`, with `mode` deciding how new points are made; `align_corners` keeps "
    "the corners in place.",
    source="torch.nn.Upsample",
    reads="N C …",
    gives="resized",
    ranks=(3, 4, 5),
    fields=(
        Shape("size", None, min_dims=1, max_dims=3, hi=4096, optional=True, unit="px", doc="The new size."),
        Float(
            "scale_factor",
            None,
            start=2.0,
            lo=0,
            hi=64,
            open_lo=True,
            optional=True,
            doc="Or: times the old size.",
        ),
        Option(
            "mode",
            "nearest",
            options=("nearest", "linear", "bilinear", "bicubic", "trilinear"),
            doc="How new points are made.",
        ),
        Bool("align_corners", None, optional=True, doc="Keep the corners in place.", advanced=True),
    ),
    rules=(Rule("one-of-two", _one_of_two), Rule("mode-fits", _mode_fits)),
    call=lambda f, x: Call(
        "torch.nn.Upsample",
        size=None if f.size is None else (f.size[0] if len(f.size) == 1 else f.size),
        scale_factor=f.scale_factor,
        mode=f.mode,
        align_corners=f.align_corners,
    ),
    keywords=("resize", "interpolate", "enlarge", "unet"),
)


def _channels_divide(name: str, power: int) -> Rule:
    def check(f: Settings, x: Inputs) -> Verdict | None:
        factor = getattr(f, name)
        if x.channels % factor**power == 0:
            return None
        squared = "" if power == 1 else f"{factor}² = "
        return Verdict(name, f"the channels ({x.channels}) must be a multiple of {squared}{factor**power}.")

    return Rule("channels-divide", check)


def _pixels_divide(f: Settings, x: Inputs) -> Verdict | None:
    for size in x.spatial:
        if size % f.downscale_factor:
            return Verdict(
                "downscale_factor",
                f"the size ({size}) must be a multiple of downscale_factor ({f.downscale_factor}).",
            )
    return None


PIXEL_SHUFFLE = Layer(
    id="PixelShuffle",
    title="Pixel shuffle",
    group="Shape",
    doc="Lay channels out as pixels: `upscale_factor` times as high and wide, its square fewer channels.",
    source="torch.nn.PixelShuffle; Shi et al. 2016, arXiv 1609.05158",
    reads="N C·r² H W",
    gives="N C H·r W·r",
    ranks=(4,),
    fields=(Int("upscale_factor", start=2, lo=1, hi=64, doc="How many times as large."),),
    rules=(_channels_divide("upscale_factor", 2),),
    call=lambda f, x: Call("torch.nn.PixelShuffle", f.upscale_factor),
    keywords=("super-resolution", "depth to space"),
)
PIXEL_UNSHUFFLE = Layer(
    id="PixelUnshuffle",
    title="Pixel unshuffle",
    group="Shape",
    doc="Lay pixels out as channels: `downscale_factor` times less high and wide, its square more channels.",
    source="torch.nn.PixelUnshuffle; Shi et al. 2016, arXiv 1609.05158",
    reads="N C H·r W·r",
    gives="N C·r² H W",
    ranks=(4,),
    fields=(Int("downscale_factor", start=2, lo=1, hi=64, doc="How many times smaller."),),
    rules=(Rule("pixels-divide", _pixels_divide),),
    call=lambda f, x: Call("torch.nn.PixelUnshuffle", f.downscale_factor),
    keywords=("space to depth",),
)
CHANNEL_SHUFFLE = Layer(
    id="ChannelShuffle",
    title="Channel shuffle",
    group="Shape",
    doc="Deal the channels of `groups` groups out evenly, so that the next grouped convolution mixes them.",
    source="torch.nn.ChannelShuffle; Zhang et al. 2017, arXiv 1707.01083",
    reads="N C …",
    gives="as its input",
    ranks=(4,),
    fields=(Int("groups", start=2, lo=1, hi=65536, doc="Number of groups; must divide the channels."),),
    rules=(_channels_divide("groups", 1),),
    call=lambda f, x: Call("torch.nn.ChannelShuffle", f.groups),
    keywords=("shufflenet",),
)


def _windows_exist(f: Settings, x: Inputs) -> Verdict | None:
    for size, k, d, p in zip(x.spatial, f.kernel_size, f.dilation, f.padding, strict=True):
        reach = d * (k - 1) + 1
        if reach > size + 2 * p:
            return Verdict(
                "kernel_size",
                f"the window ({reach}) is larger than its padded input ({size} + 2·{p} = {size + 2 * p}).",
            )
    return None


UNFOLD = Layer(
    id="Unfold",
    title="Unfold",
    group="Shape",
    doc="Lay every window of `kernel_size` out as a column, in steps of `stride`, after widening by `padding`; "
    "`dilation` spreads the window. What a convolution multiplies by.",
    source="torch.nn.Unfold",
    reads="N C H W",
    gives="N C·window L",
    ranks=(4,),
    fields=(
        Size(
            "kernel_size",
            start=[3, 3],
            dims=2,
            lo=1,
            hi=255,
            unit="px",
            doc="Height and width of the window.",
        ),
        steps("dilation", 1, 2, "Distance between the points of the window.", lo=1, hi=255, advanced=True),
        steps("padding", 0, 2, "Added on each side."),
        steps("stride", 1, 2, "Step of the window.", lo=1, hi=255),
    ),
    rules=(Rule("window-fits", _windows_exist),),
    call=lambda f, x: Call(
        "torch.nn.Unfold", f.kernel_size, dilation=f.dilation, padding=f.padding, stride=f.stride
    ),
    keywords=("im2col", "patches"),
)


def _columns_fit(f: Settings, x: Inputs) -> Verdict | None:
    count = 1
    for out, k, d, p, s in zip(f.output_size, f.kernel_size, f.dilation, f.padding, f.stride, strict=True):
        count *= max(0, (out + 2 * p - d * (k - 1) - 1) // s + 1)
    window = f.kernel_size[0] * f.kernel_size[1]
    if x.channels % window:
        return Verdict(
            "kernel_size", f"the columns have {x.channels} entries, no multiple of the window ({window})."
        )
    if count != x.features:
        return Verdict(
            "output_size",
            f"{count} windows fit into output_size {list(f.output_size)}, and there are {x.features} columns.",
        )
    return None


FOLD = Layer(
    id="Fold",
    title="Fold",
    group="Shape",
    doc="Put columns back as windows of `kernel_size` into a picture of `output_size`, adding where they overlap; "
    "`dilation`, `padding` and `stride` as in Unfold.",
    source="torch.nn.Fold",
    reads="N C·window L",
    gives="N C output_size",
    ranks=(3,),
    fields=(
        Size(
            "output_size",
            start=[8, 8],
            dims=2,
            lo=1,
            hi=4096,
            unit="px",
            doc="Height and width of the picture.",
        ),
        Size(
            "kernel_size",
            start=[2, 2],
            dims=2,
            lo=1,
            hi=255,
            unit="px",
            doc="Height and width of the window.",
        ),
        steps("dilation", 1, 2, "Distance between the points of the window.", lo=1, hi=255, advanced=True),
        steps("padding", 0, 2, "Cut from each side."),
        steps("stride", 1, 2, "Step of the window.", lo=1, hi=255),
    ),
    rules=(Rule("columns-fit", _columns_fit),),
    call=lambda f, x: Call(
        "torch.nn.Fold", f.output_size, f.kernel_size, dilation=f.dilation, padding=f.padding, stride=f.stride
    ),
    keywords=("col2im", "patches"),
)
