"""Mistakes that torch lets pass: what runs, and learns worse than it could."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.analysis.declared import Finding
from engine.analysis.evaluate import Evaluated
from engine.analysis.walk import Walked, bound
from engine.catalog import LAYERS, Fix
from engine.compile.expand import Step, Value
from engine.findings import Problem
from engine.network import Network, Node

_SCORES_TO_PROBABILITIES = {
    "CrossEntropyLoss": frozenset({"Softmax", "LogSoftmax", "Sigmoid"}),
    "BCEWithLogitsLoss": frozenset({"Sigmoid", "Softmax"}),
    "MultiLabelSoftMarginLoss": frozenset({"Sigmoid", "Softmax"}),
}
#: Losses of probabilities or their logarithms: what gives those, what it is called, and the loss of raw scores.
PROBABILITIES = {
    "BCELoss": ("probabilities", frozenset({"Sigmoid", "Softmax", "Hardsigmoid"}), "BCEWithLogitsLoss"),
    "NLLLoss": ("logarithms of probabilities", frozenset({"LogSoftmax", "LogSigmoid"}), "CrossEntropyLoss"),
    "KLDivLoss": ("logarithms of probabilities", frozenset({"LogSoftmax", "LogSigmoid"}), "CrossEntropyLoss"),
}
_ALL_EQUAL = frozenset({"zeros", "ones", "constant"})
_SATURATING = frozenset({"Sigmoid", "Tanh", "Softsign"})
_HE = frozenset({"kaiming_normal", "kaiming_uniform"})
_DROPOUTS = frozenset(
    {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}
)
_NORMS = ("BatchNorm", "InstanceNorm")

#: What was said of the biases before batch normalisation, by path, with the layer and what follows it: a network
#: has hundreds of them, and most are as they were in the analysis before.
_useless_biases: dict[str, tuple[Step, Step, Problem | None]] = {}


def advice(network: Network, walked: Walked) -> list[Problem]:
    """Warnings and hints about nodes that are sound in themselves."""
    global _useless_biases
    steps = {path: step for path, (step, _) in walked.evaluated.items()}
    readers: dict[str, list[Step]] = {}
    for step in steps.values():
        for value in step.inputs.values():
            if value is not None:
                readers.setdefault(value.path, []).append(step)
    problems = [bound(finding, step) for finding, step in _unused(steps)]
    known, useless = _useless_biases, {}
    saturating: int | None = None
    for path, (step, evaluated) in walked.evaluated.items():
        if not evaluated.outputs or step.node.type not in LAYERS:
            continue
        following = readers.get(path, [])
        # Asked of what it may concern alone: there are thousands of layers, and somebody draws.
        node, type, found = step.node, step.node.type, []
        if len(following) == 1 and following[0].node.type.startswith("BatchNorm"):
            entry = known.get(path)
            if entry is None or entry[0] is not step or entry[1] is not following[0]:
                finding = _bias_before_norm(node, following)
                entry = (step, following[0], None if finding is None else bound(finding, step))
            useless[path] = entry
            if entry[2] is not None:
                problems.append(entry[2])
        if node.init:
            found.append(_equal_weights(node, {n: len(s) for n, s in evaluated.parameters.items()}))
        if type == "Output":
            sources = [steps[value.path].node for value in step.inputs.values() if value is not None]
            found.append(_scores_wanted(network, node, sources))
            found.append(_probabilities_wanted(network, node, sources))
        if type in _DROPOUTS:
            found.append(_dropout_place(node, following))
        elif type.startswith(_NORMS):
            found.append(_norm_place(node, following))
        if evaluated.window is not None:
            found.append(_pixels_skipped(step, evaluated, readers))
        if node.init:
            if saturating is None:
                saturating = sum(_bend(step.node) in _SATURATING for step in steps.values())
            found.append(_saturating_he(node, following, saturating))
        if type == "Add":
            found.append(_stretched_arms(step, walked))
        if len(step.outputs) > 1:
            found.append(_parts_unread(step, following))
        problems += [bound(finding, step) for finding in found if finding is not None]
    _useless_biases = useless
    return problems


def _unused(steps: dict[str, Step]) -> Iterator[tuple[Finding, Step]]:
    """Nodes from which no wire leads to an Output."""
    todo = [path for path, step in steps.items() if step.node.type == "Output"]
    if not todo:
        return
    used = set(todo)
    while todo:
        for value in steps[todo.pop()].inputs.values():
            if value is not None and value.path not in used:
                used.add(value.path)
                todo.append(value.path)
    for path, step in steps.items():
        if path not in used:
            message = "no path leads from here to an Output: it is computed for nothing."
            yield Finding("warning", "unused", None, message), step


def _bias_before_norm(node: Node, following: list[Step]) -> Finding | None:
    if len(following) != 1 or node.activation is not None:
        return None
    after = following[0].node
    if not after.type.startswith("BatchNorm") or node.type.startswith("BatchNorm"):
        return None
    if "bias" not in LAYERS[node.type].parameter_names(node.fields):
        return None
    if node.fields.get("bias", True) is not True or "weight" in node.binarize:
        return None  # engine.binary.rules speaks of binarized layers
    return Finding(
        "hint",
        "bias-before-norm",
        "bias",
        f"{following[0].path} takes the mean away at once, and the bias with it: the bias learns nothing.",
        (Fix("Set bias to false", {"bias": False}),),
        "Batch normalisation subtracts each channel's mean; its own bias takes over (Ioffe and Szegedy 2015, "
        "§3.2).",
    )


def _equal_weights(node: Node, dims: dict[str, int]) -> Finding | None:
    latent = LAYERS[node.type].binarizable_names(node.fields) if "weight" in node.binarize else ()
    for parameter, choice in node.init.items():
        if parameter in latent:
            continue  # engine.binary.rules tells more of it
        if choice.id in _ALL_EQUAL and dims.get(parameter, 0) >= 2:
            return Finding(
                "warning",
                "equal-weights",
                f"init.{parameter}",
                f"weights that all begin at one value ({choice.id}) get equal gradients and stay equal.",
                removals=((f"Use the default for {parameter}", ("init", parameter)),),
            )
    return None


def _scores_wanted(network: Network, node: Node, sources: list[Node]) -> Finding | None:
    wrong = _SCORES_TO_PROBABILITIES.get(network.recipe.loss.id, frozenset())
    if node.type != "Output" or not sources:
        return None
    before = sources[0]
    name = _bend(before)
    if name not in wrong:
        return None
    built_in = "softmax" if network.recipe.loss.id == "CrossEntropyLoss" else "sigmoid"
    return Finding(
        "warning",
        "scores-wanted",
        None,
        f"{network.recipe.loss.id} wants raw scores and has {built_in} built in; its input comes from {name}. "
        f"Take {name} away.",
        lesson=f"{name} on top of {built_in} flattens the gradients: training is slow and stops early "
        f"(torch.nn.{network.recipe.loss.id}, “Input”).",
    )


def _probabilities_wanted(network: Network, node: Node, sources: list[Node]) -> Finding | None:
    loss = network.recipe.loss.id
    if (
        node.type != "Output"
        or not sources
        or loss not in PROBABILITIES
        or network.recipe.options.get("outputs")
    ):
        return None
    wanted, giving, raw = PROBABILITIES[loss]
    before = sources[0]
    layer = LAYERS.get(before.type)
    if layer is None or not layer.parameter_names(before.fields) or _bend(before) in giving:
        return None  # of what has no weights it is not known what it makes of its input
    last = "Sigmoid" if loss == "BCELoss" else "LogSoftmax"
    return Finding(
        "warning",
        "probabilities-wanted",
        None,
        f"{loss} wants {wanted}, and its input comes from {_bend(before)}. End with {last}, or choose {raw}.",
        lesson=f"{raw} does the same with raw scores, and is exact where probabilities are very small "
        f"(torch.nn.{raw}).",
    )


def _bend(node: Node) -> str:
    """What its result last went through: its activation, else its type."""
    return node.activation.id if node.activation is not None else node.type


def _dropout_place(node: Node, following: list[Step]) -> Finding | None:
    if node.type not in _DROPOUTS or len(following) != 1:
        return None
    after = following[0]
    if after.node.type == "Output":
        return Finding(
            "warning",
            "dropout-at-output",
            None,
            "it drops the network's own answers while training. Put it before the last layer, or take it out.",
            lesson="Dropout makes hidden units not rely on each other; a dropped answer is a wrong answer "
            "(Srivastava et al. 2014, §4).",
        )
    if after.node.type.startswith(_NORMS):
        return Finding(
            "hint",
            "dropout-before-norm",
            None,
            f"{after.path} measures variances that dropout raises while training and not later. Put dropout "
            "behind the last normalisation.",
            lesson="The statistics that batch normalisation keeps then do not fit when the network is used "
            "(Li et al. 2018, arXiv 1801.05134).",
        )
    return None


def _norm_place(node: Node, following: list[Step]) -> Finding | None:
    if not node.type.startswith(_NORMS) or node.activation is not None:
        return None
    if len(following) != 1 or following[0].node.type != "Output":
        return None
    return Finding(
        "warning",
        "norm-at-output",
        None,
        "it normalises the network's own answers: what one example gets depends on the others of its batch.",
        lesson="Batch normalisation belongs between layers (Ioffe and Szegedy 2015, §3.2); scores need their own "
        "scale.",
    )


def _pixels_skipped(step: Step, evaluated: Evaluated, readers: Mapping[str, list[Step]]) -> Finding | None:
    node, window = step.node, evaluated.window
    if window is None or window.enlarges or "kernel_size" not in node.fields:
        return None
    if all(pace <= reach for pace, reach in zip(window.stride, window.reach, strict=True)):
        return None
    pace, reach = max(zip(window.stride, window.reach, strict=True), key=lambda pair: pair[0] - pair[1])
    if any(len(readers.get(value.path, ())) > 1 for value in step.inputs.values() if value is not None):
        return None  # the shortcut of a residual: the other arm sees what this skips
    return Finding(
        "warning",
        "stride-skips",
        "stride",
        f"its window reaches {reach} and moves on by {pace}: what lies between is never seen.",
        (Fix(f"Set stride to {reach}", {"stride": reach}),),
        "Pixels that no window touches change nothing. A stride up to the window's size sees all "
        "(Dumoulin and Visin 2016, arXiv 1603.07285).",
    )


def _saturating_he(node: Node, following: list[Step], saturating: int) -> Finding | None:
    """He's variance is for units that are off half of the time; a sigmoid gets too much of it."""
    choice = node.init.get("weight")
    bend = _bend(node)
    if node.activation is None and len(following) == 1:
        bend = following[0].node.type
    if choice is None or choice.id not in _HE or bend not in _SATURATING or saturating < 2:
        return None
    if choice.fields.get("nonlinearity") in ("sigmoid", "tanh", "linear"):
        return None
    return Finding(
        "warning",
        "saturating-he",
        "init.weight",
        f"{choice.id} is made for ReLU; {bend} gets twice the variance it wants, and {saturating} such layers in a "
        "row saturate. Choose xavier_uniform.",
        removals=(("Use the default for weight", ("init", "weight")),),
        lesson="Glorot and Bengio 2010 keep the variance for units that are linear around zero; He et al. 2015 double "
        "it for ReLU, which is off half of the time.",
    )


def _stretched_arms(step: Step, walked: Walked) -> Finding | None:
    """A residual whose arms differ in size, where torch stretches the small one without a word."""
    if step.node.type != "Add":
        return None
    shapes = [walked.values[v][0].shape for v in step.inputs.values() if v in walked.values]
    if len(shapes) != 2 or len(shapes[0]) != len(shapes[1]) or len(shapes[0]) < 3 or shapes[0] == shapes[1]:
        return None
    sides = [shape[2:] for shape in shapes]
    if sides[0] == sides[1]:
        return None
    return Finding(
        "warning",
        "residual-strides",
        None,
        f"its arms are {list(shapes[0][1:])} and {list(shapes[1][1:])}: the strides on the way differ, and the "
        "smaller is stretched over the larger.",
        lesson="Both arms of a residual must shrink alike: give the shortcut the stride of the other arm "
        "(He et al. 2015, §3.3).",
    )


def _parts_unread(step: Step, following: list[Step]) -> Finding | None:
    if len(step.outputs) < 2 or LAYERS[step.node.type].group != "Split":
        return None
    read = {value for reader in following for value in reader.inputs.values()}
    unread = [name for port, name in enumerate(step.outputs) if Value(step.path, port) not in read]
    if not unread or len(unread) == len(step.outputs):
        return None
    return Finding("hint", "unused-part", None, f"nothing reads its output {', '.join(unread)}.")


def narrow_view(network: Network, walked: Walked, fields: Mapping[str, tuple[int, ...]]) -> list[Problem]:
    """Global pooling whose places each saw less than half of the picture."""
    sizes = [
        tensor.shape[1:]
        for step, result in walked.evaluated.values()
        if step.node.type == "Input"
        for tensor in result.tensors.values()
        if len(tensor.shape) == 3
    ]
    problems: list[Problem] = []
    for step, result in walked.evaluated.values():
        if not step.node.type.startswith("Adaptive") or not result.outputs or not sizes:
            continue
        value = next(iter(step.inputs.values()), None)
        seen = fields.get(value.path, ()) if value is not None else ()
        inner = walked.values[value][0].shape[2:] if value in walked.values and value is not None else ()
        if len(seen) != 2 or len(inner) != 2 or max(inner) < 2:
            continue
        side = max(sizes, key=max)
        if max(result.outputs[0][0].shape[2:]) == 1 and 2 * max(seen) < max(side):
            finding = Finding(
                "hint",
                "narrow-view",
                None,
                f"each place that it averages has seen {seen[0]} × {seen[1]} of {side[0]} × {side[1]}: an object that "
                "is larger is only seen in parts. Go deeper, or stride and pool earlier.",
                lesson="What a unit answers to is its receptive field; the effective one is smaller still "
                "(Luo et al. 2016, arXiv 1701.04128).",
            )
            problems.append(bound(finding, step))
    return problems
