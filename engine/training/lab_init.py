"""The initialisation laboratory: one pass forward and back on a real batch, for every scheme.

Nothing is trained and nothing is kept. Each scheme is drawn from the recipe's seed, so that the
comparison can be repeated, and the network starts from exactly these numbers when it is adopted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine import lab
from engine.analysis import analyze
from engine.catalog import INITIALIZERS, LAYERS
from engine.compile import build
from engine.lab import LabReport, LayerSignal, Race, SchemeSignal
from engine.network import Choice, Network
from engine.problems import NetworkProblem
from engine.training import lsuv, racing
from engine.training.randomness import seeded
from engine.training.task import LOOK, Task

#: Activations with bounds: where their ends are.
_BOUNDS = {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Hardtanh": (-1.0, 1.0), "Hardsigmoid": (0.0, 1.0)}
_BOUNDS |= {"Softsign": (-1.0, 1.0), "ReLU6": (0.0, 6.0)}


def compare(network: Network, schemes: Sequence[Choice] | None = None) -> LabReport:
    """Measure the network's own mixture and each of `schemes` on one batch of its data.

    Parameters
    ----------
    network
        A network without errors, with data that can be loaded.
    schemes
        What to compare; None: the usual ones (:data:`engine.lab.USUAL`).

    Raises
    ------
    NetworkProblem
        If the network has errors, or does not fit its data.
    DataProblem
        If the data cannot be had.
    """
    task = Task.of(network, torch.device("cpu"))
    analysis = analyze(network)
    batch = racing.first_batch(task, LOOK)
    chosen = usual(network) if schemes is None else schemes
    measured = [_measure("current", Choice("current"), task, network, batch, {})]
    for name, scheme in zip(lab.names(chosen), chosen, strict=True):
        changed, unfit = lab.with_scheme(network, analysis, scheme)
        measured.append(_measure(name, scheme, task, changed, batch, unfit))
    return LabReport(tuple(measured), lab.best_of(measured), len(batch[-1]))


def usual(network: Network) -> list[Choice]:
    """The usual schemes, Kaiming's with the nonlinearity that most of the network's layers have."""
    kinds = [node.activation.id if node.activation else node.type for node in network.nodes.values()]
    bent = "tanh" if kinds.count("Tanh") > kinds.count("ReLU") else "relu"
    fields: dict[str, dict[str, object]] = {
        "kaiming_normal": {"nonlinearity": bent},
        "normal": {"std": 0.01},
        "uniform": {"a": -1.0, "b": 1.0},
    }
    return [Choice(id, fields.get(id, {})) for id in lab.USUAL]


def race(network: Network, schemes: Sequence[Choice], steps: int) -> Race:
    """Train each scheme for `steps` steps on the same batches, in the same order; the losses of each step."""
    analysis = analyze(network)
    entrants = {
        name: lab.with_scheme(network, analysis, scheme)[0]
        for name, scheme in zip(lab.names(schemes), schemes, strict=True)
    }
    return racing.race(Task.of(network, torch.device("cpu")), {"current": network, **entrants}, steps)


def parsed(text: str) -> list[Choice]:
    """Schemes as the command line writes them: ``kaiming_normal,normal:std=0.01``.

    Raises
    ------
    ValueError
        If there is no such scheme or field, or a value is out of range.
    """
    return lab.choices(text, INITIALIZERS, "initialiser")


# ---------------------------------------------------------------------------- measuring


@dataclass
class _Tap:
    """Keeps a layer's output, with its gradient to come."""

    node: str
    module: nn.Module
    activation: str | None
    output: Tensor | None = None

    def hook(self, _module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, tuple):
            output = output[0]
        if isinstance(output, Tensor) and output.requires_grad:
            output.retain_grad()
            self.output = output


def _taps(network: Network, model: nn.Module) -> list[_Tap]:
    """One tap per layer with weights: at its activation, inside the node or in the node behind it."""
    taps = []
    modules = dict(model.named_modules())
    followers = {edge.source.node: edge.target.node for edge in network.edges}
    for path, module in modules.items():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() < 2 or path.endswith(("__weight", "__input")):
            continue
        inner = modules.get(f"{path}__activation")
        node = network.nodes.get(path)
        place: nn.Module = module
        name: str | None = None
        if inner is not None:
            place, name = inner, type(inner).__name__
        elif node is not None:
            behind = followers.get(path, "")
            follower = network.nodes.get(behind)
            if follower is not None and follower.type in LAYERS and LAYERS[follower.type].is_activation:
                place, name = modules[behind], follower.type
        taps.append(_Tap(path, place, name))
    return taps


def _measure(
    name: str,
    scheme: Choice,
    task: Task,
    network: Network,
    batch: list[Tensor],
    unfit: Mapping[str, str],
) -> SchemeSignal:
    inputs, targets, _ = task.parted(batch)
    model = build(network, seed=network.recipe.seed)
    lsuv.rescale(network, model, list(inputs))
    model.train()
    taps = _taps(network, model)
    if not taps:
        raise NetworkProblem(
            "The network has no layer with weights to initialise. Add a Linear or a convolution."
        )
    handles = [tap.module.register_forward_hook(tap.hook) for tap in taps]
    try:
        # Dropout draws too: every scheme meets the same masks, and the figures come again.
        with seeded(network.recipe.seed, torch.device("cpu")):
            loss = task.loss(model(*inputs), *targets)
            loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    layers = [_signal(tap, depth) for depth, tap in enumerate(tap for tap in taps if tap.output is not None)]
    found = lab.judged(layers)
    return SchemeSignal(
        scheme.id,
        dict(scheme.fields),
        float(loss.detach()),
        found,
        lab.overall(found),
        lab.strain(found),
        unfit,
        name,
    )


def _signal(tap: _Tap, depth: int) -> LayerSignal:
    output = tap.output
    assert output is not None
    values, gradient = output.detach().double(), output.grad
    flow = torch.zeros(1, dtype=torch.float64) if gradient is None else gradient.double()
    units = _by_unit(values, tap.module)
    size = float(values.abs().mean())
    low, high = _BOUNDS.get(tap.activation or "", (None, None))
    saturated = 0.0
    if low is not None and high is not None:
        edge = (high - low) / 2 * 0.01
        saturated = float(((values <= low + edge) | (values >= high - edge)).double().mean())
    # Zero where all weights are equal: then the units of one example do not differ.
    spread = float(units.std(0, correction=0).mean()) if len(units) > 1 else size
    return LayerSignal(
        node=tap.node,
        depth=depth,
        mean=float(values.mean()),
        std=float(values.var(0, correction=0).mean().sqrt()),
        dead=float((units == 0).all(1).double().mean()),
        saturated=saturated,
        gradient_mean=float(flow.mean()),
        gradient_std=float(flow.std(correction=0)),
        gradient_norm=float(flow.flatten(1).square().sum(1).mean().sqrt()) if flow.dim() > 1 else 0.0,
        diversity=spread / size if size > 0 else 0.0,
    )


def _by_unit(values: Tensor, module: nn.Module) -> Tensor:
    """[units x everything else]: channels of images, features of vectors and sequences."""
    axis = 1 if values.dim() != 3 or isinstance(module, nn.Conv1d) else 2
    return values.transpose(0, axis).reshape(values.shape[axis], -1)
