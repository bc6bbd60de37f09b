"""How many random mistakes the first repair offered mends: ``python -m tests.repair_rate [COUNT]``.

Each template is broken COUNT times (30) in the ways people break networks: a node deleted, a size
changed, two nodes swapped. A breakage that gives errors counts as mended when the network is
sound again after the first repair of the first error.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from typing import NamedTuple

from engine import analyze, diff, edit, templates
from engine.edit import swap
from engine.findings import Analysis
from engine.network import Network

#: Sizes that people try.
_SIZES = {
    "out_channels": (1, 3, 7, 10, 20, 48, 100, 300),
    "out_features": (1, 5, 11, 50, 777),
    "kernel_size": (1, 2, 4, 5, 7, 9, 31),
    "stride": (2, 3, 4),
    "padding": (0, 1, 2, 5),
    "groups": (2, 3, 7),
    "channels": (3, 10, 48, 100),
}


class Rate(NamedTuple):
    """What came of one template."""

    broken: int
    mended: int
    left: Counter[str]


def errors(analysis: Analysis) -> list[str]:
    """The codes of the errors that are the drawing's own; data that are not here say nothing about it."""
    return [problem.code for problem in analysis.errors if problem.code != "data"]


def broken(network: Network, chance: random.Random) -> Network:
    """`network` with one random mistake."""
    block = chance.choice([None, *network.blocks])
    graph = network.graph(block)
    inner = [id for id, node in graph.nodes.items() if node.type not in ("Input", "Output")]
    kind = chance.choice(["delete", "heal", "size", "size", "swap"])
    if kind in ("delete", "heal"):
        return edit.remove(network, [chance.choice(inner)], heal=kind == "heal", block=block)
    if kind == "swap":
        chained = [
            (edge.source.node, edge.target.node)
            for edge in graph.edges
            if edge.source.node in inner and edge.target.node in inner and edge.target.port is None
            and edge.source.port is None and sum(e.target.node == edge.source.node for e in graph.edges) == 1
        ]  # fmt: skip
        return swap(network, *chance.choice(chained), block=block) if chained else network
    places = [
        (id, name)
        for id in inner
        for name in graph.nodes[id].fields
        if name in _SIZES or name in ("stride", "padding")
    ]
    if not places:
        return network
    id, name = chance.choice(places)
    return edit.set_field(network, id, name, chance.choice(_SIZES[name]), block=block)


def rate(network: Network, count: int, seed: int = 0) -> Rate:
    """Break `network` until `count` mistakes gave errors, and try the first repair of each."""
    chance = random.Random(seed)
    found = mended = 0
    left: Counter[str] = Counter()
    for _ in range(40 * count):
        if found == count:
            break
        wrong = broken(network, chance)
        analysis = analyze(wrong)
        if not errors(analysis):
            continue
        found += 1
        first = next(problem for problem in analysis.errors if problem.code != "data")
        if first.repairs and not errors(analyze(diff.apply(wrong, first.repairs[0].changes))):
            mended += 1
        else:
            left[first.code] += 1
    return Rate(found, mended, left)


def main() -> int:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    total = [0, 0]
    for template in templates.templates():
        found = rate(template.network, count)
        total = [total[0] + found.broken, total[1] + found.mended]
        share = 100 * found.mended / max(1, found.broken)
        print(f"{template.id:<24} {found.mended:>3} of {found.broken:>3}  {share:5.1f} %  {dict(found.left)}")
    print(f"{'all':<24} {total[1]:>3} of {total[0]:>3}  {100 * total[1] / max(1, total[0]):5.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
