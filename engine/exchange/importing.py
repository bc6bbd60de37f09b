"""From PyTorch code to a document: run once, recorded, drawn, and compared with the original.

This runs the code that it imports, so it belongs into a process of its own:
``python -m engine.exchange.importing`` is that process, and :mod:`engine.commands.bring` starts it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from engine.compile import build
from engine.exchange.drawing import draw
from engine.exchange.proof import difference, equal, named, run
from engine.exchange.recording import Recorder, Unsupported, record
from engine.exchange.second_opinion import second_opinion
from engine.network import Data, Recipe
from engine.problems import FileProblem, NetworkProblem, did_you_mean
from engine.storage import write
from engine.training import weights

#: Examples in the recorded call, and in those that are compared: two sizes, so that a shape that
#: was taken from the batch shows.
_RECORDED, _COMPARED = 3, 2
#: Beyond this share of the largest output a difference is no rounding.
_ROUNDING = 1e-4
#: Where an example may be stated, beside the command line.
_STATED = ("example_inputs", "example_input", "example_input_array", "input_shape", "input_size")
#: Sides of pictures, and lengths, that are tried where nothing is stated.
_SIDES = {
    1: (128, 1024, 64, 16000),
    2: (224, 32, 28, 64, 96, 128, 227, 256, 299, 16, 8),
    3: (16, 32, 64, 112),
}
_LENGTHS = (16, 8, 32, 64, 128, 256)


def import_module(
    source: str, output: Path, shapes: Sequence[str] = (), *, opinion: bool = False
) -> dict[str, Any]:
    """Run `source` (``model.py:factory``), and write what it does as a network with its weights.

    Parameters
    ----------
    source
        A Python file or module, a colon, and a function without required arguments that returns a
        ``torch.nn.Module``, or such a class or object.
    output
        The file to write; the weights go beside it, ``NAME.safetensors``.
    shapes
        The shape of one example per input, without the batch: ``"3,224,224"``, and with
        ``":int64"`` behind it for class numbers or tokens. Empty: what the code states
        (``example_input`` …), or what fits the first layers.
    opinion
        Ask torch.export too, which reads the code another way; that takes some seconds.

    Returns
    -------
    dict
        ``file``, ``weights``, ``inputs``, ``layers``, ``blocks``, ``parameters`` (of both),
        ``unsupported``, ``comparison`` and, if asked for, ``torch_export``; where the forward
        leaves parameters out, ``unused`` names their modules.

    Raises
    ------
    FileProblem
        If there is no such thing, its code fails, or no example fits it.
    """
    torch.manual_seed(0)
    home, model = _model(source)
    model.eval()
    inputs, origin = _example(source, home, model, shapes)
    return imported(source, model, inputs, origin, output, opinion=second_opinion if opinion else None)


def imported(
    source: str,
    model: nn.Module,
    inputs: dict[str, Tensor],
    origin: str,
    output: Path,
    *,
    ready: Callable[[Recorder], None] | None = None,
    reference: Callable[..., Any] | None = None,
    count: int = _COMPARED,
    opinion: Callable[[nn.Module, nn.Module, Sequence[Tensor]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Record `model` on `inputs`, and write the network with its weights: see :func:`import_module`.

    `ready` is given the recorder; `reference` is what outputs of `count` examples are compared with,
    instead of those of `model`; `opinion` is asked for another comparison.

    Raises
    ------
    FileProblem
        If its outputs do not come from its inputs.
    """
    try:
        with torch.no_grad():
            recording = record(model, inputs, ready)
    except Unsupported as reason:
        raise FileProblem(f"{source}: {reason}.") from None
    drawn = draw(recording, type(model).__name__)
    ours = sum(parameter.numel() for parameter in model.parameters())
    report: dict[str, Any] = {
        "file": str(output),
        "source": source,
        "inputs": {name: _shape_text(tensor) for name, tensor in inputs.items()},
        "example": origin,
        "layers": drawn.layers,
        "blocks": drawn.uses(),
        "parameters": {"module": ours, "network": None},
        "unsupported": recording.unsupported,
        "weights": None,
        "comparison": None,
    }
    with torch.no_grad():
        network = replace(drawn.network, recipe=_recipe(inputs, model(*inputs.values())))
    write(network, output)
    if recording.unsupported:
        return report
    try:
        built = build(network)
    except NetworkProblem as problem:
        return report | {"problems": str(problem).splitlines()}
    state = built.state_dict()
    for key, tensor in drawn.state.items():
        state[key].copy_(tensor)
    beside = output.with_suffix(".safetensors")
    weights.save(beside, built.state_dict())
    report["weights"] = str(beside)
    report["parameters"]["network"] = sum(parameter.numel() for parameter in built.parameters())
    if ready is None and report["parameters"]["network"] < ours:
        report["unused"] = _unused(model, drawn.state)
    report["comparison"] = _compared(reference or model, built, inputs, count)
    if opinion is not None:
        batch = [_like(tensor, count) for tensor in inputs.values()]
        report["torch_export"] = opinion(model, built, batch)
    return report


def import_onnx(path: Path, output: Path, shapes: Sequence[str] = ()) -> dict[str, Any]:
    """Write what the ONNX file at `path` does as a network with its weights: see :func:`import_module`.

    Its own outputs are those of ONNX Runtime where that is installed, and else of its operators done
    by torch; `shapes` are needed where the file leaves other sizes open than the batch.

    Raises
    ------
    FileProblem
        If it cannot be read, or has operators that are not known.
    """
    from engine.exchange.onnx_reading import OnnxModule, onnx_runtime

    model = OnnxModule(path)
    model.eval()
    given = [_parsed(model, text) for text in shapes]
    inputs = model.example(path, given, _RECORDED)
    count = model.fixed_batch or _COMPARED
    runtime = onnx_runtime(path, model)
    report = imported(
        str(path),
        model,
        inputs,
        "as given" if shapes else "as the file states",
        output,
        ready=lambda recorder: setattr(model, "see", recorder.enter),
        reference=None if runtime is None else runtime.run,
        count=count,
    )
    if report["comparison"] is not None:
        name = "its operators in torch" if runtime is None else f"ONNX Runtime {runtime.version}"
        report["comparison"]["with"] = name
    return report


def _recipe(inputs: dict[str, Tensor], result: Any) -> Recipe:
    """Random numbers that fit, to train on until there are data: pictures or vectors in, classes out."""
    (first, *more), tensors = inputs.values(), _tensors(result)
    fits = not more and first.is_floating_point() and len(tensors) == 1 and tensors[0].dim() == 2
    if not fits or tensors[0].shape[1] < 2:
        return Recipe()
    fields = {"shape": list(first.shape[1:]), "classes": tensors[0].shape[1], "examples": 64}
    return Recipe(data=Data("random", fields), batch_size=16)


def _compared(
    model: Callable[..., Any], built: nn.Module, inputs: dict[str, Tensor], count: int
) -> dict[str, Any]:
    """Both on other examples, and on another number of them."""
    batch = [_like(tensor, count) for tensor in inputs.values()]
    with torch.inference_mode():
        result = model(*[tensor.clone() for tensor in batch])
    tensors = _tensors(result)
    ours = dict(zip(run(built, batch), tensors, strict=False)) if tensors else {}
    theirs = run(built, batch)
    scale = max(1.0, *(float(t.abs().nan_to_num(posinf=0).max()) for t in ours.values() if t.numel()))
    gap = difference(ours, theirs)
    return {
        "examples": count,
        "equal": equal(ours, theirs),
        "largest_difference": gap,
        "same": gap <= _ROUNDING * scale,
    }


def _unused(model: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Modules, or lone parameters, of which nothing came into the drawing: the forward does not use them."""
    used = {tensor.untyped_storage().data_ptr() for tensor in state.values()}
    found = []
    for path, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        left = [name for name, value in own.items() if value.untyped_storage().data_ptr() not in used]
        if path and left and len(left) == len(own):
            found.append(f"{path} ({type(module).__name__})")
        else:
            found += [f"{path}.{name}".lstrip(".") for name in left]
    return found


def _tensors(result: Any) -> list[Tensor]:
    from engine.exchange.recording import flat

    if isinstance(result, dict):
        return [value for value in named(result).values() if isinstance(value, Tensor)]
    return [tensor for tensor in flat(result) if tensor is not None]


# ---------------------------------------------------------------------------- the module


def _model(source: str) -> tuple[Any, nn.Module]:
    """What holds the factory (for what it states), and the module."""
    where, colon, name = source.rpartition(":")
    if not colon or not name.isidentifier():
        raise FileProblem(f"{source}: name a factory behind a colon, as in model.py:make_model.")
    with _raised_in(source):
        home = _loaded(where)
    if not hasattr(home, name):
        known = [key for key, value in vars(home).items() if callable(value) and not key.startswith("_")]
        raise FileProblem(f"{where}: has no {name!r}.{did_you_mean(name, known)}")
    factory = getattr(home, name)
    with _raised_in(source):
        model = factory if isinstance(factory, nn.Module) else factory()
    if not isinstance(model, nn.Module):
        raise FileProblem(f"{source}: gives a {type(model).__name__}, not a torch.nn.Module.")
    return [factory, model, home], model.float()


def _loaded(where: str) -> Any:
    if where.endswith(".py") or "/" in where:
        path = Path(where).resolve()
        if not path.is_file():
            raise FileProblem(f"{where}: there is no such file.")
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(where)


@contextlib.contextmanager
def _raised_in(source: str) -> Iterator[None]:
    """What a user's code raises, in a line."""
    try:
        yield
    except FileProblem:
        raise
    except (Exception, SystemExit) as error:
        line = inspect.trace()[-1]
        place = f" ({Path(line.filename).name}, line {line.lineno})"
        said = str(error).splitlines()
        raise FileProblem(f"{source}: {type(error).__name__}: {said[0] if said else ''}{place}") from None


# ---------------------------------------------------------------------------- an example


def _example(
    source: str, holders: Sequence[Any], model: nn.Module, shapes: Sequence[str]
) -> tuple[dict[str, Tensor], str]:
    """A batch for each argument of the forward, and where it comes from."""
    names = _arguments(model)
    if shapes:
        given = [_parsed(model, text) for text in shapes]
        return _ran(source, model, names, given), "as given"
    for holder in holders:
        for word in _STATED:
            stated = getattr(holder, word, None)
            if stated is not None and (given := _read(model, stated)):
                return _ran(source, model, names, given), f"as the code states ({word})"
    for given in _guesses(model):
        with contextlib.suppress(Exception), torch.no_grad():
            model(*[tensor.clone() for tensor in given])
            return dict(zip(names, given, strict=False)), "guessed"
    raise FileProblem(
        f"{source}: no example that was tried fits it. Say the shape of one, without the batch: "
        "--input 3,224,224 (for token ids --input 128:int64), once for each argument."
    )


def _arguments(model: nn.Module) -> list[str]:
    """Names for the inputs, by the forward's arguments."""
    parameters = inspect.signature(model.forward).parameters.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names + [f"input{number}" for number in range(len(names), 16)]


def _parsed(model: nn.Module, text: str) -> Tensor:
    sizes, _, dtype = text.partition(":")
    try:
        shape = [int(size) for size in sizes.replace("x", ",").split(",") if size.strip()]
    except ValueError:
        shape = [0]
    if any(size < 1 for size in shape) or dtype not in ("", "int64", "float32"):
        raise FileProblem(f"--input {text}: give sizes, such as 3,224,224, or 128:int64 for token ids.")
    return _drawn(model, shape, dtype == "int64")


def _read(model: nn.Module, stated: Any) -> list[Tensor]:
    """What the code states: a tensor with its batch, a shape without, or several of them."""
    if isinstance(stated, Tensor):
        return [_like(stated, _RECORDED)]
    if isinstance(stated, dict):
        stated = list(stated.values())
    if isinstance(stated, tuple | list) and stated and all(isinstance(part, Tensor) for part in stated):
        return [_like(tensor, _RECORDED) for tensor in stated]
    if isinstance(stated, tuple | list) and stated and all(isinstance(part, int) for part in stated):
        return [_drawn(model, list(stated), False)]
    return []


def _drawn(model: nn.Module, shape: Sequence[int], whole: bool) -> Tensor:
    if not whole:
        return torch.rand(_RECORDED, *shape)
    tables = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
    return torch.randint(0, tables[0] if tables else 2, (_RECORDED, *shape))


def _like(tensor: Tensor, count: int) -> Tensor:
    """`count` examples of the kind of `tensor`: its own class numbers in another order, other numbers."""
    if tensor.is_floating_point():
        return torch.rand(count, *tensor.shape[1:])
    rows = tensor.reshape(-1)
    order = torch.randint(0, len(rows), (count, *tensor.shape[1:]))
    return rows[order].long()


def _ran(source: str, model: nn.Module, names: Sequence[str], given: Sequence[Tensor]) -> dict[str, Tensor]:
    with _raised_in(source), torch.no_grad():
        model(*[tensor.clone() for tensor in given])
    return dict(zip(names, given, strict=False))


def _guesses(model: nn.Module) -> Iterator[list[Tensor]]:
    """Examples that the first layers could take."""
    leaves = [m for m in model.modules() if not list(m.children()) and list(m.parameters(recurse=False))]
    for leaf in leaves[:4]:
        if isinstance(leaf, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            dims = leaf.weight.dim() - 2
            shapes = [[leaf.in_channels] + [side] * dims for side in _SIDES[dims]]
        elif isinstance(leaf, nn.Embedding):
            shapes = [[length] for length in _LENGTHS]
        elif isinstance(leaf, nn.RNNBase):
            shapes = [[length, leaf.input_size] for length in _LENGTHS]
        elif isinstance(leaf, nn.Linear):
            squares = [[1, 28, 28]] if leaf.in_features == 784 else []
            shapes = [[leaf.in_features], *squares, *([length, leaf.in_features] for length in _LENGTHS)]
        else:
            continue
        for shape in shapes:
            yield [_drawn(model, shape, isinstance(leaf, nn.Embedding))]


def _shape_text(tensor: Tensor) -> str:
    kind = "" if tensor.is_floating_point() else " int64"
    return f"{' × '.join(map(str, tensor.shape[1:]))}{kind}"


# ---------------------------------------------------------------------------- the process


def main(arguments: Sequence[str]) -> int:
    """The process: ``SOURCE OUTPUT REPORT [SHAPE…]``; what came of it goes to the file REPORT."""
    source, output, report, *shapes = arguments
    # What the imported code prints must not be taken for ours.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            told: dict[str, Any] = (
                import_onnx(Path(source), Path(output), shapes)
                if source.lower().endswith(".onnx")
                else import_module(source, Path(output), shapes, opinion=True)
            )
        except (FileProblem, OSError) as problem:
            told = {"error": str(problem)}
    Path(report).write_text(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
