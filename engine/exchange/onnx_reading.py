"""An ONNX file as a module of torch, which can be run once and recorded like any other.

Nothing in the file is run but its operators, translated one by one.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.exchange import onnx_layers
from engine.exchange.onnx_operators import DTYPES, KNOWING, OPERATORS, Directions, Merged, NotInTorch
from engine.problems import FileProblem

#: A file above this size is refused before it is read.
_MOST_BYTES = 4 << 30

#: Scopes that a value was made in: path -> class, outermost first.
Scopes = Sequence[tuple[str, type]]


class Input(NamedTuple):
    """An input of the file."""

    name: str
    #: Sizes, the batch included; None where they are open.
    sizes: tuple[int | None, ...]
    dtype: torch.dtype


class _Step(NamedTuple):
    """One operator, ready to run."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    scopes: Scopes
    #: Where its module stands; empty where it has none.
    path: str = ""


class OnnxModule(nn.Module):
    """Runs an ONNX graph; its layers with weights are modules, found under the names of these weights.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FileProblem
        If the package `onnx` is not installed, or the file cannot be read or has operators that are
        not translated: all of them are named.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = _graph(path)
        self._file = path
        #: Told the scopes of each operator before it runs.
        self.see: Callable[[Scopes], None] | None = None
        self._fixed: dict[str, Tensor] = _constants(graph)
        self.inputs = [_input(value) for value in graph.input if value.name not in self._fixed]
        self._outputs = [value.name for value in graph.output]
        self._kinds: dict[str, type] = {}
        self._paths: set[str] = set()
        self._given: set[int] = set()
        self._steps = self._settled(path, [self._step(node) for node in graph.node])
        self._parameters_of(self._steps)

    # ------------------------------------------------------------------ reading

    def _step(self, node: Any) -> _Step:
        attributes = {item.name: _attribute(item) for item in node.attribute}
        return _Step(
            node.op_type, node.name, tuple(node.input), tuple(node.output), attributes, self._scopes(node)
        )

    def _scopes(self, node: Any) -> Scopes:
        """The modules around an operator, where the exporter has noted them."""
        noted = {item.key: item.value for item in node.metadata_props}
        try:
            names = ast.literal_eval(noted["pkg.torch.onnx.name_scopes"])
            kinds = ast.literal_eval(noted["pkg.torch.onnx.class_hierarchy"])
        except (KeyError, ValueError, SyntaxError):
            return ()
        found = []
        for name, kind in list(zip(names, kinds, strict=False))[:-1]:
            home, _, title = str(kind).rpartition(".")
            if not home.startswith("_empty"):
                made = self._kinds.setdefault(kind, type(title or "Part", (), {"__module__": home or "onnx"}))
                found.append((str(name), made))
        return found

    def _settled(self, path: Path, steps: list[_Step]) -> list[_Step]:
        """The steps that remain when all that is constant is computed, with modules for weights."""
        missing = sorted(
            {s.type for s in steps} - OPERATORS.keys() - onnx_layers.LAYERS.keys() - {"Constant"}
        )
        if missing:
            raise FileProblem(f"{path}: no layer does {', '.join(missing)}: these operators are not known.")
        left = []
        for step in steps:
            if all(name in self._fixed for name in step.inputs if name):
                self._fix(path, step)
            else:
                left.append(step)
        left = _activated(_biased(left, self._fixed), self._fixed, self._outputs)
        return [self._with_module(path, step) for step in _placed(left)]

    def _fix(self, path: Path, step: _Step) -> None:
        if step.type == "Constant":
            (value,) = [v for key, v in step.attributes.items() if key.startswith("value")]
            self._fixed[step.outputs[0]] = value if isinstance(value, Tensor) else torch.tensor(value)
            return
        inputs = [self._fixed[name] if name else None for name in step.inputs]
        try:
            with torch.no_grad():
                result = _plain(OPERATORS[step.type](*inputs, **step.attributes))
        except (NotInTorch, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FileProblem(f"{path}: {step.name or step.type}: {error}") from error
        if step.type == "Identity":
            result = inputs[0]
        if step.type == "Transpose" and isinstance(inputs[0], nn.Parameter) and inputs[0].dim() == 2:
            result = result.contiguous()
            result.turned_of = inputs[0]
        for name, value in zip(
            step.outputs, result if isinstance(result, tuple | list) else [result], strict=False
        ):
            self._fixed[name] = value

    def _with_module(self, path: Path, step: _Step) -> _Step:
        make = onnx_layers.LAYERS.get(step.type)
        if make is None and step.type == "MatMul" and step.inputs[1] in self._fixed:
            make = _matrix
        if make is None:
            return step
        inputs = [self._own(self._fixed.get(name)) if name else None for name in step.inputs]
        if step.type == "MatMul":
            inputs[1] = self._tied(inputs[1])
        try:
            module = make(inputs, step.attributes)
        except NotInTorch as error:
            raise FileProblem(f"{path}: {step.name or step.type}: {error} is not known.") from error
        if module is None:
            return step
        place = self._place(step)
        self.add_at(place, module)
        return step._replace(path=place)

    def _own(self, tensor: Tensor | None) -> Tensor | None:
        """`tensor` for one more layer.

        Exporters keep equal tensors once. Where all its numbers are one (the ones and zeros of norms),
        that says nothing about the layers, and each gets its own; others are shared by intent.
        """
        if not isinstance(tensor, nn.Parameter):
            return tensor
        if id(tensor) in self._given and bool((tensor == tensor.flatten()[0]).all()):
            return nn.Parameter(tensor.detach().clone())
        self._given.add(id(tensor))
        return tensor

    def _tied(self, weight: Tensor | None) -> Tensor | None:
        """`weight`, marked where it is the transpose of another parameter, from which an exporter made it."""
        if not isinstance(weight, nn.Parameter) or weight.dim() != 2 or hasattr(weight, "turned_of"):
            return weight
        for other in self._fixed.values():
            known = isinstance(other, nn.Parameter) and id(other) in self._given
            if known and other.shape == weight.shape[::-1] and bool((other == weight.t()).all()):
                weight.turned_of = other  # type: ignore[attr-defined]
                break
        return weight

    def _place(self, step: _Step) -> str:
        """Where a module with weights stands: as the exporter noted, else as its weights are called."""
        wish = ""
        if step.scopes and step.scopes[-1][1].__module__.startswith("torch.nn"):
            wish = step.scopes[-1][0]
        for name in (*step.inputs[1:], *step.inputs[:1]):
            stem, dot, own = name.rpartition(".")
            if not wish and dot and own in ("weight", "bias", "running_mean") and name in self._fixed:
                wish = stem
        wish = wish or step.name or f"{step.type.lower()}_{len(self._paths)}"
        words = [re.sub(r"\W+", "_", word).strip("_") or "layer" for word in wish.split(".")]
        place, number = ".".join(words), 2
        while place in self._paths or (hasattr(self, words[0]) and words[0] not in self._modules):
            place, number = ".".join([*words[:-1], f"{words[-1]}_{number}"]), number + 1
        self._paths.add(place)
        return place

    def add_at(self, path: str, module: nn.Module) -> None:
        """Put `module` at a dotted path, with plain modules on the way."""
        parent: nn.Module = self
        *way, last = path.split(".")
        for word in way:
            if word not in parent._modules:
                parent._modules[word] = nn.Module()
            inner = parent._modules[word]
            assert inner is not None
            parent = inner
        parent._modules[last] = module

    def _parameters_of(self, steps: Sequence[_Step]) -> None:
        """Let what operators without modules read be found as parameters: numbers that were learned."""
        number = 0
        for step in steps:
            for name in () if step.path else step.inputs:
                tensor = self._fixed.get(name)
                if isinstance(tensor, nn.Parameter) and not any(tensor is p for p in self.parameters()):
                    word = re.sub(r"\W+", "_", name).strip("_") or "parameter"
                    if hasattr(self, word) or not word[0].isalpha():
                        word, number = f"parameter_{number}", number + 1
                    self._parameters[word] = tensor

    # ------------------------------------------------------------------ an example

    @property
    def fixed_batch(self) -> int | None:
        """The only batch that the file takes; None where it takes any."""
        return next((known.sizes[0] for known in self.inputs if known.sizes and known.sizes[0]), None)

    def example(self, path: Path, given: Sequence[Tensor], count: int) -> dict[str, Tensor]:
        """A batch for each input: `given`, or `count` examples of the sizes that the file states.

        Raises
        ------
        FileProblem
            If sizes are open and not given.
        """
        if given:
            tensors = [tensor[: self.fixed_batch] for tensor in given]
            return dict(zip((known.name for known in self.inputs), tensors, strict=False))
        tables = [m.num_embeddings for m in self.modules() if isinstance(m, nn.Embedding)]
        found = {}
        for known in self.inputs:
            if not known.sizes or None in known.sizes[1:]:
                raise FileProblem(
                    f"{path}: leaves sizes of its input {known.name} open. Say the shape of one example, "
                    "without the batch: --input 3,224,224 (for token ids --input 128:int64)."
                )
            shape = (known.sizes[0] or count, *known.sizes[1:])
            if known.dtype.is_floating_point:
                found[known.name] = torch.rand(shape)  # type: ignore[arg-type]
            else:
                found[known.name] = torch.randint(0, min(tables, default=2), shape)  # type: ignore[arg-type]
        return found

    # ------------------------------------------------------------------ running

    def forward(self, *inputs: Tensor) -> Any:
        """Run the graph."""
        values: dict[str, Any] = dict(self._fixed)
        values |= {known.name: value for known, value in zip(self.inputs, inputs, strict=True)}
        for step in self._steps:
            if self.see is not None:
                self.see(step.scopes)
            result = self._done(step, [values[name] if name else None for name in step.inputs])
            found = result if isinstance(result, tuple | list) else [result]
            values |= dict(zip(step.outputs, found, strict=False))
        outputs = {name: _plain(values[name]) for name in self._outputs}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def _done(self, step: _Step, given: list[Any]) -> Any:
        """What one operator gives."""
        try:
            if step.path or step.type not in KNOWING:
                given = [_plain(value) for value in given]
            if step.path:
                module = onnx_layers.fitted(self.get_submodule(step.path), given[0])
                return onnx_layers.run(step.type, module, given, step.attributes)
            return OPERATORS[step.type](*given, **step.attributes)
        except NotInTorch as error:
            raise FileProblem(f"{self._file}: {step.name or step.type}: {error} is not known.") from error
        except (RuntimeError, TypeError, ValueError, LookupError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise FileProblem(f"{self._file}: {step.name or step.type}: {reason[0]}") from error


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Merged | Directions) else value


def _matrix(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> nn.Module | None:
    """A product with fixed weights, and perhaps a bias, is a Linear."""
    weight, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
    if weight.dim() != 2 or not weight.is_floating_point():
        return None
    return onnx_layers.linear(onnx_layers.turned(weight), bias)


# ---------------------------------------------------------------------------- steps that belong together


def _readers(steps: Sequence[_Step]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, step in enumerate(steps):
        for name in step.inputs:
            found.setdefault(name, []).append(number)
    return found


def _placed(steps: list[_Step]) -> list[_Step]:
    """Steps of which the exporter has not noted the scopes get those that their neighbours have in common."""
    makers = {name: step for step in steps for name in step.outputs}
    readers = _readers(steps)
    found = []
    for step in steps:
        before = next((makers[name].scopes for name in step.inputs if name in makers), ())
        after = next((steps[readers[name][0]].scopes for name in step.outputs if name in readers), ())
        common = [a for a, b in zip(before, after, strict=False) if a == b]
        found.append(step if step.scopes else step._replace(scopes=common))
    return found


def _biased(steps: list[_Step], fixed: Mapping[str, Tensor]) -> list[_Step]:
    """Products with fixed weights take in the bias that is added right behind them."""
    readers, merged = _readers(steps), dict(enumerate(steps))
    for number, step in enumerate(steps):
        behind = readers.get(step.outputs[0], [])
        if step.type != "MatMul" or step.inputs[1] not in fixed or len(behind) != 1:
            continue
        add = steps[behind[0]]
        other = [name for name in add.inputs if name != step.outputs[0]]
        if add.type == "Add" and other and other[0] in fixed:
            bias, weight = fixed[other[0]], fixed[step.inputs[1]]
            if weight.dim() == 2 and tuple(bias.shape) == (weight.shape[1],):
                merged[number] = step._replace(inputs=(*step.inputs, other[0]), outputs=add.outputs)
                del merged[behind[0]]
    return list(merged.values())


def _activated(steps: list[_Step], fixed: Mapping[str, Tensor], ends: Sequence[str]) -> list[_Step]:
    """GELU and SiLU, where they are written out: x · ½ · (1 + erf(x / √2)), x · sigmoid(x)."""
    makers = {name: step for step in steps for name in step.outputs}
    readers = _readers(steps)

    def number(name: str) -> float | None:
        tensor = fixed.get(name)
        return float(tensor) if tensor is not None and tensor.numel() == 1 else None

    def factors(name: str) -> list[str]:
        step = makers.get(name)
        if step is None or step.type != "Mul":
            return [name]
        return [f for inner in step.inputs for f in (factors(inner) if len(readers[inner]) == 1 else [inner])]

    def bell(name: str) -> str | None:
        """X of 1 + erf(x / √2)."""
        add = makers.get(name)
        if add is None or add.type != "Add" or 1.0 not in [number(one) for one in add.inputs]:
            return None
        erf = next((makers[one] for one in add.inputs if one in makers), None)
        inner = makers.get(erf.inputs[0]) if erf is not None and erf.type == "Erf" else None
        if inner is None or inner.type not in ("Div", "Mul"):
            return None
        root = number(inner.inputs[1])
        wanted = 2**0.5 if inner.type == "Div" else 0.5**0.5
        return inner.inputs[0] if root is not None and abs(root - wanted) < 1e-4 else None

    found = []
    for step in steps:
        if step.type == "Mul":
            parts = [(name, number(name), bell(name)) for inner in step.inputs for name in factors(inner)]
            plain = [name for name, value, curve in parts if value is None and curve is None]
            curves = [curve for *_, curve in parts if curve is not None]
            halves = [value for _, value, _ in parts if value is not None]
            if len(parts) == 3 and plain == curves and halves == [0.5]:
                step = step._replace(type="Gelu", inputs=(plain[0],), attributes={"approximate": "none"})
            gate = next((makers[n] for n in step.inputs if n in makers and makers[n].type == "Sigmoid"), None)
            if gate is not None and gate.inputs[0] in step.inputs:
                step = step._replace(type="Swish", inputs=(gate.inputs[0],))
        found.append(step)
    return _needed(found, ends)


def _needed(steps: list[_Step], ends: Sequence[str]) -> list[_Step]:
    """The steps without those whose results nobody reads any more."""
    while True:
        read = {*_readers(steps), *ends}
        left = [step for step in steps if read.intersection(step.outputs)]
        if len(left) == len(steps):
            return steps
        steps = left


# ---------------------------------------------------------------------------- the file


def _graph(path: Path) -> Any:
    if importlib.util.find_spec("onnx") is None:
        raise FileProblem(
            "Reading ONNX needs onnx. Install Layerlab with its optional packages: "
            "pip install 'layerlab[onnx]'."
        )
    if not path.is_file():
        raise FileProblem(f"{path}: there is no such file.")
    if path.stat().st_size > _MOST_BYTES:
        raise FileProblem(f"{path}: is larger than {_MOST_BYTES / 1e9:.0f} GB, and is not read.")
    import onnx

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker have their own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise FileProblem(f"{path}: cannot be read as ONNX: {reason[0]}") from error
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return model.graph


def _constants(graph: Any) -> dict[str, Tensor]:
    """The file's own numbers: as parameters where they look learned (finite, more than one)."""
    from onnx import numpy_helper

    found: dict[str, Tensor] = {}
    for tensor in graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
        if value.is_floating_point():
            value = value.float()
            if value.numel() > 1 and bool(value.isfinite().all()):
                value = nn.Parameter(value)
        found[tensor.name] = value
    return found


def _attribute(item: Any) -> Any:
    import onnx
    from onnx import numpy_helper

    value = onnx.helper.get_attribute_value(item)
    if isinstance(value, onnx.TensorProto):
        return torch.from_numpy(numpy_helper.to_array(value).copy())
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.GraphProto):
        raise FileProblem(f"{item.name}: a graph within the graph (If, Loop, Scan) is not known.")
    return list(value) if isinstance(value, tuple) or type(value).__name__.startswith("Repeated") else value


def _input(value: Any) -> Input:
    kind = value.type.tensor_type
    sizes = tuple(side.dim_value or None for side in kind.shape.dim)
    return Input(value.name, sizes, DTYPES.get(kind.elem_type, torch.float32))


# ---------------------------------------------------------------------------- another runtime


class OnnxRuntime(NamedTuple):
    """A session of ONNX Runtime."""

    version: str
    run: Callable[..., Any]


def onnx_runtime(path: Path, model: OnnxModule) -> OnnxRuntime | None:
    """The file in ONNX Runtime, to be called with tensors as `model` is; None where that is not installed.

    Raises
    ------
    FileProblem
        If it refuses the file.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever the runtime raises
        reason = str(error).strip().splitlines()[0]
        raise FileProblem(f"{path}: ONNX Runtime refuses it: {reason}") from error
    kinds = {known.name: known.dtype for known in model.inputs}

    def run(*tensors: Tensor) -> Any:
        given = {
            known.name: tensor.to(kinds[known.name]).numpy()
            for known, tensor in zip(model.inputs, tensors, strict=True)
        }
        names = [value.name for value in session.get_outputs()]
        found = [torch.from_numpy(value) for value in session.run(None, given)]
        return found[0] if len(found) == 1 else dict(zip(names, found, strict=True))

    return OnnxRuntime(onnxruntime.__version__, run)
