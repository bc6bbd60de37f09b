"""When two networks mean the same, whatever they look like."""

from __future__ import annotations

from msgspec.structs import replace

from engine.network import Network


def meaning(network: Network) -> Network:
    """`network` without its layout and comments."""
    return Network(
        name=network.name,
        nodes=network.nodes,
        edges=network.edges,
        blocks=network.blocks,
        defaults=network.defaults,
        recipe=network.recipe,
        extra=network.extra,
    )


def same_drawing(a: Network, b: Network) -> bool:
    """Whether two networks have the same wires and blocks, and nodes of the same names and types."""
    return (
        list(a.nodes) == list(b.nodes)
        and all(node is a.nodes[id] or node.type == a.nodes[id].type for id, node in b.nodes.items())
        and (a.edges is b.edges or a.edges == b.edges)
        and (a.blocks is b.blocks or a.blocks == b.blocks)
    )


def same_meaning(a: Network, b: Network) -> bool:
    """Whether two networks differ in nothing but layout, comments and name."""
    return (a.nodes, a.edges, a.blocks, a.defaults, a.recipe, a.extra) == (
        b.nodes,
        b.edges,
        b.blocks,
        b.defaults,
        b.recipe,
        b.extra,
    ) and list(a.nodes) == list(b.nodes)


def goes_on(trained: Network, drawn: Network) -> bool:
    """Whether a run of `trained` can go on with what is drawn: only its length may differ."""
    recipe = replace(trained.recipe, epochs=drawn.recipe.epochs)
    return same_meaning(replace(trained, recipe=recipe), drawn)
