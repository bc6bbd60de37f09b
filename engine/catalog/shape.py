"""Layers that change a tensor's shape and none of its numbers."""

from __future__ import annotations

from engine.catalog.entry import Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Int


def _flatten_range(f: Settings, x: Inputs) -> Verdict | None:
    rank = len(x.shape)
    for name, dim in (("start_dim", f.start_dim), ("end_dim", f.end_dim)):
        if not -rank <= dim < rank:
            return Verdict(
                name,
                f"dimension {dim} does not exist: the input has {rank} dimensions (the batch is 0).",
                (Fix("Flatten all but the batch", {"start_dim": 1, "end_dim": -1}),),
            )
    start, end = f.start_dim % rank, f.end_dim % rank
    if start > end:
        return Verdict(
            "start_dim",
            f"start_dim ({f.start_dim}) comes after end_dim ({f.end_dim}).",
            (Fix("Flatten all but the batch", {"start_dim": 1, "end_dim": -1}),),
        )
    return None


FLATTEN = Layer(
    id="Flatten",
    title="Flatten",
    group="Shape",
    doc="Lay the dimensions from `start_dim` to `end_dim` out in one line. Dimension 0 is the batch.",
    source="torch.nn.Flatten",
    reads="N …",
    gives="N features",
    dtypes=("float32", "int64"),
    fields=(
        Int("start_dim", 1, lo=-8, hi=7, doc="First dimension to flatten; the batch is 0."),
        Int("end_dim", -1, lo=-8, hi=7, doc="Last dimension to flatten; −1 is the last."),
    ),
    rules=(Rule("flatten-range", _flatten_range),),
    call=lambda f, x: Call("torch.nn.Flatten", f.start_dim, f.end_dim),
    keywords=("reshape", "view", "vector"),
)
