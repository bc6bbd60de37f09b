"""CUDA's graphs and streams on the processor, as strict as the real ones.

While it records, nothing is computed: what is written is put back, what comes out is poison, and a
look at a value is refused. A replay runs what was recorded, on the same memory. An autograd graph that
is still alive from another stream is refused, as the driver does.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_LOOKS = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.is_nonzero.default,
    torch.ops.aten.nonzero.default,
}


class Stream:
    """A stream that only has an identity."""

    current: Stream

    def __init__(self, device: Any = None) -> None:
        self.device, self.waits = device, []

    def wait_stream(self, other: Stream) -> None:
        self.waits.append(other)


class Graph:
    """What was recorded, and how often it was replayed."""

    made: ClassVar[list[Graph]] = []

    def __init__(self) -> None:
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.replays = 0
        Graph.made.append(self)

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for function, args, kwargs, result in self.calls:
                found = function(*args, **kwargs)
                if _fresh(function):
                    for place, value in zip(_tensors(result), _tensors(found), strict=True):
                        place.copy_(value)


class _Recorder(TorchDispatchMode):
    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _LOOKS:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more")
        written = _written(func, args, kwargs)
        before = [tensor.clone() for tensor in written]
        result = func(*args, **kwargs)
        for tensor, value in zip(written, before, strict=True):
            tensor.copy_(value)
        if _fresh(func):
            for tensor in _tensors(result):
                tensor.fill_(float("nan") if tensor.is_floating_point() else 0)
        self.graph.calls.append((func, args, kwargs, result))
        return result


def _tensors(found: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor)]


def _fresh(func: Any) -> bool:
    """Whether it gives memory of its own: neither views nor what it was given to write."""
    return all(result.alias_info is None for result in func._schema.returns)


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    if func is torch.ops.aten.native_batch_norm.default:  # its schema does not say that it moves these
        return [tensor for tensor in args[3:5] if tensor is not None]
    found = []
    for number, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = args[number] if number < len(args) else kwargs.get(argument.name)
            found += _tensors(given)
    return found


@contextmanager
def _stream(stream: Stream):
    before, Stream.current = Stream.current, stream
    try:
        yield
    finally:
        Stream.current = before


class _Generator:
    def __init__(self) -> None:
        self.put_back = 0

    def clone_state(self) -> str:
        return "before"

    def graphsafe_set_state(self, state: str) -> None:
        assert state == "before"
        self.put_back += 1


class StandIn:
    """Takes the place of :mod:`torch.cuda`'s graphs.

    Attributes
    ----------
    graphs
        All that were recorded.
    generator
        Counts how often it was put back.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Stream.current = Stream("default")
        self.graphs = Graph.made = []
        self.generator = _Generator()
        self._parameters: list[torch.Tensor] = []
        for name, value in {
            "Stream": Stream,
            "stream": _stream,
            "current_stream": lambda device=None: Stream.current,
            "CUDAGraph": Graph,
            "graph": self._graph,
            "default_generators": (self.generator,),
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)

    def watches(self, model: torch.nn.Module) -> torch.nn.Module:
        """Notice on which stream each forward pass of `model` made its autograd graph."""
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        model.register_forward_hook(lambda *_: self._mark())
        return model

    def _mark(self) -> None:
        if torch.is_grad_enabled():
            for node in self._nodes():
                node.metadata["stream"] = Stream.current

    def _nodes(self) -> list[Any]:
        with torch.enable_grad():
            return [p.view_as(p).grad_fn.next_functions[0][0] for p in self._parameters]

    @contextmanager
    def _graph(self, graph: Graph, stream: Stream, capture_error_mode: str):
        assert capture_error_mode == "thread_local"
        if any(node.metadata.get("stream") not in (None, stream) for node in self._nodes()):
            raise RuntimeError("CUDA error: dependency created on uncaptured work in another stream")
        random = torch.get_rng_state()
        before, Stream.current = Stream.current, stream
        try:
            with _Recorder(graph):
                yield
        except RuntimeError:  # the end of the recording fails as well, before the stream is put back
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")  # noqa: B904
        Stream.current = before
        torch.set_rng_state(random)
