"""Layers that take a tensor apart."""

from __future__ import annotations

from engine.catalog import dims
from engine.catalog.entry import Apply, Call, Fix, Inputs, Layer, Port, Rule, Settings, Verdict
from engine.catalog.fields import Int, Shape


def _chunks_come_out(f: Settings, x: Inputs) -> Verdict | None:
    size = x.shape[f.dim]
    pieces = -(-size // -(-size // f.chunks))
    if pieces == f.chunks:
        return None
    return Verdict(
        "chunks",
        f"{size} entries along dimension {f.dim} cannot be cut into {f.chunks}: torch would give {pieces}.",
        (Fix(f"Set chunks to {pieces}", {"chunks": pieces}),),
    )


CHUNK = Layer(
    id="Chunk",
    title="Chunk",
    group="Split",
    doc="Cut a tensor into `chunks` equal parts along `dim`, each with an output of its own.",
    source="torch.chunk",
    reads="any",
    gives="parts",
    dtypes=("float32", "int64"),
    outputs=lambda f: tuple(Port(str(i), f"Part {i + 1}.") for i in range(f.chunks)),
    fields=(
        Int("chunks", start=2, lo=1, hi=64, doc="How many parts."),
        Int("dim", 1, lo=-8, hi=7, doc="Dimension that is cut; the batch is 0, channels are 1."),
    ),
    rules=(dims.exists(), Rule("chunks-come-out", _chunks_come_out)),
    activatable=False,
    call=lambda f, x: Apply("torch.chunk", f.chunks, dim=f.dim),
    keywords=("split", "parts"),
)


def _sizes_add_up(f: Settings, x: Inputs) -> Verdict | None:
    size, total = x.shape[f.dim], sum(f.split_size)
    if size == total:
        return None
    return Verdict("split_size", f"the parts add up to {total}, and dimension {f.dim} has {size}.")


SPLIT = Layer(
    id="Split",
    title="Split",
    group="Split",
    doc="Cut a tensor along `dim` into parts of the sizes in `split_size`, each with an output of its own.",
    source="torch.split",
    reads="any",
    gives="parts",
    dtypes=("float32", "int64"),
    outputs=lambda f: tuple(Port(str(i), f"Part {i + 1}.") for i in range(len(f.split_size))),
    fields=(
        Shape("split_size", start=[8, 8], min_dims=1, max_dims=64, doc="Sizes of the parts."),
        Int("dim", 1, lo=-8, hi=7, doc="Dimension that is cut; the batch is 0, channels are 1."),
    ),
    rules=(dims.exists(), Rule("sizes-add-up", _sizes_add_up)),
    activatable=False,
    call=lambda f, x: Apply("torch.split", f.split_size, dim=f.dim),
    keywords=("parts", "cut"),
)


def _something_left(f: Settings, x: Inputs) -> Verdict | None:
    size = x.shape[f.dim]
    count = len(range(*slice(f.start, f.end, f.step).indices(size)))
    if count:
        return None
    return Verdict("start", f"nothing lies between {f.start} and {f.end} of {size} entries.")


SLICE = Layer(
    id="Slice",
    title="Slice",
    group="Split",
    doc="Keep the entries from `start` to before `end` along `dim`, every `step`-th; negative numbers count from the end.",
    source="torch.Tensor.__getitem__",
    reads="any",
    gives="fewer along dim",
    dtypes=("float32", "int64"),
    fields=(
        Int("dim", 1, lo=-8, hi=7, doc="Dimension that is cut; the batch is 0, channels are 1."),
        Int("start", 0, lo=-(1 << 24), hi=1 << 24, doc="First entry kept."),
        Int(
            "end",
            None,
            lo=-(1 << 24),
            hi=1 << 24,
            optional=True,
            doc="First entry not kept; empty: to the end.",
        ),
        Int("step", 1, lo=1, hi=1 << 24, doc="Keep every how-manieth."),
    ),
    rules=(dims.exists(), Rule("something-left", _something_left)),
    call=lambda f, x: Call("engine.compile.modules.Slice", f.dim, f.start, f.end, f.step),
    keywords=("crop", "narrow", "index"),
)


def _entry_exists(f: Settings, x: Inputs) -> Verdict | None:
    size = x.shape[f.dim]
    if -size <= f.index < size:
        return None
    return Verdict("index", f"entry {f.index} does not exist: dimension {f.dim} has {size}.")


SELECT = Layer(
    id="Select",
    title="Select",
    group="Split",
    doc="Keep entry `index` of `dim`, which then is gone: the last step of a sequence is dim 1, index −1.",
    source="torch.select",
    reads="any",
    gives="without dim",
    dtypes=("float32", "int64"),
    fields=(
        Int("dim", start=1, lo=-8, hi=7, doc="Dimension that is taken away; the batch is 0."),
        Int("index", start=-1, lo=-(1 << 24), hi=1 << 24, doc="Which entry; −1 is the last."),
    ),
    rules=(dims.exists(), Rule("entry-exists", _entry_exists)),
    call=lambda f, x: Apply("torch.select", f.dim, f.index),
    keywords=("index", "last", "step"),
)
