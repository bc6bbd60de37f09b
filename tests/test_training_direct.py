"""Steps with less Python around them are torch's own steps, bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer

import engine
from engine.network import Choice, Edge, End, Network, Node
from engine.training.direct import DirectStep, backward

X, Y = torch.randn(16, 6, generator=torch.Generator().manual_seed(1)), torch.arange(16) % 3

OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "SGD": lambda p: SGD(p, 0.1, fused=True),
    "SGD with momentum": lambda p: SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.01, fused=True),
    "Adam": lambda p: Adam(p, 0.01, fused=True),
    "Adam with amsgrad": lambda p: Adam(p, 0.01, amsgrad=True, weight_decay=0.1, fused=True),
    "AdamW": lambda p: AdamW(p, 0.01, betas=(0.8, 0.99), fused=True),
    "Adagrad": lambda p: Adagrad(p, 0.01, fused=True),
    "single tensors": lambda p: Adam(p, 0.01, foreach=False),
}


class Net(nn.Module):
    """Two layers and one that is used only where it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2, self.extra = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor, extra: bool = False) -> torch.Tensor:
        """Scores."""
        hidden = self.fc1(x).relu()
        return self.fc2(hidden) + self.extra(hidden) if extra else self.fc2(hidden)


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    weights = [p for p in model.parameters() if p.dim() > 1]
    biases = [p for p in model.parameters() if p.dim() == 1]
    return [{"params": weights}, {"params": biases, "lr": 0.02, "weight_decay": 0.0}]


def _loss(model: nn.Module, extra: bool) -> torch.Tensor:
    return nn.functional.cross_entropy(model(X, extra), Y)


def _plain(make: Callable[[Any], Optimizer], uses: list[bool]) -> tuple[nn.Module, Optimizer]:
    model = Net()
    optimizer = make(_groups(model))
    for number, extra in enumerate(uses):
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + number)
        optimizer.zero_grad()
        _loss(model, extra).backward()
        optimizer.step()
    return model, optimizer


def _equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_optimizer_with_rates_that_move_and_gradients_that_are_missing(name):
    uses = [True, True, True, False, False, True, True]
    model = Net()
    optimizer = OPTIMIZERS[name](_groups(model))
    step = DirectStep(optimizer)
    for number, extra in enumerate(uses):
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + number)
        optimizer.zero_grad()
        backward(_loss(model, extra))
        step()
    by_hand, its = _plain(OPTIMIZERS[name], uses)
    assert _equal(model, by_hand)
    steps = [[state.get("step") for state in o.state_dict()["state"].values()] for o in (optimizer, its)]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_saved_state_goes_on_in_torchs_own_optimizer(name):
    model = Net()
    optimizer = OPTIMIZERS[name](_groups(model))
    step = DirectStep(optimizer)
    for _ in range(4):
        optimizer.zero_grad()
        backward(_loss(model, True))
        step()
    other = copy.deepcopy(model)
    plain = OPTIMIZERS[name](_groups(other))
    plain.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for net, act in ((model, step), (other, plain.step)):
        for _ in range(3):
            net.zero_grad()
            backward(_loss(net, True))
            act()
    assert _equal(model, other)


def _network() -> Network:
    nodes = {
        "image": Node("Input", {"shape": [6]}),
        "fc1": Node("Linear", {"out_features": 8}, activation=Choice("PReLU")),
        "fc2": Node("Linear", {"out_features": 8}),
        "add": Node("Add"),
        "out": Node("Output"),
    }
    wires = [("image", "fc1"), ("fc1", "fc2"), ("fc1", "add.input"), ("fc2", "add.other"), ("add", "out")]
    return Network("n", nodes, tuple(Edge(End.parse(a), End.parse(b)) for a, b in wires))


def test_a_bound_plan_gives_the_same_numbers_and_gradients():
    model = engine.build(_network(), seed=0)
    want = model(X)
    want.square().sum().backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    with model.bound():
        found = model(X)
        found.square().sum().backward()
    assert torch.equal(found, want)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))


def test_a_bound_plan_calls_the_hooks_that_were_there_and_names_the_node_that_failed():
    model = engine.build(_network(), seed=0)
    seen = []
    model.fc1.register_forward_hook(lambda *_: seen.append("fc1"))
    with model.bound():
        model(X)
        with pytest.raises(RuntimeError, match=r"^fc1: "):
            model(torch.ones(2, 5))
    assert seen == ["fc1"]


def test_observing_a_bound_plan_tells_every_node():
    model = engine.build(_network(), seed=0)
    seen = []
    with model.bound(), model.watched(lambda line, result: seen.append(line.node)):
        model(X)
    assert seen == ["fc1", "fc1", "fc2", "add"]  # a layer, then its activation
