"""Which device trains."""

from __future__ import annotations

import torch

from engine.problems import NetworkProblem


def choose(name: str) -> torch.device:
    """The device called `name`: "cpu", "cuda", "cuda:1", or "auto" for a GPU where there is one.

    Raises
    ------
    NetworkProblem
        If this computer has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise NetworkProblem(f"{name!r} is no device. Choose auto, cpu, cuda or cuda:1.")
    if device.type == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index or 0
    if index >= count:
        none = "torch sees none" if torch.version.cuda else "this torch is built without CUDA"
        have = f"it has {count}, numbered from 0" if count else none
        raise NetworkProblem(f"There is no {name} on this computer: {have}. Choose auto or cpu.")
    return torch.device("cuda", index)
