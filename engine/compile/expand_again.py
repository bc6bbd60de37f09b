"""Expanding a network of which some nodes alone have changed: most of it is as it was."""

from __future__ import annotations

from engine.compile.blocks import has_expressions
from engine.compile.expand import Expanded, output_names
from engine.network import Network, Node


def expand_again(network: Network, before: Network, expanded: Expanded) -> Expanded | None:
    """What :func:`~engine.compile.expand.expand` gives for `network`, made from what it gave `before`.

    What is the same object in both is taken to be the same, and nothing else. (To Python 1, 1.0 and True
    are equal; to the analysis they are not.)

    Returns
    -------
    None where the drawing itself has changed: wires, blocks, which nodes there are, or their ports.
    """
    if (
        not (network.edges is before.edges or network.edges == before.edges)
        or list(network.nodes) != list(before.nodes)
        or list(network.blocks) != list(before.blocks)
        or any(block is not before.blocks[name] for name, block in network.blocks.items())
    ):
        return None
    changed = {id: node for id, node in network.nodes.items() if node is not before.nodes[id]}
    if not changed:
        return expanded
    if not all(_serves(network, before.nodes[id], node) for id, node in changed.items()):
        return None
    # No path of a block's inside is an id of the top level: it has a dot.
    steps = tuple(
        step._replace(node=changed[step.path], drawn=changed[step.path]) if step.path in changed else step
        for step in expanded.steps
    )
    top = expanded.graphs[""]
    members = tuple(
        member._replace(node=changed[member.id]) if member.id in changed else member for member in top.members
    )
    return expanded._replace(steps=steps, graphs={**expanded.graphs, "": top._replace(members=members)})


def _serves(network: Network, old: Node, new: Node) -> bool:
    """Whether the same wires lead to and from both, and nothing has to be computed."""
    return (
        old.type == new.type != "Block"
        and output_names(network, old) == output_names(network, new)
        and not has_expressions(old)
        and not has_expressions(new)
    )
