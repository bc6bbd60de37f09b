"""Layers that widen the border."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Field, Float, Size
from engine.catalog.windows import NAMES, OUT_NAMES, UNITS

_KINDS = {
    "Zero": ("Zero padding", "zeros", 0),
    "Constant": ("Constant padding", "`value`", 0),
    "Reflection": ("Reflection padding", "the input mirrored about its edge", 1),
    "Replication": ("Replication padding", "the edge value repeated", None),
    "Circular": ("Circular padding", "the opposite side, as on a ring", 0),
}


def _border(kind: str, dims: int) -> Rule:
    spare = _KINDS[kind][2]

    def check(f: Settings, x: Inputs) -> Verdict | None:
        # torch lists the sides from the last dimension backwards.
        for axis, size in enumerate(reversed(x.spatial)):
            low, high = f.padding[2 * axis : 2 * axis + 2]
            if kind in ("Reflection", "Circular") and spare is not None and max(low, high) > size - spare:
                return Verdict(
                    "padding",
                    f"a border of {max(low, high)} cannot be taken from an input of {size}: at most {size - spare}.",
                    (Fix("Set padding to 0", {"padding": [0] * (2 * dims)}),),
                )
            if size + low + high < 1:
                return Verdict("padding", f"padding {low} and {high} leaves nothing of an input of {size}.")
        return None

    return Rule("padding-fits", check)


def _pad(kind: str, dims: int) -> Layer:
    title, filler, _ = _KINDS[kind]
    constant = kind == "Constant"
    sides = {1: "left, right", 2: "left, right, top, bottom", 3: "left, right, top, bottom, front, back"}[
        dims
    ]
    fields: tuple[Field, ...] = (
        Size(
            "padding",
            start=[1] * (2 * dims),
            dims=2 * dims,
            lo=0,
            hi=1024,
            unit=UNITS[dims],
            doc=f"Added at {sides}; one number: on every side.",
        ),
    )
    if constant:
        fields += (Float("value", start=0.0, doc="What the border is filled with."),)
    return Layer(
        id=f"{kind}Pad{dims}d",
        title=f"{title} {dims}-D",
        group="Padding",
        doc=f"Widen the border by `padding`, filled with {filler}.",
        source=f"torch.nn.{kind}Pad{dims}d",
        reads=f"N C {NAMES[dims]}",
        gives=f"N C {OUT_NAMES[dims]}",
        ranks=(dims + 2,),
        fields=fields,
        rules=(_border(kind, dims),),
        call=lambda f, x: Call(
            f"torch.nn.{kind}Pad{dims}d", f.padding, **({"value": f.value} if constant else {})
        ),
        keywords=("border", "pad"),
    )


PADDINGS = tuple(_pad(kind, dims) for kind in _KINDS for dims in (1, 2, 3))
