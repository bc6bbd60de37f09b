"""The part of a printed training script that trains and validates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from engine.catalog import Settings
from engine.training.heads import Head
from engine.training.metrics import LARGER_IS_BETTER, aligned

#: Examples per step of an evaluation.
_EVALUATED = 512


class Loop(NamedTuple):
    """What a recipe asks of its loop."""

    #: The network's class.
    name: str
    inputs: Sequence[str]
    heads: Sequence[Head]
    #: Of each head: an output of two examples, and their labels.
    examples: Sequence[tuple[Tensor, Tensor]]
    #: Of each head: the constructor call of its loss.
    criteria: Sequence[str]
    #: Sizes of the batches, where the last is not merely what is left.
    sizes: Sequence[int] | None
    #: The lines that make the optimizer.
    optimizer: Sequence[str]
    schedule: str | None
    #: When the schedule moves: "step", "epoch" or "plateau".
    interval: str
    options: Settings
    #: Latent weights, and modules that stay in evaluation mode, by name.
    latent: Sequence[str]
    frozen: Sequence[str]
    #: Whether the estimators change with the epochs.
    progresses: bool
    augments: bool
    splits: Sequence[str]
    #: How pictures lie in memory, as code, and which inputs are such; empty where torch's own order stays.
    layout: str
    pictures: Sequence[int]


class LoopCode(NamedTuple):
    """The loop's share of a script."""

    constants: list[str]
    functions: list[str]


def loop_code(loop: Loop) -> LoopCode:
    """Print the loop: constants, and the functions ``compare``, ``evaluate`` and ``train``."""
    constants = [
        f"{_criterion(loop, number)} = {text}.to(DEVICE)" for number, text in enumerate(loop.criteria)
    ]
    if loop.layout:
        constants.append(f"LAYOUT = {loop.layout}")
    return LoopCode(constants, [_compare(loop), _evaluate(loop), _train(loop)])


def _criterion(loop: Loop, number: int) -> str:
    return "CRITERION" if len(loop.heads) == 1 else f"CRITERION_{number}"


def _figures(loop: Loop) -> list[str]:
    """What is counted, beside the loss."""
    return [head.key + head.counts for head in loop.heads]


# ---------------------------------------------------------------------------- the loss of a batch


def _compare(loop: Loop) -> str:
    """``compare``: the loss of a batch, and for each head right answers or the error, summed up."""
    targets = [_target(loop, number) for number in range(len(loop.heads))]
    arguments = ", ".join(f"{name}: Tensor" for name in targets)
    lines, losses, sums = [], [], []
    for number, (head, (output, label)) in enumerate(zip(loop.heads, loop.examples, strict=True)):
        name, target = targets[number], targets[number]
        given = "outputs" if len(loop.heads) == 1 else f"outputs[{head.id!r}]"
        scores = given
        if head.takes == "class" and label.dim() > 1:
            if aligned(output, label) is not output:
                scores = f"{given}.movedim(-1, 1)"
        elif head.takes != "class":
            target = _prepared(head, name)
            if _narrow(head, output, label):
                scores = f"{given}.squeeze(-1)"
        weight = "" if head.weight == 1 else f"{head.weight!r} * "
        losses.append(f"{weight}{_criterion(loop, number)}({scores}, {target})")
        sums.append(_sum(head, given, name, output, label))
    lines.append(f"loss = {' + '.join(losses)}")
    lines.append(
        f"return loss, torch.stack([{', '.join(sums)}])" if len(sums) > 1 else f"return loss, {sums[0]}"
    )
    what = " and ".join(
        dict.fromkeys("right answers" if h.counts == "accuracy" else "the error" for h in loop.heads)
    )
    outputs = "Tensor" if len(loop.heads) == 1 else "dict[str, Tensor]"
    body = "\n".join(f"    {line}" for line in lines)
    return f'''def compare(outputs: {outputs}, {arguments}) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and {what} summed over its examples."""
{body}'''


def _target(loop: Loop, number: int) -> str:
    return "target" if len(loop.heads) == 1 else f"target_{number}"


def _prepared(head: Head, target: str) -> str:
    """What a loss that takes no class numbers compares with."""
    if head.classes is None or (head.takes == "multilabel" and head.classes == 2):
        text = f"{target}.float()"
    else:
        text = f"functional.one_hot({target}, {head.classes}).float()"
    return f"{text} * 2 - 1" if head.takes == "sign" else text


def _narrow(head: Head, output: Tensor, label: Tensor) -> bool:
    """Whether the output has a last dimension of 1 that its target lacks."""
    one_hot = head.classes is not None and not (head.takes == "multilabel" and head.classes == 2)
    return output.dim() == label.dim() + one_hot + 1 and output.shape[-1] == 1


def _sum(head: Head, given: str, target: str, output: Tensor, label: Tensor) -> str:
    """Right answers, or the absolute error, summed over a batch."""
    if head.counts == "mae":
        return (
            f"({given}.flatten(1) - {target}.flatten(1)).abs().mean(1).sum()"
            if label.dim() > 1
            else (f"({given}.flatten(1) - {target}.unsqueeze(1)).abs().mean(1).sum()")
        )
    if label.is_floating_point() or output.dim() == label.dim() or output.shape[1] == 1:
        right = f"{given}.reshape({target}.shape).gt(0).eq({target} > 0.5).float()"
        return f"{right}.flatten(1).mean(1).sum()" if label.dim() > 1 else f"{right}.sum()"
    scores = f"{given}.movedim(-1, 1)" if aligned(output, label) is not output else given
    if label.dim() == 1:
        return f"{scores}.argmax(1).eq({target}).sum()"
    if head.ignore is None:
        return f"{scores}.argmax(1).eq({target}).float().flatten(1).mean(1).sum()"
    counted = f"({target} != {head.ignore})"
    return (
        f"({scores}.argmax(1).eq({target}) & {counted}).sum() / {counted}.sum().clamp_min(1) * len({target})"
    )


# ---------------------------------------------------------------------------- validation


def _columns(loop: Loop) -> tuple[str, str, str]:
    """Names of a batch's columns: all, the inputs, the targets."""
    inputs = ["x"] if len(loop.inputs) == 1 else [f"x_{number}" for number in range(len(loop.inputs))]
    targets = [_target(loop, number) for number in range(len(loop.heads))]
    return ", ".join([*inputs, *targets]), ", ".join(inputs), ", ".join(targets)


def _laid_out(loop: Loop, inputs: str) -> list[str]:
    """The lines that put pictures into their order in memory."""
    names = inputs.split(", ")
    return [
        f"{names[number]} = {names[number]}.contiguous(memory_format=LAYOUT)"
        for number in loop.pictures
        if loop.layout
    ]


def _summing(loop: Loop) -> bool:
    return all(head.sums for head in loop.heads)


def _named(loop: Loop, sums: str) -> str:
    """The figures of summed up losses and answers, by name."""
    names = _figures(loop)
    more = (
        f'"{names[0]}": float({sums}) / count'
        if len(names) == 1
        else ", ".join(f'"{name}": float({sums}[{i}]) / count' for i, name in enumerate(names))
    )
    return f'{{"loss": float(total) / count, {more}}}'


def _evaluate(loop: Loop) -> str:
    all_, inputs, targets = _columns(loop)
    last = targets.split(", ", maxsplit=1)[0]
    weigh = "" if _summing(loop) else f" * len({last})"
    extra = _monitored_code(loop, inputs, targets)
    rows = ["    rows = []"] if extra else []
    keep = [f"            rows.append((outputs.cpu(), {last}.cpu()))"] if extra else []
    return "\n".join(
        [
            f"def evaluate(model: {loop.name}, *columns: Tensor) -> dict[str, float]:",
            '    """Figures on some examples, in evaluation mode."""',
            "    model.eval()",
            "    total, score, count = 0.0, 0.0, len(columns[0])",
            *rows,
            "    with torch.inference_mode():",
            f"        for {all_} in zip(*(column.split({_EVALUATED}) for column in columns), strict=True):",
            *(f"            {line}" for line in _laid_out(loop, inputs)),
            f"            outputs = model({inputs})",
            f"            loss, scores = compare(outputs, {targets})",
            f"            total += loss.double(){weigh}",
            "            score += scores.double()",
            *keep,
            *([f"    figures = {_named(loop, 'score')}", *extra, "    return figures"] if extra
              else [f"    return {_named(loop, 'score')}"]),
        ]
    )  # fmt: skip


def _monitored_code(loop: Loop, inputs: str, targets: str) -> list[str]:
    """Lines for a figure that the recipe watches and that is not counted anyway."""
    monitor = loop.options.monitor
    if monitor in ("auto", "loss", *_figures(loop)) or len(loop.heads) > 1:
        return []
    joined = ["    output, label = (torch.cat(part) for part in zip(*rows, strict=True))"]
    if monitor == "top5":
        return [
            *joined,
            "    in_top = output.topk(5, 1).indices.eq(label[:, None]).any(1)",
            '    figures["top5"] = float(in_top.double().mean())',
        ]
    if monitor == "r2":
        return [
            *joined,
            "    label, output = label.flatten(1).double(), output.flatten(1).double()",
            "    left = (label - output).square().sum(0) / (label - label.mean(0)).square().sum(0)",
            '    figures["r2"] = float((1 - left).mean())',
        ]
    if monitor == "f1":
        return [
            *joined,
            "    guess, scores = output.argmax(1), []",
            "    for number in torch.cat([guess, label]).unique():",
            "        both = ((guess == number) & (label == number)).sum()",
            "        scores.append(2 * both / ((guess == number).sum() + (label == number).sum()))",
            '    figures["f1"] = float(torch.stack(scores).double().mean())',
        ]
    return []


def _better(loop: Loop) -> str:
    """What is compared to find the best, larger being better."""
    names = [*_figures(loop), *(["top5", "f1", "r2"] if len(loop.heads) == 1 else [])]
    monitor = loop.options.monitor
    if monitor == "auto":
        monitor = "accuracy" if "accuracy" in names else "loss"
    if monitor not in ("loss", *names):
        monitor = "loss"
    sign = "" if monitor in LARGER_IS_BETTER else "-"
    first = f'{sign}figures["{monitor}"]'
    if monitor == "loss" or loop.options.min_delta:
        return first
    return f'({first}, -figures["loss"])'


# ---------------------------------------------------------------------------- training


def _train(loop: Loop) -> str:
    options = loop.options
    head = [
        f"def train() -> {loop.name}:",
        '    """Train, tell how it goes, and keep the weights that validate best."""',
        *(["    torch.use_deterministic_algorithms(True)"] if options.deterministic else []),
        *([f"    torch.set_num_threads({options.threads})"] if options.threads else []),
        "    parts = {name: [column.to(DEVICE) for column in part] for name, part in examples().items()}",
        f"    model = {loop.name}()",
        "    if START.exists():",
        "        model.load_state_dict(torch.load(START, weights_only=True))",
        "    model.to(DEVICE)",
        *(["    model.to(memory_format=LAYOUT)"] if loop.layout else []),
        *(f"    {line}" for line in loop.optimizer),
        *([f"    scheduler = {loop.schedule}"] if loop.schedule else []),
        *([f"    average = Average(model, {options.ema_decay!r})"] if options.ema_decay is not None else []),
        *(_latent(loop)),
        *(["    run = torch.compile(model)"] if options.compile else []),
        *(["    best, waited = None, 0"] if options.patience else ["    best = None"]),
        '    torch.manual_seed(stream("training"))',
        "    for epoch in range(EPOCHS):",
    ]
    return "\n".join([*head, *(f"        {line}" for line in _epoch(loop)), *_end(loop)])


def _latent(loop: Loop) -> list[str]:
    if not loop.latent:
        return []
    names = ", ".join(f'"{name}"' for name in loop.latent)
    return [f"    latent = [model.get_parameter(name) for name in ({names},)]"]


def _epoch(loop: Loop) -> list[str]:
    options = loop.options
    sizes = "BATCH_SIZE" if loop.sizes is None else _sizes(loop.sizes)
    all_, inputs, targets = _columns(loop)
    lines = [
        "model.train()",
        *(f'model.get_submodule("{path}").eval()' for path in loop.frozen),
    ]
    if loop.progresses:
        lines += [
            "for module in model.modules():",
            '    if hasattr(module, "set_progress"):',
            "        module.set_progress(epoch, EPOCHS)",
        ]
    numbered = options.accumulate > 1 or loop.augments
    lines += [
        'random = torch.Generator().manual_seed(stream("shuffle", epoch))',
        'order = torch.randperm(len(parts["train"][0]), generator=random).to(DEVICE)',
        f"batches = order.split({sizes})",
        "total, score, count = 0.0, 0.0, len(order)",
        f"for {'number, chosen in enumerate(batches)' if numbered else 'chosen in batches'}:",
        *(f"    {line}" for line in _step(loop, all_, inputs, targets)),
        f"train_figures = {_named(loop, 'score')}",
    ]
    return [*lines, *_after(loop)]


def _sizes(sizes: Sequence[int]) -> str:
    return f"[{sizes[0]}] * {len(sizes) - 1} + [{sizes[-1]}]"


def _step(loop: Loop, all_: str, inputs: str, targets: str) -> list[str]:
    options, accumulate = loop.options, loop.options.accumulate
    last = targets.split(", ", maxsplit=1)[0]
    run = "run" if options.compile else "model"
    lines = [f'{all_} = (column[chosen] for column in parts["train"])']
    if loop.augments:
        lines.append('random = Generator(DEVICE).manual_seed(stream("augment", epoch, number))')
        lines += [f"{x} = vary({x}, random)" for x in inputs.split(", ")]
    lines += _laid_out(loop, inputs)
    if options.precision == "bfloat16":
        lines += [
            "with torch.autocast(DEVICE.type, torch.bfloat16):",
            f"    outputs = {run}({inputs})",
            "outputs = outputs.float()"
            if len(loop.heads) == 1
            else "outputs = {name: output.float() for name, output in outputs.items()}",
        ]
    else:
        lines.append(f"outputs = {run}({inputs})")
    lines.append(f"loss, scores = compare(outputs, {targets})")
    if accumulate > 1 and not _summing(loop):
        left = f"len(batches) - number // {accumulate} * {accumulate}"
        lines.append(f"(loss / min({accumulate}, {left})).backward()")
    else:
        lines.append("loss.backward()")
    lines += [
        f"total += loss.detach().double(){'' if _summing(loop) else f' * len({last})'}",
        "score += scores.detach().double()",
    ]
    if accumulate > 1:
        lines += [f"if (number + 1) % {accumulate} and number + 1 < len(batches):", "    continue"]
    if options.clip_norm is not None:
        lines.append(f"nn.utils.clip_grad_norm_(model.parameters(), {options.clip_norm!r})")
    if options.clip_value is not None:
        lines.append(f"nn.utils.clip_grad_value_(model.parameters(), {options.clip_value!r})")
    lines += ["optimizer.step()", "optimizer.zero_grad()"]
    if loop.latent:
        lines += [
            "with torch.no_grad():",
            "    for weight in latent:",
            "        weight.clamp_(-1.0, 1.0)",
        ]
    if options.ema_decay is not None:
        lines.append("average.update()")
    if loop.schedule and loop.interval == "step":
        lines.append("scheduler.step()")
    return lines


def _after(loop: Loop) -> list[str]:
    """What follows the batches of an epoch."""
    options = loop.options
    lines = ['said = "  ".join(f"{name} {value:.6f}" for name, value in train_figures.items())']
    if "validation" not in loop.splits:
        lines += ['print(f"epoch {epoch + 1}: {said}")']
        if loop.schedule and loop.interval == "epoch":
            lines.append("scheduler.step()")
        return lines
    validating = [
        'figures = evaluate(model, *parts["validation"])',
        'said += "  validation: " + "  ".join(f"{name} {value:.6f}" for name, value in figures.items())',
        f"rank = {_better(loop)}",
        f"if best is None or rank > best{f' + {options.min_delta!r}' if options.min_delta else ''}:",
        f"    best{', waited' if options.patience else ''} = rank{', 0' if options.patience else ''}",
        "    torch.save(model.state_dict(), BEST)",
        *(["else:", "    waited += 1"] if options.patience else []),
    ]
    if options.ema_decay is not None:
        validating = ["with average.in_place():", *(f"    {line}" for line in validating)]
    if loop.schedule and loop.interval == "plateau":
        monitor = (
            "accuracy" if options.monitor == "auto" and "accuracy" in _figures(loop) else options.monitor
        )
        known = ("loss", "top5", "f1", "r2", *_figures(loop))
        validating.append(f'scheduler.step(figures["{monitor if monitor in known else "loss"}"])')
    if options.validate_every > 1:
        lines += [
            f"if (epoch + 1) % {options.validate_every} == 0 or epoch + 1 == EPOCHS:",
            *(f"    {line}" for line in validating),
        ]
    else:
        lines += validating
    lines += ['print(f"epoch {epoch + 1}: {said}")']
    if loop.schedule and loop.interval == "epoch":
        lines.append("scheduler.step()")
    if options.patience:
        lines += [f"if waited >= {options.patience}:", "    break"]
    return lines


def _end(loop: Loop) -> list[str]:
    if "validation" not in loop.splits:
        return ["    torch.save(model.state_dict(), BEST)", "    return model"]
    lines = ["    model.load_state_dict(torch.load(BEST, weights_only=True))"]
    if "test" in loop.splits:
        lines += [
            '    figures = evaluate(model, *parts["test"])',
            '    print("test:", "  ".join(f"{name} {value:.6f}" for name, value in figures.items()))',
        ]
    return [*lines, "    return model"]
