"""Ways to draw a parameter's first values."""

from __future__ import annotations

from engine.catalog.entry import Call, Initializer, Settings
from engine.catalog.fields import Bool, Float, Int, Option

_NONLINEARITIES = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
)
_A = Float("a", 0.0, lo=-100, hi=100, doc="Negative slope of the activation that follows (leaky_relu only).")
_MODE = Option(
    "mode",
    "fan_in",
    options=("fan_in", "fan_out"),
    doc="Keep the spread of activations (fan_in) or of gradients (fan_out).",
)
_NONLINEARITY = Option(
    "nonlinearity", "leaky_relu", options=_NONLINEARITIES, doc="The activation that follows."
)


def _gain(doc: str) -> Float:
    return Float(
        "gain",
        1.0,
        lo=0,
        hi=1000,
        open_lo=True,
        words=("auto",),
        doc=f"{doc} “auto” takes the gain of the activation that really comes next.",
    )


#: Beyond this many spreads from the mean a normal distribution has no value that float32 can tell from none.
_FARTHEST = 8.0
#: The largest number that float32 holds.
_LARGEST = 3.4028e38


def _held(f: Settings, shape: tuple[int, ...]) -> str | None:
    for name, value in vars(f).items():
        if isinstance(value, float) and abs(value) > _LARGEST:
            return f"{name} ({value:g}) is more than float32 holds. Choose a smaller one."
    return None


_XAVIER_GAIN = _gain("Factor on the spread.")


def _groups_divide(f: Settings, shape: tuple[int, ...]) -> str | None:
    if shape[0] % f.groups == 0:
        return None
    return f"dirac needs a first dimension ({shape[0]}) that groups ({f.groups}) divides."


def _no_fewer_outputs(f: Settings, shape: tuple[int, ...]) -> str | None:
    if shape[0] >= shape[1]:
        return None
    return f"delta_orthogonal needs at least as many outputs ({shape[0]}) as inputs ({shape[1]})."


def _ordered(f: Settings, shape: tuple[int, ...]) -> str | None:
    if f.a <= f.b:
        return _held(f, shape)
    return f"a ({f.a:g}) is above b ({f.b:g}): there is nothing between them. Swap them."


def _something_between(f: Settings, shape: tuple[int, ...]) -> str | None:
    if f.a >= f.b:
        return f"a ({f.a:g}) must be below b ({f.b:g}): there is nothing between them. Swap them."
    away = max(f.a - f.mean, f.mean - f.b) / f.std
    if away <= _FARTHEST:
        return _held(f, shape)
    return (
        f"a … b ({f.a:g} … {f.b:g}) is {away:.3g} spreads away from the mean ({f.mean:g}), where nothing is "
        "drawn. Move the bounds, or raise std."
    )


def _whole_gates(f: Settings, shape: tuple[int, ...]) -> str | None:
    if shape[0] % f.gates == 0:
        return None
    return f"the first dimension ({shape[0]}) is no multiple of gates ({f.gates})."


_GATES = ("first", "second", "third", "fourth")
_OF_A_GATE = (
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "zeros",
    "ones",
)


def _gates_drawn(f: Settings, shape: tuple[int, ...]) -> str | None:
    used = [getattr(f, name) for name in _GATES[: f.gates]]
    flat = next((scheme for scheme in used if scheme not in ("zeros", "ones")), None)
    if len(shape) < 2 and flat is not None:
        return f"{flat} needs a matrix per gate, and this is {list(shape)}. Take zeros or ones."
    return _whole_gates(f, shape)


def _four_gates(f: Settings, shape: tuple[int, ...]) -> str | None:
    if shape[0] % 4 == 0:
        return None
    return f"forget_bias needs the four gates of an LSTM, and {shape[0]} is no multiple of 4."


DEFAULT = Initializer(
    id="default",
    title="torch's default",
    doc="What the layer's own reset_parameters draws; for Linear and Conv, U(−1/√fan_in, 1/√fan_in).",
    source="torch.nn.Linear.reset_parameters",
    formula="as torch's layer does",
    lesson="Chosen for old habits rather than for depth: with ReLU it loses about a factor √6 of spread per layer.",
    call=lambda f: Call("reset_parameters"),
    needs_network=True,
)
ZEROS = Initializer(
    id="zeros",
    title="Zeros",
    doc="All zero.",
    source="torch.nn.init.zeros_",
    formula="w = 0",
    lesson="Right for biases. Weights that are all equal stay equal: every unit learns the same.",
    call=lambda f: Call("torch.nn.init.zeros_"),
)
ONES = Initializer(
    id="ones",
    title="Ones",
    doc="All one.",
    source="torch.nn.init.ones_",
    formula="w = 1",
    lesson="Right for the scale of a normalisation.",
    call=lambda f: Call("torch.nn.init.ones_"),
)
CONSTANT = Initializer(
    id="constant",
    title="Constant",
    doc="All equal to `val`.",
    source="torch.nn.init.constant_",
    formula="w = val",
    lesson="Equal weights stay equal; use it for biases.",
    fields=(Float("val", start=0.0, doc="The value."),),
    fits=_held,
    call=lambda f: Call("torch.nn.init.constant_", val=f.val),
)
UNIFORM = Initializer(
    id="uniform",
    title="Uniform",
    doc="Every value between `a` and `b` is equally likely.",
    source="torch.nn.init.uniform_",
    formula="w ~ U(a, b);  std = (b − a)/√12",
    lesson="torch's default range 0 … 1 has mean ½: as weights it drives all units the same way.",
    fields=(Float("a", 0.0, doc="Lower bound."), Float("b", 1.0, doc="Upper bound.")),
    fits=_ordered,
    call=lambda f: Call("torch.nn.init.uniform_", a=f.a, b=f.b),
)
NORMAL = Initializer(
    id="normal",
    title="Normal",
    doc="Bell curve about `mean` with spread `std`.",
    source="torch.nn.init.normal_",
    formula="w ~ N(mean, std²)",
    lesson="A fixed std fits one width only: N(0, 0.01) vanishes within a few layers.",
    fields=(Float("mean", 0.0, doc="Centre."), Float("std", 1.0, lo=0, doc="Spread.")),
    fits=_held,
    call=lambda f: Call("torch.nn.init.normal_", mean=f.mean, std=f.std),
)
XAVIER_UNIFORM = Initializer(
    id="xavier_uniform",
    title="Xavier (Glorot), uniform",
    doc="Uniform, with the spread that keeps both activations and "
    "gradients of a linear or tanh layer; `gain` multiplies it.",
    source="torch.nn.init.xavier_uniform_; Glorot and Bengio 2010",
    formula="w ~ U(−b, b),  b = gain·√(6/(fan_in + fan_out))",
    lesson="Made for tanh and sigmoid; half too small, in variance, for ReLU.",
    fields=(_XAVIER_GAIN,),
    min_dims=2,
    call=lambda f: Call("torch.nn.init.xavier_uniform_", gain=f.gain),
)
XAVIER_NORMAL = Initializer(
    id="xavier_normal",
    title="Xavier (Glorot), normal",
    doc="Normal, with the spread that keeps both activations and "
    "gradients of a linear or tanh layer; `gain` multiplies it.",
    source="torch.nn.init.xavier_normal_; Glorot and Bengio 2010",
    formula="w ~ N(0, std²),  std = gain·√(2/(fan_in + fan_out))",
    lesson="Made for tanh and sigmoid; half too small, in variance, for ReLU.",
    fields=(_XAVIER_GAIN,),
    min_dims=2,
    call=lambda f: Call("torch.nn.init.xavier_normal_", gain=f.gain),
)
KAIMING_UNIFORM = Initializer(
    id="kaiming_uniform",
    title="Kaiming (He), uniform",
    doc="Uniform, with the spread that keeps activations "
    "(`mode` fan_in) or gradients (fan_out) through the `nonlinearity` that follows; `a` is a leaky ReLU's slope.",
    source="torch.nn.init.kaiming_uniform_; He et al. 2015, arXiv 1502.01852",
    formula="w ~ U(−b, b),  b = √3·gain/√fan",
    lesson="The doubled variance makes up for the half that ReLU throws away.",
    fields=(_A, _MODE, _NONLINEARITY),
    min_dims=2,
    call=lambda f: Call("torch.nn.init.kaiming_uniform_", a=f.a, mode=f.mode, nonlinearity=f.nonlinearity),
)
KAIMING_NORMAL = Initializer(
    id="kaiming_normal",
    title="Kaiming (He), normal",
    doc="Normal, with the spread that keeps activations "
    "(`mode` fan_in) or gradients (fan_out) through the `nonlinearity` that follows; `a` is a leaky ReLU's slope.",
    source="torch.nn.init.kaiming_normal_; He et al. 2015, arXiv 1502.01852",
    formula="w ~ N(0, std²),  std = gain/√fan",
    lesson="The doubled variance makes up for the half that ReLU throws away.",
    fields=(_A, _MODE, _NONLINEARITY),
    min_dims=2,
    call=lambda f: Call("torch.nn.init.kaiming_normal_", a=f.a, mode=f.mode, nonlinearity=f.nonlinearity),
)
ORTHOGONAL = Initializer(
    id="orthogonal",
    title="Orthogonal",
    doc="Rows (or columns) at right angles, all of length `gain`: lengths and angles pass unchanged.",
    source="torch.nn.init.orthogonal_; Saxe et al. 2013, arXiv 1312.6120",
    formula="W·Wᵀ = gain²·I  (or Wᵀ·W)",
    lesson="Every singular value is `gain`, so even very deep linear networks neither vanish nor explode.",
    fields=(_gain("Length of each row."),),
    min_dims=2,
    call=lambda f: Call("torch.nn.init.orthogonal_", gain=f.gain),
)
TRUNC_NORMAL = Initializer(
    id="trunc_normal",
    title="Truncated normal",
    doc="Bell curve about `mean` with spread `std`, drawn again outside `a` … `b` (absolute bounds, not multiples of std).",
    source="torch.nn.init.trunc_normal_",
    formula="w ~ N(mean, std²) given a ≤ w ≤ b",
    lesson="Cuts off the rare large weights; with std 0.02 the bounds ±2 are a hundred spreads away and cut nothing.",
    fields=(
        Float("mean", 0.0, doc="Centre."),
        Float("std", 1.0, lo=0, open_lo=True, doc="Spread before cutting."),
        Float("a", -2.0, doc="Lower bound."),
        Float("b", 2.0, doc="Upper bound."),
    ),
    fits=_something_between,
    call=lambda f: Call("torch.nn.init.trunc_normal_", mean=f.mean, std=f.std, a=f.a, b=f.b),
)
EYE = Initializer(
    id="eye",
    title="Identity matrix",
    doc="Ones on the diagonal, zero elsewhere: the layer begins by passing its input on.",
    source="torch.nn.init.eye_",
    formula="W = I",
    lesson="A linear layer that begins as the identity; ReLU behind it still drops the negative half.",
    min_dims=2,
    max_dims=2,
    call=lambda f: Call("torch.nn.init.eye_"),
)
DIRAC = Initializer(
    id="dirac",
    title="Dirac (identity convolution)",
    doc="A one at the kernel's centre from each channel to itself, in each of `groups` groups: the convolution begins by "
    "passing its input on.",
    source="torch.nn.init.dirac_",
    formula="W[d, d, centre] = 1",
    lesson="Keeps as many channels as fit unchanged, so depth costs nothing at the start.",
    fields=(Int("groups", 1, lo=1, hi=65536, doc="Groups of the first dimension."),),
    min_dims=3,
    max_dims=5,
    fits=_groups_divide,
    call=lambda f: Call("torch.nn.init.dirac_", groups=f.groups),
)
SPARSE = Initializer(
    id="sparse",
    title="Sparse",
    doc="Bell curve of spread `std`, with the share `sparsity` of every column set to zero (rounded up).",
    source="torch.nn.init.sparse_; Martens 2010",
    formula="w ~ N(0, std²);  ⌈sparsity·rows⌉ zeros per column",
    lesson="Each unit begins with few inputs, which keeps units different from one another.",
    fields=(
        Float("sparsity", start=0.1, lo=0, hi=1, doc="Share of zeros in every column."),
        Float("std", 0.01, lo=0, doc="Spread of the rest."),
    ),
    min_dims=2,
    max_dims=2,
    call=lambda f: Call("torch.nn.init.sparse_", sparsity=f.sparsity, std=f.std),
)
LECUN_NORMAL = Initializer(
    id="lecun_normal",
    title="LeCun, normal",
    doc="Normal with the spread that keeps the variance of a linear or SELU layer.",
    source="LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv 1706.02515",
    formula="w ~ N(0, std²),  std = 1/√fan_in",
    lesson="What SELU networks need to normalise themselves.",
    min_dims=2,
    call=lambda f: Call("engine.compile.schemes.lecun_normal_"),
)
DEPTH_SCALED_NORMAL = Initializer(
    id="depth_scaled_normal",
    title="Normal, scaled by depth",
    doc="Normal with spread `std`/√(2·`layers`): for the last matrix of each residual branch of a transformer of that many "
    "layers.",
    source="Radford et al. 2019 (GPT-2), section 2.3",
    formula="w ~ N(0, std²),  std = 0.02/√(2·layers)",
    lesson="2L branches add up to a variance that does not grow with the depth.",
    fields=(
        Int("layers", start=12, lo=1, hi=100000, unit="layers", doc="Depth of the network."),
        Float("std", 0.02, lo=0, open_lo=True, doc="Spread at depth ½."),
    ),
    call=lambda f: Call("engine.compile.schemes.depth_scaled_normal_", layers=f.layers, std=f.std),
)
DELTA_ORTHOGONAL = Initializer(
    id="delta_orthogonal",
    title="Delta-orthogonal",
    doc="Zero but for the kernel's centre, which is orthogonal of length `gain`: a convolution that turns channels and moves "
    "nothing.",
    source="Xiao et al. 2018, arXiv 1806.05393",
    formula="W[:, :, centre] orthogonal·gain, else 0",
    lesson="Trains plain convolutional networks of ten thousand layers; needs at least as many outputs as inputs.",
    fields=(_gain("Length of each column."),),
    min_dims=3,
    max_dims=5,
    fits=_no_fewer_outputs,
    call=lambda f: Call("engine.compile.schemes.delta_orthogonal_", gain=f.gain),
)
BINARY_LATENT = Initializer(
    id="binary_latent",
    title="Latent weights of a binarized layer",
    doc="Uniform between −`bound` and `bound`. With `scale_rate` the parameter's learning rate is multiplied by "
    "√((fan_in + fan_out)/1.5), one over BinaryNet's Glorot bound.",
    source="Courbariaux et al. 2016, arXiv 1602.02830 (BinaryNet code: H and W_LR_scale)",
    formula="w ~ U(−bound, bound),  learning rate × √((fan_in + fan_out)/1.5)",
    lesson="Scale and learning rate are one choice: with bound 1 a plain rate of 1e-3 leaves nearly all signs as they "
    "began (MNIST, three epochs: 91.8 %, at torch's default scale 97.2 %).",
    fields=(
        Float("bound", 1.0, lo=0, hi=1e6, open_lo=True, doc="Half width."),
        Bool(
            "scale_rate",
            True,
            doc="Multiply the learning rate by one over the Glorot bound, as BinaryNet does.",
        ),
    ),
    call=lambda f: Call("torch.nn.init.uniform_", a=-f.bound, b=f.bound),
)
LSUV = Initializer(
    id="lsuv",
    title="Layer-sequential unit variance",
    doc="Orthonormal first; then, when training begins, layer after layer is rescaled on a batch until the spread of its "
    "output is within `tolerance` of 1, in at most `tries` tries.",
    source="Mishkin and Matas 2015, arXiv 1511.06422",
    formula="W orthonormal, then W ← W/std(output) on a batch",
    lesson="Measures instead of computing: right for any activation and any odd architecture.",
    fields=(
        Float("tolerance", 0.1, lo=0, hi=1, open_lo=True, doc="How far from 1 the spread may stay."),
        Int("tries", 10, lo=1, hi=100, doc="Rescalings per layer at most."),
    ),
    min_dims=2,
    call=lambda f: Call("torch.nn.init.orthogonal_"),
    needs_network=True,
)
FIXUP = Initializer(
    id="fixup",
    title="Fixup, for residual branches",
    doc="Follows the drawing: the last layer of each residual branch and the classifier begin at zero, the others of a branch "
    "shrink with the number L of branches, all else is Kaiming (He).",
    source="Zhang et al. 2019, arXiv 1901.09321",
    formula="std = √(2/fan_out)·L^−½ inside a branch; its last layer and the classifier 0",
    lesson="Trains deep residual networks without any normalisation; add a scalar bias before each layer as the paper does.",
    min_dims=2,
    call=lambda f: Call("torch.nn.init.kaiming_normal_", mode="fan_out", nonlinearity="relu"),
    needs_network=True,
)
FORGET_BIAS = Initializer(
    id="forget_bias",
    title="Forget gate open",
    doc="Zero, but `val` for the forget gate of an LSTM (the second of its four), so that it begins by remembering.",
    source="Gers et al. 2000; Jozefowicz et al. 2015",
    formula="b_forget = val, else 0",
    lesson="An LSTM that begins with its forget gate half closed loses what it saw a few steps ago. Use it on bias_ih alone: "
    "bias_hh is added to it.",
    fields=(Float("val", 1.0, lo=-100, hi=100, doc="Bias of the forget gate."),),
    min_dims=1,
    max_dims=1,
    fits=_four_gates,
    call=lambda f: Call("engine.compile.schemes.forget_bias_", val=f.val),
)
ORTHOGONAL_GATES = Initializer(
    id="orthogonal_gates",
    title="Orthogonal, gate by gate",
    doc="Each of the `gates` matrices that a recurrent weight stacks is orthogonal by itself, of length `gain`.",
    source="Saxe et al. 2013, arXiv 1312.6120; as Keras' recurrent_initializer, for each gate",
    formula="W = [Q₁; Q₂; …],  Qᵢ·Qᵢᵀ = gain²·I",
    lesson="The hidden state neither grows nor fades while it is handed on. 4 gates for an LSTM, 3 for a GRU, 1 for an RNN.",
    fields=(
        Int("gates", start=4, lo=1, hi=16, doc="How many matrices are stacked."),
        Float("gain", 1.0, lo=0, hi=1000, open_lo=True, doc="Length of each row."),
    ),
    min_dims=2,
    max_dims=2,
    fits=_whole_gates,
    call=lambda f: Call("engine.compile.schemes.orthogonal_gates_", gates=f.gates, gain=f.gain),
)
BY_GATE = Initializer(
    id="by_gate",
    title="Gate by gate",
    doc="A recurrent weight or bias stacks the parts of its `gates`; each is drawn by itself, with its own fans: `first`, "
    "`second`, `third`, `fourth`. LSTM: input, forget, cell, output. GRU: reset, update, new. RNN: one.",
    source="torch.nn.LSTM and torch.nn.GRU, “Variables”, for the order; torch.nn.init for the schemes",
    formula="W = [W₁; W₂; …],  Wᵢ by the i-th scheme",
    lesson="Drawn as one, four gates count as one layer four times as wide: Glorot's spread is then too small for each.",
    fields=(
        Int("gates", start=4, lo=1, hi=4, doc="How many parts are stacked."),
        *(
            Option(name, "xavier_uniform", options=_OF_A_GATE, doc=f"Scheme of the {name} part.")
            for name in _GATES
        ),
    ),
    min_dims=1,
    max_dims=2,
    fits=_gates_drawn,
    call=lambda f: Call(
        "engine.compile.schemes.by_gate_", gates=f.gates, **{name: getattr(f, name) for name in _GATES}
    ),
)
