"""A trained run packed by the command line, and held against the torch model on every test image."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

import engine
from engine.data import load

#: Images at a time: what a test of a network takes.
BATCH = 500


def packed_and_compared(run: Path, output: Path) -> dict[str, Any]:
    """`layerlab export --to packed` of `run`, and how its program and torch agree on the test images.

    Returns
    -------
    dict
        What the command says ("size", "speed", …), and "images", "same predictions" (counts),
        "accuracy" of either (share of the images) and "largest difference" of the scores.
    """
    network = engine.load(run / "network.layerlab")
    command = [sys.executable, "-m", "engine.cli", "export", str(run / "network.layerlab"), "--to", "packed"]
    done = subprocess.run(
        [*command, "-o", str(output), "--run", str(run), "--json"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or done.stdout.strip())
    said: dict[str, Any] = json.loads(done.stdout)

    model = engine.build(network).eval()
    model.load_state_dict(load_file(run / "best.safetensors"))
    split = load(network.recipe.data, network.recipe.seed).splits["test"]
    images, labels = split.inputs[next(iter(split.inputs))], split.targets
    torch_scores = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            torch_scores.append(model(images[start : start + BATCH]).numpy())
    np.save(output.with_suffix(".npy"), images.numpy())
    # A process of its own, that has NumPy and not torch.
    subprocess.run(
        [sys.executable, "-c", _RUN, output.stem, str(BATCH)], cwd=output.parent, check=True, timeout=600
    )
    packed_scores = np.load(output.with_suffix(".scores.npy"))
    scores = np.concatenate(torch_scores)
    predicted, theirs = scores.argmax(1), packed_scores.argmax(1)
    return {
        **{key: said[key] for key in ("size", "speed")},
        "images": len(images),
        "same predictions": int((predicted == theirs).sum()),
        "largest difference": float(np.abs(scores - packed_scores).max()),
        "accuracy": {
            "torch": float((predicted == labels.numpy()).mean()),
            "packed": float((theirs == labels.numpy()).mean()),
        },
    }


_RUN = """
import importlib, sys
import numpy as np
name, batch = sys.argv[1], int(sys.argv[2])
network = importlib.import_module(name).PackedNetwork(name + ".safetensors")
images = np.load(name + ".npy")
scores = [network(images[start : start + batch]) for start in range(0, len(images), batch)]
assert "torch" not in sys.modules
np.save(name + ".scores.npy", np.concatenate(scores))
"""
