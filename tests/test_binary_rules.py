"""The rules of binarized networks: each has a network that breaks it, and every way out offered mends it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import engine
from engine import diff, edit
from engine.binary import latent
from engine.binary.rules import RULES
from engine.catalog import INITIALIZERS
from engine.findings import Problem
from engine.network import Choice, Edge, End, Network, Node, Recipe, Training
from engine.templates import templates
from tests.networks import chain, choice

CODES = {rule.code for rule in RULES}
SIGN = choice("ste_sign")
BOTH = {"weight": SIGN, "input": SIGN}


def linear(out: int = 32, activation: str | None = None, **parts: Any) -> Node:
    fields = {"out_features": out, **parts.pop("fields", {"bias": False})}
    return Node("Linear", fields, None if activation is None else choice(activation), **parts)


def mlp(*middle: tuple[str, Node], **recipe: Any) -> Network:
    """Digits → real first layer and norm → `middle` → norm → real last layer."""
    return chain(
        ("flat", Node("Flatten")),
        ("first", linear()),
        ("norm", Node("BatchNorm1d")),
        *middle,
        ("behind", Node("BatchNorm1d")),
        ("last", linear(10, fields={})),
        shape=(1, 8, 8),
        recipe=Recipe(**recipe),
    )


def cnn(*middle: tuple[str, Node]) -> Network:
    """Digits → real first convolution and norm → `middle` → norm → real last layer."""
    return chain(
        ("first", Node("Conv2d", {"out_channels": 8, "kernel_size": 3, "bias": False})),
        ("norm", Node("BatchNorm2d")),
        *middle,
        ("behind", Node("BatchNorm2d")),
        ("flat", Node("Flatten")),
        ("last", linear(10, fields={})),
        shape=(1, 8, 8),
    )


def conv(**parts: Any) -> Node:
    fields = {"out_channels": 8, "kernel_size": 3, "bias": False, **parts.pop("fields", {})}
    return Node("Conv2d", fields, binarize=parts.pop("binarize", BOTH), **parts)


def binary(**parts: Any) -> Node:
    return linear(**{"binarize": BOTH, **parts})


def with_shortcut(binarized: bool) -> Network:
    """Two binarized convolutions, and one of 1 × 1 around them."""
    around = conv(fields={"kernel_size": 1, "stride": 4}, binarize=BOTH if binarized else {})
    network = cnn(
        ("a", conv()),
        ("middle", Node("BatchNorm2d")),
        ("b", conv()),
        ("end", Node("BatchNorm2d")),
        ("add", Node("Add")),
    )
    network = edit.add_node(network, "around", around)
    network = edit.add_node(network, "its_norm", Node("BatchNorm2d"))
    edges = [
        Edge(edge.source, End("add", "input")) if edge.target.node == "add" else edge
        for edge in network.edges
    ]
    edges += [
        Edge(End("norm"), End("around")),
        Edge(End("around"), End("its_norm")),
        Edge(End("its_norm"), End("add", "other")),
    ]
    return edit.with_graph(network, None, edges=edges)


def in_block() -> Network:
    """A binarized layer without a norm, drawn in a block that is used twice."""
    from engine.network import Block

    inside = chain(("fc", binary()), shape=(1,))
    block = Block(nodes={"input": Node("Input"), "fc": inside.nodes["fc"], "output": Node("Output")},
                  edges=(Edge(End("input"), End("fc")), Edge(End("fc"), End("output"))))  # fmt: skip
    network = mlp(("twice", Node("Block", block="Signs", repeat=2)))
    return edit.replace(network, blocks={"Signs": block})


ADAM = choice("Adam", lr=1e-3)
#: Code -> (a network that breaks the rule, the problem's node, its field, words of its message).
BROKEN: dict[str, list[tuple[Network, str | None, str | None, str]]] = {
    "sign-of-positives": [
        (mlp(("relu", Node("ReLU")), ("a", binary())), "a", "binarize.input", "ReLU"),
        (cnn(("relu", Node("Sigmoid")), ("pool", Node("AvgPool2d", {"kernel_size": 2})), ("a", conv(fields={"kernel_size": 1}))), "a", "binarize.input", "Sigmoid (relu)"),
        (mlp(("a", binary()), ("n", Node("BatchNorm1d", {}, choice("ReLU6"))), ("drop", Node("Identity")), ("b", binary())), "b", "binarize.input", "ReLU6"),
    ],
    "dropped-signs": [(mlp(("drop", Node("Dropout")), ("a", binary())), "drop", None, "+1")],
    "binary-without-norm": [
        (mlp(("a", binary()), ("b", binary())), "a", "binarize.weight", "before b"),
        (cnn(("a", conv()), ("pool", Node("MaxPool2d", {"kernel_size": 2})), ("real", conv(binarize={}, fields={"kernel_size": 1}))), "a", "binarize.weight", "before real"),
        (in_block(), "twice.0.fc", "binarize.weight", "before twice.1.fc"),
    ],
    "activation-before-norm": [
        (mlp(("a", binary(activation="Tanh"))), "a", "activation", "Tanh"),
        (mlp(("a", binary()), ("bend", Node("PReLU"))), "a", None, "PReLU"),
    ],
    "sign-without-norm": [(mlp(("real", linear()), ("a", binary())), "a", "binarize.input", "real feeds it")],
    "pooled-signs": [
        (cnn(("pool", Node("MaxPool2d", {"kernel_size": 2})), ("a", conv())), "pool", None, "Pool before norm"),
    ],
    "bias-before-norm": [
        (mlp(("a", binary(fields={}))), "a", "bias", "takes the mean away"),
        (cnn(("a", conv(fields={"bias": True})), ("pool", Node("MaxPool2d", {"kernel_size": 2}))), "a", "bias", "takes the mean away"),
    ],
    "first-binarized": [(chain(("flat", Node("Flatten")), ("a", binary()), ("n", Node("BatchNorm1d")), ("last", linear(10)), shape=(1, 8, 8)), "a", "binarize.input", "first layer")],
    "last-binarized": [(chain(("flat", Node("Flatten")), ("a", linear()), ("n", Node("BatchNorm1d")), ("last", binary(out=10)), shape=(1, 8, 8)), "last", "binarize.weight", "last layer")],
    "zero-border": [
        (cnn(("a", conv(fields={"padding": 1}))), "a", "padding", "neither +1 nor −1"),
        (cnn(("a", conv(fields={"padding": "same"}))), "a", "padding", "neither +1 nor −1"),
    ],
    "binary-shortcut": [(with_shortcut(True), "around", "binarize.weight", "shortcut")],
    "one-signed-latent": [
        (mlp(("a", binary(init={"weight": choice(id, **fields)}))), "a", "init.weight", words)
        for id, fields, words in [
            ("zeros", {}, "100% of the signs +1 (the sign of 0 is +1)"),
            ("ones", {}, "100% of the signs +1"),
            ("constant", {"val": -0.1}, "100% of the signs −1"),
            ("uniform", {}, "100% of the signs +1"),
            ("normal", {"mean": 1.0, "std": 0.1}, "100% of the signs +1"),
            ("sparse", {"sparsity": 0.95}, "98% of the signs +1"),
            ("eye", {}, "100% of the signs +1"),
        ]
    ],
    "latent-rate": [
        (mlp(("a", binary(init={"weight": choice("uniform", a=-1.0, b=1.0)})), optimizer=ADAM), "a", "init.weight", "577 steps"),
        (mlp(("a", binary(training=Training(lr_multiplier=0.01))), optimizer=ADAM), "a", "init.weight", "its default draw"),
    ],
    "latent-unclipped": [
        (mlp(("a", binary(binarize={"weight": Choice("ste_sign", {}, {"clip_latent": False})}))), "a", "binarize.weight.clip_latent", "never come back"),
    ],
    "latent-decay": [
        (mlp(("a", binary()), optimizer=choice("Adam", weight_decay=1e-4), options={"decay": "all"}), None, "recipe.decay", "0.0001"),
        (mlp(("a", binary()), optimizer=choice("AdamW"), options={"decay": "all"}), None, "recipe.decay", "0.01"),
    ],
    "latent-sgd": [(mlp(("a", binary()), optimizer=choice("SGD", lr=0.1)), None, "recipe.optimizer", "SGD")],
}  # fmt: skip
CASES = [(code, *case) for code, cases in BROKEN.items() for case in cases]


def broken_rules(network: Network) -> list[Problem]:
    return [problem for problem in engine.analyze(network).problems if problem.code in CODES]


def test_every_rule_is_broken_here() -> None:
    assert BROKEN.keys() == CODES


@pytest.mark.parametrize(("code", "network", "node", "field", "words"), CASES)
class TestEveryRule:
    def test_what_breaks_it_is_told_with_a_lesson_and_its_source(
        self, code: str, network: Network, node: str | None, field: str | None, words: str
    ) -> None:
        assert engine.analyze(network).errors == ()
        problem = next(p for p in broken_rules(network) if p.code == code)
        assert (problem.node, problem.field) == (node, field)
        assert words in problem.message
        assert problem.severity in ("warning", "hint")
        assert " et al. 20" in problem.lesson or " and " in problem.lesson

    def test_each_way_out_mends_it_brings_no_error_and_can_be_undone(
        self, code: str, network: Network, node: str | None, field: str | None, words: str
    ) -> None:
        problem = next(p for p in broken_rules(network) if p.code == code)
        assert problem.repairs
        for repair in problem.repairs:
            mended = diff.apply(network, repair.changes)
            left = engine.analyze(mended)
            assert left.errors == ()
            assert (code, node) not in [(p.code, p.node) for p in left.problems], repair.text
            assert diff.apply(mended, diff.invert(repair.changes)) == network


SOUND: dict[str, Network] = {
    "a binarized layer between norms": mlp(("a", binary())),
    "convolutions with a border of signs": cnn(("a", conv(fields={"padding": 1, "padding_mode": "replicate"}))),
    "a real shortcut": with_shortcut(False),
    "inputs of two bits, which have zeros": cnn(("relu", Node("ReLU")), ("a", conv(fields={"padding": 1}, binarize={"weight": SIGN, "input": choice("dorefa_input")}))),
    "zeros and ones from ReLU": mlp(("relu", Node("ReLU")), ("a", binary(binarize={"weight": SIGN, "input": choice("ste_heaviside")}))),
    "BinaryNet's latent weights at BinaryNet's rate": mlp(("a", binary(init={"weight": choice("binary_latent")})), optimizer=ADAM),
    "weights alone behind ReLU": mlp(("relu", Node("ReLU")), ("a", binary(binarize={"weight": SIGN}))),
    "weight decay that spares latent weights": mlp(("a", binary()), optimizer=choice("AdamW")),
    "decay on everything, with nothing latent": mlp(("a", linear()), optimizer=choice("AdamW"), options={"decay": "all"}),
    "Bop, which has no latent weights": mlp(("a", binary()), optimizer=choice("Bop"), options={"decay": "all"}),
    "ternary weights that begin at zero": mlp(("a", binary(binarize={"weight": choice("ste_tern")}, init={"weight": choice("sparse", sparsity=0.95)}))),
    "latent weights without a clip where nothing is blocked": mlp(("a", binary(binarize={"weight": Choice("identity_ste", {}, {"clip_latent": False})}))),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_what_keeps_the_rules_breaks_none(name: str) -> None:
    assert broken_rules(SOUND[name]) == []


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.id)
def test_no_template_breaks_one(template: Any) -> None:
    assert broken_rules(template.network) == []


def test_clip_latent_is_a_key_of_the_weights_estimator_and_true_or_false() -> None:
    def problems(value: object) -> list[tuple[str, str | None]]:
        network = mlp(("a", binary(binarize={"weight": Choice("ste_sign", {}, {"clip_latent": value})})))
        return [(p.code, p.field) for p in engine.analyze(network).problems]

    assert problems(True) == []
    assert problems("yes") == [("wrong-field", "binarize.weight.clip_latent")]


# ---------------------------------------------------------------------------- latent weights

DRAWN: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("uniform", {"a": -1.0, "b": 3.0}, (200, 100)),
    ("normal", {"mean": 0.5, "std": 1.0}, (200, 100)),
    ("trunc_normal", {"std": 0.1}, (200, 100)),
    ("xavier_uniform", {"gain": 2.0}, (64, 32, 3, 3)),
    ("xavier_normal", {}, (200, 100)),
    ("kaiming_normal", {"nonlinearity": "relu"}, (64, 32, 3, 3)),
    ("kaiming_uniform", {"a": math.sqrt(5), "mode": "fan_out"}, (64, 32, 3)),
    ("orthogonal", {"gain": 1.5}, (200, 100)),
    ("orthogonal_gates", {"gates": 4}, (400, 100)),
    ("by_gate", {"gates": 4, "second": "orthogonal", "third": "kaiming_normal"}, (400, 100)),
    ("sparse", {"sparsity": 0.3}, (200, 100)),
    ("lecun_normal", {}, (200, 100)),
    ("depth_scaled_normal", {"layers": 8}, (200, 100)),
    ("binary_latent", {"bound": 0.5}, (200, 100)),
    ("delta_orthogonal", {}, (64, 32, 3, 3)),
    ("dirac", {}, (64, 32, 3, 3)),
    ("eye", {}, (50, 100)),
    ("zeros", {}, (20, 10)),
    ("ones", {}, (20, 10)),
    ("constant", {"val": -2.0}, (20, 10)),
]


@pytest.mark.parametrize(("id", "fields", "shape"), DRAWN, ids=[case[0] for case in DRAWN])
def test_the_law_that_the_rules_reckon_with_is_that_of_a_real_draw(
    id: str, fields: dict[str, Any], shape: tuple[int, ...]
) -> None:
    law = latent.start(choice(id, **fields), Node("Linear"), "weight", shape)
    drawn = engine.initializer(id, **fields)(torch.empty(shape), torch.Generator().manual_seed(3))
    assert law is not None
    spread = float(drawn.std()) if float(drawn.std()) else 0.0
    # `eye` and `dirac` are told by their length: their mean is not worth a formula.
    spread = float(drawn.square().mean().sqrt()) if id in ("eye", "dirac") else spread
    assert law.std == pytest.approx(spread, rel=0.03)
    assert law.minus == pytest.approx(float((drawn < 0).double().mean()), abs=0.02)


def test_every_scheme_of_matrices_has_a_law_or_depends_on_the_drawing() -> None:
    known = {id for id, _, _ in DRAWN} | {"default", "lsuv"}
    assert INITIALIZERS.keys() - known == {"fixup", "forget_bias"}


@pytest.mark.parametrize(
    "type", ["Linear", "Conv2d", "ConvTranspose1d", "LSTM", "Embedding", "MultiheadAttention"]
)
def test_a_layers_own_draw_has_the_spread_that_the_rules_reckon_with(type: str) -> None:
    from engine.catalog import LAYERS
    from tests.networks import alone

    network = alone(type)
    layer = engine.build(network).layer
    name = LAYERS[type].binarizable_names(network.nodes["layer"].fields)[0]
    weight = layer.get_parameter(name).detach()
    law = latent.start(None, network.nodes["layer"], name, tuple(weight.shape))
    assert law is not None
    assert law.std == pytest.approx(float(weight.std()), rel=0.1)


def test_the_help_page_names_every_rule_and_no_other() -> None:
    import re

    from engine import assets

    page = assets.read_text("help/binarization.md")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == CODES
