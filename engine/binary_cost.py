"""What binarization saves: bytes of weights, and which operations become XNOR and popcount.

Plain counting on an analysis, without torch: the window does it after every edit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from engine.catalog import BINARIZERS
from engine.findings import Analysis, NodeReport
from engine.network import Choice, Network

#: Bits of a real number, and products of signs that one instruction on a 64-bit word does
#: (Rastegari et al. 2016, arXiv 1603.05279 §4.1).
REAL, WORD = 32, 64


class LayerCost(msgspec.Struct, frozen=True):
    """One layer's weights and operations, for one example."""

    node: str
    #: Bits of a weight and of an input; 32 where they are real.
    weight_bits: int = REAL
    input_bits: int = REAL
    #: Weights that are binarized.
    binary_weights: int = 0
    #: Bytes of all its parameters, each of 4 bytes; and with the binarized ones packed, each row of a
    #: matrix filled up to whole bytes as the packed export does.
    real_bytes: int = 0
    packed_bytes: int = 0
    #: Products of two quantised operands, bit by bit: XNOR (or AND) and popcount. Operands of several
    #: bits take the product of their bits (Zhou et al. 2016, arXiv 1606.06160 §2.1).
    xnor: int = 0
    #: Products with one quantised operand: additions and subtractions, no multiplication.
    additions: int = 0
    #: Multiply–accumulate operations that stay, and those of the layer as if it were real.
    macs: int = 0
    real_macs: int = 0

    @property
    def binarized(self) -> bool:
        """Whether an estimator stands at its weight or input."""
        return self.weight_bits < REAL or self.input_bits < REAL

    @property
    def operations(self) -> float:
        """XNOR in words of 64, the rest one by one: Liu et al. 2018, arXiv 1808.00278 (Bi-Real Net)."""
        return self.xnor / WORD + self.additions + self.macs


def binary_costs(network: Network, analysis: Analysis) -> tuple[LayerCost, ...]:
    """Every layer that has parameters or multiplies, in the order of the analysis."""
    found = []
    for path, report in analysis.nodes.items():
        node = network.at(path)
        if node is None or node.block is not None or not (report.parameters or report.macs):
            continue
        found.append(_cost(path, node.binarize, report))
    return tuple(found)


def total(costs: Sequence[LayerCost]) -> LayerCost:
    """The sum of all layers."""
    sums = {
        name: sum(getattr(cost, name) for cost in costs)
        for name in ("binary_weights", "real_bytes", "packed_bytes", "xnor", "additions", "macs", "real_macs")
    }
    return LayerCost("", **sums)


def bits_of(choice: Choice | None) -> int:
    """Bits of what an estimator gives; 32 without one, or with one that is unknown or ill set."""
    entry = None if choice is None else BINARIZERS.get(choice.id)
    if choice is None or entry is None or entry.check(choice.fields):
        return REAL
    return entry.bits(entry.settings(choice.fields))


def _cost(path: str, binarize: Mapping[str, Choice], report: NodeReport) -> LayerCost:
    weight_bits, input_bits = bits_of(binarize.get("weight")), bits_of(binarize.get("input"))
    quantised = {
        name: shape
        for name, shape in report.parameters.items()
        if weight_bits < REAL and len(shape) > 1 and "weight" in name
    }
    packed = 4 * report.parameter_count
    for shape in quantised.values():
        rows, row = shape[0], math.prod(shape[1:])
        packed += rows * math.ceil(row * weight_bits / 8) - 4 * rows * row
    both, of_weights, of_inputs = _products(report, bool(quantised), input_bits < REAL)
    return LayerCost(
        path,
        weight_bits if quantised else REAL,
        input_bits,
        sum(map(math.prod, quantised.values())),
        4 * report.parameter_count,
        packed,
        both * weight_bits * input_bits,
        of_weights * weight_bits + of_inputs * input_bits,
        report.macs - both - of_weights - of_inputs,
        report.macs,
    )


def _products(report: NodeReport, weights: bool, inputs: bool) -> tuple[int, int, int]:
    """MACs with both operands quantised, with the weight alone, with the input alone."""
    sizes = {
        name: math.prod(shape)
        for name, shape in report.parameters.items()
        if len(shape) > 1 and "weight" in name
    }
    if any("_proj" in name for name in sizes):
        read, others = _attention(report, sizes)
    elif any(name.startswith("weight_hh") for name in sizes):
        # A step of a recurrent layer multiplies each weight once; its input meets the first layer's alone.
        whole = sum(sizes.values())
        reading = sum(size for name, size in sizes.items() if name.startswith("weight_ih_l0"))
        read = report.macs * reading // whole
        others = report.macs - read
    else:
        read, others = report.macs, 0
    if weights and inputs:
        return read, others, 0
    if weights:
        return 0, read + others, 0
    return 0, 0, read if inputs else 0


def _attention(report: NodeReport, sizes: Mapping[str, int]) -> tuple[int, int]:
    """MACs of the projections that read the binarized input, and of the others; scores and mixture stay real.

    The input of self-attention meets all three of its projections, that of attention between two
    sequences (whose first port is the query) the query's alone. How many places the other sequence has
    follows from the MACs.
    """
    length, features = next(iter(report.outputs.values())).shape[-2:]
    out = next(size for name, size in sizes.items() if "out_proj" in name)
    if "in_proj.weight" in sizes:
        return length * sizes["in_proj.weight"], length * out
    together = sizes.get("in_proj_weight")
    query = sizes["q_proj_weight"] if together is None else together // 3
    given = sizes["k_proj_weight"] + sizes["v_proj_weight"] if together is None else 2 * query
    rest = report.macs - length * (query + out)
    places = rest // (given + 2 * length * features)
    return length * query, length * out + places * given
