"""What initialisers, activations and estimators give, drawn and evaluated for real.

A preview answers while a slider moves, so it has a budget: of a huge tensor a sample is drawn, by
the same law and with the same fans, and the answer says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.analysis.walk import walk
from engine.catalog import ACTIVATIONS, INITIALIZERS, Call, Inputs, Spec
from engine.compile.initialise import first_draw, global_generator_kept, misfit
from engine.compile.lower import looks_around, lower, settled
from engine.compile.resolve import binarizer, construct
from engine.compile.surroundings import surroundings
from engine.defaults import scheme_of
from engine.host.protocol import CurvePreview, InitPreview
from engine.network import Choice, Network
from engine.problems import NetworkProblem, did_you_mean
from engine.streams import stream_seed

#: Values drawn of a tensor that is drawn by a formula, at most; a larger one is sampled.
MOST_DRAWN = 1 << 20
#: Side of a matrix up to which its singular values are computed.
SPECTRUM = 256
#: Values in a sample, and in a draw that costs more than a few ns each (orthogonal …).
SAMPLE = 1 << 16
BINS = 64
#: Points of a curve before its steps are refined.
_POINTS = 241
#: How often the gap around a step is halved: 4/240 wide becomes 1e-6.
_HALVINGS = 14


# ---------------------------------------------------------------------------- laws


class Law(NamedTuple):
    """The distribution of one value: "uniform" on lo … hi, "normal", "truncated" normal, or "sphere".

    "sphere" is a coordinate of a random vector of length `std` in `dimensions` dimensions, which is
    what an entry of a random orthogonal matrix is.
    """

    kind: str
    mean: float = 0.0
    std: float = 1.0
    lo: float = -math.inf
    hi: float = math.inf
    dimensions: int = 0
    #: The share of the values that are drawn so; the rest is exactly zero.
    share: float = 1.0

    def density(self, x: Tensor) -> Tensor:
        """The probability density at `x`, per unit; of what is not exactly zero, where some is."""
        return self.share * self._density(x)

    def _density(self, x: Tensor) -> Tensor:
        inside = ((x >= self.lo) & (x <= self.hi)).to(x.dtype)
        if self.kind == "uniform":
            return inside / (self.hi - self.lo)
        if self.kind == "sphere":
            n = self.dimensions
            factor = math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2)) / (math.sqrt(math.pi) * self.std)
            return factor * (1 - (x / self.std) ** 2).clamp(min=0) ** ((n - 3) / 2)
        bell = torch.exp(-0.5 * ((x - self.mean) / self.std) ** 2) / (self.std * math.sqrt(2 * math.pi))
        if self.kind == "normal":
            return bell
        within = _phi((self.hi - self.mean) / self.std) - _phi((self.lo - self.mean) / self.std)
        return bell * inside / within if within > 0 else torch.zeros_like(x)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` values."""
        values = torch.empty(count)
        if self.kind == "uniform":
            return values.uniform_(self.lo, self.hi, generator=generator)
        if self.kind == "truncated":
            torch.nn.init.trunc_normal_(values, self.mean, self.std, self.lo, self.hi, generator=generator)
            return values
        if self.kind == "sphere":
            # Whole rows (or columns) of length `dimensions`: those of a part are as those of the whole.
            vectors = torch.empty(max(1, count // self.dimensions), self.dimensions)
            return torch.nn.init.orthogonal_(vectors, self.std, generator=generator).flatten()
        return values.normal_(self.mean, self.std, generator=generator)


def _phi(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _symmetric(std: float) -> Law:
    bound = math.sqrt(3.0) * std
    return Law("uniform", std=std, lo=-bound, hi=bound)


def fans(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The parameter's fan_in and fan_out as torch counts them; None below two dimensions."""
    if len(shape) < 2:
        return None
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def law_of(call: Call, shape: tuple[int, ...]) -> Law | None:
    """The distribution that an initialiser's call gives to each value; None where it has no density."""
    name = call.target.rpartition(".")[2].removesuffix("_")
    f = call.kwargs
    fan_in, fan_out = fans(shape) or (0, 0)
    gain = f.get("gain", 1.0)
    law: Law | None = None
    if name == "uniform" and f["b"] > f["a"]:
        law = Law("uniform", lo=f["a"], hi=f["b"])
    elif name == "normal":
        law = Law("normal", f["mean"], f["std"])
    elif name == "trunc_normal":
        law = Law("truncated", f["mean"], f["std"], f["a"], f["b"])
    elif name.startswith("xavier") and fan_in + fan_out:
        std = gain * math.sqrt(2.0 / (fan_in + fan_out))
        law = _symmetric(std) if name == "xavier_uniform" else Law("normal", std=std)
    elif name.startswith("kaiming") and fan_in and fan_out:
        fan = fan_in if f.get("mode", "fan_in") == "fan_in" else fan_out
        std = torch.nn.init.calculate_gain(f["nonlinearity"], f.get("a", 0)) / math.sqrt(fan)
        law = _symmetric(std) if name == "kaiming_uniform" else Law("normal", std=std)
    elif name == "lecun_normal" and fan_in:
        law = Law("normal", std=1 / math.sqrt(fan_in))
    elif name == "depth_scaled_normal":
        law = Law("normal", std=f["std"] / math.sqrt(2 * f["layers"]))
    elif name == "sparse":
        law = Law("normal", std=f["std"], share=1 - math.ceil(f["sparsity"] * shape[0]) / shape[0])
    elif name in ("orthogonal", "orthogonal_gates", "delta_orthogonal") and min(shape, default=0) > 0:
        rows, columns = shape[0] // f.get("gates", 1), math.prod(shape[1:])
        share = 1.0
        if name == "delta_orthogonal":
            columns, share = shape[1], shape[1] / columns
        if max(rows, columns) >= 3:
            law = Law("sphere", std=gain, dimensions=max(rows, columns), share=share)
    return law if law is not None and law.std > 0 and law.share > 0 else None


def _default_law(call: Call, parameters: Mapping[str, tuple[int, ...]], parameter: str) -> Law | None:
    """What a layer's own reset_parameters draws for one of its parameters; None where that has no density."""
    name = call.target.rpartition(".")[2]
    shape = parameters[parameter]
    part, _, kind = parameter.rpartition(".")
    if name == "Embedding":
        return Law("normal")
    if name in ("RNN", "LSTM", "GRU"):
        return _within(1 / math.sqrt(call.args[1]))
    if "Norm" in name or part.startswith("norm"):
        return None
    # torch's attention: its three input projections by Glorot and Bengio, its biases zero.
    of_torch = name == "MultiheadAttention" or name.startswith("Transformer")
    if of_torch and kind.endswith(("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")):
        return law_of(Call("torch.nn.init.xavier_uniform_"), shape)
    if of_torch and (kind == "in_proj_bias" or (part.endswith("out_proj") and kind == "bias")):
        return None
    known = name in ("Linear", "SelfAttention") or of_torch or name.startswith("Conv")
    found = fans(parameters.get(f"{part}.weight" if part else "weight", ()))
    if not known or kind not in ("weight", "bias") or found is None or not found[0]:
        return None
    return _within(1 / math.sqrt(found[0]))


def _within(bound: float) -> Law:
    return Law("uniform", std=bound, lo=-bound, hi=bound)


# ---------------------------------------------------------------------------- initialisation


def preview_init(request: int, network: Network, node: str, parameter: str) -> InitPreview:
    """Draw one parameter of one node as training will, from the recipe's seed.

    Raises
    ------
    NetworkProblem
        If there is no such node or parameter, or its shape is not known for an error elsewhere.
    """
    walked = walk(network)
    if node in network.nodes and parameter in network.nodes[node].shares:
        node, _, parameter = network.nodes[node].shares[parameter].rpartition(".")
    if node not in walked.evaluated:
        raise NetworkProblem(f"There is no node {node!r}.{did_you_mean(node, walked.evaluated)}")
    step, evaluated = walked.evaluated[node]
    if parameter not in evaluated.parameters:
        if evaluated.parameters:
            raise NetworkProblem(
                f"{node} has no parameter {parameter!r}.{did_you_mean(parameter, evaluated.parameters)}"
            )
        if evaluated.outputs:
            raise NetworkProblem(f"{node} has no parameters.")
        raise NetworkProblem(f"{node}: its shapes are not known yet. Mend its problems and those before it.")
    inputs = next(inputs for candidate, inputs in walked.steps if candidate.path == node)
    shape = evaluated.parameters[parameter]
    seed = network.recipe.seed
    choice = scheme_of(network, step.node, parameter, len(shape)) or Choice("default")
    if looks_around(choice):  # which takes as long as the network is large
        around = surroundings(candidate for candidate, _ in walked.steps)[step.path]
        choice = settled(choice, shape, around)
    count = math.prod(shape)
    generator = torch.Generator().manual_seed(stream_seed(seed, node, parameter))
    if choice.id == "default":
        call = lower(step.node, inputs).call
        assert isinstance(call, Call), "what has parameters is a module"
        law = _default_law(call, evaluated.parameters, parameter)
        whole = evaluated.parameter_count <= MOST_DRAWN
        if whole:
            with global_generator_kept() as shared:
                shared.manual_seed(stream_seed(seed, node))
                values = construct(call).get_parameter(parameter).detach()
    else:
        entry = INITIALIZERS[choice.id]
        settings = entry.settings(choice.fields)
        wrong = misfit(entry, settings, shape)
        if wrong:
            raise NetworkProblem(f"{node} › init › {parameter}: {wrong}")
        law = law_of(entry.call(settings), shape)
        by_formula = law is not None and law.kind != "sphere"
        whole = count <= (MOST_DRAWN if by_formula else SAMPLE)
        if whole:
            values = first_draw(choice)(torch.empty(shape), generator)
    note = ""
    if not whole:
        values, note = _sampled(choice, law, shape, generator)
    return _described(request, choice.id, shape, values.flatten().double(), law, note)


def _sampled(
    choice: Choice, law: Law | None, shape: tuple[int, ...], generator: torch.Generator
) -> tuple[Tensor, str]:
    """Values as a parameter too large for the budget would have, and what to say about them."""
    count = math.prod(shape)
    if law is not None and law.share == 1:
        values = law.draw(min(SAMPLE, count), generator)
        return values, f"A sample of {values.numel():,} of {count:,} values."
    if choice.id == "default":
        raise NetworkProblem(f"A layer with {count:,} values is too large to draw for a preview.")
    smaller = list(shape)
    while math.prod(smaller) > SAMPLE:
        largest = smaller.index(max(smaller))
        smaller[largest] = (smaller[largest] + 1) // 2
    values = first_draw(choice)(torch.empty(smaller), generator)
    size = " × ".join(f"{side:,}" for side in smaller)
    return values, f"Drawn on a smaller tensor, {size}, in place of {count:,} values."


def _described(
    request: int, scheme: str, shape: tuple[int, ...], values: Tensor, law: Law | None, note: str
) -> InitPreview:
    if values.numel() == 0 or not bool(torch.isfinite(values).all()):
        raise NetworkProblem(f"{scheme} gives no finite values here. Look at its fields.")
    lo, hi = float(values.min()), float(values.max())
    # A constant still needs a bin to stand in.
    margin = 0.0 if hi > lo else max(0.5, abs(lo) / 2)
    left, right = lo - margin, hi + margin
    edges = torch.linspace(left, right, BINS + 1, dtype=torch.float64)
    counts = torch.histc(values, BINS, left, right)
    centres = (edges[:-1] + edges[1:]) / 2
    both = fans(shape)
    return InitPreview(
        request=request,
        scheme=scheme,
        shape=tuple(shape),
        edges=tuple(edges.tolist()),
        counts=tuple(int(c) for c in counts.tolist()),
        density=tuple(law.density(centres).tolist()) if law else (),
        mean=float(values.mean()),
        std=float(values.std(unbiased=False)),
        lo=lo,
        hi=hi,
        fan_in=both[0] if both else None,
        fan_out=both[1] if both else None,
        drawn=values.numel(),
        note=note,
        singular=_singular(values, shape),
        zeros=_zeros(values, shape),
    )


def _matrix(values: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """The whole draw as [out x rest]; None where it is a sample or no matrix."""
    if len(shape) < 2 or values.numel() != math.prod(shape):
        return None
    return values.reshape(shape[0], -1)


def _singular(values: Tensor, shape: tuple[int, ...]) -> tuple[float, ...]:
    """Singular values, largest first, of a draw whose smaller side is at most :data:`SPECTRUM`."""
    matrix = _matrix(values, shape)
    if matrix is None or min(matrix.shape) > SPECTRUM:
        return ()
    return tuple(torch.linalg.svdvals(matrix).tolist())


def _zeros(values: Tensor, shape: tuple[int, ...]) -> tuple[float, float] | None:
    """Least and largest share of exact zeros in a column."""
    matrix = _matrix(values, shape)
    if matrix is None:
        return None
    shares = (matrix == 0).double().mean(0)
    return float(shares.min()), float(shares.max())


# ---------------------------------------------------------------------------- curves


def preview_activation(request: int, id: str, fields: Mapping[str, Any]) -> CurvePreview:
    """An activation over −5 … 5 and its derivative, by autograd.

    One that looks at several values at once (softmax) is shown for one value beside another at 0.

    Raises
    ------
    NetworkProblem
        If there is no such activation, or its fields are wrong.
    """
    if id not in ACTIVATIONS:
        raise NetworkProblem(f"There is no activation {id!r}.{did_you_mean(id, ACTIVATIONS)}")
    entry = ACTIVATIONS[id]
    has_dim = any(field.name == "dim" for field in entry.fields)
    only_images = bool(entry.ranks) and 2 not in entry.ranks
    couples = has_dim or only_images
    if has_dim:
        fields = {**fields, "dim": 1}
    wrong = entry.check(fields)
    if wrong:
        raise NetworkProblem(" ".join(f"{id} › {field}: {message}" for field, message in wrong))
    shape = (_POINTS, 2 if couples else 1, *((1, 1) if only_images else ()))
    call = entry.call(entry.settings(fields), Inputs(input=Spec(shape)))
    assert isinstance(call, Call), "an activation is a module"
    module = construct(call).eval()

    def shown(x: Tensor) -> Tensor:
        columns = [x, torch.zeros_like(x)] if couples else [x]
        values: Tensor = module(torch.stack(columns, dim=1).reshape(shape))
        return values.flatten(1)[:, 0]

    x = torch.linspace(-5.0, 5.0, _POINTS)
    y, slope = _with_slope(shown, x)
    note = "For one value beside another at 0." if couples else ""
    return CurvePreview(request, tuple(x.tolist()), tuple(y.tolist()), tuple(slope.tolist()), note)


def preview_binarizer(request: int, id: str, fields: Mapping[str, Any]) -> CurvePreview:
    """An estimator's forward values and, for a gradient of 1 from above, its backward values.

    Its steps are found by halving, so that they come out upright wherever they are.

    Raises
    ------
    NetworkProblem
        If there is no such estimator, or its fields are wrong.
    """
    try:
        module = binarizer(id, **fields)
    except ValueError as error:
        raise NetworkProblem(str(error)) from None
    widest = [v for v in fields.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    span = max([2.0, *(1.5 * abs(v) for v in widest if math.isfinite(v))])
    x = torch.linspace(-span, span, _POINTS)
    for _ in range(_HALVINGS):
        x = _refined(x, *_with_slope(module, x))
    y, slope = _with_slope(module, x)
    return CurvePreview(request, tuple(x.tolist()), tuple(y.tolist()), tuple(slope.tolist()))


def _with_slope(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = function(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slope


def _refined(x: Tensor, y: Tensor, slope: Tensor) -> Tensor:
    """`x` with a point more in each gap across which a value or gradient jumps."""
    jumps = torch.zeros(len(x) - 1, dtype=torch.bool)
    for values in (y, slope):
        spread = float(values.max() - values.min())
        if spread > 0:
            jumps |= values.diff().abs() > 0.2 * spread
    middles = (x[:-1] + x[1:])[jumps] / 2
    return torch.cat([x, middles]).sort().values
