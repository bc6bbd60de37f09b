"""Straight-through estimators: binary forward, a chosen gradient backward."""

from __future__ import annotations

from engine.catalog.entry import Binarizer, Call
from engine.catalog.fields import Float

STE_SIGN = Binarizer(
    id="ste_sign",
    title="Sign, masked straight-through",
    doc="+1 for x ≥ 0, −1 otherwise. Backward, the gradient passes where |x| ≤ `clip_value` and is blocked elsewhere; "
    "an empty `clip_value` passes it everywhere.",
    source="Hubara et al. 2016, arXiv 1602.02830 §1.3; larq SteSign",
    forward="sgn(x)",
    backward="g·1[|x| ≤ clip_value]",
    lesson="The mask stops weights and activations that are already saturated from drifting further.",
    fields=(
        Float(
            "clip_value",
            1.0,
            lo=0,
            hi=1e6,
            open_lo=True,
            optional=True,
            doc="Where the gradient is cut off; empty: nowhere.",
        ),
    ),
    call=lambda f: Call("engine.compile.estimators.SteSign", clip_value=f.clip_value),
)
LBSIGN = Binarizer(
    id="lbsign",
    title="Sign, clamped gradient (LBSign)",
    doc="+1 for x ≥ 0, −1 otherwise. Backward, the gradient itself is clamped to −1 … 1, wherever x is.",
    source="a widely copied blog post, mended so that it no longer changes the gradient in place",
    forward="sgn(x)",
    backward="clamp(g, −1, 1)",
    lesson="With small gradients this is the plain identity, so nothing holds saturated values: harmless on weights, "
    "it costs several points of accuracy on inputs. Kept because it is widely copied.",
    call=lambda f: Call("engine.compile.estimators.LBSign"),
)
