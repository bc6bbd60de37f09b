"""Layers that change a tensor's shape and none of its numbers."""

from __future__ import annotations

import math

from engine.catalog import dims
from engine.catalog.entry import Apply, Call, Fix, Inputs, Layer, Rule, Settings, Verdict
from engine.catalog.fields import Int, Shape

_ANY = ("float32", "int64")


def _flatten_range(f: Settings, x: Inputs) -> Verdict | None:
    rank = len(x.shape)
    all_but_batch = Fix("Flatten all but the batch", {"start_dim": 1, "end_dim": -1})
    for name, dim in (("start_dim", f.start_dim), ("end_dim", f.end_dim)):
        if not -rank <= dim < rank:
            return Verdict(
                name,
                f"dimension {dim} does not exist: the input has {rank} dimensions (the batch is 0).",
                (all_but_batch,),
            )
    if f.start_dim % rank > f.end_dim % rank:
        return Verdict(
            "start_dim", f"start_dim ({f.start_dim}) comes after end_dim ({f.end_dim}).", (all_but_batch,)
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
    dtypes=_ANY,
    fields=(
        Int("start_dim", 1, lo=-8, hi=7, doc="First dimension to flatten; the batch is 0."),
        Int("end_dim", -1, lo=-8, hi=7, doc="Last dimension to flatten; −1 is the last."),
    ),
    rules=(Rule("flatten-range", _flatten_range),),
    call=lambda f, x: Call("torch.nn.Flatten", f.start_dim, f.end_dim),
    keywords=("reshape", "view", "vector"),
)


def _fills(wanted: tuple[int, ...], available: int) -> bool:
    """Whether `wanted` (with at most one −1) has room for exactly `available` elements."""
    known = math.prod(size for size in wanted if size != -1)
    if -1 in wanted:
        return known > 0 and available % known == 0
    return known == available


def _unflatten_fits(f: Settings, x: Inputs) -> Verdict | None:
    size, wanted = x.shape[f.dim], f.unflattened_size
    if f.dim % len(x.shape) == 0:
        return Verdict("dim", "dimension 0 is the batch, which cannot be unfolded.")
    if wanted.count(-1) <= 1 and 0 not in wanted and _fills(wanted, size):
        return None
    return Verdict(
        "unflattened_size", f"{size} entries cannot be laid out as {list(wanted)} ({_product_text(wanted)})."
    )


def _product_text(sizes: tuple[int, ...]) -> str:
    text = "·".join("?" if size == -1 else str(size) for size in sizes)
    return text if -1 in sizes else f"{text} = {math.prod(sizes)}"


UNFLATTEN = Layer(
    id="Unflatten",
    title="Unflatten",
    group="Shape",
    doc="Lay dimension `dim` out as several of `unflattened_size`; one of them may be −1, what is left.",
    source="torch.nn.Unflatten",
    reads="N …",
    gives="dim as several",
    dtypes=_ANY,
    fields=(
        Int("dim", start=1, lo=-8, hi=7, doc="Dimension that is laid out; the batch is 0."),
        Shape("unflattened_size", start=[1, 8, 8], lo=-1, min_dims=1, doc="Its new sizes."),
    ),
    rules=(dims.exists(), Rule("unflatten-fits", _unflatten_fits)),
    call=lambda f, x: Call("torch.nn.Unflatten", f.dim, f.unflattened_size),
    keywords=("reshape", "view"),
)


def _reshape_fits(f: Settings, x: Inputs) -> Verdict | None:
    available = math.prod(x.shape[1:])
    if f.shape.count(-1) <= 1 and 0 not in f.shape and _fills(f.shape, available):
        return None
    return Verdict(
        "shape",
        f"{list(x.shape[1:])} has {available} elements, {list(f.shape)} asks for {_product_text(f.shape)}.",
        (Fix("Lay all out in one line", {"shape": [available]}),),
    )


RESHAPE = Layer(
    id="Reshape",
    title="Reshape",
    group="Shape",
    doc="The same numbers in another `shape`, without the batch; one size may be −1, what is left.",
    source="torch.reshape",
    reads="N …",
    gives="N shape",
    dtypes=_ANY,
    fields=(Shape("shape", start=[-1], lo=-1, min_dims=0, doc="The new shape, without the batch."),),
    rules=(Rule("reshape-fits", _reshape_fits),),
    call=lambda f, x: Call("engine.compile.modules.Reshape", f.shape),
    keywords=("view",),
)


def _is_permutation(f: Settings, x: Inputs) -> Verdict | None:
    rank = len(x.shape)
    if sorted(d % rank if -rank <= d < rank else -1 for d in f.dims) == list(range(rank)):
        return None
    swapped = [0, *range(2, rank), 1] if rank > 2 else list(range(rank))
    return Verdict(
        "dims",
        f"{list(f.dims)} does not name each of the {rank} dimensions once (the batch is 0).",
        (Fix(f"Set dims to {swapped}", {"dims": swapped}),),
    )


PERMUTE = Layer(
    id="Permute",
    title="Permute",
    group="Shape",
    doc="Put the dimensions in the order `dims`; the batch is 0 and should stay first.",
    source="torch.permute",
    reads="N …",
    gives="in another order",
    dtypes=_ANY,
    fields=(Shape("dims", start=[0, 2, 1], lo=-8, hi=7, min_dims=1, doc="The new order."),),
    rules=(Rule("is-permutation", _is_permutation),),
    call=lambda f, x: Apply("torch.permute", f.dims),
    keywords=("transpose", "axes", "order"),
)
TRANSPOSE = Layer(
    id="Transpose",
    title="Transpose",
    group="Shape",
    doc="Swap the dimensions `dim0` and `dim1`; the batch is 0.",
    source="torch.transpose",
    reads="N …",
    gives="two swapped",
    dtypes=_ANY,
    fields=(
        Int("dim0", start=1, lo=-8, hi=7, doc="One dimension."),
        Int("dim1", start=2, lo=-8, hi=7, doc="The other."),
    ),
    rules=(dims.exists("dim0"), dims.exists("dim1")),
    call=lambda f, x: Apply("torch.transpose", f.dim0, f.dim1),
    keywords=("swap", "axes"),
)


def _has_size_one(f: Settings, x: Inputs) -> Verdict | None:
    if x.shape[f.dim] == 1:
        return None
    return Verdict(
        "dim", f"dimension {f.dim} has {x.shape[f.dim]} entries; only a dimension of 1 can be dropped."
    )


SQUEEZE = Layer(
    id="Squeeze",
    title="Squeeze",
    group="Shape",
    doc="Drop dimension `dim`, which must have size 1.",
    source="torch.squeeze",
    reads="N …",
    gives="without dim",
    dtypes=_ANY,
    fields=(Int("dim", start=-1, lo=-8, hi=7, doc="Dimension that is dropped; the batch is 0."),),
    rules=(dims.exists(), Rule("has-size-one", _has_size_one)),
    call=lambda f, x: Apply("torch.squeeze", f.dim),
    keywords=("drop",),
)
UNSQUEEZE = Layer(
    id="Unsqueeze",
    title="Unsqueeze",
    group="Shape",
    doc="Add a dimension of size 1 at place `dim`.",
    source="torch.unsqueeze",
    reads="N …",
    gives="one more",
    dtypes=_ANY,
    fields=(Int("dim", start=1, lo=-8, hi=7, doc="Where it goes; the batch is 0."),),
    rules=(dims.exists(added=1),),
    call=lambda f, x: Apply("torch.unsqueeze", f.dim),
    keywords=("expand", "channel"),
)
