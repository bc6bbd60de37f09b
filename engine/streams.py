"""Independent random streams, each found by name.

What is drawn from one stream never depends on how much was drawn from another, so changing one
layer, or looking at a network while it trains, changes no other draw.
"""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, *names: str | int) -> int:
    """The 63-bit seed of the stream `names` under `seed`: the beginning of a SHA-256 of both."""
    text = "\0".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
