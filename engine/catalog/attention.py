"""Layers in which the places of a sequence look at one another."""

from __future__ import annotations

from engine.catalog.entry import Apply, Call, Fix, Inputs, Layer, Port, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Field, Float, Int, Option


def _heads_divide(name: str) -> Rule:
    def check(f: Settings, x: Inputs) -> Verdict | None:
        heads = getattr(f, name)
        if x.features % heads == 0:
            return None
        best = max(h for h in range(1, heads + 1) if x.features % h == 0)
        return Verdict(
            name,
            f"{name} ({heads}) must divide the input's features ({x.features}).",
            (Fix(f"Set {name} to {best}", {name: best}),),
        )

    return Rule("heads-divide", check)


def _lengths_agree(f: Settings, x: Inputs) -> Verdict | None:
    key, value = x.get("key"), x.get("value")
    if key is None or value is None or key.shape[:2] == value.shape[:2]:
        return None
    return Verdict(None, f"key has {key.shape[1]} places and value {value.shape[1]}: they must be as many.")


def _projections(x: Inputs | None) -> tuple[str, ...]:
    """Names: torch keeps the three input projections in one matrix where all have the same width."""
    one, three = ("in_proj_weight",), ("q_proj_weight", "k_proj_weight", "v_proj_weight")
    if x is None:
        return one + three
    return one if len({spec.features for spec in x.values()}) == 1 else three


def _affine(f: Settings, *parts: str) -> tuple[str, ...]:
    return tuple(
        f"{part}.{name}" for part in parts for name in (("weight", "bias") if f.bias else ("weight",))
    )


def _transformer_parameters(
    f: Settings, attentions: tuple[str, ...], norms: tuple[str, ...]
) -> tuple[str, ...]:
    return (
        *(
            f"{part}.{name}"
            for part in attentions
            for name in ("in_proj_weight", *(("in_proj_bias",) if f.bias else ()), *_affine(f, "out_proj"))
        ),
        *_affine(f, "linear1", "linear2", *norms),
    )


_DROPOUT = Float("dropout", 0.1, lo=0, hi=1, doc="Dropped while training.")

MULTIHEAD_ATTENTION = Layer(
    id="MultiheadAttention",
    title="Multi-head attention",
    group="Attention",
    doc="Each place of `query` takes a mixture of `value`, weighed by how well its key fits, in `num_heads` parallel "
    "views; `dropout` drops weights, `bias` adds offsets, `add_bias_kv` adds a learned place, `add_zero_attn` an "
    "empty one. For self-attention wire one source to all three.",
    source="torch.nn.MultiheadAttention; Vaswani et al. 2017, arXiv 1706.03762",
    reads="N L features",
    gives="N L features",
    ranks=(3,),
    inputs=(Port("query", "Who asks."), Port("key", "What is matched."), Port("value", "What is taken.")),
    outputs=(Port("output", "The mixtures."), Port("weights", "Who looked where, mean over heads.")),
    takes=("query", "key", "value"),
    returns=("output", "weights"),
    fields=(
        Int(
            "num_heads", start=4, lo=1, hi=1024, unit="heads", doc="Parallel views; must divide the features."
        ),
        Float("dropout", 0.0, lo=0, hi=1, doc="Share of attention weights dropped while training."),
        Bool("bias", True, doc="Learn offsets in the projections."),
        Bool("add_bias_kv", False, doc="Add a learned place to keys and values.", advanced=True),
        Bool("add_zero_attn", False, doc="Add an empty place to keys and values.", advanced=True),
    ),
    rules=(_heads_divide("num_heads"), Rule("lengths-agree", _lengths_agree)),
    parameters=lambda f, x: (
        *_projections(x),
        *(("in_proj_bias",) if f.bias else ()),
        *(("bias_k", "bias_v") if f.add_bias_kv else ()),
        "out_proj.weight",
        *(("out_proj.bias",) if f.bias else ()),
    ),
    binarizable=lambda f, x: (*_projections(x), "out_proj.weight"),
    activatable=False,
    call=lambda f, x: Call(
        "torch.nn.MultiheadAttention",
        x["query"].features,
        f.num_heads,
        dropout=f.dropout,
        bias=f.bias,
        add_bias_kv=f.add_bias_kv,
        add_zero_attn=f.add_zero_attn,
        kdim=x["key"].features,
        vdim=x["value"].features,
        batch_first=True,
    ),
    keywords=("transformer", "self-attention", "cross-attention"),
)
SELF_ATTENTION = Layer(
    id="SelfAttention",
    title="Self-attention",
    group="Attention",
    doc="Multi-head attention of a sequence to itself, in `num_heads` views, through torch's fused kernel; `causal` "
    "lets each place see only itself and what came before, `dropout` drops weights, `bias` adds offsets.",
    source="torch.nn.functional.scaled_dot_product_attention; Vaswani et al. 2017, arXiv 1706.03762",
    reads="N L features",
    gives="N L features",
    ranks=(3,),
    fields=(
        Int(
            "num_heads", start=4, lo=1, hi=1024, unit="heads", doc="Parallel views; must divide the features."
        ),
        Bool("causal", False, doc="See only the past."),
        Float("dropout", 0.0, lo=0, hi=1, doc="Share of attention weights dropped while training."),
        Bool("bias", True, doc="Learn offsets in the projections."),
    ),
    rules=(_heads_divide("num_heads"),),
    parameters=lambda f, x: _affine(f, "in_proj", "out_proj"),
    binarizable=("in_proj.weight", "out_proj.weight"),
    call=lambda f, x: Call(
        "engine.compile.modules.SelfAttention",
        x.features,
        f.num_heads,
        causal=f.causal,
        dropout=f.dropout,
        bias=f.bias,
    ),
    keywords=("transformer", "gpt", "causal", "masked"),
)


def _attention_fits(f: Settings, x: Inputs) -> Verdict | None:
    query, key, value = (x[port].shape for port in ("query", "key", "value"))
    if len({len(query), len(key), len(value)}) > 1:
        return Verdict(None, "query, key and value must have the same number of dimensions.")
    if query[-1] != key[-1]:
        return Verdict(None, f"query has {query[-1]} features and key {key[-1]}: they must agree.")
    if key[-2] != value[-2]:
        return Verdict(None, f"key has {key[-2]} places and value {value[-2]}: they must be as many.")
    if query[1:-2] != key[1:-2] or key[1:-2] != value[1:-2]:
        return Verdict(None, "query, key and value must have as many heads.")
    return None


SCALED_DOT_PRODUCT_ATTENTION = Layer(
    id="ScaledDotProductAttention",
    title="Scaled dot-product attention",
    group="Attention",
    doc="softmax(query·keyᵀ·`scale`)·value with nothing learned, through torch's fused kernel; `is_causal` lets each "
    "place see only itself and what came before. `scale` is 1/√features when empty.",
    source="torch.nn.functional.scaled_dot_product_attention; Vaswani et al. 2017, arXiv 1706.03762",
    reads="N … L features",
    gives="N … L features",
    ranks=(3, 4),
    inputs=(Port("query", "Who asks."), Port("key", "What is matched."), Port("value", "What is taken.")),
    fields=(
        Bool("is_causal", False, doc="See only the past."),
        Float("scale", None, lo=0, hi=1e6, open_lo=True, optional=True, doc="Factor before the softmax."),
    ),
    rules=(Rule("attention-fits", _attention_fits),),
    call=lambda f, x: Apply(
        "torch.nn.functional.scaled_dot_product_attention", is_causal=f.is_causal, scale=f.scale
    ),
    keywords=("transformer", "sdpa", "flash", "gpt"),
)


def _transformer_fields() -> tuple[Field, ...]:
    return (
        Int("nhead", start=4, lo=1, hi=1024, unit="heads", doc="Parallel views; must divide the features."),
        Int("dim_feedforward", 2048, lo=1, hi=1 << 18, unit="features", doc="Width of the inner layer."),
        _DROPOUT,
        Option("activation", "relu", options=("relu", "gelu"), doc="Bend of the inner layer."),
        Float(
            "layer_norm_eps", 1e-5, lo=0, hi=1, open_lo=True, log=True, doc="Guards the norms.", advanced=True
        ),
        Bool("norm_first", False, doc="Normalise before each part (trains more steadily) instead of after."),
        Bool("bias", True, doc="Learn offsets.", advanced=True),
    )


_TRANSFORMER_DOC = (
    "`nhead` views, an inner layer of `dim_feedforward` with `activation`, residuals, layer norms "
    "(`layer_norm_eps`; before each part with `norm_first`), `dropout`, offsets with `bias`."
)
ENCODER_LAYER = Layer(
    id="TransformerEncoderLayer",
    title="Transformer encoder layer",
    group="Attention",
    doc="Self-attention and a two-layer perceptron: " + _TRANSFORMER_DOC,
    source="torch.nn.TransformerEncoderLayer; Vaswani et al. 2017, arXiv 1706.03762",
    reads="N L features",
    gives="N L features",
    ranks=(3,),
    fields=_transformer_fields(),
    rules=(_heads_divide("nhead"),),
    parameters=lambda f, x: _transformer_parameters(f, ("self_attn",), ("norm1", "norm2")),
    call=lambda f, x: Call("torch.nn.TransformerEncoderLayer", x.features, **vars(f), batch_first=True),
    keywords=("bert", "vit"),
)


def _same_features(f: Settings, x: Inputs) -> Verdict | None:
    if x["tgt"].features == x["memory"].features:
        return None
    return Verdict(
        None, f"tgt has {x['tgt'].features} features and memory {x['memory'].features}: they must agree."
    )


DECODER_LAYER = Layer(
    id="TransformerDecoderLayer",
    title="Transformer decoder layer",
    group="Attention",
    doc="Self-attention, attention to `memory` and a two-layer perceptron: " + _TRANSFORMER_DOC,
    source="torch.nn.TransformerDecoderLayer; Vaswani et al. 2017, arXiv 1706.03762",
    reads="N L features",
    gives="N L features",
    ranks=(3,),
    inputs=(Port("tgt", "The sequence that is written."), Port("memory", "What the encoder read.")),
    takes=("tgt", "memory"),
    fields=_transformer_fields(),
    rules=(_heads_divide("nhead"), Rule("same-features", _same_features)),
    parameters=lambda f, x: _transformer_parameters(
        f, ("self_attn", "multihead_attn"), ("norm1", "norm2", "norm3")
    ),
    call=lambda f, x: Call(
        "torch.nn.TransformerDecoderLayer", x["tgt"].features, **vars(f), batch_first=True
    ),
    keywords=("translation",),
)
SINUSOIDAL_POSITIONS = Layer(
    id="SinusoidalPositions",
    title="Positions, sinusoidal",
    group="Attention",
    doc="Adds waves of many lengths, up to `base`, to tell places of a sequence apart; nothing is learned.",
    source="Vaswani et al. 2017, arXiv 1706.03762 §3.5",
    reads="N L features",
    gives="as its input",
    ranks=(3,),
    fields=(Float("base", 10000.0, lo=1, hi=1e9, doc="Longest wave, over 2π.", advanced=True),),
    call=lambda f, x: Call("engine.compile.modules.SinusoidalPositions", x.shape[1], x.features, base=f.base),
    keywords=("positional encoding", "transformer"),
)
LEARNED_POSITIONS = Layer(
    id="LearnedPositions",
    title="Positions, learned",
    group="Attention",
    doc="Adds a learned vector to each place of a sequence; they begin as N(0, `std`²).",
    source="Gehring et al. 2017, arXiv 1705.03122; Dosovitskiy et al. 2020, arXiv 2010.11929",
    reads="N L features",
    gives="as its input",
    ranks=(3,),
    fields=(Float("std", 0.02, lo=0, hi=10, doc="Spread of the first values."),),
    parameters=("weight",),
    call=lambda f, x: Call("engine.compile.modules.LearnedPositions", x.shape[1], x.features, std=f.std),
    keywords=("positional encoding", "transformer", "vit", "gpt"),
)
CLASS_TOKEN = Layer(
    id="ClassToken",
    title="Class token",
    group="Attention",
    doc="Puts a learned place in front of a sequence, which gathers what the whole says; it begins as N(0, `std`²).",
    source="Dosovitskiy et al. 2020, arXiv 2010.11929",
    reads="N L features",
    gives="N L+1 features",
    ranks=(3,),
    fields=(Float("std", 0.02, lo=0, hi=10, doc="Spread of the first values."),),
    parameters=("weight",),
    call=lambda f, x: Call("engine.compile.modules.ClassToken", x.features, std=f.std),
    keywords=("cls", "vit", "bert"),
)
