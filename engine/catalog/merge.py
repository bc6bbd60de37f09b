"""Layers with several inputs."""

from __future__ import annotations

from engine.catalog.entry import Apply, Call, Inputs, Layer, Port, Rule, Settings, Verdict
from engine.catalog.fields import Bool, Float, Int


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


def _shapes_join(f: Settings, x: Inputs) -> Verdict | None:
    shapes = [spec.shape for spec in x.values()]
    rank = len(shapes[0])
    if any(len(shape) != rank for shape in shapes):
        found = ", ".join(str(list(shape[1:])) for shape in shapes)
        return Verdict(None, f"its inputs have different numbers of dimensions: {found}.")
    if not -rank <= f.dim < rank:
        return Verdict("dim", f"dimension {f.dim} does not exist: the inputs have {rank} (the batch is 0).")
    return _others_equal(x, f.dim % rank)


def _others_equal(x: Inputs, joined: int | None) -> Verdict | None:
    """All dimensions but `joined` must agree."""
    first_port, first = next((port, spec.shape) for port, spec in x.items())
    for port, spec in x.items():
        for axis, (expected, size) in enumerate(zip(first, spec.shape, strict=True)):
            if axis != joined and expected != size:
                rest = "all dimensions" if joined is None else f"all dimensions but {joined}"
                return Verdict(
                    None,
                    f"input {port} is {list(spec.shape[1:])} and input {first_port} is {list(first[1:])}: {rest} "
                    f"must be equal, and dimension {axis} is {size} against {expected}.",
                )
    return None


def _shapes_stack(f: Settings, x: Inputs) -> Verdict | None:
    ranks = {len(spec.shape) for spec in x.values()}
    if len(ranks) > 1:
        return Verdict(None, "its inputs have different numbers of dimensions.")
    rank = ranks.pop() + 1
    if not -rank <= f.dim < rank:
        return Verdict("dim", f"dimension {f.dim} does not exist: the result has {rank} (the batch is 0).")
    return _others_equal(x, None)


def _matrices_fit(f: Settings, x: Inputs) -> Verdict | None:
    a, b = x["input"].shape, x["other"].shape
    inner = b[-2] if len(b) > 1 else b[-1]
    if a[-1] != inner:
        return Verdict(
            None, f"the last dimension of input ({a[-1]}) must equal the last but one of other ({inner})."
        )
    for left, right in zip(reversed(a[:-2]), reversed(b[:-2]), strict=False):
        if left != right and 1 not in (left, right):
            return Verdict(None, f"the leading dimensions {list(a[1:-2])} and {list(b[1:-2])} do not fit.")
    return None


def _binary(
    id: str, title: str, function: str, doc: str, words: tuple[str, str], keywords: tuple[str, ...]
) -> Layer:
    return Layer(
        id=id,
        title=title,
        group="Merge",
        doc=doc,
        source=function,
        reads="two that fit",
        gives="as its inputs",
        inputs=(Port("input", words[0]), Port("other", words[1])),
        rules=(Rule("broadcast", _broadcast),),
        call=lambda f, x: Apply(function),
        keywords=keywords,
    )


ADD = _binary(
    "Add",
    "Add",
    "torch.add",
    "Sum of two inputs, element by element; a dimension of size 1 is stretched. The heart of a residual connection.",
    ("First term.", "Second term."),
    ("sum", "plus", "residual", "skip", "shortcut"),
)
SUBTRACT = _binary(
    "Subtract",
    "Subtract",
    "torch.sub",
    "`input` minus `other`, element by element; a dimension of size 1 is stretched.",
    ("What is taken from.", "What is taken away."),
    ("minus", "difference"),
)
MULTIPLY = _binary(
    "Multiply",
    "Multiply",
    "torch.mul",
    "Product of two inputs, element by element; a dimension of size 1 is stretched: gates and attention maps.",
    ("First factor.", "Second factor."),
    ("times", "product", "gate", "squeeze-excitation"),
)
DIVIDE = _binary(
    "Divide",
    "Divide",
    "torch.div",
    "`input` over `other`, element by element; a dimension of size 1 is stretched.",
    ("Numerator.", "Denominator."),
    ("ratio", "quotient"),
)
MATMUL = Layer(
    id="MatMul",
    title="Matrix product",
    group="Merge",
    doc="Matrix product over the last two dimensions; the leading ones are stretched where they are 1.",
    source="torch.matmul",
    reads="N … n k and N … k m",
    gives="N … n m",
    ranks=(3, 4, 5),
    inputs=(Port("input", "Left matrix."), Port("other", "Right matrix.")),
    rules=(Rule("matrices-fit", _matrices_fit),),
    call=lambda f, x: Apply("torch.matmul"),
    keywords=("dot", "bmm", "product"),
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
    rules=(Rule("concat-fits", _shapes_join),),
    call=lambda f, x: Apply("torch.cat", together=True, dim=f.dim),
    keywords=("cat", "join", "merge", "unet", "densenet"),
)
STACK = Layer(
    id="Stack",
    title="Stack",
    group="Merge",
    doc="Lay inputs of one shape side by side along a new dimension `dim`.",
    source="torch.stack",
    reads="two or more of one shape",
    gives="a new dim",
    inputs=(),
    variadic=True,
    fields=(Int("dim", 1, lo=-8, hi=7, doc="Where the new dimension goes; the batch is 0."),),
    rules=(Rule("stack-fits", _shapes_stack),),
    call=lambda f, x: Apply("torch.stack", together=True, dim=f.dim),
    keywords=("join", "merge"),
)


def _same_shape(f: Settings, x: Inputs) -> Verdict | None:
    a, b = (spec.shape for spec in x.values())
    return (
        None if a == b else Verdict(None, f"its inputs {list(a[1:])} and {list(b[1:])} must have one shape.")
    )


COSINE_SIMILARITY = Layer(
    id="CosineSimilarity",
    title="Cosine similarity",
    group="Merge",
    doc="Cosine of the angle between two inputs along `dim`; `eps` guards the division.",
    source="torch.nn.CosineSimilarity",
    reads="two of one shape",
    gives="without dim",
    inputs=(Port("x1", "First vector."), Port("x2", "Second vector.")),
    takes=("x1", "x2"),
    fields=(
        Int("dim", 1, lo=-8, hi=7, doc="Dimension of the vectors; the batch is 0."),
        Float("eps", 1e-8, lo=0, hi=1, open_lo=True, log=True, doc="Guards the division.", advanced=True),
    ),
    rules=(Rule("same-shape", _same_shape),),
    call=lambda f, x: Call("torch.nn.CosineSimilarity", dim=f.dim, eps=f.eps),
    keywords=("siamese", "distance"),
)
PAIRWISE_DISTANCE = Layer(
    id="PairwiseDistance",
    title="Pairwise distance",
    group="Merge",
    doc="`p`-norm of the difference of two inputs along the last dimension, which `keepdim` keeps as 1; `eps` is "
    "added to the difference.",
    source="torch.nn.PairwiseDistance",
    reads="two of one shape",
    gives="without the last",
    inputs=(Port("x1", "First vector."), Port("x2", "Second vector.")),
    takes=("x1", "x2"),
    fields=(
        Float("p", 2.0, lo=0, hi=100, open_lo=True, doc="Which norm."),
        Float("eps", 1e-6, lo=0, hi=1, log=True, doc="Added to the difference.", advanced=True),
        Bool("keepdim", False, doc="Keep the last dimension as 1.", advanced=True),
    ),
    rules=(Rule("same-shape", _same_shape),),
    call=lambda f, x: Call("torch.nn.PairwiseDistance", p=f.p, eps=f.eps, keepdim=f.keepdim),
    keywords=("siamese", "euclidean", "triplet"),
)
