"""A network as Python source: one module that needs torch alone and is the same model.

It is printed from the very calls that :func:`engine.build` makes, so the two cannot differ. All
that comes from the document and is not a checked identifier is printed by ``repr``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from engine.catalog import Apply
from engine.compile.builder import lowered
from engine.compile.classes import Leaf, Unit, leaves, literal, repeats, units
from engine.compile.expand import Member, Value, expand
from engine.compile.lower import Operation
from engine.compile.own_source import source_of
from engine.compile.plan import CONVOLUTIONS
from engine.compile.resolve import resolve
from engine.compile.spelling import called, prose
from engine.network import Network

#: About how long a line of the forward gets before it is made two.
_WIDTH = 88


def source(network: Network) -> str:
    """A Python module that defines the same model as :func:`engine.build`, and needs torch alone.

    It has a class for each block, and last the network's own, which has the same state_dict keys
    and, given the same state_dict, the same outputs and gradients to the last bit.

    Raises
    ------
    NetworkProblem
        If the network has errors.
    """
    return _printed(network, _Printer)


def marked_source(network: Network) -> tuple[str, dict[str, tuple[int, ...]]]:
    """The same text, and for every node the numbers of its lines, from 1.

    A node in a block is named ``Block/node``, one of the top level by its id alone.

    Raises
    ------
    NetworkProblem
        If the network has errors.
    """
    lines: dict[str, list[int]] = {}
    clean = []
    for number, line in enumerate(_printed(network, _Marker).split("\n"), 1):
        text, *marks = line.split(_MARK)
        clean.append(text)
        for mark in marks:
            lines.setdefault(mark, []).append(number)
    return "\n".join(clean), {place: tuple(numbers) for place, numbers in lines.items()}


def _printed(network: Network, printer: type[_Printer]) -> str:
    code, _ = _classes(network, printer)
    title = f'"""{prose(network.name)}. Made with Layerlab; needs torch alone."""'
    return f"{title}\n\n{imports(code)}\n\n\n{code}\n"


def classes(network: Network) -> tuple[str, str]:
    """The classes of :func:`source` without title and imports, and the name of the network's own.

    Raises
    ------
    NetworkProblem
        If the network has errors.
    """
    return _classes(network, _Printer)


def _classes(network: Network, printer: type[_Printer]) -> tuple[str, str]:
    found = leaves(network, lowered(network))
    helpers = source_of(leaf.operation for leaf in found.values())
    taken = {*_TAKEN, *re.findall(r"^class (\w+)", helpers, re.M)}
    printed = printer(network, found, units(network, expand(network), found, taken))
    code = "\n\n\n".join(part for part in (helpers, *printed.classes()) if part)
    return code, printed.units[-1].name


#: Names of a printed module that no class of a network may have.
_TAKEN = frozenset(
    "Tensor F nn torch functional_call Path Generator Settings Callable LRScheduler Optimizer "
    "SEED EPOCHS DEVICE START BEST DATA FOLDER CRITERION".split()
)

#: Import -> how its use shows.
_IMPORTS = {
    "import math": r"\bmath\.",
    "": "",
    "import torch": r"\btorch\.",
    "from torch import Tensor, nn": r"\bTensor\b",
    "from torch.func import functional_call": r"\bfunctional_call\(",
    "from torch.nn import functional as F": r"\bF\.",
}


def imports(code: str, known: Mapping[str, str] = _IMPORTS) -> str:
    """Just those of the lines `known` whose pattern `code` has; an empty one parts groups."""
    lines = [line for line, used in known.items() if re.search(used, code)]
    return "\n".join(lines).strip()


# ---------------------------------------------------------------------------- classes


class _Printer:
    """Prints the classes, each behind those that it uses, so that theirs are settled before."""

    def __init__(self, network: Network, found: Mapping[str, Leaf], made: Sequence[Unit]) -> None:
        self.network, self.found, self.units = network, found, made
        self.graphs = expand(network).graphs
        self.unit_of = {prefix: unit for unit in made for prefix in unit.prefixes}

    def classes(self) -> list[str]:
        """The source of each class."""
        return [self._class(unit) for unit in self.units]

    def _class(self, unit: Unit) -> str:
        forward = self._forward(unit)  # first: it may need values that the constructor then keeps
        initialisation = self._initialisation(unit)
        methods = [self._constructor(unit, initialisation)]
        if unit.prefixes == ("",) and initialisation:
            lines = [
                "def _reset_parameters(self) -> None:",
                '    """Draw first values anew, where torch\'s own are not used."""',
                *(f"    {line}" for line in initialisation),
            ]
            methods.append("\n".join(lines))
        body = "\n\n".join([*methods, forward])
        return f"class {unit.name}(nn.Module):\n{_indent(self._docstring(unit))}\n\n{_indent(body)}"

    def _docstring(self, unit: Unit) -> str:
        if unit.prefixes != ("",):
            ends = ", ".join(member.id for member in unit.inputs())
            results = ", ".join(member.id for member in unit.outputs())
            return f'"""Block {unit.name}: {ends or "nothing"} to {results or "nothing"}."""'
        lines = [
            f"{kind} {member.id}: [{', '.join(map(str, ('N', *shape)))}]"
            for kind, members in (("Input", unit.inputs()), ("Output", unit.outputs()))
            for member in members
            for leaf in (self.found[member.id],)
            for shape in (leaf.step.node.fields["shape"] if kind == "Input" else leaf.inputs.shape[1:],)
        ]
        return "\n".join([f'"""{prose(self.network.name)}.', "", *lines, '"""'])

    def _constructor(self, unit: Unit, initialisation: list[str]) -> str:
        lines: list[str] = []
        for member in unit.members:
            if member.node.type == "Block":
                lines.append(f"self.{member.id} = {self._use(unit, member)}")
                continue
            if member.node.type in _ENDS:
                continue
            operations = [self.found[path].operation for path in unit.paths(member.id)]
            for suffix in operations[0].children:
                calls = [operation.children[suffix] for operation in operations]
                lines.append(f"self.{member.id}{suffix} = {called(unit, member.id, calls)}")
        lines += [f"self.{name} = {code}" for name, code in unit.kept.items()]
        if unit.prefixes == ("",):
            lines += ["self._reset_parameters()"] if initialisation else []
            lines += self._sharing()
        else:
            lines += initialisation
        arguments = ", ".join(
            ["self"]
            + [
                f"{name}: {kind}" + ("" if default is None else f" = {literal(default)}")
                for name, kind, default in unit.signature()
            ]
        )
        head = f"def __init__({arguments}) -> None:"
        return "\n".join([head, "    super().__init__()", *(f"    {line}" for line in lines)])

    def _sharing(self) -> list[str]:
        """What the network says across its blocks: parameters that are one, and frozen ones."""
        steps = [leaf.step for leaf in self.found.values()]
        lines = [
            f"self.{_dotted(step.path)}.{own} = self.{_dotted(target)}"
            for step in steps
            for own, target in step.node.shares.items()
        ]
        for leaf in self.found.values():
            training = leaf.step.node.training
            if training is not None and training.frozen and "" in leaf.operation.children:
                lines.append(f"self.{_dotted(leaf.step.path)}.requires_grad_(False)")
        return lines

    def _use(self, unit: Unit, member: Member) -> str:
        """The construction of a block, or of its repeats."""
        every = [repeats(path, member.node) for path in unit.paths(member.id)]
        made = []
        for prefixes in zip(*every, strict=True):
            inner = self.unit_of[prefixes[0]]
            places = [inner.prefixes.index(prefix) for prefix in prefixes]
            arguments = []
            for name, _, default in inner.signature():
                values = [inner.parameters[name][place] for place in places]
                if default is not None and all(repr(value) == repr(default) for value in values):
                    continue
                text = unit.code(values, name, member.id)
                arguments.append(text if default is None else f"{name}={text}")
            made.append(f"{inner.name}({', '.join(arguments)})")
        if len(made) == 1:
            return made[0]
        inner = self.unit_of[every[0][0]]
        kind, opening, closing = "nn.Sequential", "", ""
        if len(inner.inputs()) != 1:
            kind, opening, closing = "nn.ModuleList", "[", "]"
        if len(set(made)) == 1:
            if opening:
                return f"{kind}([{made[0]} for _ in range({len(made)})])"
            return f"{kind}(*({made[0]} for _ in range({len(made)})))"
        whole = f"{kind}({opening}{', '.join(made)}{closing})"
        if len(whole) <= _WIDTH:
            return whole
        return f"{kind}({opening}\n" + "".join(f"        {one},\n" for one in made) + f"    {closing})"

    def _initialisation(self, unit: Unit) -> list[str]:
        """The lines that draw first values; none where all is torch's default."""
        lines = []
        for member in unit.members:
            if member.node.type in (*_ENDS, "Block"):
                continue
            initialisers = [self.found[path].initialisers for path in unit.paths(member.id)]
            for parameter in initialisers[0]:
                calls = [found[parameter] for found in initialisers]
                lines.append(called(unit, member.id, calls, f"self.{member.id}.{parameter}"))
        return lines

    def _forward(self, unit: Unit) -> str:
        names = _variables(unit.members)
        lines: list[str] = []
        for member in unit.members:
            if member.node.type in _ENDS:
                continue
            arguments = [names[value] for value in member.inputs.values() if value is not None]
            targets = {name: names[Value(member.id, port)] for port, name in enumerate(member.outputs)}
            if member.node.type == "Block":
                lines += self._run_block(unit, member, arguments, list(targets.values()))
            else:
                lines += self._run_layer(unit, member, arguments, targets)
        results = [(m.id, names[value]) for m in unit.outputs() for value in m.inputs.values() if value]
        if len(results) == 1:
            result, kind = results[0][1], "Tensor"
        elif unit.prefixes == ("",):
            result = f"{{{', '.join(f'{literal(id)}: {name}' for id, name in results)}}}"
            kind = "dict[str, Tensor]"
        else:
            result, kind = ", ".join(name for _, name in results) or "()", "tuple[Tensor, ...]"
        arguments = ["self", *(f"{member.id}: Tensor" for member in unit.inputs())]
        head = f"def forward({', '.join(arguments)}) -> {kind}:"
        return "\n".join([head, *(f"    {line}" for line in lines), f"    return {result}"])

    def _run_layer(
        self, unit: Unit, member: Member, arguments: list[str], targets: dict[str, str]
    ) -> list[str]:
        operations = [self.found[path].operation for path in unit.paths(member.id)]
        operation = operations[0]
        if operation.input is not None:
            arguments[0] = f"self.{member.id}__input({arguments[0]})"
        expression = _expression(unit, member, operations, arguments)
        target = _targets(targets, operation.returns)
        if operation.activation is None:
            return [f"{target} = {expression}"]
        whole = f"self.{member.id}__activation({expression})"
        if len(target) + len(whole) > _WIDTH:
            return [f"{target} = {expression}", f"{target} = self.{member.id}__activation({target})"]
        return [f"{target} = {whole}"]

    def _run_block(self, unit: Unit, member: Member, arguments: list[str], targets: list[str]) -> list[str]:
        given, target = ", ".join(arguments), ", ".join(targets)
        if not targets:
            return []
        if member.node.repeat == 1 or len(arguments) == 1:
            return [f"{target} = self.{member.id}({given})"]
        ids = {other.id for other in unit.members}
        each = "block" if "block" not in ids else "each" if "each" not in ids else f"{member.id}__each"
        return [f"{target} = {given}", f"for {each} in self.{member.id}:", f"    {target} = {each}({target})"]


#: Stands before the name of a line's node, and nowhere else: names and literals are printed without it.
_MARK = "\0"


class _Marker(_Printer):
    """Prints the same, each line marked with the node that it is of."""

    def _place(self, unit: Unit, id: str) -> str:
        name = self.graphs[unit.prefixes[0]].block
        return id if name is None else f"{name}/{id}"

    def _marked(self, unit: Unit, id: str, lines: list[str]) -> list[str]:
        return [f"{line}{_MARK}{self._place(unit, id)}" for line in lines]

    def _run_layer(
        self, unit: Unit, member: Member, arguments: list[str], targets: dict[str, str]
    ) -> list[str]:
        return self._marked(unit, member.id, super()._run_layer(unit, member, arguments, targets))

    def _run_block(self, unit: Unit, member: Member, arguments: list[str], targets: list[str]) -> list[str]:
        return self._marked(unit, member.id, super()._run_block(unit, member, arguments, targets))

    def _constructor(self, unit: Unit, initialisation: list[str]) -> str:
        return self._by_attribute(unit, super()._constructor(unit, initialisation))

    def _initialisation(self, unit: Unit) -> list[str]:
        lines = super()._initialisation(unit)
        if unit.prefixes != ("",):
            return lines  # they go through the constructor, which marks them
        return self._by_attribute(unit, "\n".join(lines)).split("\n") if lines else lines

    def _by_attribute(self, unit: Unit, text: str) -> str:
        """Mark each line by the attribute that it is about; what goes on in the next line belongs to it."""
        ids = {member.id for member in unit.members}
        current, marked = "", []
        for line in text.split("\n"):
            about = re.search(r"\bself\.([A-Za-z]\w*)", line)
            name = about[1].partition("__")[0] if about else ""
            if about or line.lstrip().startswith(("def ", "super")):
                current = name if name in ids else ""
            marked += self._marked(unit, current, [line]) if current else [line]
        return "\n".join(marked)


_ENDS = ("Input", "Output")


def _dotted(path: str) -> str:
    """A path as Python reaches it: ``layer1[0].conv1``."""
    return re.sub(r"\.(\d+)", r"[\1]", path)


def _variables(members: Sequence[Member]) -> dict[Value, str]:
    """A name for each value: its node's id, or ``x`` for what only the next line reads."""
    ids = {member.id for member in members}
    passing = "x" if "x" not in ids else "hidden" if "hidden" not in ids else ""
    running = [member for member in members if member.node.type not in _ENDS]
    readers: dict[Value, list[int]] = {}
    for index, member in enumerate(running):
        for value in member.inputs.values():
            if value is not None:
                readers.setdefault(value, []).append(index)
    for member in members:
        if member.node.type == "Output":
            for value in member.inputs.values():
                if value is not None:
                    readers.setdefault(value, []).append(len(running))
    names = {Value(member.id, 0): member.id for member in members if member.node.type == "Input"}
    for index, member in enumerate(running):
        for port in range(len(member.outputs)):
            value = Value(member.id, port)
            if len(member.outputs) > 1:
                names[value] = f"{member.id}__{member.outputs[port]}"
            elif passing and readers.get(value) == [index + 1]:
                names[value] = passing
            else:
                # The one id that is also a name of the module, and so may not become a variable.
                names[value] = member.id if member.id != "functional_call" else "functional_call__output"
    return names


def _expression(unit: Unit, member: Member, operations: Sequence[Operation], arguments: list[str]) -> str:
    """The layer applied to its arguments."""
    joined = ", ".join(arguments)
    operation, id = operations[0], member.id
    if isinstance(operation.call, Apply):
        call = operation.call
        first = f"({joined}{',' if len(arguments) == 1 else ''})" if call.together else joined
        calls = [each.call for each in operations if isinstance(each.call, Apply)]
        more = [
            unit.kept_code([c.args[place] for c in calls], f"argument{place}", id)
            for place in range(len(call.args))
        ]
        more += [
            f"{name}={unit.kept_code([c.kwargs[name] for c in calls], name, id)}" for name in call.kwargs
        ]
        return f"{call.target}({', '.join([first, *more])})"
    if operation.takes:
        named = dict(zip(member.inputs, arguments, strict=True))
        joined = ", ".join(_nested(part, named) for part in operation.takes)
    if operation.weight is None:
        return f"self.{id}({joined})"
    layer, estimator = f"self.{id}", f"self.{id}__weight"
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


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))
