"""A network with its data and its training as one Python script, as one would write it by hand.

The script needs torch and the data's own library alone. It begins with the same weights, sees the
same examples in the same order, and so goes through the same losses as :func:`engine.train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.catalog import AUGMENTATIONS, LOSSES, OPTIMIZERS, SCHEDULES, Call, Horizon, Settings
from engine.compile.classes import literal
from engine.compile.own_source import lines_of
from engine.compile.printer import classes, imports
from engine.compile.resolve import resolve
from engine.compile.spelling import constructed, prose
from engine.data import augment
from engine.exchange.script_data import DataCode, data_code
from engine.exchange.script_loop import Loop, loop_code
from engine.network import Network
from engine.problems import NetworkProblem
from engine.training import averaging, parameters
from engine.training.compute import innermost
from engine.training.feed import batch_sizes
from engine.training.options import options
from engine.training.task import Task

#: Import -> how its use shows, in the order of the file; empty patterns part the groups.
_IMPORTS = {
    "import gzip": r"\bgzip\.",
    "import hashlib": r"\bhashlib\.",
    "import math": r"\bmath\.",
    "from collections.abc import Callable, Iterable, Iterator": r"\b(Callable|Iterator)\[",
    "from contextlib import contextmanager": r"@contextmanager",
    "from pathlib import Path": r"\bPath\(",
    "from types import SimpleNamespace as Settings": r"\bSettings\b",
    "from typing import Any": r"\bAny\b",
    "": "",
    "import numpy as np": r"\bnp\.",
    "import torch": r"\btorch\.",
}
_TORCH = {
    "from torch import Generator, Tensor, nn": r"(?<![.\w])Generator\b",
    "from torch import Tensor, nn": r"\bTensor\b",
    "from torch.func import functional_call": r"\bfunctional_call\(",
    "from torch.nn import functional": r"\bfunctional\.",
    "from torch.nn import functional as F": r"\bF\.",
    "from torch.optim import Optimizer": r"\bOptimizer\b",
    "from torch.optim.lr_scheduler import LRScheduler": r"\bLRScheduler\b",
}


class Script(NamedTuple):
    """A printed script, and what belongs beside it."""

    text: str
    #: The class of the network.
    name: str
    #: What training begins with.
    start: dict[str, Tensor]
    #: Packages beside torch.
    needs: tuple[str, ...]
    data: DataCode


def script(network: Network, task: Task, output: Path, start: Path) -> Script:
    """The script of `network`, whose data and model `task` has on the CPU.

    Parameters
    ----------
    network
        A sound document.
    task
        Its data and its model, with the weights that training begins with.
    output
        Where the script will stand.
    start
        Where the weights that it begins with will stand: beside it.

    Raises
    ------
    NetworkProblem
        If the recipe asks for something that is not printed; the message names it.
    """
    model, name = classes(network)
    data = data_code(network, task, output.with_suffix(".data.pt"))
    loop = loop_code(_plan(network, task, name))
    own = [lines_of(resolve(target))[0] for target in _own(network)]
    if options(network.recipe).ema_decay is not None:
        own.append(lines_of(averaging.Average)[0])
    recipe = network.recipe
    constants = [
        f"SEED = {recipe.seed}",
        f"EPOCHS = {recipe.epochs}",
        f"BATCH_SIZE = {recipe.batch_size}",
        'DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")',
        "#: The weights that training begins with, and where those go that validate best.",
        f"START = Path(__file__).with_name({literal(start.name)})",
        f"BEST = Path(__file__).with_name({literal(output.with_suffix('.best.pt').name)})",
        *loop.constants,
    ]
    parts = [*own, model, "\n".join(constants), _STREAM, data.code, *_augmentation(network), *loop.functions]
    parts.append('if __name__ == "__main__":\n    train()')
    code = "\n\n\n".join(parts)
    needs = " and ".join(("torch", *data.needs))
    title = (
        f'"""{prose(network.name)}: the network, its data and its training. Made with Layerlab.\n\n'
        f'Run this file to train it; it needs {needs}.\n"""'
    )
    libraries = {line: used for line, used in data.imports.items() if line not in _IMPORTS}
    lines = imports(code, {**_IMPORTS, **libraries, **_TORCH})
    if "from torch import Generator" in lines:
        lines = lines.replace("from torch import Tensor, nn\n", "").replace(
            "from torch import Tensor, nn", ""
        )
    state = {key: tensor.detach().clone() for key, tensor in task.model.state_dict().items()}
    text = f"{title}\n\n{lines.strip()}\n\n\n{code}\n"
    return Script(text, name, state, data.needs, data)


_STREAM = '''def stream(*purpose: str | int) -> int:
    """The seed of one purpose: what it draws changes no draw of another."""
    text = "\\0".join(map(str, (SEED, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1'''


def _own(network: Network) -> list[str]:
    """The classes of ours that the recipe uses, where torch has none."""
    recipe = network.recipe
    targets = []
    optimizer = OPTIMIZERS[recipe.optimizer.id]
    targets.append(optimizer.call(optimizer.settings(recipe.optimizer.fields)).target)
    if recipe.schedule is not None:
        schedule = SCHEDULES[recipe.schedule.id]
        targets.append(schedule.call(schedule.settings(recipe.schedule.fields), Horizon(1, 1)).target)
    losses = [recipe.loss.id]
    for form in (recipe.options.get("outputs") or {}).values():
        loss = form.get("loss")
        losses.append(loss["type"] if isinstance(loss, dict) else loss)
    for id in filter(None, losses):
        targets.append(LOSSES[id].call(LOSSES[id].settings({})).target)
    return [target for target in dict.fromkeys(targets) if not target.startswith("torch.")]


# ---------------------------------------------------------------------------- the recipe


def _plan(network: Network, task: Task, name: str) -> Loop:
    """What the loop has to do."""
    recipe, chosen = network.recipe, options(network.recipe)
    for option, wanted in (
        ("validate_unit", chosen.validate_unit == "steps"),
        ("precision", chosen.precision in ("tf32", "float16")),
        ("cuda_graphs", chosen.cuda_graphs),
        ("augment", any(choice.id == "mixup" for choice in recipe.data.augment)),
    ):
        if wanted:
            value = "mixup" if option == "augment" else getattr(chosen, option)
            raise NetworkProblem(
                f"recipe.{option}: a printed training does not know {value!r}. "
                "Export without --with-training, or change it."
            )
    normalises = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in task.model.modules())
    count = len(task.dataset.splits["train"])
    size = min(recipe.batch_size, count)
    steps, last = batch_sizes(count, size, at_least=2 if normalises else 1)
    parts = parameters.parts(network, task.model)
    call, groups = parameters.planned(recipe.optimizer, parts, decay=chosen.decay)
    per_epoch = -(-steps // chosen.accumulate)
    schedule, interval = None, ""
    if recipe.schedule is not None:
        schedule, interval = _schedule(network, groups, Horizon(per_epoch * recipe.epochs, per_epoch))
    return Loop(
        name=name,
        inputs=[id for id, node in network.nodes.items() if node.type == "Input"],
        heads=task.heads,
        examples=_example_outputs(task),
        criteria=[_criterion(head.loss) for head in task.heads],
        # A last batch too small to be normalised is one with that before it.
        sizes=None if last <= size and steps * size >= count else [size] * (steps - 1) + [last],
        optimizer=_optimizer(call, groups, parts),
        schedule=schedule,
        interval=interval,
        options=chosen,
        latent=[part.name for part in parts if part.clipped and not part.frozen],
        frozen=[
            path
            for path, module in task.model.named_modules()
            if any(module is one for one in parameters.frozen_modules(network, task.model))
        ],
        progresses=any(hasattr(module, "set_progress") for module in task.model.modules()),
        augments=bool(recipe.data.augment),
        splits=tuple(task.dataset.splits),
        layout=_layout(chosen, task),
        pictures=[
            n for n, column in enumerate(task.inputs(task.dataset.splits["train"])) if column.dim() == 4
        ],
    )


def _layout(chosen: Settings, task: Task) -> str:
    """How pictures lie in memory, as code; empty: as torch has them."""
    on = {device: innermost(chosen, task.model, device) for device in ("cpu", "cuda")}
    if on["cpu"] and on["cuda"]:
        return "torch.channels_last"
    return 'torch.channels_last if DEVICE.type == "cpu" else torch.contiguous_format' if on["cpu"] else ""


def _example_outputs(task: Task) -> list[tuple[Tensor, Tensor]]:
    """Of each head: its output of two examples, and their labels."""
    split = task.dataset.splits["train"]
    task.model.eval()
    with torch.no_grad():
        output = task.model(*(column[:2] for column in task.inputs(split)))
    return [(task.output(output, head), head.labels(split)[:2]) for head in task.heads]


def _criterion(loss: nn.Module) -> str:
    """The constructor call of a loss, as it stands."""
    kind = type(loss)
    entry = next(entry for entry in LOSSES.values() if entry.id == kind.__name__)
    known = entry.call(entry.settings({}))
    call = Call(known.target, **{key: getattr(loss, key) for key in known.kwargs if hasattr(loss, key)})
    tensors = {
        key: f"torch.tensor({value.tolist()!r})"
        for key, value in call.kwargs.items()
        if isinstance(value, Tensor)
    }
    plain = Call(call.target, **{key: value for key, value in call.kwargs.items() if key not in tensors})
    return constructed(plain, **tensors)


def _optimizer(call: Call, groups: Sequence[parameters.Group], parts: Sequence[parameters.Part]) -> list[str]:
    """The lines that make the optimizer."""
    inner = call.kwargs.get("real")
    lines, forms = [], []
    rate = (inner or call).kwargs["lr"]
    frozen = any(part.frozen for part in parts)
    if len(groups) == 1 and not groups[0].settings.keys() - {"lr"} and groups[0].lr_multiplier == 1:
        all_ = "[p for p in model.parameters() if p.requires_grad]" if frozen else "model.parameters()"
        return [f"optimizer = {constructed(call, all_)}"]
    lines.append("named = dict(model.named_parameters())")
    for group in groups:
        names = ", ".join(f'"{part.name}"' for part in group.parts)
        settings = {
            k: v for k, v in group.settings.items() if k != "lr" or v != rate or "binary" in group.settings
        }
        more = "".join(f', "{key}": {value!r}' for key, value in settings.items())
        forms.append(f'    {{"params": [named[name] for name in ({names},)]{more}}},')
    lines += ["groups = [", *forms, "]"]
    if inner is not None:
        real = constructed(inner, "others")
        plain = Call(call.target, *call.args, **{k: v for k, v in call.kwargs.items() if k != "real"})
        made = constructed(plain, "groups", real=f"lambda others: {real}")
    else:
        made = constructed(call, "groups")
    return [*lines, f"optimizer = {made}"]


def _schedule(network: Network, groups: Sequence[parameters.Group], horizon: Horizon) -> tuple[str, str]:
    """The schedule's constructor call, and when it moves: "step", "epoch" or "plateau"."""
    choice = network.recipe.schedule
    assert choice is not None
    entry = SCHEDULES[choice.id]
    settings = entry.settings(choice.fields)
    call = entry.call(settings, horizon)
    kwargs: dict[str, Any] = dict(call.kwargs)
    for rate in entry.rates:
        values = [kwargs[rate] * group.lr_multiplier for group in groups]
        kwargs[rate] = values if len(set(values)) > 1 else values[0]
    if choice.id == "ReduceLROnPlateau":
        larger = options(network.recipe).monitor in ("accuracy", "top5", "f1", "r2")
        kwargs["mode"] = "max" if larger else "min"
        interval = "plateau"
    else:
        interval = getattr(settings, "interval", "step")
    return constructed(Call(call.target, *call.args, **kwargs), "optimizer"), interval


# ---------------------------------------------------------------------------- augmentation


def _augmentation(network: Network) -> list[str]:
    """Functions that vary a batch, as training does."""
    choices = network.recipe.data.augment
    if not choices:
        return []
    needed: set[Any] = {augment._draw}
    lines = []
    for choice in choices:
        entry = AUGMENTATIONS[choice.id]
        settings = vars(entry.settings(choice.fields))
        function = augment._FUNCTIONS[choice.id]
        given = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        lines.append(f"    varied = {function.__name__}(x, Settings({given}), random)")
        p = settings.get("p", 1.0)
        lines.append(
            "    x = varied" if p == 1 else f"    x = torch.where(_draw(x, random) < {p!r}, varied, x)"
        )
        text = lines_of(function)[0]
        needed |= {function, *(f for f in (augment._between, augment._sampled) if f.__name__ in text)}
    ordered = sorted(needed, key=lambda function: lines_of(function)[1])
    vary = '\ndef vary(x: Tensor, random: Generator) -> Tensor:\n    """A batch varied by chance."""\n'
    return [
        *(lines_of(function)[0] for function in ordered),
        vary.strip() + "\n" + "\n".join([*lines, "    return x"]),
    ]
