"""The binarized MNIST network, a bit per weight: size, predictions of all test images and speed beside torch.

The network of 784-3×1024-10 (tests/ste/mnist_binarized.layerlab) is trained for three epochs by
`layerlab train`, written by `layerlab export --to packed`, and run by the program beside the file, with
NumPy alone, on all 10,000 test images. Goals: at least 25 times smaller where binarized, and every
prediction that of the torch model. MNIST must be where LAYERLAB_DATA says.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.ste.packing import packed_and_compared
from tests.ste.rows import ROWS, train


def measure() -> dict[str, Any]:
    """Bytes, milliseconds a batch, and counts of images."""
    row = next(row for row in ROWS if row.file == "mnist_binarized")
    with tempfile.TemporaryDirectory() as folder:
        result = train(row, Path(folder))
        return packed_and_compared(Path(result["run"]), Path(folder) / "network.safetensors")


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    size, accuracy = figures["size"], figures["accuracy"]
    lines = [
        f"float32 {size['float_bytes']:,} bytes, packed {size['file_bytes']:,}: {size['ratio']:.1f} times smaller, "
        f"{size['binarized_ratio']:.1f} times where binarized",
        f"{figures['same predictions']:,} of {figures['images']:,} predictions the same; accuracy "
        f"{100 * accuracy['torch']:.2f} % by torch, {100 * accuracy['packed']:.2f} % packed; scores differ by at "
        f"most {figures['largest difference']:.1e}",
    ]
    lines += [
        f"batch {speed['batch']}: torch {speed['torch_ms']:.2f} ms, packed {speed['packed_ms']:.2f} ms"
        for speed in figures["speed"]
    ]
    return "\n".join(lines)
