"""Every random generator that training may draw from: seeded, kept, and given back to the caller."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.streams import stream_seed


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's, Python's and NumPy's global generators, and put them back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []):
        own = stream_seed(seed, "training")
        torch.manual_seed(own)
        random.seed(own)
        np.random.seed(own & 0xFFFFFFFF)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


def state(device: torch.device) -> dict[str, Tensor]:
    """Where the generators are, as tensors."""
    version, words, spare = random.getstate()
    kind, keys, place, has, cached = cast(
        "tuple[str, NDArray[np.uint32], int, int, float]", np.random.get_state()
    )
    assert (version, kind) == (3, "MT19937")
    found = {
        "cpu": torch.get_rng_state(),
        "python": torch.tensor(words, dtype=torch.int64),
        # The second of a pair of normal draws may be waiting.
        "python_spare": torch.tensor([] if spare is None else [spare], dtype=torch.float64),
        "numpy": torch.tensor([*keys.tolist(), place, has], dtype=torch.int64),
        "numpy_spare": torch.tensor([cached], dtype=torch.float64),
    }
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def restore(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put the generators back to where they were."""
    torch.set_rng_state(state["cpu"])
    if "python" in state:
        spare = state["python_spare"].tolist()
        random.setstate((3, tuple(state["python"].tolist()), spare[0] if spare else None))
        *keys, place, has = state["numpy"].tolist()
        (cached,) = state["numpy_spare"].tolist()
        np.random.set_state(("MT19937", np.array(keys, np.uint32), place, has, cached))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
