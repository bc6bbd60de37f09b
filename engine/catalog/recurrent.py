"""Layers that read a sequence step by step."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Port, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Field, Float, Int, Option


def _dropout_needs_depth(f: Settings, x: Inputs) -> Verdict | None:
    if f.dropout == 0 or f.num_layers > 1:
        return None
    return Verdict(
        "dropout",
        "dropout acts between layers, and num_layers is 1: it does nothing.",
        (Fix("Stack 2 layers", {"num_layers": 2}), Fix("Set dropout to 0", {"dropout": 0.0})),
    )


def _projection_smaller(f: Settings, x: Inputs) -> Verdict | None:
    if f.proj_size < f.hidden_size:
        return None
    return Verdict(
        "proj_size", f"proj_size ({f.proj_size}) must be smaller than hidden_size ({f.hidden_size})."
    )


def _states_fit(f: Settings, x: Inputs) -> Verdict | None:
    """Given first states have shape (layers·directions, N, size), which batch-first networks cannot make."""
    depth = f.num_layers * (2 if f.bidirectional else 1)
    for port, size in (("h_0", getattr(f, "proj_size", 0) or f.hidden_size), ("c_0", f.hidden_size)):
        if port in x and x[port].shape != (depth, x.shape[0], size):
            return Verdict(None, f"{port} must be {depth} × batch × {size}, and is {list(x[port].shape)}.")
    return None


def _names(f: Settings, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The names in torch, layer by layer: ``weight_ih_l0``, backwards ``weight_ih_l0_reverse``."""
    return tuple(
        f"{kind}_l{layer}{direction}"
        for layer in range(f.num_layers)
        for direction in (("", "_reverse") if f.bidirectional else ("",))
        for kind in kinds
        if (f.bias or not kind.startswith("bias")) and (kind != "weight_hr" or getattr(f, "proj_size", 0))
    )


_STATE = Port("h_0", "First hidden state; zero when left open.", optional=True)
_CELL = Port("c_0", "First cell state; zero when left open.", optional=True)
_SEQUENCE = Port("output", "The hidden state at every step.")
_LAST = Port("h_n", "The last hidden state of each layer.")
_LAST_CELL = Port("c_n", "The last cell state of each layer.")


def _recurrent(id: str, title: str, doc: str, paper: str, *extra: Field, cell: bool = False) -> Layer:
    fields: tuple[Field, ...] = (
        Int("hidden_size", start=64, lo=1, hi=65536, unit="features", doc="Size of the hidden state."),
        Int("num_layers", 1, lo=1, hi=64, unit="layers", doc="Layers stacked on one another."),
        *extra,
        Bool("bias", True, doc="Learn biases."),
        Float("dropout", 0.0, lo=0, hi=1, doc="Dropped between layers while training."),
        Bool("bidirectional", False, doc="Read backwards as well and join the two; doubles the output."),
    )
    if cell:
        fields += (
            Int(
                "proj_size",
                0,
                lo=0,
                hi=65535,
                unit="features",
                doc="Project the hidden state to this size; 0: not.",
                advanced=True,
            ),
        )
    rules = (
        Rule("dropout-needs-depth", _dropout_needs_depth, severity="warning"),
        Rule("states-fit", _states_fit),
        *((Rule("projection-smaller", _projection_smaller),) if cell else ()),
    )
    return Layer(
        id=id,
        title=title,
        group="Recurrent",
        doc=f"{doc} `num_layers` of `hidden_size` are stacked, with `dropout` between them; `bidirectional` reads the "
        "sequence both ways; `bias` learns offsets. Output: every step, and the last state.",
        source=f"torch.nn.{id}{'; ' + paper if paper else ''}",
        reads="N L features",
        gives="N L hidden_size",
        ranks=(3,),
        fields=fields,
        inputs=(Port("input", "The sequence."), _STATE, *((_CELL,) if cell else ())),
        outputs=(_SEQUENCE, _LAST, *((_LAST_CELL,) if cell else ())),
        takes=("input", ("h_0", "c_0") if cell else "h_0"),
        returns=("output", ("h_n", "c_n") if cell else "h_n"),
        rules=rules,
        parameters=lambda f, x: _names(f, ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")),
        binarizable=lambda f, x: _names(f, ("weight_ih", "weight_hh", "weight_hr")),
        activatable=False,
        call=lambda f, x: Call(
            f"torch.nn.{id}",
            x.features,
            f.hidden_size,
            **{name: value for name, value in vars(f).items() if name != "hidden_size"},
            batch_first=True,
        ),
        keywords=("sequence", "time", "text", "memory"),
    )


RNN = _recurrent(
    "RNN",
    "Recurrent (Elman)",
    "h′ = tanh(W·x + U·h + b) at every step, or with ReLU by `nonlinearity`.",
    "Elman 1990",
    Option("nonlinearity", "tanh", options=("tanh", "relu"), doc="What bends the sum."),
)
LSTM = _recurrent(
    "LSTM",
    "LSTM",
    "A recurrent layer with a gated cell that keeps what matters over long spans; `proj_size` shrinks its output.",
    "Hochreiter and Schmidhuber 1997",
    cell=True,
)
GRU = _recurrent(
    "GRU",
    "GRU",
    "A recurrent layer with two gates: nearly an LSTM at three quarters of the cost.",
    "Cho et al. 2014, arXiv 1406.1078",
)
