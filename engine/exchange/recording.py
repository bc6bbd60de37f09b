"""What a PyTorch module does, recorded while it runs once.

Modules of torch.nn that the catalogue has are taken whole; what happens between them is seen
through torch's own function mode. Nothing is guessed from source text, and a value decided while
running (a branch, a size) is recorded as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.catalog import LAYERS
from engine.exchange import modules
from engine.network import Node, Training


class Unsupported(Exception):
    """Something that no layer of the catalogue does; the message says what."""


@dataclass(eq=False)
class Made:
    """A node to be, with what feeds it."""

    #: Where in the module it happened: the path of the layer, or of the module whose forward did it.
    path: str
    #: What it is called there; empty where the path says it all.
    word: str
    type: str
    fields: dict[str, Any]
    #: Input port -> what arrives.
    inputs: dict[str, Source]
    #: Output ports.
    outputs: tuple[str, ...] = ("output",)
    #: Its parameters and buffers.
    state: dict[str, Tensor] = field(default_factory=dict)
    #: Own parameter -> the one elsewhere that it is.
    shares: dict[str, tuple[Made, str]] = field(default_factory=dict)
    frozen: bool = False
    #: The modules in whose forward it happened, outermost first.
    scope: tuple[str, ...] = ()

    def node(self) -> Node:
        """The node, its shared parameters still to be named."""
        return Node(self.type, self.fields, training=Training(frozen=True) if self.frozen else None)


class Source(NamedTuple):
    """An output port of a node to be."""

    made: Made
    port: str


class Flow(NamedTuple):
    """What is known of a tensor."""

    tensor: Tensor
    source: Source
    #: The node gives it with a leading dimension of 1 that the tensor has not.
    lifted: bool = False
    #: The node gives one row, where the tensor repeats it for each example.
    repeated: bool = False
    #: The tensor is what the node gives, permuted so, which moves the batch: not drawn until it is
    #: known what comes of it, since no network may do that (``qkv.permute(2, 0, 3, 1, 4)[0]``).
    moved: tuple[int, ...] = ()


class Recorder(TorchFunctionMode):
    """Records one call of a module: use :func:`record`."""

    def __init__(self, model: nn.Module, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.made: list[Made] = []
        #: What no layer does: where, and what.
        self.unsupported: list[str] = []
        self.names = {id(module): name for name, module in model.named_modules()}
        self.parameters: dict[int, Tensor] = {id(tensor): tensor for tensor in model.parameters()}
        self.parameter_names = {id(tensor): name for name, tensor in model.named_parameters()}
        self.scope: list[str] = []
        self.calls: dict[str, int] = {}
        #: The class of the module at each path that was entered.
        self.classes: dict[str, type] = {}
        self._flows: dict[int, Flow] = {}
        self._owners: dict[int, tuple[Made, str]] = {}
        self._inside = 0
        #: Tensors known by their id must not make room for others.
        self._kept: list[Tensor] = []

    def enter(self, scopes: Sequence[tuple[str, type]]) -> None:
        """What follows happens in these modules, outermost first: for code that calls no modules."""
        inner = [(path, kind) for path, kind in scopes if not kind.__module__.startswith("torch.nn.")]
        self.scope[1:] = [path for path, _ in inner if path]
        for path, kind in inner:
            self.calls[path], self.classes[path] = 1, kind

    # ------------------------------------------------------------------ what tensors are

    def flow(self, tensor: Tensor) -> Flow | None:
        """What is known of `tensor`; None if it does not come from the input."""
        found = self._flows.get(id(tensor))
        return found if found is not None and found.tensor is tensor else None

    def know(self, tensor: Tensor, source: Source, lifted: bool = False, repeated: bool = False) -> None:
        """From here on `tensor` is what `source` gives."""
        self._flows[id(tensor)] = Flow(tensor, source, lifted, repeated)

    def permuted(self, tensor: Tensor, source: Source, order: Sequence[int]) -> None:
        """From here on `tensor` is what `source` gives, its dimensions in `order`."""
        order = tuple(order)
        if order == tuple(range(len(order))):
            self.know(tensor, source)
        elif order[0] == 0:
            swapped = [place for place, dim in enumerate(order) if place != dim]
            fields: dict[str, Any] = {"dims": list(order)}
            if len(swapped) == 2:
                made = self.add("Transpose", {"dim0": swapped[0], "dim1": swapped[1]}, {"input": source})
            else:
                made = self.add("Permute", fields, {"input": source})
            self.know(tensor, Source(made, "output"))
        else:
            self._flows[id(tensor)] = Flow(tensor, source, moved=order)

    def order(self, tensor: Tensor) -> tuple[Source, tuple[int, ...]]:
        """Where `tensor` comes from, and the order in which its dimensions then are."""
        flow = self.flow(tensor)
        if flow is not None and flow.moved:
            return flow.source, flow.moved
        return self.exact(tensor), tuple(range(tensor.dim()))

    def exact(self, tensor: Tensor) -> Source:
        """Where `tensor` comes from, with exactly its dimensions.

        Raises
        ------
        Unsupported
            If it is a parameter or constant without the leading dimension of 1 that such nodes give.
        """
        flow = self.of(tensor)
        if flow.lifted:
            raise Unsupported(f"a tensor of shape {list(tensor.shape)} that is the same for all examples")
        if flow.repeated:
            raise Unsupported("a parameter that is repeated for each example")
        return flow.source

    def stretched(self, tensor: Any, rank: int) -> Source:
        """Where an operand of element-wise arithmetic with a result of `rank` dimensions comes from."""
        if not isinstance(tensor, Tensor):
            return self._constant(torch.tensor(float(tensor))).source
        flow = self.of(tensor)
        if flow.lifted and tensor.dim() >= rank and tensor.dim() > 0:
            raise Unsupported(f"a tensor of shape {list(tensor.shape)} that is the same for all examples")
        return flow.source

    def of(self, tensor: Tensor) -> Flow:
        """What is known of `tensor`, made a Parameter or Constant node where nothing is."""
        found = self.flow(tensor)
        if found is not None and found.moved:
            made = self.add("Permute", {"dims": list(found.moved)}, {"input": found.source})
            self.know(tensor, Source(made, "output"))
            found = self._flows[id(tensor)]
        if found is not None:
            return found
        return self._parameter(tensor) if id(tensor) in self.parameters else self._constant(tensor)

    def _parameter(self, tensor: Tensor) -> Flow:
        lifted = tensor.dim() == 0 or tensor.shape[0] != 1
        shape = list(tensor.shape if lifted else tensor.shape[1:])
        made = self.add("Parameter", {"shape": shape}, {}, word=self.name_of(tensor))
        made.state["weight"] = tensor.detach().reshape(shape)
        made.frozen = not tensor.requires_grad
        self.know(tensor, Source(made, "output"), lifted)
        return self._flows[id(tensor)]

    def name_of(self, tensor: Tensor) -> str:
        """What the model calls a parameter: ``head`` for ``self.head`` and for ``self.head.weight``."""
        words = self.parameter_names.get(id(tensor), "parameter").split(".")
        return words[-2] if words[-1] in ("weight", "bias") and len(words) > 1 else words[-1]

    def reshaped(self, parameter: Tensor, result: Tensor) -> None:
        """`result` is the parameter `parameter` in another shape: learned in that shape instead."""
        self.parameters[id(result)] = result
        self.parameter_names[id(result)] = self.parameter_names.get(id(parameter), "parameter")
        self._kept.append(result)

    def keep(self, tensor: Tensor) -> Tensor:
        """Hold on to a tensor of our own, so that its id stays its own."""
        self._kept.append(tensor)
        return tensor

    def _constant(self, tensor: Tensor) -> Flow:
        value = tensor.detach().clone()
        same_rows = value.dim() > 0 and value.shape[0] == self.batch and bool((value == value[:1]).all())
        if same_rows and self.batch > 1:
            value = value[:1]
        lifted = value.dim() == 0 or value.shape[0] != 1
        shape = list(value.shape if lifted else value.shape[1:])
        if value.dtype not in (torch.float32, torch.int64):
            value = value.float() if value.is_floating_point() or value.dtype == torch.bool else value.long()
        fields: dict[str, Any] = {"shape": shape}
        if value.dtype == torch.int64:
            fields["dtype"] = "int64"
        first = float(value.reshape(-1)[0]) if value.numel() else 0.0
        uniform = value.numel() > 0 and bool((value == value.reshape(-1)[0]).all())
        if uniform and abs(first) < 1e30:
            fields["value"] = first
        made = self.add("Constant", fields, {}, word="constant")
        made.state["value"] = value.reshape(shape)
        # Not remembered: the same tensor may be changed in place before it is read again.
        return Flow(tensor, Source(made, "output"), lifted)

    # ------------------------------------------------------------------ nodes

    def add(
        self,
        type: str,
        fields: Mapping[str, Any],
        inputs: Mapping[str, Source],
        *,
        path: str | None = None,
        word: str | None = None,
        state: Mapping[str, Tensor] | None = None,
    ) -> Made:
        """A new node; its tensors in `state` are remembered, so that a second use of one is shared."""
        layer = LAYERS[type]
        kept = modules.plain(layer, fields)
        wrong = layer.check(kept)
        if wrong:
            raise Unsupported(f"{type} › {wrong[0][0]}: {wrong[0][1]}")
        made = Made(
            path if path is not None else (self.scope[-1] if self.scope else ""),
            word if word is not None else ("" if path is not None else type.lower()),
            type,
            kept,
            dict(inputs),
            tuple(port.name for port in layer.output_ports(kept)),
            scope=tuple(self.scope),
        )
        for name, tensor in (state or {}).items():
            owner = self._owners.get(id(tensor))
            if owner is not None and isinstance(tensor, nn.Parameter):
                made.shares[name] = owner
            else:
                self._owners[id(tensor)] = (made, name)
                self._kept.append(tensor)
            made.state[name] = tensor.detach()
        learned = [t for t in (state or {}).values() if isinstance(t, nn.Parameter)]
        made.frozen = bool(learned) and not any(tensor.requires_grad for tensor in learned)
        self.made.append(made)
        return made

    def give(self, made: Made, result: Any, lifted: bool = False) -> None:
        """The tensors of `result` are the outputs of `made`, in order."""
        for tensor, port in zip(flat(result), made.outputs, strict=False):
            if tensor is not None:
                self.know(tensor, Source(made, port), lifted)

    def refuse(self, name: str, reason: str, sources: Sequence[Tensor], result: Any, path: str) -> None:
        """Put a node of an unknown type in the place of what no layer does, and say so."""
        inputs = {}
        for number, tensor in enumerate(sources):
            flow = self.flow(tensor)
            if flow is not None:
                inputs[str(number)] = flow.source
        outputs = tuple(str(i) for i, _ in enumerate(flat(result)))
        made = Made(path, name.lower(), name, {}, inputs, outputs, scope=tuple(self.scope))
        self.made.append(made)
        where = path or "the model"
        self.unsupported.append(f"{where}: {name}" + (f" ({reason})" if reason else ""))
        self.give(made, result)

    # ------------------------------------------------------------------ what happens

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See one function of torch."""
        kwargs = dict(kwargs or {})
        if self._inside:
            return func(*args, **kwargs)
        before = [tensor for tensor in flat((args, tuple(kwargs.values()))) if tensor is not None]
        flows = {id(tensor): flow for tensor in before if (flow := self.flow(tensor)) is not None}
        result = func(*args, **kwargs)
        from engine.exchange import functions

        if flows or any(id(tensor) in self.parameters for tensor in before):
            self._inside += 1
            try:
                functions.note(self, func, tuple(args), kwargs, before, result)
            finally:
                self._inside -= 1
        return result

    def call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """See one call of a module."""
        if self._inside:
            return original(module, *args, **kwargs)
        path = self.names.get(id(module), "")
        type_ = modules.layer_of(module)
        if type_ is None:
            self.calls[path] = self.calls.get(path, 0) + 1
            self.classes[path] = type(module)
            self.scope.append(path)
            try:
                return original(module, *args, **kwargs)
            finally:
                self.scope.pop()
        self._inside += 1
        try:
            result = original(module, *args, **kwargs)
            try:
                modules.note(self, module, type_, path, args, kwargs, result)
            except Unsupported as reason:
                sources = [tensor for tensor in flat((args, tuple(kwargs.values()))) if tensor is not None]
                self.refuse(type(module).__name__, str(reason), sources, result, path)
        finally:
            self._inside -= 1
        return result


def flat(value: Any) -> list[Tensor | None]:
    """The tensors in nested tuples, lists and dicts, in order; None for a result that is not given."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for part in value.values() for tensor in flat(part)]
    if isinstance(value, tuple | list):
        return [tensor for part in value for tensor in ([None] if part is None else flat(part))]
    return []


class Recording(NamedTuple):
    """What happened in one call."""

    made: list[Made]
    inputs: dict[str, Made]
    #: Output id -> where it comes from.
    outputs: dict[str, Source]
    unsupported: list[str]
    #: Path of a module that was entered -> how often, and its class.
    calls: dict[str, int]
    classes: dict[str, type]


def record(
    model: nn.Module, inputs: Mapping[str, Tensor], ready: Callable[[Recorder], None] | None = None
) -> Recording:
    """Run `model` once, in evaluation mode, on `inputs` (by argument, with the batch first).

    `ready` is given the recorder before the run.

    Raises
    ------
    Unsupported
        If what comes out is no tensor that depends on what goes in.
    """
    batch = next(iter(inputs.values())).shape[0]
    recorder = Recorder(model.eval(), batch)
    ends = {}
    for name, tensor in inputs.items():
        dtype = "int64" if tensor.dtype == torch.int64 else "float32"
        ends[name] = recorder.add("Input", {"shape": list(tensor.shape[1:]), "dtype": dtype}, {}, word=name)
        recorder.know(tensor, Source(ends[name], "output"))
    if ready is not None:
        ready(recorder)
    with _calls_seen(recorder), recorder, torch.no_grad():
        result = model(*inputs.values())
    outputs = {}
    for name, tensor in _named_outputs(result).items():
        if recorder.flow(tensor) is None:
            raise Unsupported(f"the output {name} does not depend on the input")
        outputs[name] = recorder.exact(tensor)
    return Recording(recorder.made, ends, outputs, recorder.unsupported, recorder.calls, recorder.classes)


def _named_outputs(result: Any) -> dict[str, Tensor]:
    if isinstance(result, Mapping):
        return {str(name): value for name, value in result.items() if isinstance(value, Tensor)}
    tensors = [tensor for tensor in flat(result) if tensor is not None]
    if not tensors:
        raise Unsupported("the module returns no tensor")
    return {"out" if len(tensors) == 1 else f"out{i}": tensor for i, tensor in enumerate(tensors)}


@contextmanager
def _calls_seen(recorder: Recorder) -> Iterator[None]:
    original = nn.Module.__call__

    def seen(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call(original, module, args, kwargs)

    nn.Module.__call__ = seen  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]
