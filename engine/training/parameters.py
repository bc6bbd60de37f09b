"""What of a model is trained, at which rate, and which weights are latent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from engine.catalog import LAYERS, OPTIMIZERS, Call
from engine.compile.resolve import construct
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
        and any(node.training is not None and node.training.frozen for node in _nodes(network, f"{name}."))
    ]


def _nodes(network: Network, name: str) -> Iterator[Node]:
    """The nodes that the parameter `name` is in: uses of blocks, and last the layer's own."""
    nodes: Mapping[str, Node] = network.nodes
    path = iter(name.split(".")[:-1])
    for word in path:
        node = nodes.get(word.partition("__")[0])
        if node is None:
            return
        yield node
        if node.block is None or node.block not in network.blocks:
            return
        if node.repeat > 1:
            next(path, None)
        nodes = network.blocks[node.block].nodes


def _part(network: Network, name: str, tensor: nn.Parameter) -> Part:
    frozen, multiplier, clipped, binarized = False, 1.0, False, False
    for node in _nodes(network, name):
        if node.training is not None:
            frozen = frozen or node.training.frozen
            multiplier *= node.training.lr_multiplier
        layer = LAYERS.get(node.type)
        if (
            "weight" in node.binarize
            and layer is not None
            and any(_is_own(name, own) for own in layer.binarizable_names(node.fields))
        ):
            clipped, binarized = _clips(node.binarize["weight"]), True
    return Part(name, tensor, frozen, multiplier, clipped, binarized)


def _is_own(name: str, own: str) -> bool:
    """Whether parameter `name` is the layer's `own` ("in_proj.weight"), and not a helper's beside it."""
    owner, found, _ = name.rpartition(f".{own}")
    return bool(found) and name.endswith(own) and "__" not in owner.rpartition(".")[2]


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
