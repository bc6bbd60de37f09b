"""The first and last layer, borders and shortcuts."""

from __future__ import annotations

from collections.abc import Iterator

from engine import edit
from engine.binary import edits
from engine.binary.around import (
    TWO_VALUED,
    Around,
    group,
    place_of,
)
from engine.binary.rule import BinaryRule, Fault, Way, on, own_id
from engine.compile.expand import Step
from engine.network import Network


def _without(step: Step, place: str) -> Way:
    words = {"weight": "weights", "input": "input"}[place]
    return on(step, f"Keep the {words} of {own_id(step)} real", edit.set_binarize, place, None)


def _real(step: Step) -> Way:
    block, id = place_of(step)

    def make(network: Network) -> Network:
        for place in step.node.binarize:
            network = edit.set_binarize(network, id, place, None, block=block)
        return network

    return Way(f"Keep {id} real", make)


def _first(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        if choice.id in TWO_VALUED and step.path in around.first:
            yield Fault(
                step,
                "binarize.input",
                "it is the first layer: of the network's input only the signs are left.",
                (_without(step, "input"),),
            )


def _last(around: Around) -> Iterator[Fault]:
    for step, _ in around.binarized("weight"):
        if step.path in around.last:
            yield Fault(
                step,
                "binarize.weight",
                "it is the last layer: the network's answers are sums of signs.",
                (_real(step),),
            )


def _zero_border(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        node = step.node
        if choice.id not in TWO_VALUED or not node.type.startswith("Conv") or "Transpose" in node.type:
            continue
        if "weight" not in node.binarize or node.fields.get("padding_mode", "zeros") != "zeros":
            continue
        padding = node.fields.get("padding", 0)
        wide = padding if isinstance(padding, list | tuple) else [padding]
        if not any(side == "same" or (isinstance(side, int) and side > 0) for side in wide):
            continue
        id = own_id(step)
        yield Fault(
            step,
            "padding",
            "its border is zero, which is neither +1 nor −1: a third value that a product of signs does not have.",
            (
                on(
                    step,
                    "Fill the border with the signs at the edge",
                    edit.set_field,
                    "padding_mode",
                    "replicate",
                ),
                on(step, f"Put a border of +1 before {id}", edits.with_border, 1.0),
                on(step, f"Put a border of −1 before {id}", edits.with_border, -1.0),
            ),
        )


def _shortcut(around: Around) -> Iterator[Fault]:
    for step, _ in around.binarized("weight"):
        if group(step.node) == "Convolution" and step.path in around.projections:
            yield Fault(
                step,
                "binarize.weight",
                "it is the shortcut around other layers, and binarized like them: nothing real gets past.",
                (_real(step),),
            )


ENDS: tuple[BinaryRule, ...] = (
    BinaryRule(
        code="first-binarized",
        severity="warning",
        lesson="The first layer has few weights and all of the information to lose: it keeps real inputs "
        "(Zhou et al. 2016, arXiv 1606.06160 §2.7).",
        find=_first,
    ),
    BinaryRule(
        code="last-binarized",
        severity="warning",
        lesson="The last layer's scores need their fine steps: 97.2 % with it real, 96.3 % with all layers binarized "
        "(see also Zhou et al. 2016, arXiv 1606.06160 §2.7).",
        find=_last,
    ),
    BinaryRule(
        code="zero-border",
        severity="hint",
        lesson="Larq fills the border with +1, daBNN with −1, so that XNOR and popcount need no correction at the edge "
        "(Zhang et al. 2019, arXiv 1908.05858).",
        find=_zero_border,
    ),
    BinaryRule(
        code="binary-shortcut",
        severity="hint",
        lesson="A real shortcut around each binarized convolution carries what the signs lose, at next to no cost "
        "(Liu et al. 2018, arXiv 1808.00278).",
        find=_shortcut,
    ),
)
