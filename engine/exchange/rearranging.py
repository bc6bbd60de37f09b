"""Functions that rearrange what flows, told as layers: views, turns, joins, parts and ``x[:, 0]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from engine.exchange.recording import Made, Recorder, Source, Unsupported


def _view(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    x = args[0]
    flow = recorder.of(x)
    if flow.lifted:
        if list(result.shape) == [1, *x.shape]:
            recorder.know(result, flow.source)
            return
        raise Unsupported(f"of a tensor of shape {list(x.shape)} that is the same for all examples")
    if result.shape == x.shape:
        recorder.know(result, recorder.exact(x))
        return
    if result.dim() == 0 or result.shape[0] != x.shape[0]:
        raise Unsupported(
            f"from {list(x.shape)} to {list(result.shape)}, which mixes the batch with the rest"
        )
    if result.dim() == 2:
        made = recorder.add("Flatten", {}, {"input": recorder.exact(x)})
    else:
        made = recorder.add("Reshape", {"shape": list(result.shape[1:])}, {"input": recorder.exact(x)})
    recorder.give(made, result)


def _permute(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    dims = kwargs.get("dims", args[1:])
    turned(recorder, args[0], dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims, result)


def _transpose(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    x = args[0]
    first, second = (*args[1:], *(kwargs[name] for name in ("dim0", "dim1") if name in kwargs))
    order = list(range(x.dim()))
    order[first], order[second] = order[second], order[first]
    turned(recorder, x, order, result)


def turned(recorder: Recorder, x: Tensor, dims: Sequence[int], result: Tensor) -> None:
    """Tell that `result` is `x` with its dimensions in the order `dims`."""
    source, order = recorder.order(x)
    recorder.permuted(result, source, [order[dim] for dim in dims])


def _join(type: str) -> Callable[..., None]:
    def handle(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        parts = list(args[0] if args else kwargs["tensors"])
        dim = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
        flows = [recorder.flow(part) for part in parts]
        if type == "Concat" and len(parts) == 2 and dim == 1 and flows[0] is not None and flows[0].repeated:
            token = flows[0].source.made
            if token.type == "Parameter" and list(token.fields["shape"][:-1]) == [1]:
                recorder.made.remove(token)
                made = recorder.add("ClassToken", {}, {"input": recorder.exact(parts[1])}, word=token.word)
                made.state["weight"] = token.state["weight"].reshape(-1)
                recorder.give(made, result)
                return
        inputs = {str(number): recorder.exact(part) for number, part in enumerate(parts)}
        recorder.give(recorder.add(type, {"dim": dim}, inputs), result)

    return handle


def _split(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    dim = args[2] if len(args) > 2 else kwargs.get("dim", 0)
    sizes = [part.shape[dim] for part in result]
    made = recorder.add("Split", {"split_size": sizes, "dim": dim}, {"input": recorder.exact(args[0])})
    recorder.give(made, result)


def _unbind(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    source, order = recorder.order(args[0])
    at = order[dim]
    rest = [d - (d > at) for d in order if d != at]
    for index, part in enumerate(result):
        made = recorder.add("Select", {"dim": at, "index": index}, {"input": source})
        recorder.permuted(part, Source(made, "output"), rest)


def _item(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    """``x[:, 0]``, ``x[..., 1:3]``, ``x[:, None]``: selections, slices and new dimensions, one by one."""
    x, index = args
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(part, Tensor | list) for part in parts):
        raise Unsupported("by a list of places")
    known = sum(part is not None and part is not Ellipsis for part in parts)
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (x.dim() - known)
    moved = recorder.flow(x)
    if moved is not None and moved.moved and isinstance(parts[0], int):
        # The batch has been moved behind what is picked here: pick it where it was.
        at = moved.moved[0]
        made = recorder.add("Select", {"dim": at, "index": parts[0]}, {"input": moved.source})
        picked = result if len(parts) == 1 else recorder.keep(x[parts[0]])
        recorder.permuted(picked, Source(made, "output"), [d - (d > at) for d in moved.moved[1:]])
        if len(parts) > 1:
            _item(recorder, (picked, tuple(parts[1:])), kwargs, result)
        return
    flow = recorder.of(x)
    if flow.lifted and parts[:1] == [None] and all(part == slice(None) for part in parts[1:]):
        recorder.know(result, flow.source)
        return
    source, dim = recorder.exact(x), 0
    sizes = list(x.shape)
    for part in parts:
        cut: Made | None = None
        if part is None:
            cut = recorder.add("Unsqueeze", {"dim": dim}, {"input": source})
            sizes.insert(dim, 1)
            dim += 1
        elif isinstance(part, slice):
            begin, end, step = part.indices(sizes[dim])
            if (begin, end, step) != (0, sizes[dim], 1):
                fields = {"dim": dim, "start": part.start or 0, "end": part.stop, "step": step}
                cut = recorder.add("Slice", fields, {"input": source})
                sizes[dim] = len(range(begin, end, step))
            dim += 1
        else:
            cut = recorder.add("Select", {"dim": dim, "index": int(part)}, {"input": source})
            del sizes[dim]
        if cut is not None:
            source = Source(cut, "output")
    recorder.know(result, source)


#: Function -> what tells of its calls.
HANDLERS: dict[str, Callable[..., None]] = {
    "view": _view,
    "reshape": _view,
    "view_as": _view,
    "permute": _permute,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "cat": _join("Concat"),
    "concat": _join("Concat"),
    "concatenate": _join("Concat"),
    "stack": _join("Stack"),
    "split": _split,
    "unbind": _unbind,
    "getitem": _item,
}
