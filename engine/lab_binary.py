"""The binarization laboratory's plain side: its answers, and the edit that adopts an estimator.

:mod:`engine.training.lab_binary` measures; this module needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from engine import edit
from engine.binary_cost import LayerCost
from engine.catalog import BINARIZERS
from engine.network import Choice, Network, Node

#: The estimators that are raced when none are named.
USUAL = ("ste_sign", "identity_ste", "lbsign", "approx_sign", "swish_sign", "xnor_scale")
#: Looks that a weight's flips are counted over, and how many of them make it one that flip-flops.
LOOKS, FLIP_FLOP = 16, 4
#: A latent weight below this share of its tensor's mean magnitude is near zero: 5 % of a uniform
#: distribution are, and 6.4 % of a normal one.
NEAR_ZERO = 0.1
#: From here on a latent weight, which is kept in −1 … 1, is at the clip.
AT_CLIP = 0.99
#: The entrant without any estimator.
REAL = "real"


class Place(msgspec.Struct, frozen=True):
    """One estimator at work: on a parameter ("fc1.weight") or on a node's input ("fc1")."""

    name: str
    node: str
    #: "weight" or "input".
    place: str
    estimator: str
    #: Values that it binarizes: all weights, or those of the batch.
    values: int
    #: Entropy of the levels that it gives, in bits per value: at most 1 for signs, and 1 where both are
    #: equally frequent (Qin et al. 2020, arXiv 1909.10788 §3.2, on binary weights).
    bits: float
    #: Share of values that are +1, near zero and at the clip before binarization: as BinaryWeight says.
    positive: float
    near_zero: float
    at_clip: float
    #: Share of the gradient to which the estimator passes nothing on.
    masked: float | None
    #: Cosine between the estimator's gradient and the finite difference of the binarized loss, over
    #: `coordinates` of the values; None where one of them is zero everywhere.
    cosine: float | None
    coordinates: int
    #: With this operand alone made real: mean cosine of the node's output to what it was, over examples …
    output_cosine: float
    #: … and share of examples on which the network predicts the same; None where it predicts no class.
    same: float | None

    @property
    def cosine_error(self) -> float:
        """Standard error of :attr:`cosine`, as of a correlation: (1 − c²)/√n over n coordinates."""
        return 0.0 if self.cosine is None else (1 - self.cosine**2) / math.sqrt(self.coordinates)


class BinaryReport(msgspec.Struct, frozen=True):
    """What binarization does to a network, on one batch."""

    places: tuple[Place, ...]
    #: Whose weights: "best weights", "as first drawn".
    note: str
    examples: int
    #: Loss of the batch as it is, and with every estimator left out.
    loss: float
    real_loss: float
    #: Between the two: share of examples with the same prediction, mean cosine of the outputs.
    same: float | None
    output_cosine: float
    costs: tuple[LayerCost, ...]


def binarized(network: Network) -> Iterator[tuple[str | None, str, Node]]:
    """The nodes with an estimator: block, id, node."""
    for block in (None, *network.blocks):
        for id, node in network.graph(block).nodes.items():
            if node.binarize:
                yield block, id, node


def with_estimator(network: Network, estimator: Choice) -> Network:
    """`network` with `estimator` wherever one stands and this one may: at weights, at inputs, or at both.

    What is not the estimator's (whether latent weights are clipped) stays as it is.
    """
    entry = BINARIZERS[estimator.id]
    for block, id, node in list(binarized(network)):
        for place, present in node.binarize.items():
            if place in entry.places:
                chosen = Choice(estimator.id, estimator.fields, present.extra)
                network = edit.set_binarize(network, id, place, chosen, block=block)
    return network


def without_estimators(network: Network) -> Network:
    """`network` with real weights and inputs everywhere."""
    for block, id, node in list(binarized(network)):
        for place in node.binarize:
            network = edit.set_binarize(network, id, place, None, block=block)
    return network
