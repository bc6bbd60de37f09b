"""Making a repair's changes in a network that may have changed since the repair was found."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from engine import diff, ports
from engine.edit import EditProblem
from engine.findings import Repair
from engine.network import Block, Network
from engine.problems import FileProblem


def mended(network: Network, repair: Repair) -> Network:
    """`network` with the changes of `repair`.

    Raises
    ------
    EditProblem
        If they no longer fit: what they change is another now, or wires would lead from or to nothing, or two
        to where one may.
    """
    # Layout alone asks for no new check: what was moved since is mended all the same.
    meant = tuple(change for change in repair.changes if change.path[0] != "view")
    try:
        after = diff.apply(network, meant)
        fits = diff.apply(after, diff.invert(meant)) == network
    except (KeyError, ValueError, TypeError, FileProblem):
        fits = False
    if not fits or _tangles(network, after):
        raise EditProblem(
            "The network has changed since: this repair no longer fits. Wait for the next check."
        )
    with suppress(KeyError, ValueError, TypeError):
        after = diff.apply(after, [change for change in repair.changes if change.path[0] == "view"])
    return after


def _tangles(before: Network, after: Network) -> bool:
    """Whether there are wires in `after` that no hand could draw, and that were not there before."""
    graphs: list[tuple[Network | Block, Network | Block]] = [(before, after)]
    graphs += [(block, after.blocks[name]) for name, block in before.blocks.items() if name in after.blocks]
    for old, new in graphs:
        if old.nodes is new.nodes and old.edges is new.edges:
            continue
        if not _missing(new) <= _missing(old):
            return True
        arriving = Counter(edge.target for edge in new.edges)
        arrived = Counter(edge.target for edge in old.edges)
        for edge in diff.edges_between(old.edges, new.edges)[1]:
            node = new.nodes.get(edge.target.node)
            if (
                arriving[edge.target] > max(1, arrived[edge.target])
                and node is not None
                and not ports.is_variadic(node)
            ):
                return True
    return False


def _missing(graph: Network | Block) -> set[str]:
    """Nodes that wires lead to or from, and that are not there."""
    return {end.node for edge in graph.edges for end in (edge.source, edge.target)} - graph.nodes.keys()
