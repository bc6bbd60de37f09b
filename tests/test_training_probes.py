"""What probes tell is what torch says of the same tensors, and looking changes nothing."""

import math

import pytest
import torch
from torch import nn

from engine.training import probes
from engine.training.distributions import SAMPLE, distributions, sample
from engine.training.parameters import Part
from engine.training.probes import Probes


def part(name, tensor):
    return Part(name, tensor, False, 1.0, False)


@pytest.mark.parametrize("shape", [(7,), (64, 40), (3, 2, 5, 5), ()])
def test_a_small_tensor_is_told_whole(shape):
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    told = distributions({"w": tensor})["w"]
    if tensor.numel() > 1:
        assert (told.lo, told.hi) == (tensor.min().item(), tensor.max().item())
        assert (
            list(told.counts) == torch.histogram(tensor.flatten(), 64, range=(told.lo, told.hi))[0].tolist()
        )
    assert sum(told.counts) == tensor.numel()
    assert told.mean == pytest.approx(tensor.mean().item(), abs=1e-6)
    assert told.std == pytest.approx(tensor.std(correction=0).item(), abs=1e-6)
    assert told.norm == pytest.approx(torch.linalg.vector_norm(tensor).item(), rel=1e-6)
    assert told.bad == 0


def test_a_large_tensor_is_sampled_evenly_but_its_norm_is_of_all():
    tensor = torch.arange(4096 * 256.0).reshape(4096, 256)
    told = distributions({"w": tensor})["w"]
    assert 4000 < sum(told.counts) <= SAMPLE
    assert max(told.counts) - min(told.counts) <= 2
    assert told.norm == pytest.approx(torch.linalg.vector_norm(tensor).item(), rel=1e-5)


def test_a_sample_leaves_out_no_column():
    columns = torch.arange(128).repeat(1024, 1).float()
    assert len(sample(columns).unique()) == 128


def test_pictures_with_their_channels_innermost_are_sampled_without_a_copy():
    pictures = torch.arange(48 * 64 * 32 * 32, dtype=torch.float32).reshape(48, 64, 32, 32)
    stored = pictures.contiguous(memory_format=torch.channels_last)
    chosen = sample(stored)
    assert chosen.untyped_storage().data_ptr() == stored.untyped_storage().data_ptr()
    assert SAMPLE / 2 < len(chosen) <= SAMPLE
    own = chosen.long()
    channels, places = own // 1024 % 64, own % 1024
    assert channels.bincount(minlength=64).max() <= channels.bincount(minlength=64).min() + 1
    assert len(places.unique()) > 1000  # where every picture was looked at, too
    assert len((own // 65536).unique()) == 48


@pytest.mark.parametrize(("rows", "columns"), [((256, 512, 1, 1), 512), ((3000, 300), 300), ((90000, 1), 1)])
def test_no_column_is_left_out_whatever_surrounds_it(rows, columns):
    values = torch.arange(columns, dtype=torch.float32)
    tensor = values.reshape(columns, *(1 for _ in rows[2:])).expand(rows).contiguous()
    assert len(sample(tensor).unique()) == columns


@pytest.mark.parametrize("scale", [1.0, 1e20, 1e-25])
def test_the_spread_is_torchs_own_of_numbers_large_and_small(scale):
    values = torch.randn(8192, generator=torch.Generator().manual_seed(0)) * scale
    told = distributions({"w": values})["w"]
    exact = values.double()
    assert told.mean == pytest.approx(exact.mean().item(), rel=1e-5)
    assert told.std == pytest.approx(exact.std(correction=0).item(), rel=1e-6)


@pytest.mark.parametrize("value", [0.1, 0.7, -3.0, 3.75e37])
def test_equal_values_have_no_spread(value):
    told = distributions({"w": torch.full((5000,), value)})["w"]
    assert told.std == 0.0
    assert told.mean == pytest.approx(value)


def test_values_that_are_no_numbers_are_counted_and_left_out():
    tensor = torch.tensor([1.0, math.nan, -3.0, math.inf, 0.0, -math.inf])
    told = distributions({"w": tensor})["w"]
    assert (told.bad, told.lo, told.hi) == (3, -3.0, 1.0)
    assert sum(told.counts) == 3
    assert told.zeros == pytest.approx(1 / 3)
    nothing = distributions({"w": torch.full((4,), math.nan)})["w"]
    assert (nothing.bad, sum(nothing.counts)) == (4, 0)


def test_equal_values_stand_in_the_middle_of_their_bins():
    told = distributions({"b": torch.zeros(10), "c": torch.full((5,), 2.0)})
    assert (told["b"].lo, told["b"].hi, told["b"].zeros) == (-0.5, 0.5, 1.0)
    assert (told["c"].lo, told["c"].hi) == (1.5, 2.5)
    assert [sum(d.counts) for d in told.values()] == [10, 5]


def test_an_observed_step_is_told_with_its_gradient_and_update():
    layer = nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    observer = Probes([part(name, tensor) for name, tensor in layer.named_parameters()])
    optimizer = torch.optim.SGD([layer.weight], lr=0.5)
    layer(torch.ones(4, 3)).square().sum().backward()
    gradient = layer.weight.grad.clone()
    observer.before()
    optimizer.step()
    told = observer.after(12, 0.5)
    observer.done()
    assert (told.step, told.epoch) == (12, 0.5)
    assert told.weights.keys() == {"weight", "bias"}
    assert told.gradients.keys() == told.updates.keys() == {"weight"}
    assert told.gradients["weight"].norm == pytest.approx(gradient.norm().item(), rel=1e-6)
    ratio = (0.5 * gradient).norm() / layer.weight.norm()
    assert told.updates["weight"] == pytest.approx(ratio.item(), rel=1e-4)


def test_the_next_look_is_further_off_the_more_a_look_costs(monkeypatch):
    now = 0.0
    for name in ("perf_counter", "thread_time"):
        monkeypatch.setattr(probes.time, name, lambda: now)
    observer = Probes([])
    # Cheap: as often as is any use. Dear: when 1.3 % of the time have paid for it and for the next.
    # The first ones, as long as the allowance lasts, are nearer to one another.
    for cost, due in ((0.0003, 0.0303), (0.15, (0.0003 + 0.15 + 0.0003 - 0.03) / 0.013)):
        now = observer.due + cost
        observer.done(cost)
        assert observer.due == pytest.approx(due)
    assert observer.cost == pytest.approx(0.1503 / now)


def test_a_first_look_that_warms_up_does_not_hold_up_those_that_follow(monkeypatch):
    now = 0.0
    for name in ("perf_counter", "thread_time"):
        monkeypatch.setattr(probes.time, name, lambda: now)
    observer, seen, spent = Probes([]), [], 0.0
    while now < 60.0:
        now += 0.01
        if now >= observer.due:
            seen.append(now)
            cost = 0.01 if len(seen) > 1 else 0.3
            now, spent = now + cost, spent + cost
            observer.done(cost)
    assert seen[1] < 15.0
    # After the second, the plan is that of looks of 10 ms alone: 1.3 % of the time, and 30 ms at the start.
    assert len(seen) >= 0.9 * (0.013 * 60 + 0.03) / 0.01
    assert observer.cost == pytest.approx(spent / now, rel=0.01)


def test_on_a_busy_machine_looking_takes_the_same_share_of_what_the_run_gets(monkeypatch):
    wall, work = 1000.0, 3.0
    monkeypatch.setattr(probes.time, "perf_counter", lambda: wall)
    monkeypatch.setattr(probes.time, "thread_time", lambda: work)
    observer = Probes([])
    looks = 0
    for _ in range(100_000):
        wall, work = wall + 0.004, work + 0.001  # three others run beside it
        if wall >= observer.due:
            looks += 1
            wall, work = wall + 0.04, work + 0.01
            observer.done(0.01)
    assert observer.cost == pytest.approx(0.01 * looks / (work - 3))
    assert 0.01 * looks <= 0.0131 * (work - 3) + 0.06
    assert 0.01 * looks >= 0.013 * (work - 3)
