"""The well-known large networks, drawn with blocks: their parameters and operations are the published ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

import engine
from engine import templates
from engine.network import Network

#: Parameters to the last one, and multiply–accumulates in G at 224 × 224: torchvision's tables
#: (docs.pytorch.org/vision/stable/models.html, "num_params" and "GFLOPs").
PUBLISHED = {
    "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66),
    "resnet50": (25_557_032, 4.09),
    "mobilenet_v2": (3_504_872, 0.30),
    "vgg16": (138_357_544, 15.47),
}


def network(id: str) -> Network:
    return templates.template(id).network


@pytest.mark.parametrize("id", PUBLISHED)
def test_parameters_and_operations_are_the_published_ones(id: str) -> None:
    parameters, billions = PUBLISHED[id]
    analysis = engine.analyze(network(id))
    assert analysis.totals["parameters"] == analysis.totals["trainable"] == parameters
    assert analysis.totals["macs"] / 1e9 == pytest.approx(billions, abs=0.005)
    assert analysis.shapes["out"] == (1000,)


@pytest.mark.parametrize("id", PUBLISHED)
def test_each_is_a_page_of_a_few_nodes_with_blocks(id: str) -> None:
    drawn = network(id)
    assert len(drawn.nodes) <= 22
    assert drawn.blocks
    for name, block in drawn.blocks.items():
        places = drawn.positions(name)
        assert set(places) == set(block.nodes)
        for edge in block.edges:
            assert places[edge.source.node][0] < places[edge.target.node][0]


class Residual(nn.Module):
    """A block of ResNet-18 as He et al. 2015 draw it."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.a_norm = nn.BatchNorm2d(channels)
        self.b = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.b_norm = nn.BatchNorm2d(channels)
        self.short = (
            nn.Conv2d(before, channels, 1, stride, bias=False) if stride > 1 or before != channels else None
        )
        self.short_norm = nn.BatchNorm2d(channels) if self.short else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.b_norm(self.b(self.a_norm(self.a(x)).relu()))
        return (y + (self.short_norm(self.short(x)) if self.short and self.short_norm else x)).relu()


def resnet18() -> nn.Sequential:
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [Residual(before, width, 2 if width > before else 1) for before, width in pairwise(widths)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000),
    )  # fmt: skip


def test_resnet_18_computes_what_a_hand_written_one_computes_to_the_last_bit() -> None:
    built, hand = engine.build(network("resnet18")).eval(), resnet18().eval()
    ours = built.state_dict()
    names = {
        "conv1": "a",
        "bn1": "a_norm",
        "conv2": "b",
        "bn2": "b_norm",
        "shortcut": "short",
        "bn3": "short_norm",
    }
    paths = [
        "layer1.0",
        "layer1.1",
        "layer2_first",
        "layer2",
        "layer3_first",
        "layer3",
        "layer4_first",
        "layer4",
    ]
    moved = {}
    for key, value in ours.items():
        own = next(
            (path for path in sorted(paths, key=len, reverse=True) if key.startswith(f"{path}.")), None
        )
        if own is None:
            head, _, last = key.partition(".")
            moved[f"{ {'conv1': 0, 'bn1': 1, 'fc': 14}[head] }.{last}"] = value
        else:
            inner, _, last = key[len(own) + 1 :].partition(".")
            moved[f"{4 + paths.index(own)}.{names[inner]}.{last}"] = value
    hand.load_state_dict(moved)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(built(x), hand(x))
