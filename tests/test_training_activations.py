"""What probes tell of activations, of gradients in a row and of excerpts is what torch says of the same."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from engine import build
from engine.compile.plan import Line
from engine.network import Choice, Edge, End, Network, Node
from engine.training.activations import NEAR, Watch, effective_rank
from engine.training.distributions import distributions
from engine.training.excerpts import excerpts
from engine.training.pace import Pace
from engine.training.parameters import Part
from engine.training.probes import Probes


def row(*nodes, shape):
    ids = ["image", *(id for id, _ in nodes), "out"]
    every = {"image": Node("Input", {"shape": list(shape)}), **dict(nodes), "out": Node("Output")}
    return Network(nodes=every, edges=tuple(Edge(End(a), End(b)) for a, b in pairwise(ids)))


def seen(network, *inputs):
    model = build(network, seed=0)
    watch = Watch(model)
    with model.watched(watch):
        output = model(*inputs)
    return model, watch, output


def test_watching_changes_nothing_and_tells_every_nodes_output():
    network = row(
        ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3}, activation=Choice("ReLU"))),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 3})),
        shape=(1, 8, 8),
    )
    image = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model, watch, output = seen(network, image)
    assert torch.equal(output, model(image))
    outputs = watch.outputs()
    assert list(outputs) == ["conv", "flat", "fc"]
    assert torch.equal(outputs["conv"], torch.relu(model.conv(image)))
    told = watch.figures(distributions)["conv"]
    assert told.units == 4
    assert told.values.norm == pytest.approx(outputs["conv"].norm().item(), rel=1e-6)
    assert told.spread == pytest.approx(
        outputs["conv"].flatten(1).std(0, correction=0).mean().item(), rel=1e-5
    )


def test_a_unit_is_dead_when_no_example_wakes_it():
    network = row(("fc", Node("Linear", {"out_features": 4}, activation=Choice("ReLU"))), shape=(2,))
    model = build(network, seed=0)
    with torch.no_grad():
        model.fc.weight.zero_()
        model.fc.bias.copy_(torch.tensor([-1.0, 2.0, -0.5, -3.0]))
    watch = Watch(model)
    with model.watched(watch):
        model(torch.randn(8, 2))
    assert watch.figures(distributions)["fc"].dead == 0.75


def test_units_of_a_sequence_are_its_features_and_those_of_a_convolution_its_channels():
    network = row(
        ("wide", Node("Linear", {"out_features": 6}, activation=Choice("ReLU"))),
        ("norm", Node("LayerNorm")),
        ("act", Node("ReLU")),
        ("conv", Node("Conv1d", {"out_channels": 4, "kernel_size": 1}, activation=Choice("ReLU"))),
        ("again", Node("ReLU")),
        shape=(5, 3),
    )
    model = build(network, seed=0)
    with torch.no_grad():
        model.wide.bias[:2] = -100.0  # two features that no place of any example wakes
        model.norm.weight[0] = 0.0
        model.norm.bias[0] = -1.0
        model.conv.bias[:3] = -100.0
    watch = Watch(model)
    with model.watched(watch):
        model(torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0)))
    outputs, told = watch.outputs(), watch.figures(distributions)
    for node, units, axes in (
        ("wide", 6, (0, 1)),
        ("norm", 6, (0, 1)),
        ("act", 6, (0, 1)),
        ("conv", 4, (0, 2)),
        ("again", 4, (0, 2)),
    ):
        assert told[node].units == units
        assert told[node].dead == pytest.approx(outputs[node].eq(0).all(axes).float().mean().item()), node
    assert told["wide"].dead == pytest.approx(2 / 6)
    assert told["act"].dead > 0
    assert told["conv"].dead == 0.75


def test_units_are_told_by_what_a_node_reads_and_not_by_another_branch_of_the_same_shape():
    nodes = {
        "x": Node("Input", {"shape": [5, 3]}),
        "wide": Node("Linear", {"out_features": 6}),
        "conv": Node("Conv1d", {"out_channels": 5, "kernel_size": 1}),
        "features": Node("ReLU"),
        "channels": Node("ReLU"),
        "sum": Node("Add"),
        "y": Node("Output"),
    }
    wires = ("x wide", "wide conv", "wide features", "conv channels", "features sum.input")
    edges = tuple(Edge(*map(End.parse, wire.split())) for wire in (*wires, "channels sum.other", "sum y"))
    model = build(Network(nodes=nodes, edges=edges), seed=0)
    watch = Watch(model)
    with model.watched(watch):
        model(torch.randn(7, 5, 3))
    told = watch.figures(distributions)
    units = {"wide": 6, "conv": 5, "features": 6, "channels": 5}
    assert {node: told[node].units for node in units} == units


def test_a_sum_has_the_units_of_the_arm_that_tells_which_they_are():
    nodes = {
        "x": Node("Input", {"shape": [5, 6]}),
        "norm": Node("LayerNorm"),
        "mixed": Node("Linear", {"out_features": 6}),
        "sum": Node("Add"),
        "act": Node("ReLU"),
        "y": Node("Output"),
    }
    wires = ("x norm", "norm mixed", "norm sum.input", "mixed sum.other", "sum act", "act y")
    edges = tuple(Edge(*map(End.parse, wire.split())) for wire in wires)
    model = build(Network(nodes=nodes, edges=edges), seed=0)
    watch = Watch(model)
    with model.watched(watch):
        model(torch.randn(7, 5, 6))
    told = watch.figures(distributions)
    assert [told[node].units for node in ("mixed", "sum", "act")] == [6, 6, 6]


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("waking", [0, 3, 4, 30, None])
def test_a_unit_that_one_late_example_wakes_is_not_dead(waking, memory):
    image = torch.rand(31, 8, 5, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    image[:, 2:] = 0.0
    if waking is not None:
        image[waking, 2, 4, 4] = -1.0
    network = row(("same", Node("Identity")), shape=(8, 5, 5))
    _, watch, _ = seen(network, image.contiguous(memory_format=memory))
    dead = watch.outputs()["same"].eq(0).all(dim=3).all(dim=2).all(dim=0)
    assert watch.figures(distributions)["same"].dead == pytest.approx(dead.float().mean().item())


@pytest.mark.parametrize(("activation", "function"), [("Sigmoid", torch.sigmoid), ("Tanh", torch.tanh)])
def test_a_value_is_saturated_where_the_slope_is_below_four_percent_of_its_greatest(activation, function):
    network = row(("fc", Node("Linear", {"out_features": 6}, activation=Choice(activation))), shape=(3,))
    inputs = 6 * torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    model, watch, _ = seen(network, inputs)
    x = model.fc(inputs).detach().requires_grad_()
    function(x).sum().backward()
    steepest = 0.25 if activation == "Sigmoid" else 1.0
    flat = (x.grad / steepest < 4 * NEAR * (1 - NEAR)).float().mean().item()
    assert 0.1 < flat < 0.9
    assert watch.figures(distributions)["fc"].saturated == pytest.approx(flat, abs=2e-3)


def test_what_is_no_number_is_not_saturated():
    broken = torch.tensor([[torch.nan, 0.0], [-20.0, 1.0]])
    _, watch, _ = seen(row(("act", Node("Sigmoid")), shape=(2,)), broken)
    assert watch.figures(distributions)["act"].saturated == 0.25


def centred(features):
    return (features - features.mean(dim=0)).double()


def test_the_effective_rank_is_the_entropy_of_numpys_singular_values():
    features = torch.randn(40, 12, generator=torch.Generator().manual_seed(2)) * torch.arange(1, 13)
    shares = np.linalg.svd(features.numpy() - features.numpy().mean(0), compute_uv=False)
    shares = shares / shares.sum()
    assert effective_rank(centred(features)).item() == pytest.approx(
        math.exp(-(shares * np.log(shares)).sum()), rel=1e-4
    )
    line = torch.linspace(-1, 1, 30)[:, None] * torch.ones(8)
    assert effective_rank(centred(line)).item() == pytest.approx(1, abs=1e-3)
    assert math.isnan(effective_rank(centred(torch.full((4, 4), math.nan))).item())


@pytest.mark.parametrize("features", [300, 384, 420, 840])
def test_many_features_are_spaced_so_that_most_of_the_256_are_there(features):
    values = torch.randn(64, features, generator=torch.Generator().manual_seed(0))
    _, watch, _ = seen(row(("same", Node("Identity")), shape=(features,)), values)
    told = watch.figures(distributions)["same"]
    step = math.ceil(features / 256)
    assert told.rank == pytest.approx(effective_rank(centred(values[:32, ::step])).item(), rel=1e-4)


def test_the_cosine_is_between_the_gradients_of_two_steps_in_a_row():
    layer = nn.Linear(5, 3)
    probes = Probes([Part(name, tensor, False, 1.0, False) for name, tensor in layer.named_parameters()])
    first, second = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(3))
    layer.weight.grad = first.clone()
    probes.peek()
    layer.weight.grad = second.clone()
    probes.before()
    told = probes.after(2, 0.1, 0.01)
    wanted = nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0).item()
    assert told.cosines["weight"] == pytest.approx(wanted, rel=1e-5)
    assert told.learning_rate == 0.01


def test_flips_are_the_share_of_signs_that_changed_between_looks():
    weight = nn.Parameter(torch.tensor([[0.5, -0.5, 0.25, -0.25]]))
    probes = Probes([Part("fc.weight", weight, False, 1.0, True, True)])
    weight.grad = torch.zeros_like(weight)
    probes.before()
    assert probes.after(1, 0.0).flips == {}
    with torch.no_grad():
        weight[0, 0] = -0.1
    probes.before()
    assert probes.after(2, 0.0).flips == {"fc.weight": 0.25}


@pytest.mark.parametrize("shape", [(10, 64), (4, 3, 5, 5), (64, 64, 3, 3), (300, 2000), (8, 4, 9)])
def test_an_excerpt_shows_the_tensors_own_values_to_one_part_in_254(shape):
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(4))
    told = excerpts({"w": tensor})["w"]
    values = np.frombuffer(told.values, np.int8).reshape(told.shape) / 127 * told.scale
    assert values.size <= 1024
    if len(shape) == 2:
        rows, columns = told.shape
        own = tensor[:: -(-shape[0] // rows), :: -(-shape[1] // columns)][:rows, :columns]
    else:
        kernels = tensor if tensor.dim() == 4 else tensor.unsqueeze(2)
        own = kernels[: told.shape[0], : told.shape[1]]
    assert np.abs(values - own.numpy()).max() <= told.scale / 254 + 1e-6


def test_activations_that_cost_more_than_twice_the_rest_are_looked_at_less_often(monkeypatch):
    clock = [100.0]
    for name in ("perf_counter", "thread_time"):
        monkeypatch.setattr(f"engine.training.probes.time.{name}", lambda: clock[0])

    def dear(self, distributions):
        clock[0] += 0.06
        return {}

    monkeypatch.setattr(Watch, "figures", dear)
    network = row(("fc", Node("Linear", {"out_features": 2})), shape=(3,))
    probes = Probes([], build(network, seed=0))
    probes.pace = Pace(0.02, (0, math.inf), work=lambda: clock[0], now=lambda: clock[0])
    watched = 0
    for _ in range(100):
        clock[0] = max(clock[0], probes.pace.due)
        with probes.watching():
            pass
        watched += probes._watch is not None
        probes.before()
        probes.done(0.01)  # what weights and gradients cost
    # 60 ms of activations in n of 100 looks are 67 % of all: 60 n = 0.67 · (60 n + 10 · 100).
    assert watched == pytest.approx(34, abs=2)
    clock[0] = probes.pace.due - 0.001  # a step that is asked for, between two looks
    with probes.watching():
        pass
    assert probes._watch is not None


def test_outputs_that_are_odd_are_seen_for_what_they_are():
    """As a network's nodes may give them: numbers, nothing, whole numbers, half precision, one example, NaN."""
    line = Line("", (), lambda: None, (), ())
    draw = torch.Generator().manual_seed(5)
    image = torch.randn(9, 6, 4, 4, generator=draw)
    given = {
        "number": torch.tensor(2.0),
        "nothing": torch.empty(0, 3),
        "whole": torch.ones(4, dtype=torch.int64),
        "half": image.half(),
        "innermost": image.contiguous(memory_format=torch.channels_last),
        "alone": image[:1],
        "broken": torch.where(image > 2, torch.nan, image),
        "huge": image * 1e30,
        "flat": image.flatten(1),
    }
    watch = Watch(nn.Module())
    for node, output in given.items():
        watch(line._replace(node=node), output)
    told = watch.figures(distributions)
    assert told.keys() == given.keys() - {"nothing", "whole"}
    assert (told["number"].values.mean, told["number"].units, told["number"].rank) == (2.0, 1, None)
    assert told["alone"].rank is None
    assert told["broken"].rank is None
    assert told["huge"].rank == pytest.approx(told["flat"].rank, rel=1e-5)
    assert told["huge"].spread == pytest.approx(1e30 * told["flat"].spread, rel=1e-5)
    for node in ("half", "innermost", "flat"):
        features = given[node].float().flatten(1)
        shares = torch.linalg.svdvals((features - features.mean(0)).double())
        shares = shares / shares.sum()
        rank = torch.special.entr(shares).sum().exp().item()
        assert told[node].rank == pytest.approx(rank, rel=1e-4)
        assert told[node].spread == pytest.approx(features.std(0, correction=0).mean().item(), rel=1e-4)
        assert (told[node].full_rank, told[node].dead) == (8, 0.0)
