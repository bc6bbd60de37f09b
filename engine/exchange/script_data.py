"""The part of a printed training script that gets the examples.

Sets that a library brings, and files of a simple form, are read by code that one would write
oneself. What takes more to read (tables, text, series, folders of pictures) is written beside the
script as tensors, split and scaled as training sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from engine.compile.classes import literal
from engine.data import splits
from engine.data.cifar import find as cifar_files
from engine.data.description import fields, loader
from engine.data.idx_sets import family_of
from engine.data.idx_sets import find as idx_files
from engine.network import Network
from engine.problems import NetworkProblem
from engine.training.task import Task

#: Bytes of examples that are written beside a script, at most.
_MOST_BYTES = 1 << 30


class DataCode(NamedTuple):
    """How a script gets its examples."""

    #: Functions, of which ``examples()`` gives split -> inputs and targets.
    code: str
    #: Lines of import -> how their use shows.
    imports: Mapping[str, str]
    #: Packages beside torch that it needs.
    needs: tuple[str, ...] = ()
    #: Split -> tensors, to be written beside the script.
    tensors: Mapping[str, tuple[torch.Tensor, ...]] | None = None


def data_code(network: Network, task: Task, beside: Path) -> DataCode:
    """The code for the data of `network`, read once as `task`; `beside` is where tensors would go.

    Raises
    ------
    NetworkProblem
        If the examples would have to be written, and are too large.
    """
    data = network.recipe.data
    known = _SOURCES.get(data.source)
    inputs = [node for node in network.nodes.values() if node.type == "Input"]
    plain = [head.target for head in task.heads] == ["target"]
    if known is None or len(inputs) != 1 or not plain:
        return _written(task, beside)
    return _read(network, known(fields(data)))


# ---------------------------------------------------------------------------- written beside


def _written(task: Task, beside: Path) -> DataCode:
    dataset = task.dataset
    tensors = {}
    for name, split in dataset.splits.items():
        columns = [*task.inputs(split), *(head.labels(split) for head in task.heads)]
        if sum(column.nbytes for column in columns) > _MOST_BYTES:
            raise NetworkProblem(
                f"The {name} examples are {sum(c.nbytes for c in columns) / 1e9:.1f} GB, too much to be "
                "written beside a script. Export without --with-training."
            )
        tensors[name] = tuple(column[:].contiguous().clone() for column in columns)
    counts = ", ".join(f"{len(columns[0]):,} to {_FOR[name]}" for name, columns in tensors.items())
    code = f'''#: The examples, read and scaled, of {task.network.recipe.data.source!r}.
DATA = Path(__file__).with_name({literal(beside.name)})


def examples() -> dict[str, tuple[Tensor, ...]]:
    """Inputs and targets: {counts}."""
    return torch.load(DATA, weights_only=True)'''
    return DataCode(code, {"from pathlib import Path": r"\bPath\("}, tensors=tensors)


_FOR = {"train": "train on", "validation": "validate on", "test": "test on"}


# ---------------------------------------------------------------------------- read by the script


class _Reading(NamedTuple):
    """How a source is read: code of ``load()``, which gives ``inputs, targets`` and perhaps test examples."""

    code: str
    imports: Mapping[str, str]
    needs: tuple[str, ...] = ()
    #: Whether ``load()`` also gives the source's own test examples.
    tests: bool = False
    #: Lines behind the split that bring inputs, or targets, to mean 0 and deviation 1.
    fit: Sequence[str] = ()


def _read(network: Network, reading: _Reading) -> DataCode:
    data = network.recipe.data
    shape = loader(data).shape(fields(data))
    plan = splits.plan(data.split, data.source, shape)
    parts = [part for part in _parts(plan, shape) if part[1]]
    lines = ["inputs, targets, *test = load()" if reading.tests else "inputs, targets = load()"]
    chosen = {
        "stratified": "stratified(targets)",
        "random": 'np.random.Generator(np.random.PCG64(stream("split"))).permutation(len(targets))',
    }
    if plan.kind in chosen or reading.fit:
        lines += [f"order = {chosen.get(plan.kind, 'np.arange(len(targets))')}"]
        lines += ["chosen = {", *(f'    "{name}": np.sort(order[{cut}]),' for name, _, cut in parts), "}"]
        lines += [
            *reading.fit,
            "parts = {name: (inputs[part], targets[part]) for name, part in chosen.items()}",
        ]
    else:
        lines += [
            "parts = {",
            *(f'    "{name}": (inputs[{cut}], targets[{cut}]),' for name, _, cut in parts),
            "}",
        ]
    lines.append('return parts | {"test": tuple(test)}' if reading.tests else "return parts")
    counts = ", ".join(f"{count:,} to {_FOR[name]}" for name, count, _ in parts)
    body = "\n".join(f"    {line}" for line in lines)
    code = [reading.code]
    if plan.kind == "stratified":
        code.append(_STRATIFIED)
    code.append(
        f'def examples() -> dict[str, tuple[Tensor, ...]]:\n    """Inputs and targets: {counts}."""\n{body}'
    )
    return DataCode("\n\n\n".join(code), {"import numpy as np": r"\bnp\.", **reading.imports}, reading.needs)


def _parts(plan: splits.Plan, shape: Any) -> list[tuple[str, int, str]]:
    """Split, its size, and its place in the order of the examples."""
    train, validation, test = splits.counts(plan, shape)
    first = shape.examples - test
    begin = first - round(plan.validation * shape.examples)
    return [
        ("train", train, f":{train}"),
        ("validation", validation, f"{begin}:{begin + validation}"),
        ("test", test, f"{first}:"),
    ]


_STRATIFIED = '''def stratified(classes: Tensor) -> np.ndarray:
    """The examples in an order in which every stretch has all classes in their proportions."""
    random = np.random.Generator(np.random.PCG64(stream("split")))
    place = np.empty(len(classes))
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        random.shuffle(members)
        place[members] = (np.arange(len(members)) + random.random()) / len(members)
    return np.argsort(place, kind="stable")'''


def _standardise(name: str) -> list[str]:
    return [
        f'known = {name}[chosen["train"]].numpy()',
        "mean, deviation = known.mean(0, dtype=np.float64), known.std(0, dtype=np.float64)",
        "deviation[deviation == 0] = 1",
        f"{name} = torch.from_numpy((({name}.numpy() - mean) / deviation).astype(np.float32))",
    ]


def _sklearn(name: str, fields: Mapping[str, Any]) -> _Reading:
    given = "(scaled=False)" if name == "diabetes" else "()"
    inputs, targets = f"torch.tensor({name}.data, dtype=torch.float32)", f"torch.tensor({name}.target)"
    said = "Inputs [N, features] and classes [N]"
    if name == "digits":
        inputs = "torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16"
        said = "Images [N, 1, 8, 8] of 0 … 1 and classes [N]"
    if name == "diabetes":
        targets = "torch.tensor(diabetes.target, dtype=torch.float32).unsqueeze(1)"
        said = "Inputs [N, features] and values [N, 1]"
    code = f'''def load() -> tuple[Tensor, Tensor]:
    """{said}, as scikit-learn brings them."""
    {name} = load_{name}{given}
    return {inputs}, {targets}'''
    fit = [
        line
        for column, wanted in (("inputs", "standardise"), ("targets", "standardise_target"))
        if fields.get(wanted)
        for line in _standardise(column)
    ]
    return _Reading(
        code, {f"from sklearn.datasets import load_{name}": f"load_{name}"}, ("scikit-learn",), fit=fit
    )


_IDX = '''def read_idx(path: Path) -> np.ndarray:
    """The array of bytes in an IDX file, packed by gzip or not."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        raw = file.read()
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)'''


def _idx(name: str, fields: Mapping[str, Any]) -> _Reading:
    files = idx_files(name, fields)
    family = family_of(name, fields)
    turned = ".swapaxes(1, 2).copy()" if family.turned else ""
    first = f" - {family.first}" if family.first else ""
    names = [literal(path.name) for path in files]
    code = f'''FOLDER = Path({literal(str(files[0].parent))})


{_IDX}


def load() -> tuple[Tensor, ...]:
    """Images [N, 1, H, W] of 0 … 1 and classes [N], to train and to test on."""
    arrays = [
        read_idx(FOLDER / name)
        for name in (
            {names[0]},
            {names[1]},
            {names[2]},
            {names[3]},
        )
    ]
    images, targets, test_images, test_targets = (torch.tensor(array) for array in arrays)
    return _scaled(images), targets.long(){first}, _scaled(test_images), test_targets.long(){first}


def _scaled(images: Tensor) -> Tensor:
    return images{turned.replace(".copy()", "")}.unsqueeze(1).float() * (1 / 255)'''
    return _Reading(
        code,
        {"import gzip": r"\bgzip\.", "from pathlib import Path": r"\bPath\("},
        ("numpy",),
        tests=True,
    )


def _cifar(fields: Mapping[str, Any]) -> _Reading:
    train, test = cifar_files(fields)
    labels = 1 if fields["version"] == "10" else 2
    which = 1 if fields["version"] == "100" else 0
    names = ", ".join(literal(path.name) for path in train)
    code = f'''FOLDER = Path({literal(str(test.parent))})


def read(*names: str) -> tuple[Tensor, Tensor]:
    """Images [N, 3, 32, 32] of 0 … 1 and classes [N] from files of CIFAR's binary version."""
    raw = np.concatenate([np.fromfile(FOLDER / name, np.uint8) for name in names])
    table = torch.from_numpy(raw.reshape(-1, {labels} + 3 * 32 * 32))
    return table[:, {labels}:].reshape(-1, 3, 32, 32).float() * (1 / 255), table[:, {which}].long()


def load() -> tuple[Tensor, ...]:
    """Images and classes, to train and to test on."""
    return *read({names}), *read({literal(test.name)})'''
    fit = []
    if fields["standardise"]:
        fit = [
            'known = inputs[chosen["train"]]',
            "known = known[:: max(1, len(known) // 2000)].double()",
            "mean = known.mean((0, 2, 3)).view(-1, 1, 1).float()",
            "deviation = known.std((0, 2, 3), correction=0).view(-1, 1, 1).float()",
            "inputs = (inputs - mean) / deviation",
            "test[0] = (test[0] - mean) / deviation",
        ]
    return _Reading(code, {"from pathlib import Path": r"\bPath\("}, ("numpy",), tests=True, fit=fit)


_SOURCES: dict[str, Callable[[Mapping[str, Any]], _Reading]] = {
    **{
        name: lambda fields, name=name: _sklearn(name, fields)  # type: ignore[misc]
        for name in ("digits", "iris", "wine", "breast_cancer", "diabetes")
    },
    **{
        name: lambda fields, name=name: _idx(name, fields)  # type: ignore[misc]
        for name in ("mnist", "fashion_mnist", "emnist")
    },
    "cifar": _cifar,
}
