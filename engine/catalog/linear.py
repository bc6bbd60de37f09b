"""Layers that multiply by a matrix, or look a row of it up."""

from __future__ import annotations

from engine.catalog.entry import Call, Inputs, Layer, Port, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Float, Int

LINEAR = Layer(
    id="Linear",
    title="Linear",
    group="Linear",
    doc="y = x·Wᵀ + b: every one of `out_features` outputs is a weighted sum of all inputs, plus a learned "
    "`bias`. Works on the last dimension.",
    source="torch.nn.Linear",
    reads="N … features",
    gives="N … out_features",
    fields=(
        Int("out_features", start=64, lo=1, hi=1 << 20, unit="features", doc="Number of outputs."),
        Bool("bias", True, doc="Add a learned number to each output."),
    ),
    parameters=("weight", "bias"),
    binarizable=("weight",),
    call=lambda f, x: Call("torch.nn.Linear", x.features, f.out_features, bias=f.bias),
    keywords=("dense", "fully connected", "fc", "affine", "perceptron"),
)


def _same_leading(f: Settings, x: Inputs) -> Verdict | None:
    a, b = x["input1"].shape, x["input2"].shape
    if a[:-1] == b[:-1]:
        return None
    return Verdict(
        None, f"its inputs {list(a[1:])} and {list(b[1:])} must agree in all dimensions but the last."
    )


BILINEAR = Layer(
    id="Bilinear",
    title="Bilinear",
    group="Linear",
    doc="y = x₁ᵀ·W·x₂ + b: each of `out_features` outputs weighs every product of one feature of each input, plus a "
    "learned `bias`.",
    source="torch.nn.Bilinear",
    reads="N … features, twice",
    gives="N … out_features",
    inputs=(Port("input1", "First factor."), Port("input2", "Second factor.")),
    fields=(
        # torch goes through its outputs one by one, on meta too: a million would take minutes.
        Int("out_features", start=64, lo=1, hi=4096, unit="features", doc="Number of outputs."),
        Bool("bias", True, doc="Add a learned number to each output."),
    ),
    parameters=("weight", "bias"),
    rules=(Rule("same-leading", _same_leading),),
    call=lambda f, x: Call(
        "torch.nn.Bilinear", x["input1"].features, x["input2"].features, f.out_features, bias=f.bias
    ),
    keywords=("product", "interaction"),
)


def _padding_row_exists(f: Settings, x: Inputs) -> Verdict | None:
    if f.padding_idx is None or -f.num_embeddings <= f.padding_idx < f.num_embeddings:
        return None
    return Verdict(
        "padding_idx",
        f"padding_idx ({f.padding_idx}) is not a row: there are {f.num_embeddings} (num_embeddings).",
    )


EMBEDDING = Layer(
    id="Embedding",
    title="Embedding",
    group="Linear",
    doc="A table of `num_embeddings` learned vectors of `embedding_dim`; each whole number in picks its row. "
    "`padding_idx` marks a row that stays zero, `max_norm` (in the `norm_type` norm) shortens long rows, "
    "`scale_grad_by_freq` divides gradients by how often a row was used.",
    source="torch.nn.Embedding",
    reads="N … (whole numbers)",
    gives="N … embedding_dim",
    dtypes=("int64",),
    fields=(
        Int(
            "num_embeddings",
            start=1000,
            lo=1,
            hi=1 << 24,
            unit="rows",
            doc="Rows of the table: vocabulary size.",
        ),
        Int("embedding_dim", start=64, lo=1, hi=1 << 16, unit="features", doc="Length of each row."),
        Int(
            "padding_idx",
            None,
            lo=-(1 << 24),
            hi=1 << 24,
            optional=True,
            doc="A row that stays zero.",
            advanced=True,
        ),
        Float(
            "max_norm",
            None,
            lo=0,
            hi=1e6,
            open_lo=True,
            optional=True,
            doc="Longest row allowed.",
            advanced=True,
        ),
        Float("norm_type", 2.0, lo=0, hi=100, open_lo=True, doc="Which norm max_norm means.", advanced=True),
        Bool("scale_grad_by_freq", False, doc="Divide gradients by how often a row was used.", advanced=True),
    ),
    parameters=("weight",),
    binarizable=("weight",),
    rules=(Rule("padding-row-exists", _padding_row_exists),),
    call=lambda f, x: Call(
        "torch.nn.Embedding",
        f.num_embeddings,
        f.embedding_dim,
        padding_idx=f.padding_idx,
        max_norm=f.max_norm,
        norm_type=f.norm_type,
        scale_grad_by_freq=f.scale_grad_by_freq,
    ),
    keywords=("lookup", "token", "word", "vocabulary"),
)
IDENTITY = Layer(
    id="Identity",
    title="Identity",
    group="Other",
    doc="Gives its input unchanged: a place to meet, or to switch a layer off.",
    source="torch.nn.Identity",
    reads="any",
    gives="as its input",
    dtypes=("float32", "int64"),
    call=lambda f, x: Call("torch.nn.Identity"),
    keywords=("pass", "skip", "none"),
)
