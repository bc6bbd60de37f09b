"""Every module class of torch.nn against the catalogue: ``python -m tests.torch_coverage``.

Each is a layer of the catalogue, a loss (chosen in the recipe), or left out for the reason given.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from torch import nn

from engine.catalog import LAYERS, LOSSES

#: Left out, and why.
REASONS: dict[str, str] = {
    "AdaptiveLogSoftmaxWithLoss": "layer and loss in one: its output needs the target",
    "Container": "old name of Module",
    "LinearCrossEntropyLoss": "layer and loss in one: its output needs the target",
    "EmbeddingBag": "its input is a ragged list of bags, which no rectangular batch is",
    "LSTMCell": "one step; LSTM runs all",
    "GRUCell": "one step; GRU runs all",
    "RNNCell": "one step; RNN runs all",
    "RNNCellBase": "base class",
    "RNNBase": "base class",
    "MaxUnpool1d": "needs the places that a pooling kept",
    "MaxUnpool2d": "needs the places that a pooling kept",
    "MaxUnpool3d": "needs the places that a pooling kept",
    "Module": "base class",
    "ModuleDict": "a container: blocks and nodes",
    "ModuleList": "a container: blocks and nodes",
    "ParameterDict": "a container: Parameter nodes",
    "ParameterList": "a container: Parameter nodes",
    "Sequential": "a container: wires",
    "SyncBatchNorm": "BatchNorm across devices; training's choice, not the drawing's",
    "CrossMapLRN2d": "old form of LocalResponseNorm",
    "Transformer": "a stack: TransformerEncoderLayer and TransformerDecoderLayer in blocks",
    "TransformerDecoder": "a stack: TransformerDecoderLayer in a block that repeats",
    "TransformerEncoder": "a stack: TransformerEncoderLayer in a block that repeats",
    "UninitializedBuffer": "no module",
    "UninitializedParameter": "no module",
    "UpsamplingBilinear2d": "Upsample with mode bilinear and align_corners",
    "UpsamplingNearest2d": "Upsample with mode nearest",
    "DataParallel": "runs on several devices; training's choice",
}

#: Classes of losses that the recipe does not offer, and why.
LOSS_REASONS: dict[str, str] = {
    "CTCLoss": "needs the lengths of sequences",
    "CosineEmbeddingLoss": "compares two outputs",
    "GaussianNLLLoss": "needs a variance as a second output",
    "HingeEmbeddingLoss": "needs targets of ±1 for distances",
    "MarginRankingLoss": "compares two outputs",
    "MultiLabelMarginLoss": "its targets are ragged lists of classes",
    "NLLLoss2d": "old name of NLLLoss",
    "TripletMarginLoss": "compares three outputs",
    "TripletMarginWithDistanceLoss": "compares three outputs",
}


class Row(NamedTuple):
    """One class of torch.nn."""

    name: str
    #: "layer", "loss", "left out" or "MISSING".
    place: str
    why: str = ""


def rows() -> list[Row]:
    """All of them, in the order of their names."""
    found = []
    for name, value in sorted(vars(nn).items()):
        if not isinstance(value, type) or not issubclass(value, nn.Module):
            continue
        if name in LAYERS:
            found.append(Row(name, "layer", LAYERS[name].group))
        elif name in LOSSES:
            found.append(Row(name, "loss", "chosen in the recipe"))
        elif name.startswith("Lazy"):
            found.append(Row(name, "left out", "sizes of the input are always inferred"))
        elif name in REASONS or name in LOSS_REASONS:
            found.append(Row(name, "left out", (REASONS | LOSS_REASONS)[name]))
        else:
            found.append(Row(name, "MISSING"))
    return found


def main() -> int:
    """Print the table."""
    table = rows()
    for row in table:
        print(f"{row.name:<32} {row.place:<10} {row.why}")
    own = sorted(set(LAYERS) - {row.name for row in table})
    print(f"\n{sum(row.place == 'layer' for row in table)} of {len(table)} classes of torch.nn are layers, and "
          f"{len(own)} layers are functions of torch or our own: {', '.join(own)}.\n{len(LAYERS)} layers in all.")  # fmt: skip
    return 1 if any(row.place == "MISSING" for row in table) else 0


if __name__ == "__main__":
    sys.exit(main())
