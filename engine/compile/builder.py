"""Document in, initialised torch module out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from engine.catalog import Inputs
from engine.compile.expand import Step
from engine.compile.initialise import global_generator_kept, initialise
from engine.compile.lower import Operation, lower, schemes
from engine.compile.plan import CompiledNetwork, plan
from engine.compile.resolve import construct
from engine.compile.surroundings import surroundings
from engine.network import Network
from engine.problems import NetworkProblem
from engine.streams import stream_seed


def lowered(network: Network) -> list[tuple[Step, Operation, Inputs]]:
    """The steps of a sound network in the order of running, with their calls and input shapes.

    Raises
    ------
    NetworkProblem
        If the network has errors; the message holds them, one a line.
    """
    # The analysis runs compiled nodes, so it imports this package; hence not at the top.
    from engine.analysis.memory import weights_problem
    from engine.analysis.walk import walk

    walked = walk(network)
    errors = [problem for problem in walked.problems if problem.severity == "error"]
    if not errors and (too_large := weights_problem(walked)) is not None:
        errors = [too_large]
    if errors:
        shown = [str(problem) for problem in errors[:10]]
        if len(errors) > len(shown):
            shown.append(f"… and {len(errors) - len(shown)} more.")
        raise NetworkProblem("\n".join(shown))
    return [(step, lower(step.node, inputs), inputs) for step, inputs in walked.steps]


def build(network: Network, seed: int = 0, device: str | torch.device = "cpu") -> nn.Module:
    """The network as a torch module, initialised from `seed`.

    Parameters
    ----------
    network
        The document. Its recipe is not looked at.
    seed
        First values follow from it alone: each layer draws from its own stream of (seed, path,
        parameter), on the CPU, whatever `device` is. torch's global generator is left as it was.
    device
        Where the module then lives.

    Returns
    -------
    torch.nn.Module
        Its children are named by node id. It takes the inputs in the order of the Input nodes,
        each ``[N, *shape]``, and returns the output, or a dict by Output id if there are several.

    Raises
    ------
    NetworkProblem
        If the network has errors.
    """
    steps = lowered(network)
    with global_generator_kept() as generator, torch.device("cpu"):
        module = _plan_seeded([(step, operation) for step, operation, _ in steps], seed, generator)
        around = surroundings(step for step, _, _ in steps)
        for step, operation, _ in steps:
            if "" not in operation.children:
                continue
            child = module.get_submodule(step.path)
            shapes = {name: tuple(p.shape) for name, p in child.named_parameters()}
            initialise(child, step.path, schemes(network, step.node, shapes, around[step.path]), seed)
            if step.node.training is not None and step.node.training.frozen:
                child.requires_grad_(False)
        for step, _, _ in steps:
            _share(module, step)
    return module.to(device)


def _plan_seeded(
    steps: Sequence[tuple[Step, Operation]], seed: int, generator: torch.Generator
) -> CompiledNetwork:
    """The plan, each child's own reset drawn from the stream of its path."""

    def seeded(path: str, call: Any) -> Any:
        generator.manual_seed(stream_seed(seed, path))
        return construct(call)

    return plan(steps, seeded)


def _share(module: nn.Module, step: Step) -> None:
    """Let parameters of `step` be the very tensors of others."""
    for own, target in step.node.shares.items():
        owner, _, name = target.rpartition(".")
        user, _, used = f"{step.path}.{own}".rpartition(".")
        setattr(module.get_submodule(user), used, getattr(module.get_submodule(owner), name))
