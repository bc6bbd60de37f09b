"""Bit rot: single bits flipped in journals, checkpoints and weights; each must be noticed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from engine.problems import FileProblem
from engine.storage import journal
from tests.robustness.faults import _moving, network
from tests.robustness.promise import Row


def _journal(folder: Path) -> tuple[list[Path], Callable[[], bool]]:
    """A journal of 30 edits, and whether it reads as whole."""
    book = journal.Journal(folder)
    for number in range(1, 31):
        book.record(network(number - 1), network(number))
    book.close(keep=True)

    def whole() -> bool:
        try:
            found = journal.read(folder)
        except FileProblem:
            return False
        assert found is not None
        # What is brought back must be a state that there was, whatever has been flipped.
        assert found.network == network(int(found.network.name[1:]))
        return not found.damage

    return list(folder.glob("*.journal")), whole


def _checkpoint(folder: Path) -> tuple[list[Path], Callable[[], bool]]:
    from engine.training import checkpoint

    checkpoint.save(folder, checkpoint.Position(step=7, seconds=1e-05), *_moving())

    def whole() -> bool:
        try:
            return checkpoint.newest(folder) is not None
        except FileProblem:
            return False

    return list(folder.iterdir()), whole


def _weights(folder: Path) -> tuple[list[Path], Callable[[], bool]]:
    import torch

    from engine.training import weights

    path = folder / "weights.safetensors"
    weights.save(path, torch.nn.Linear(30, 8).state_dict())

    def whole() -> bool:
        try:
            weights.load(path)
        except FileProblem:
            return False
        return True

    return [path], whole


KINDS = {"journals": _journal, "checkpoints": _checkpoint, "weights": _weights}


def measure(folder: Path, flips: int, seed: int = 0) -> Row:
    """Flip `flips` single bits, shared out evenly; every bit once where there are fewer."""
    row = Row("Single bits flipped in journals, checkpoints and weights")
    chance = random.Random(seed)
    for name, make in KINDS.items():
        place = folder / name
        place.mkdir()
        paths, whole = make(place)
        assert whole(), f"the {name} is not even whole before"
        bits = [(path, bit) for path in paths for bit in range(8 * path.stat().st_size)]
        share = -(-flips // len(KINDS))
        chosen = chance.sample(bits, share) if share < len(bits) else bits
        originals = {path: path.read_bytes() for path in paths}
        for path, bit in chosen:
            data = bytearray(originals[path])
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
            row.count(f"in {name}")
            row.check(not whole(), f"{name}: bit {bit} of {path.name} was not noticed")
            path.write_bytes(originals[path])
    return row
