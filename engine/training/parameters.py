"""What of a model is trained, at which rate, and which weights are latent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from engine.binary.latent import rate_factor
from engine.catalog import LAYERS, OPTIMIZERS, Call
from engine.compile.resolve import construct
from engine.defaults import scheme_of
from engine.network import Choice, Network, Node
from engine.problems import NetworkProblem

#: Optimizers that have a fused form, which is faster on CPU and CUDA alike.
_FUSED = frozenset(f"torch.optim.{name}" for name in ("SGD", "Adam", "AdamW", "Adagrad"))


class Part(NamedTuple):
    """One parameter of the model, and how it takes part."""

    name: str
    tensor: nn.Parameter
    frozen: bool
    lr_multiplier: float
    #: A latent weight, to be kept in −1 … 1.
    clipped: bool
    #: A weight that an estimator binarizes.
    binarized: bool = False


def parts(network: Network, model: nn.Module) -> list[Part]:
    """Every parameter of `model`, in its order."""
    return [_part(network, name, tensor) for name, tensor in model.named_parameters()]


def frozen_modules(network: Network, model: nn.Module) -> list[nn.Module]:
    """Modules of frozen nodes that keep running statistics: they stay in evaluation mode."""
    return [
        module
        for name, module in model.named_modules()
        if name
        and any(True for _ in module.buffers(recurse=False))
        and any(node.training is not None and node.training.frozen for node in _way(network, f"{name}.")[0])
    ]


def _way(network: Network, name: str) -> tuple[list[Node], str]:
    """The nodes that the parameter `name` is in, and its name in the last of them.

    That name is empty where the parameter is not the layer's own but its estimator's or activation's.
    """
    found: list[Node] = []
    nodes: Mapping[str, Node] = network.nodes
    words = name.split(".")
    place = 0
    while place < len(words) - 1:
        id, _, helper = words[place].partition("__")
        place += 1
        node = nodes.get(id)
        if node is None:
            break
        found.append(node)
        if node.block is None or node.block not in network.blocks:
            return found, "" if helper else ".".join(words[place:])
        if words[place].isdecimal():  # which repeat
            place += 1
        nodes = network.blocks[node.block].nodes
    return found, ""


def _part(network: Network, name: str, tensor: nn.Parameter) -> Part:
    frozen, multiplier, clipped, binarized = False, 1.0, False, False
    nodes, own = _way(network, name)
    for node in nodes:
        if node.training is not None:
            frozen = frozen or node.training.frozen
            multiplier *= node.training.lr_multiplier
    node = nodes[-1] if nodes else Node("")
    layer = LAYERS.get(node.type)
    if own and layer is not None:
        scheme = scheme_of(network, node, own, tensor.dim())
        multiplier *= rate_factor(scheme, tuple(tensor.shape))
        if "weight" in node.binarize and own in layer.binarizable_names(node.fields):
            clipped, binarized = _clips(node.binarize["weight"]), True
    return Part(name, tensor, frozen, multiplier, clipped, binarized)


def _clips(binarizer: Choice) -> bool:
    return bool(binarizer.extra.get("clip_latent", binarizer.fields.get("clip_latent", True)))


class Group(NamedTuple):
    """Parameters that an optimizer treats alike."""

    parts: list[Part]
    lr_multiplier: float
    #: What the optimizer is told of them beside the tensors: ``lr``, perhaps ``weight_decay``, ``binary``.
    settings: dict[str, Any]


def planned(choice: Choice, of: list[Part], *, decay: str = "weights") -> tuple[Call, list[Group]]:
    """The call that makes the optimizer from groups, and the groups of the parts that are not frozen.

    Parts are grouped by learning rate and by whether weight decay pulls on them: with `decay`
    "weights" it leaves out what has one dimension (biases, norms) and latent binary weights.

    Raises
    ------
    NetworkProblem
        If nothing is left to train.
    """
    entry = OPTIMIZERS[choice.id]
    call = entry.call(entry.settings(choice.fields))
    # Bop flips binary weights, and leaves the others to an optimizer of its own.
    inner = call.kwargs.get("real")
    stepping = _fused(inner or call)
    rate = float(stepping.kwargs["lr"])
    pulls = bool(stepping.kwargs.get("weight_decay"))
    groups: dict[tuple[float, bool, bool], list[Part]] = {}
    for part in of:
        if not part.frozen:
            spared = pulls and decay == "weights" and (part.tensor.dim() < 2 or part.binarized)
            key = (part.lr_multiplier, spared, part.binarized and inner is not None)
            groups.setdefault(key, []).append(part)
    if not groups:
        raise NetworkProblem(
            "There is nothing to train: every layer is frozen or has no weights. Thaw one, or add a Linear."
        )
    found = []
    for (multiplier, spared, binary), members in groups.items():
        settings: dict[str, Any] = {"lr": rate * multiplier}
        if spared and not binary:
            settings["weight_decay"] = 0.0
        if binary:
            settings["binary"] = True
        found.append(Group(members, multiplier, settings))
    if inner is not None:
        return Call(call.target, *call.args, **{**call.kwargs, "real": stepping}), found
    return stepping, found


def _fused(call: Call) -> Call:
    return Call(call.target, *call.args, **call.kwargs, fused=True) if call.target in _FUSED else call


def optimizer(
    choice: Choice, of: list[Part], *, decay: str = "weights"
) -> tuple[torch.optim.Optimizer, str, list[float]]:
    """The optimizer of the parts that are not frozen, its name for people, and each group's rate multiplier.

    See :func:`planned`.

    Raises
    ------
    NetworkProblem
        If nothing is left to train, or torch refuses the settings.
    """
    call, groups = planned(choice, of, decay=decay)
    forms = [{"params": [part.tensor for part in group.parts], **group.settings} for group in groups]
    kwargs: dict[str, Any] = dict(call.kwargs)
    if "real" in kwargs:
        kwargs["real"] = partial(construct, kwargs["real"])
    try:
        made: torch.optim.Optimizer = construct(Call(call.target, *call.args, **kwargs), forms)
    except ValueError as problem:  # settings that do not go together, such as nesterov without momentum
        raise NetworkProblem(f"recipe.optimizer: {problem}.") from problem
    name = f"{'fused ' if kwargs.get('fused') else ''}{OPTIMIZERS[choice.id].title}"
    return made, name, [group.lr_multiplier for group in groups]
