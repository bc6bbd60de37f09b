"""The compiled network: children named by node, and a plan that says who runs on what.

The plan is a list of lines (child, input slots, output slots, slots that die). Running it costs
about what a hand-written ``forward`` costs, names the node that failed, and deep-copies, compiles
and exports like any module. A child is looked up by name at each call, so that one that was
replaced (quantised, wrapped, hooked) is the one that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.module import _has_any_global_hook

from engine.catalog import Apply, Call
from engine.compile.expand import Step, Value
from engine.compile.lower import Operation
from engine.compile.resolve import construct, resolve


class Line(NamedTuple):
    """One line of the plan."""

    #: The node it belongs to, for messages.
    node: str
    #: Names from the network down to the child; empty for a plain function.
    child: tuple[str, ...]
    #: What to call instead of the child, with the child first.
    run: Callable[..., Any] | None
    sources: tuple[int, ...]
    targets: tuple[int, ...]
    #: Slots that nothing reads afterwards.
    dying: tuple[int, ...] = ()
    #: Of a child of the network itself that reads one slot and writes into it: its name and the slot.
    name: str = ""
    slot: int = -1


class CompiledNetwork(nn.Module):
    """A network that runs its plan.

    Call it with the inputs in the order of the document's Input nodes, each with the batch as
    dimension 0. It returns the output's tensor, or a dict by Output id where there are several.

    Its own attributes begin with an underscore: all other names belong to the nodes.
    """

    def __init__(
        self, lines: Sequence[Line], size: int, inputs: Sequence[str], outputs: Mapping[str, int]
    ) -> None:
        super().__init__()
        self._lines = tuple(lines)
        self._size = size
        self._inputs = tuple(inputs)
        self._outputs = dict(outputs)
        self._see: Callable[[Line, Any], None] | None = None
        self._bound: tuple[_Bound, ...] | None = None

    @contextmanager
    def watched(self, see: Callable[[Line, Any], None]) -> Iterator[None]:
        """Within this context ``see(line, result)`` is told what each line of the plan gives.

        The same operations run in the same order, so no number changes. A node of several lines
        (layer, then activation) tells several times; its last result is its output.
        """
        self._see = see
        try:
            yield
        finally:
            self._see = None

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Within this context children are those that there are now, with the hooks that they have now.

        What :meth:`forward` finds out at each call is then known beforehand, which saves a small
        network some percent of its time. The numbers are the same.
        """
        self._bound = tuple(self._bind(line) for line in self._lines)
        try:
            yield
        finally:
            self._bound = None

    def _bind(self, line: Line) -> _Bound:
        child: Any = self
        for name in line.child:
            child = child._modules[name]
        call = _direct(child) if line.run is None else partial(line.run, child)
        source = line.sources[0] if len(line.sources) == 1 else -1
        return _Bound(line.node, call, source, line.sources, line.targets, line.dying)

    def _run_bound(self, lines: tuple[_Bound, ...], slots: list[Any]) -> None:
        line = None
        try:
            for line in lines:
                _, call, source, sources, targets, dying = line
                result = call(slots[source]) if source >= 0 else call(*[slots[i] for i in sources])
                if len(targets) == 1:
                    slots[targets[0]] = result
                else:
                    for slot, value in zip(targets, _flat(result), strict=True):
                        slots[slot] = value
                for slot in dying:
                    slots[slot] = None
        except Exception as error:
            _name(error, "" if line is None else line.node)
            raise

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Run the network on `inputs`, each ``[N, …]``."""
        if len(inputs) != len(self._inputs):
            raise TypeError(
                f"the network takes {len(self._inputs)} inputs ({', '.join(self._inputs)}), "
                f"and got {len(inputs)}."
            )
        slots: list[Any] = [*inputs, *[None] * (self._size - len(inputs))]
        node, see = "", self._see
        if self._bound is not None and see is None:
            self._run_bound(self._bound, slots)
            return self._given(slots)
        try:
            modules: Any = self._modules
            for line in self._lines:
                node, path, run, sources, targets, dying, name, slot = line
                if name and see is None:  # most lines: one child on one slot, and back into it
                    slots[slot] = modules[name](slots[slot])
                    continue
                child: Any = self
                for part in path:
                    child = child._modules[part]
                if run is not None:
                    result = run(child, *[slots[i] for i in sources])
                elif len(sources) == 1:
                    result = child(slots[sources[0]])
                else:
                    result = child(*[slots[i] for i in sources])
                if see is not None:
                    see(line, result)
                if len(targets) == 1:
                    slots[targets[0]] = result
                else:
                    for slot, value in zip(targets, _flat(result), strict=True):
                        slots[slot] = value
                for slot in dying:
                    slots[slot] = None
        except Exception as error:
            _name(error, node)
            raise
        return self._given(slots)

    def _given(self, slots: list[Any]) -> Any:
        if len(self._outputs) == 1:
            (slot,) = self._outputs.values()
            return slots[slot]
        return {id: slots[slot] for id, slot in self._outputs.items()}


class _Bound(NamedTuple):
    """A line of the plan with its child looked up."""

    node: str
    call: Callable[..., Any]
    #: The one source, or −1 where there are others than one.
    source: int
    sources: tuple[int, ...]
    targets: tuple[int, ...]
    dying: tuple[int, ...]


def _direct(child: nn.Module) -> Callable[..., Any]:
    """``child.forward`` where calling `child` would do nothing else."""
    hooked = (
        child._forward_hooks
        or child._forward_pre_hooks
        or child._backward_hooks
        or child._backward_pre_hooks
        or _has_any_global_hook()
        or getattr(child, "_compiled_call_impl", None)
    )
    return child if hooked else child.forward


def _name(error: Exception, node: str) -> None:
    """Put the node in front of what the error says."""
    if error.args and isinstance(error.args[0], str):
        error.args = (f"{node}: {error.args[0]}", *error.args[1:])


def _flat(result: Any) -> list[torch.Tensor]:
    """The tensors of a nested tuple in order: ``(output, (h_n, c_n))`` gives three."""
    if isinstance(result, tuple | list):
        return [tensor for part in result for tensor in _flat(part)]
    return [result]


# ---------------------------------------------------------------------------- what a line runs


class _Function:
    """A plain function of the tensors, such as ``torch.add``."""

    def __init__(self, call: Apply) -> None:
        self.function = resolve(call.target)
        self.args, self.kwargs, self.together = call.args, dict(call.kwargs), call.together

    def __call__(self, _: nn.Module, *inputs: torch.Tensor) -> Any:
        if self.together:
            return self.function(inputs, *self.args, **self.kwargs)
        return self.function(*inputs, *self.args, **self.kwargs)


class _Nested:
    """A module that takes some of its inputs together: ``lstm(x, (h_0, c_0))``."""

    def __init__(self, takes: tuple[Any, ...], ports: tuple[str, ...]) -> None:
        self.places = _places(takes, ports)

    def __call__(self, child: nn.Module, *inputs: torch.Tensor) -> Any:
        return child(*_gathered(self.places, inputs))


def _places(takes: tuple[Any, ...], ports: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(_places(p, ports) if isinstance(p, tuple) else ports.index(p) for p in takes)


def _gathered(places: tuple[Any, ...], inputs: tuple[torch.Tensor, ...]) -> tuple[Any, ...]:
    return tuple(_gathered(p, inputs) if isinstance(p, tuple) else inputs[p] for p in places)


class _Binarized:
    """A layer that computes with a binarized copy of its weight; the latent weight stays its parameter.

    Linear and convolutions take the weight as an argument, which is faster than swapping it; a
    layer with hooks, and every other layer, is called whole with the weight swapped for the call.
    """

    def __init__(
        self, owner: str, estimator: str, parameters: tuple[str, ...], places: tuple[Any, ...] = ()
    ) -> None:
        self.owner, self.estimator, self.parameters, self.places = owner, estimator, parameters, places

    def __call__(self, parent: nn.Module, *inputs: torch.Tensor) -> Any:
        layer: Any = parent._modules[self.owner]
        estimator: Any = parent._modules[self.estimator]
        if not layer._forward_hooks and not layer._forward_pre_hooks and not layer._backward_hooks:
            if type(layer) is nn.Linear:
                return functional.linear(inputs[0], estimator(layer.weight), layer.bias)
            if type(layer) in CONVOLUTIONS:
                return layer._conv_forward(inputs[0], estimator(layer.weight), layer.bias)
        swapped = {name: estimator(layer.get_parameter(name)) for name in self.parameters}
        return functional_call(layer, swapped, _gathered(self.places, inputs) if self.places else inputs)


#: Layers with ``_conv_forward(input, weight, bias)``.
CONVOLUTIONS = frozenset({nn.Conv1d, nn.Conv2d, nn.Conv3d})


# ---------------------------------------------------------------------------- planning


def plan(
    steps: Sequence[tuple[Step, Operation]],
    make: Callable[[str, Call], nn.Module] = lambda path, call: construct(call),
) -> CompiledNetwork:
    """The compiled network of `steps`: Input steps become its inputs, Output steps its outputs.

    ``make(path, call)`` constructs each child.
    """
    last_use = _last_uses(steps)
    slots: dict[Value, int] = {}
    inputs = [step.path for step, _ in steps if step.node.type == "Input"]
    for number, path in enumerate(inputs):
        slots[Value(path, 0)] = number
    free: list[int] = []
    size = len(inputs)
    lines: list[Line] = []
    outputs: dict[str, int] = {}
    children: list[tuple[str, Call]] = []
    for index, (step, operation) in enumerate(steps):
        if step.node.type == "Input":
            continue
        sources = tuple(slots[value] for value in step.inputs.values() if value is not None)
        if step.node.type == "Output":
            outputs[step.path] = sources[0]
            continue
        dying = [slots[value] for value in last_use.get(index, ())]
        # An input binarizer writes before the other inputs are read, so theirs must not be its slot.
        at_once = operation.input is None or len(sources) == 1
        if at_once:
            free += dying
        targets = []
        for port in range(len(step.outputs)):
            if free:
                slot = free.pop()
            else:
                slot, size = size, size + 1
            slots[Value(step.path, port)] = slot
            targets.append(slot)
        if not at_once:
            free += dying
        dead = tuple(slot for slot in dying if slot not in targets)
        lines += _lines(step, operation, sources, tuple(targets), dead)
        children += [(step.path + suffix, call) for suffix, call in operation.children.items()]
    network = CompiledNetwork(lines, size, inputs, outputs)
    for path, call in children:
        _add(network, path, make(path, call))
    return network


def _last_uses(steps: Sequence[tuple[Step, Operation]]) -> dict[int, list[Value]]:
    """Step number -> the values that it is the last to read. What is an output lives on."""
    last: dict[Value, int] = {}
    for index, (step, _) in enumerate(steps):
        for value in step.inputs.values():
            if value is not None:
                last[value] = len(steps) if step.node.type == "Output" else max(index, last.get(value, 0))
    found: dict[int, list[Value]] = {}
    for value, index in last.items():
        found.setdefault(index, []).append(value)
    return found


def _lines(
    step: Step,
    operation: Operation,
    sources: tuple[int, ...],
    targets: tuple[int, ...],
    dead: tuple[int, ...],
) -> list[Line]:
    """The lines of one node: input binarizer, layer, activation, passing on through its target slot."""
    *parents, name = step.path.split(".")
    path = tuple(parents)
    lines: list[Line] = []
    if operation.input is not None:
        lines.append(Line(step.path, (*path, f"{name}__input"), None, sources[:1], targets[:1]))
        sources = (targets[0], *sources[1:])
    run: Callable[..., Any] | None = None
    child = (*path, name)
    if isinstance(operation.call, Apply):
        run, child = _Function(operation.call), ()
    elif operation.weight is not None:
        places = _places(operation.takes, tuple(step.inputs))
        run, child = _Binarized(name, f"{name}__weight", operation.binarized, places), path
    elif operation.takes:
        run = _Nested(operation.takes, tuple(step.inputs))
    lines.append(Line(step.path, child, run, sources, targets))
    if operation.activation is not None:
        lines.append(Line(step.path, (*path, f"{name}__activation"), None, targets[:1], targets[:1]))
    lines[-1] = lines[-1]._replace(dying=dead)
    return [_short(line) for line in lines]


def _short(line: Line) -> Line:
    """`line`, with what makes it quick where it is of the usual kind."""
    usual = line.run is None and len(line.child) == 1 and not line.dying
    if usual and line.sources == line.targets and len(line.targets) == 1:
        return line._replace(name=line.child[0], slot=line.targets[0])
    return line


def _add(network: nn.Module, path: str, child: nn.Module) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in network._modules:
            network.add_module(parent, nn.Module())
        inner = network._modules[parent]
        assert inner is not None
        network = inner
    network.add_module(name, child)
