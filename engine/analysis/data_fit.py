"""The network against its data: shapes of the inputs, size of the output, loss, data that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import UNSET

from engine.catalog import AUGMENTATIONS, LOSSES, SOURCES
from engine.diff import Change
from engine.findings import NodeReport, Problem, Repair
from engine.network import Network
from engine.problems import DataProblem, did_you_mean
from engine.storage.form import choice_to_form

if TYPE_CHECKING:
    from engine.data import Description

#: Losses that take shares of classes, as mixup gives them.
_SHARES = ("CrossEntropyLoss",)


def data_problems(network: Network, reports: Mapping[str, NodeReport]) -> list[Problem]:
    """What the data set says against `network`. A recipe whose source is unknown has been reported before."""
    data = network.recipe.data
    source = SOURCES.get(data.source)
    if source is None or source.check(data.fields):
        return []
    from engine.data import describe

    problems = _augmentations(network)
    try:
        description = describe(data)
    except DataProblem as problem:
        place = f"recipe.data.{problem.field}" if problem.field else "recipe.data"
        return [*problems, Problem("error", "data", problem.message, field=place)]
    problems += _inputs(network, reports, description)
    outputs = network.recipe.options.get("outputs")
    if outputs:  # each has a target and a loss of its own, which training checks
        return problems
    if description.classes is not None:
        problems += _classes(network, reports, description)
    else:
        problems += _values(network, reports, description)
    return problems


def _inputs(network: Network, reports: Mapping[str, NodeReport], description: Description) -> list[Problem]:
    problems = []
    shapes = description.input_shapes
    for id, node in network.nodes.items():
        report = reports.get(id)
        if node.type != "Input" or report is None or not report.outputs:
            continue
        column = node.fields.get("column")
        if column is None and len(shapes) == 1:
            column = next(iter(shapes))
        if column is None or column not in shapes:
            repairs = tuple(
                Repair(
                    f"Read {name}",
                    (
                        Change(
                            ("nodes", id, "fields", "column"),
                            before=node.fields.get("column", UNSET),
                            after=name,
                        ),
                    ),
                )
                for name in list(shapes)[:4]
            )
            message = f"the data have no input {column!r}: choose one of {', '.join(shapes)}."
            if column is None:
                message = f"the data have several inputs: choose one of {', '.join(shapes)}."
            problems.append(Problem("error", "data-column", message, id, "column", repairs))
            continue
        wanted, own = tuple(shapes[column]), report.outputs["output"].shape
        if own != wanted:
            change = Change(
                ("nodes", id, "fields", "shape"), before=list(node.fields["shape"]), after=list(wanted)
            )
            message = (
                f"the examples of {network.recipe.data.source} are {list(wanted)}, and this Input takes "
                f"{list(own)}."
            )
            repair = Repair(f"Set shape to {list(wanted)}", (change,))
            problems.append(Problem("error", "data-shape", message, id, "shape", (repair,)))
        dtype, own_dtype = description.dtypes[column], node.fields.get("dtype", "float32")
        if own_dtype != dtype:
            change = Change(
                ("nodes", id, "fields", "dtype"),
                before=node.fields.get("dtype", UNSET),
                after=dtype,
            )
            what = "numbers of tokens (int64)" if dtype == "int64" else "numbers with fractions (float32)"
            message = f"{network.recipe.data.source} gives {what}, and this Input takes {own_dtype}."
            repair = Repair(f"Set dtype to {dtype}", (change,))
            problems.append(Problem("error", "data-dtype", message, id, "dtype", (repair,)))
    return problems


def _only_output(network: Network, reports: Mapping[str, NodeReport]) -> tuple[str, tuple[int, ...]] | None:
    """The one Output and the shape of what it gets, where that is known."""
    outputs = [id for id, node in network.nodes.items() if node.type == "Output"]
    if len(outputs) != 1 or outputs[0] not in reports or not reports[outputs[0]].outputs:
        return None
    return outputs[0], reports[outputs[0]].outputs["output"].shape


def _classes(network: Network, reports: Mapping[str, NodeReport], description: Description) -> list[Problem]:
    loss = LOSSES.get(network.recipe.loss.id)
    found = _only_output(network, reports)
    classes = description.classes or 0
    if loss is None or found is None:
        return []
    id, shape = found
    if description.places:
        # Scores as [places, classes], as layers along a sequence give them, or with classes first.
        fits = shape in ((description.places, classes), (classes, description.places))
        size = shape[-1] if shape and shape[0] == description.places else None
    else:
        wide = shape[:1] == (classes,)
        fits = wide or (loss.target == "class" and len(shape) == 1 and shape[0] > classes)
        size = shape[0] if len(shape) == 1 else None
        if loss.target in ("multilabel", "sign"):
            fits = fits or (classes == 2 and shape in ((), (1,)))
    if fits and not (size is not None and size > classes and not description.places):
        return []
    kind = "tokens" if description.target == "token" else "classes"
    per = f" at each of {description.places} places" if description.places else ""
    message = (
        f"{network.recipe.data.source} has {classes} {kind}{per}, and the output is {list(shape)}: "
        f"give the last layer {classes} outputs."
    )
    if not description.places and size is not None:
        message = (
            f"{network.recipe.data.source} has {classes} {kind}, and the output {list(shape)} has {size}: "
            f"give the last layer {classes} outputs."
        )
    repairs = _widen(network, id, classes) if size is not None else ()
    # The loss takes scores of classes that never come: torch lets it pass, and few mean it.
    return [Problem("warning" if fits else "error", "data-classes", message, id, None, repairs)]


def _values(network: Network, reports: Mapping[str, NodeReport], description: Description) -> list[Problem]:
    problems = []
    loss = LOSSES.get(network.recipe.loss.id)
    names = ", ".join(description.target_names)
    if loss is not None and loss.target == "class":
        change = Change(
            ("recipe", "loss"),
            before=choice_to_form(network.recipe.loss),
            after={"type": "MSELoss", "fields": {}},
        )
        given = f"{network.recipe.data.source} gives values ({names})"
        message = f"{loss.id} is for classes, and {given}. Choose MSELoss."
        repair = Repair("Use MSELoss", (change,))
        problems.append(Problem("error", "data-loss", message, None, "recipe.loss", (repair,)))
    found = _only_output(network, reports)
    width = len(description.target_names)
    if found is not None and found[1] != (width,) and not (width == 1 and found[1] == ()):
        id, shape = found
        many = "one value" if width == 1 else f"{width} values"
        message = (
            f"{network.recipe.data.source} gives {many} to learn ({names}), and the output is {list(shape)}: "
            f"give the last layer {width} {'output' if width == 1 else 'outputs'}."
        )
        repairs = _widen(network, id, width) if len(shape) == 1 else ()
        problems.append(Problem("error", "data-values", message, id, None, repairs))
    return problems


def _widen(network: Network, id: str, size: int) -> tuple[Repair, ...]:
    """Set the size of the layer that decides how many outputs there are."""
    sources = {edge.target.node: edge.source.node for edge in network.edges}
    seen: set[str] = set()
    while id in sources and id not in seen:
        seen.add(id)
        id = sources[id]
        node = network.nodes.get(id)
        if node is None:
            return ()
        for name in ("out_features", "out_channels"):
            if name in node.fields:
                path = ("nodes", id, "fields", name)
                change = Change(path, before=node.fields[name], after=size)
                return (Repair(f"Set {name} of {id} to {size}", (change,)),)
    return ()


def _augmentations(network: Network) -> list[Problem]:
    """What is wrong with the ways in which examples are varied."""
    data = network.recipe.data
    kind = SOURCES[data.source].kind
    problems = []
    for number, choice in enumerate(data.augment):
        place = f"recipe.data.augment.{number}"
        entry = AUGMENTATIONS.get(choice.id)
        rest = tuple(choice_to_form(other) for at, other in enumerate(data.augment) if at != number)
        before = [choice_to_form(other) for other in data.augment]
        change = Change(("recipe", "data", "augment"), before=before, after=list(rest) if rest else UNSET)
        without = (Repair(f"Remove {choice.id}", (change,)),)
        if entry is None:
            message = (
                f"There is no augmentation {choice.id!r}.{did_you_mean(choice.id, AUGMENTATIONS)} "
                f"There are: {', '.join(AUGMENTATIONS)}."
            )
            problems.append(Problem("error", "unknown-augmentation", message, field=place, repairs=without))
            continue
        for name, said in entry.check(choice.fields):
            problems.append(Problem("error", "wrong-field", f"{choice.id} › {name}: {said}", field=place))
        if kind not in entry.reads:
            message = f"{choice.id} varies {' or '.join(entry.reads)}, and {data.source} is {kind}."
            problems.append(Problem("error", "data-augment", message, field=place, repairs=without))
        loss = LOSSES.get(network.recipe.loss.id)
        if choice.id == "mixup" and loss is not None and loss.target == "class" and loss.id not in _SHARES:
            message = f"mixup gives shares of classes, which {loss.id} does not take. Use CrossEntropyLoss."
            problems.append(Problem("error", "data-augment", message, field=place, repairs=without))
    return problems
