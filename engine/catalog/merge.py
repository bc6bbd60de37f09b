"""Layers with several inputs."""

from __future__ import annotations

from engine.catalog.entry import Apply, Inputs, Layer, Port, Rule, Settings, Verdict
from engine.catalog.fields import Int


def _broadcast(f: Settings, x: Inputs) -> Verdict | None:
    a, b = (spec.shape for spec in x.values())
    for left, right in zip(reversed(a), reversed(b), strict=False):
        if left != right and 1 not in (left, right):
            return Verdict(
                None,
                f"its inputs do not fit: {list(a[1:])} and {list(b[1:])} differ where neither is 1 "
                f"({left} against {right}). Give both branches the same channels and stride.",
            )
    return None


def _concat_fits(f: Settings, x: Inputs) -> Verdict | None:
    shapes = [spec.shape for spec in x.values()]
    rank = len(shapes[0])
    if any(len(shape) != rank for shape in shapes):
        return Verdict(
            None, f"its inputs have different numbers of dimensions: {[list(s[1:]) for s in shapes]}."
        )
    if not -rank <= f.dim < rank:
        return Verdict("dim", f"dimension {f.dim} does not exist: the inputs have {rank} (the batch is 0).")
    dim = f.dim % rank
    for port, shape in zip(x, shapes, strict=True):
        for axis, (first, size) in enumerate(zip(shapes[0], shape, strict=True)):
            if axis != dim and first != size:
                return Verdict(
                    None,
                    f"input {port} is {list(shape[1:])} and input {next(iter(x))} is {list(shapes[0][1:])}: all "
                    f"dimensions but {dim} must be equal, and dimension {axis} is {size} against {first}.",
                )
    return None


ADD = Layer(
    id="Add",
    title="Add",
    group="Merge",
    doc="Sum of two inputs, element by element; a dimension of size 1 is stretched. The heart of a residual connection.",
    source="torch.add",
    reads="two of one shape",
    gives="as its inputs",
    inputs=(Port("input", doc="First term."), Port("other", doc="Second term.")),
    rules=(Rule("broadcast", _broadcast),),
    call=lambda f, x: Apply("torch.add"),
    keywords=("sum", "plus", "residual", "skip", "shortcut"),
)

CONCAT = Layer(
    id="Concat",
    title="Concatenate",
    group="Merge",
    doc="Lay inputs side by side along `dim`; all other dimensions must be equal.",
    source="torch.cat",
    reads="two or more",
    gives="sizes added along dim",
    inputs=(),
    variadic=True,
    fields=(
        Int("dim", 1, lo=-8, hi=7, doc="Dimension along which to join; the batch is 0, channels are 1."),
    ),
    rules=(Rule("concat-fits", _concat_fits),),
    call=lambda f, x: Apply("torch.cat", together=True, dim=f.dim),
    keywords=("cat", "join", "merge", "stack"),
)
