"""What probes tell is what torch says of the same tensors, and looking changes nothing."""

import math

import pytest
import torch
from torch import nn

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


def odd():
    """Tensors of every kind, by name."""
    draw = torch.Generator().manual_seed(7)
    normal = torch.randn(16, 5, 9, 7, generator=draw)
    return {
        "empty": torch.empty(0),
        "empty rows": torch.empty(4, 0, 3),
        "one value": torch.tensor([2.5]),
        "no dimension": torch.tensor(-3.0),
        "half": normal.half(),
        "brain half": normal.bfloat16(),
        "double": normal.double(),
        "channels innermost": normal.contiguous(memory_format=torch.channels_last),
        "turned": normal.transpose(0, 3),
        "with gaps": normal[:, ::2, 1:, ::3],
        "repeated": normal[:1].expand(20, 5, 9, 7),
        "whole numbers": torch.randint(-8, 9, (500,), generator=draw).float(),
        "signs": normal.sign(),
        "huge": normal.clamp(-1, 1) * 3.4e38,
        "tiny": normal * 1e-38,
        "huge doubles": torch.tensor([-1.7e308, 0.0, 1.7e308, 1e308], dtype=torch.float64),
        "as good as one": torch.tensor([0.0, 5e-324, 1e-322], dtype=torch.float64),
        "broken": torch.where(normal > 1.5, torch.nan, torch.where(normal < -2, torch.inf, normal)),
        "large": torch.randn(70, 3, 40, 41, generator=draw).contiguous(memory_format=torch.channels_last),
    }


@pytest.mark.parametrize("name", odd())
def test_of_odd_tensors_too_all_figures_are_torchs_own(name):
    tensor = odd()[name]
    told = distributions(odd())[name]
    values = sample(tensor).double()
    good = values[values.isfinite()]
    assert told.bad == len(values) - len(good)
    assert sum(told.counts) == len(good)
    norm = torch.linalg.vector_norm(tensor).item()
    assert told.norm == pytest.approx(norm, rel=1e-5, nan_ok=True)
    if not len(good):
        assert (told.lo, told.hi, told.mean, told.std, told.zeros) == (-0.5, 0.5, 0.0, 0.0, 0.0)
        return
    assert told.zeros == (good == 0).double().mean().item()
    size = max(good.abs().max().item(), 1e-300)
    scaled = good / size  # of the largest doubles torch's own sums overflow
    assert told.mean == pytest.approx(size * scaled.mean().item(), abs=1e-12 * size)
    assert told.std == pytest.approx(size * scaled.std(correction=0).item(), rel=1e-7)
    if good.max() - good.min() < 64 * torch.finfo(torch.float64).tiny:  # of which there are no 64 parts
        assert (told.lo + told.hi) / 2 == good[0]
        assert told.counts[32] == len(good)
    else:
        assert (told.lo, told.hi) == (good.min().item(), good.max().item())
        lo, hi = scaled.min().item(), scaled.max().item()
        bins = torch.histc(scaled, 64, min=lo, max=hi).long()
        # A value on the edge of two bins may be told in either.
        away = (torch.tensor(told.counts).cumsum(0) - bins.cumsum(0)).abs().sum()
        assert away <= (name == "whole numbers") * len(good) * 0.1
    if name != "large":
        assert len(values) == tensor.numel()
