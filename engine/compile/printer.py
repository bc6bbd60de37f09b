"""A network as Python source: one module that needs torch alone and is the same model.

It is printed from the very calls that :func:`engine.build` makes, so the two cannot differ. All
that comes from the document and is not a checked identifier is printed by ``repr``.
"""

from __future__ import annotations

import importlib
import inspect
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from engine.catalog import INITIALIZERS, Apply, Call, Inputs
from engine.compile.builder import lowered
from engine.compile.expand import Step, Value
from engine.compile.lower import Operation, schemes
from engine.compile.plan import CONVOLUTIONS
from engine.compile.resolve import construct, resolve
from engine.network import Network

#: About how long a line of the forward gets before it is made two.
_WIDTH = 88

#: Arguments for which torch takes one number for all dimensions.
_PER_DIMENSION = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"})

Lowered = Sequence[tuple[Step, Operation, Inputs]]


def source(network: Network) -> str:
    """A Python module that defines the same model as :func:`engine.build`, and needs torch alone.

    Its class has the same state_dict keys and, given the same state_dict, the same outputs and
    gradients to the last bit.

    Raises
    ------
    NetworkProblem
        If the network has errors.
    """
    steps = lowered(network)
    initialisation = _initialisation(network, steps)
    methods = [_constructor(steps, bool(initialisation)), initialisation, _forward(steps)]
    body = "\n\n".join(method for method in methods if method)
    helpers = _helpers(operation for _, operation, _ in steps)
    taken = {"Tensor", "F", "nn", "torch", "functional_call", *re.findall(r"^class (\w+)", helpers, re.M)}
    text = f"class {_class_name(network.name, taken)}(nn.Module):\n{_indent(_docstring(network, steps))}"
    code = "\n\n\n".join(part for part in (helpers, f"{text}\n\n{_indent(body)}") if part)
    title = f'"""{_prose(network.name)}. Made with Layerlab; needs torch alone."""'
    return f"{title}\n\n{_imports(code)}\n\n\n{code}\n"


def _imports(code: str) -> str:
    """Just what `code` uses."""
    known = {
        "import math\n": r"\bmath\.",
        "import torch": r"\btorch\.",
        "from torch import Tensor, nn": r"\bTensor\b",
        "from torch.func import functional_call": r"\bfunctional_call\(",
        "from torch.nn import functional as F": r"\bF\.",
    }
    return "\n".join(line for line, used in known.items() if re.search(used, code))


# ---------------------------------------------------------------------------- parts of the class


def _docstring(network: Network, steps: Lowered) -> str:
    inputs = [
        f"Input {step.path}: [{', '.join(map(str, ('N', *step.node.fields['shape'])))}]"
        for step, _, _ in steps
        if step.node.type == "Input"
    ]
    outputs = [
        f"Output {step.path}: [{', '.join(map(str, ('N', *x.shape[1:])))}]"
        for step, _, x in steps
        if step.node.type == "Output"
    ]
    return "\n".join([f'"""{_prose(network.name)}.', "", *inputs, *outputs, '"""'])


def _constructor(steps: Lowered, initialises: bool) -> str:
    lines = ["def __init__(self) -> None:", "    super().__init__()"]
    for step, operation, _ in steps:
        for suffix, call in operation.children.items():
            lines.append(f"    self.{step.path}{suffix} = {_call(call)}")
    if initialises:
        lines.append("    self._reset_parameters()")
    for step, _, _ in steps:
        lines += [f"    self.{step.path}.{own} = self.{target}" for own, target in step.node.shares.items()]
    for step, operation, _ in steps:
        if step.node.training is not None and step.node.training.frozen and "" in operation.children:
            lines.append(f"    self.{step.path}.requires_grad_(False)")
    return "\n".join(lines)


def _initialisation(network: Network, steps: Lowered) -> str:
    """The method that draws first values, and its call; empty where all is torch's default."""
    lines = []
    for step, operation, _ in steps:
        if "" not in operation.children or (not network.defaults and not step.node.init):
            continue
        shapes = _shapes(operation)
        for parameter, choice in schemes(network, step.node, shapes).items():
            if parameter not in shapes or choice.id == "default":
                continue
            entry = INITIALIZERS[choice.id]
            call = entry.call(entry.settings(choice.fields))
            lines.append(f"    {_call(call, f'self.{step.path}.{parameter}')}")
    if not lines:
        return ""
    return "\n".join(
        [
            "def _reset_parameters(self) -> None:",
            '    """Draw first values anew, where torch\'s own are not used."""',
            *lines,
        ]
    )


def _shapes(operation: Operation) -> dict[str, tuple[int, ...]]:
    call = operation.children[""]
    with torch.device("meta"):
        module = construct(call)
    return {name: tuple(p.shape) for name, p in module.named_parameters()}


def _forward(steps: Lowered) -> str:
    inputs = [step.path for step, _, _ in steps if step.node.type == "Input"]
    outputs = [step for step, _, _ in steps if step.node.type == "Output"]
    names = _variables(steps)
    lines: list[str] = []
    for step, operation, _ in steps:
        if step.node.type in ("Input", "Output"):
            continue
        arguments = [names[value] for value in step.inputs.values() if value is not None]
        targets = {name: names[Value(step.path, port)] for port, name in enumerate(step.outputs)}
        if operation.input is not None:
            arguments[0] = f"self.{step.path}__input({arguments[0]})"
        expression = _expression(step.path, operation, arguments, tuple(step.inputs))
        target = _targets(targets, operation.returns)
        if operation.activation is not None:
            whole = f"self.{step.path}__activation({expression})"
            if len(target) + len(whole) > _WIDTH:
                lines.append(f"    {target} = {expression}")
                whole = f"self.{step.path}__activation({target})"
            expression = whole
        lines.append(f"    {target} = {expression}")
    if len(outputs) == 1:
        (value,) = outputs[0].inputs.values()
        result, kind = names[value], "Tensor"  # type: ignore[index]
    else:
        pairs = [f'"{step.path}": {names[v]}' for step in outputs for v in step.inputs.values() if v]
        result, kind = f"{{{', '.join(pairs)}}}", "dict[str, Tensor]"
    arguments = ["self", *(f"{name}: Tensor" for name in inputs)]
    return "\n".join([f"def forward({', '.join(arguments)}) -> {kind}:", *lines, f"    return {result}"])


def _variables(steps: Lowered) -> dict[Value, str]:
    """A name for each value: its node's id, or ``x`` for what only the next line reads."""
    ids = {step.path for step, _, _ in steps}
    passing = "x" if "x" not in ids else "hidden" if "hidden" not in ids else ""
    running = [step for step, _, _ in steps if step.node.type not in ("Input", "Output")]
    readers: dict[Value, list[int]] = {}
    for index, step in enumerate(running):
        for value in step.inputs.values():
            if value is not None:
                readers.setdefault(value, []).append(index)
    for step, _, _ in steps:
        if step.node.type == "Output":
            for value in step.inputs.values():
                if value is not None:
                    readers.setdefault(value, []).append(len(running))
    names = {Value(step.path, 0): step.path for step, _, _ in steps if step.node.type == "Input"}
    for index, step in enumerate(running):
        for port in range(len(step.outputs)):
            value = Value(step.path, port)
            if len(step.outputs) > 1:
                names[value] = f"{step.path}__{step.outputs[port]}"
            elif passing and readers.get(value) == [index + 1]:
                names[value] = passing
            else:
                # The one id that is also a name of the module, and so may not become a variable.
                names[value] = step.path if step.path != "functional_call" else "functional_call__output"
    return names


def _expression(path: str, operation: Operation, arguments: list[str], ports: tuple[str, ...]) -> str:
    """The layer applied to its arguments."""
    joined = ", ".join(arguments)
    if isinstance(operation.call, Apply):
        call = operation.call
        first = f"({joined}{',' if len(arguments) == 1 else ''})" if call.together else joined
        return f"{call.target}({', '.join([first, *_arguments(call.args, call.kwargs)])})"
    if operation.weight is None:
        if operation.takes:
            joined = ", ".join(
                _nested(part, dict(zip(ports, arguments, strict=True))) for part in operation.takes
            )
        return f"self.{path}({joined})"
    layer, estimator = f"self.{path}", f"self.{path}__weight"
    assert operation.call is not None
    target = resolve(operation.call.target)
    if target is nn.Linear:
        return f"F.linear({joined}, {estimator}({layer}.weight), {layer}.bias)"
    if target in CONVOLUTIONS:
        return f"{layer}._conv_forward({joined}, {estimator}({layer}.weight), {layer}.bias)"
    swapped = ", ".join(f'"{name}": {estimator}({layer}.{name})' for name in operation.binarized)
    return f"functional_call({layer}, {{{swapped}}}, ({joined},))"


def _nested(part: Any, names: dict[str, str]) -> str:
    if isinstance(part, tuple):
        return f"({', '.join(_nested(inner, names) for inner in part)})"
    return names[part]


def _targets(names: dict[str, str], returns: tuple[Any, ...]) -> str:
    """What the result is assigned to: ``output, (h_n, c_n)``."""
    if not returns:
        return ", ".join(names.values())
    return ", ".join(_nested(part, names) for part in returns)


# ---------------------------------------------------------------------------- calls


def _call(call: Call, *first: str) -> str:
    """`call` as code, without the arguments that say what torch assumes anyway."""
    target = call.target
    arguments = _arguments(*_spared(resolve(target), call, len(first)))
    return f"{_printed_name(target)}({', '.join([*first, *arguments])})"


def _printed_name(target: str) -> str:
    if target.startswith("torch.nn."):
        return target.removeprefix("torch.")
    return target.rpartition(".")[2] if target.startswith("engine.") else target


def _spared(function: Any, call: Call, skipped: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `call` that differ from the function's defaults, in their shortest form."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return call.args, dict(call.kwargs)
    positional = list(parameters)[skipped:]
    args = tuple(_short(name, value) for name, value in zip(positional, call.args, strict=False))
    args += call.args[len(args) :]
    kwargs = {}
    for name, value in call.kwargs.items():
        short = _short(name, value)
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        if isinstance(short, bool) is not isinstance(default, bool) or short != default:
            kwargs[name] = short
    return args, kwargs


def _short(name: str, value: Any) -> Any:
    if name in _PER_DIMENSION and isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def _arguments(args: Iterable[Any], kwargs: Mapping[str, Any]) -> list[str]:
    return [*map(_literal, args), *(f"{name}={_literal(value)}" for name, value in kwargs.items())]


def _literal(value: Any) -> str:
    """`value` as Python writes it; text in double quotes where it needs no escapes."""
    text = repr(value)
    if isinstance(value, str) and text[1:-1] == value and '"' not in value:
        return f'"{value}"'
    return text


# ---------------------------------------------------------------------------- helpers and names


def _helpers(operations: Iterable[Operation]) -> str:
    """The source of those of our own classes that the network uses, and of what they rest on."""
    targets = {
        call.target
        for operation in operations
        for call in operation.children.values()
        if call.target.startswith("engine.")
    }
    own: dict[str, Any] = {}
    homes = {target.rpartition(".")[0] for target in targets}
    seen: set[str] = set()
    while homes - seen:
        home = (homes - seen).pop()
        seen.add(home)
        for name, value in vars(importlib.import_module(home)).items():
            if getattr(value, "__module__", "").startswith("engine.compile."):
                own[name] = value
                homes.add(value.__module__)
    sources = {name: inspect.getsource(value).rstrip() for name, value in own.items()}
    needed: set[str] = set()
    todo = [target.rpartition(".")[2] for target in targets]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [other for other in own if re.search(rf"\b{other}\b", sources[name])]
    # Within a file the helpers stand above what uses them, and files use those before them.
    ordered = sorted(needed, key=lambda name: (own[name].__module__, inspect.getsourcelines(own[name])[1]))
    return "\n\n\n".join(re.sub(r"  # (?:noqa|type: ignore).*", "", sources[name]) for name in ordered)


def _class_name(name: str, taken: set[str]) -> str:
    """The network's name in CamelCase, as a class may bear it."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    camel = "".join(word[0].upper() + word[1:] for word in words)[:60]
    if not camel or not camel[0].isalpha() or camel in taken or keyword.iskeyword(camel):
        camel = f"Network{camel}"
    return camel if camel not in taken else "LayerlabNetwork"


def _prose(text: str) -> str:
    """`text` as it may stand in a docstring: one printable line without quotes and backslashes."""
    kept = "".join(c if c.isprintable() and c not in '"\\' else " " for c in text)
    return " ".join(kept.split())[:80] or "A network"


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))
