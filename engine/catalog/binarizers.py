"""Straight-through estimators: binary forward, a chosen gradient backward.

In the formulas g is the gradient from above, sgn(x) is +1 for x ≥ 0 and −1 otherwise, 1[.] is an
indicator and a_c the mean of |w| of one output channel.
"""

from __future__ import annotations

from engine.catalog.entry import Binarizer, Call
from engine.catalog.fields import Bool, Float, Int

_CLIP = Float("clip_value", 1.0, lo=0, hi=1e6, open_lo=True, doc="Where the gradient is cut off.")
_T_MIN = Float(
    "t_min", 0.001, lo=0, hi=1000, open_lo=True, log=True, doc="Sharpness at the start of the run."
)
_T_MAX = Float("t_max", 10.0, lo=0, hi=1000, open_lo=True, log=True, doc="Sharpness at its end.")
_BOTH = "engine.compile.estimators."
_WEIGHT = "engine.compile.weight_estimators."

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
    call=lambda f: Call(_BOTH + "SteSign", clip_value=f.clip_value),
)
IDENTITY_STE = Binarizer(
    id="identity_ste",
    title="Sign, plain straight-through",
    doc="+1 for x ≥ 0, −1 otherwise. Backward, the gradient passes as it is.",
    source="Courbariaux et al. 2015, arXiv 1511.00363 (BinaryConnect); brevitas binary_sign_ste",
    forward="sgn(x)",
    backward="g",
    lesson="The simplest estimator. On inputs it lets saturated values drift, which costs accuracy.",
    call=lambda f: Call(_BOTH + "IdentitySte"),
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
    call=lambda f: Call(_BOTH + "LBSign"),
)
APPROX_SIGN = Binarizer(
    id="approx_sign",
    title="Sign, triangular gradient",
    doc="+1 for x ≥ 0, −1 otherwise. Backward, a triangle: strongest at zero, nothing beyond ±1.",
    source="Liu et al. 2018, arXiv 1808.00278 (Bi-Real Net)",
    forward="sgn(x)",
    backward="g·(2 − 2|x|)·1[|x| ≤ 1]",
    lesson="The derivative of a piecewise parabola that is closer to the sign than the clipped identity is.",
    call=lambda f: Call(_BOTH + "ApproxSign"),
)
SWISH_SIGN = Binarizer(
    id="swish_sign",
    title="Sign, swish gradient",
    doc="+1 for x ≥ 0, −1 otherwise. Backward, the slope of a sign-like swish, sharper with larger `beta`; slightly "
    "negative on its flanks.",
    source="Darabi et al. 2018, arXiv 1812.11800 (BNN+)",
    forward="sgn(x)",
    backward="g·β·(2 − βx·tanh(βx/2)) / (1 + cosh βx)",
    lesson="Lets weights that are stuck just beyond the threshold come back.",
    fields=(Float("beta", 5.0, lo=0, hi=1000, open_lo=True, doc="Sharpness."),),
    call=lambda f: Call(_BOTH + "SwishSign", beta=f.beta),
)
EDE_TANH = Binarizer(
    id="ede_tanh",
    title="Sign, gradient that sharpens",
    doc="+1 for x ≥ 0, −1 otherwise. Backward, the slope of a tanh that sharpens over the run, from `t_min` to "
    "`t_max` in equal ratios.",
    source="Qin et al. 2020, arXiv 1909.10788 (IR-Net)",
    forward="sgn(x)",
    backward="g·k·t·(1 − tanh²(t·x)),  k = max(1/t, 1)",
    lesson="Early on every weight can move; late in the run the gradient is close to the true one.",
    fields=(_T_MIN, _T_MAX),
    call=lambda f: Call(_BOTH + "EdeTanh", t_min=f.t_min, t_max=f.t_max),
)
STE_HEAVISIDE = Binarizer(
    id="ste_heaviside",
    title="Step to 0 and 1",
    doc="1 for x > 0, 0 otherwise. Backward, the gradient passes where |x| ≤ `clip_value`.",
    source="larq SteHeaviside",
    forward="1[x > 0]",
    backward="g·1[|x| ≤ clip_value]",
    lesson="Sparse activations instead of signs; products become AND instead of XNOR.",
    places=("input",),
    fields=(_CLIP,),
    call=lambda f: Call(_BOTH + "SteHeaviside", clip_value=f.clip_value),
)
STE_TERN = Binarizer(
    id="ste_tern",
    title="Ternary, fixed threshold",
    doc="−1, 0 or +1: zero within ±`threshold`. Backward, the gradient passes where |x| ≤ `clip_value`.",
    source="larq SteTern",
    forward="sign(x)·1[|x| > threshold]",
    backward="g·1[|x| ≤ clip_value]",
    lesson="A zero costs one more bit and often buys a point of accuracy.",
    fields=(Float("threshold", 0.05, lo=0, hi=1e6, doc="Half width of the zero zone."), _CLIP),
    bits=lambda f: 2,
    call=lambda f: Call(_BOTH + "SteTern", threshold=f.threshold, clip_value=f.clip_value),
)
MAGNITUDE_AWARE_SIGN = Binarizer(
    id="magnitude_aware_sign",
    title="Sign with magnitude",
    doc="sgn(w) times the channel's mean |w|. Backward, the same scale, where |w| ≤ `clip_value`.",
    source="larq MagnitudeAwareSign; Liu et al. 2018, arXiv 1808.00278",
    forward="a_c·sgn(w)",
    backward="a_c·g·1[|w| ≤ clip_value], a_c a constant",
    lesson="The scale folds into the batch norm behind it, so it costs nothing when deployed.",
    places=("weight",),
    context=("transposed_groups",),
    fields=(_CLIP,),
    call=lambda f: Call(_WEIGHT + "MagnitudeAwareSign", clip_value=f.clip_value),
)
BIREAL_WEIGHT = Binarizer(
    id="bireal_weight",
    title="Bi-Real weight",
    doc="sgn(w) times the channel's mean |w|. Backward, the plain mask, without the scale.",
    source="Liu et al. 2018, arXiv 1808.00278; Liu et al. 2020, arXiv 2003.03488 (ReActNet)",
    forward="a_c·sgn(w)",
    backward="g·1[|w| ≤ 1]",
    lesson="Keeps the step size of the latent weights independent of their scale.",
    places=("weight",),
    context=("transposed_groups",),
    call=lambda f: Call(_WEIGHT + "BiRealWeight"),
)
XNOR_SCALE = Binarizer(
    id="xnor_scale",
    title="XNOR-Net weight",
    doc="sgn(w) times the channel's mean |w|, through which the gradient flows too.",
    source="Rastegari et al. 2016, arXiv 1603.05279; with the gradient that is right, which the paper's Algorithm 1 is not",
    forward="a_c·sgn(w)",
    backward="a_c·g·1[|w| ≤ 1] + sign(w)/n·Σ g·sgn(w)",
    lesson="The scale is the least-squares best for given signs: mean |w|.",
    places=("weight",),
    context=("transposed_groups",),
    call=lambda f: Call(_WEIGHT + "XnorScale"),
)
DOREFA_WEIGHT = Binarizer(
    id="dorefa_weight",
    title="DoReFa weight",
    doc="Weights of `k_bit` bits: 1 bit is sgn(w) times the tensor's mean |w|; more bits round tanh(w).",
    source="Zhou et al. 2016, arXiv 1606.06160 (DoReFa)",
    forward="1 bit: E·sgn(w);  k bits: 2·rint((tanh w/(2M) + ½)·n)/n − 1",
    backward="1 bit: g;  k bits: g·(1 − tanh² w)/M",
    lesson="A dial between binary and real: see how many bits the task needs.",
    places=("weight",),
    fields=(Int("k_bit", 1, lo=1, hi=16, unit="bits", doc="Bits per weight."),),
    bits=lambda f: f.k_bit,
    call=lambda f: Call(_WEIGHT + "DoReFaWeight", k_bit=f.k_bit),
)
DOREFA_INPUT = Binarizer(
    id="dorefa_input",
    title="DoReFa input",
    doc="Activations of `k_bit` bits: clipped to 0 … 1 and rounded to 2^k levels, halves to even.",
    source="Zhou et al. 2016, arXiv 1606.06160 (DoReFa)",
    forward="rint(clip(x, 0, 1)·n)/n,  n = 2^k_bit − 1",
    backward="g·1[0 ≤ x ≤ 1]",
    lesson="Two bits already come close to real activations in many networks.",
    places=("input",),
    fields=(Int("k_bit", 2, lo=1, hi=16, unit="bits", doc="Bits per value."),),
    bits=lambda f: f.k_bit,
    call=lambda f: Call(_BOTH + "DoReFaInput", k_bit=f.k_bit),
)
TWN = Binarizer(
    id="twn",
    title="Ternary weight network",
    doc="−a, 0 or +a: zero below 0.7 of the mean |w|, a the mean of the rest; over the whole tensor or `per_channel`.",
    source="Li et al. 2016, arXiv 1605.04711",
    forward="a·sign(w)·1[|w| > D],  D = 0.7·mean|w|",
    backward="g",
    lesson="About two thirds of a normal distribution's weights survive; the threshold is near the least-squares best.",
    places=("weight",),
    context=("transposed_groups",),
    fields=(Bool("per_channel", False, doc="Threshold and scale per output channel."),),
    bits=lambda f: 2,
    call=lambda f: Call(_WEIGHT + "Twn", per_channel=f.per_channel),
)
IR_WEIGHT = Binarizer(
    id="ir_weight",
    title="IR-Net weight",
    doc="Signs of the standardised weight, scaled by a power of two; backward a tanh's slope that sharpens from `t_min` to "
    "`t_max` over the run.",
    source="Qin et al. 2020, arXiv 1909.10788 (IR-Net)",
    forward="s_c·sgn(u),  u = (w − mean_c)/std_c,  s_c = 2^rint(log2 mean|u|)",
    backward="ede_tanh through the sign, exact through the standardisation",
    lesson="Centring makes + and − equally frequent, which carries the most information.",
    places=("weight",),
    context=("transposed_groups",),
    fields=(_T_MIN, _T_MAX),
    call=lambda f: Call(_WEIGHT + "IrWeight", t_min=f.t_min, t_max=f.t_max),
)
BC_STOCHASTIC = Binarizer(
    id="bc_stochastic",
    title="Stochastic sign",
    doc="While training, +1 with probability clip((w + 1)/2, 0, 1), else −1; in evaluation sgn(w).",
    source="Courbariaux et al. 2015, arXiv 1511.00363 (BinaryConnect)",
    forward="±1 at random; evaluation sgn(w)",
    backward="g",
    lesson="The noise regularises like dropout does.",
    places=("weight",),
    call=lambda f: Call(_WEIGHT + "BcStochastic"),
)
RSIGN = Binarizer(
    id="rsign",
    title="Sign with learned threshold",
    doc="sgn(x + b) with a learned b per channel; backward a triangle about the threshold.",
    source="Liu et al. 2020, arXiv 2003.03488 (ReActNet)",
    forward="sgn(x + b_c)",
    backward="approx_sign at x + b;  db = Σ dx",
    lesson="Where an activation is cut matters more than how: learning the cut is worth several points on ImageNet.",
    places=("input",),
    context=("shape",),
    call=lambda f: Call(_BOTH + "RSign"),
)
