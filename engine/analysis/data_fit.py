"""The network against its data: shapes of the inputs, size of the output, data that are missing."""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog import LOSSES, SOURCES
from engine.diff import Change
from engine.findings import NodeReport, Problem, Repair
from engine.network import Network
from engine.problems import DataProblem


def data_problems(network: Network, reports: Mapping[str, NodeReport]) -> list[Problem]:
    """What the data set says against `network`. A recipe whose source is unknown has been reported before."""
    data = network.recipe.data
    source = SOURCES.get(data.source)
    if source is None or source.check(data.fields):
        return []
    from engine.data import describe

    try:
        description = describe(data)
    except DataProblem as problem:
        place = f"recipe.data.{problem.field}" if problem.field else "recipe.data"
        return [Problem("error", "data", problem.message, field=place)]
    problems = _inputs(network, reports, description.input_shapes)
    if description.classes is not None:
        problems += _classes(network, reports, description.classes)
    return problems


def _inputs(
    network: Network, reports: Mapping[str, NodeReport], shapes: Mapping[str, tuple[int, ...]]
) -> list[Problem]:
    problems = []
    for id, node in network.nodes.items():
        report = reports.get(id)
        if node.type != "Input" or report is None or not report.outputs:
            continue
        column = node.fields.get("column")
        if column is None and len(shapes) == 1:
            column = next(iter(shapes))
        if not isinstance(column, str) or column not in shapes:
            message = f"the data have no input {column!r}: choose one of {', '.join(shapes)}."
            problems.append(Problem("error", "data-column", message, id, "column"))
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
    return problems


def _classes(network: Network, reports: Mapping[str, NodeReport], classes: int) -> list[Problem]:
    loss = LOSSES.get(network.recipe.loss.id)
    outputs = [id for id, node in network.nodes.items() if node.type == "Output"]
    if loss is None or len(outputs) != 1 or outputs[0] not in reports or not reports[outputs[0]].outputs:
        return []
    shape = reports[outputs[0]].outputs["output"].shape
    if (shape and shape[0] == classes) or loss.target not in ("class", "like"):
        return []
    message = (
        f"{network.recipe.data.source} has {classes} classes, and the output {list(shape)} has "
        f"{shape[0] if shape else 1}: give the last layer {classes} outputs."
    )
    return [Problem("error", "data-classes", message, outputs[0], None, _widen(network, outputs[0], classes))]


def _widen(network: Network, id: str, classes: int) -> tuple[Repair, ...]:
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
                change = Change(path, before=node.fields[name], after=classes)
                return (Repair(f"Set {name} of {id} to {classes}", (change,)),)
    return ()
