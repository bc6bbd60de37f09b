"""Binarizing a whole network in one step: what becomes of it, that no rule is broken, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import engine
from engine import diff
from engine.binarize_network import Binarized, binarize
from engine.binary.rules import RULES
from engine.edit import EditProblem
from engine.network import Choice, Edge, End, Network, Node, Recipe
from engine.templates import template, templates
from tests import strategies
from tests.networks import chain, choice

CODES = {rule.code for rule in RULES} | {"bias-before-norm", "dropout-before-norm"}


def done(network: Network, **how: Any) -> Binarized:
    return binarize(network, engine.analyze(network), **how)


def sequence(*nodes: tuple[str, Node], length: int = 16, words: int = 50, **parts: Any) -> Network:
    """Words → embedding → `nodes` → the mean over places → ten scores."""
    return chain(
        ("embed", Node("Embedding", {"num_embeddings": words, "embedding_dim": 32})),
        *nodes,
        ("mean", Node("Mean", {"dim": [1]})),
        ("head", Node("Linear", {"out_features": 10})),
        shape=(length,),
        dtype="int64",
        **parts,
    )


def lstm() -> Network:
    network = sequence(("lstm", Node("LSTM", {"hidden_size": 24, "num_layers": 2})))
    ports = {
        ("embed", "lstm"): Edge(End("embed"), End("lstm", "input")),
        ("lstm", "mean"): Edge(End("lstm", "output"), End("mean")),
    }
    edges = [ports.get((edge.source.node, edge.target.node), edge) for edge in network.edges]
    return engine.edit.with_graph(network, None, edges=edges)


def attention() -> Network:
    return sequence(
        ("places", Node("LearnedPositions")),
        ("norm1", Node("LayerNorm")),
        ("look", Node("SelfAttention", {"num_heads": 4})),
        ("norm2", Node("LayerNorm")),
        ("widen", Node("Linear", {"out_features": 64}, Choice("GELU"))),
        ("narrow", Node("Linear", {"out_features": 32})),
        ("norm3", Node("LayerNorm")),
    )


def plain_cnn() -> Network:
    return chain(
        ("c1", Node("Conv1d", {"out_channels": 8, "kernel_size": 3}, Choice("ReLU"))),
        ("c2", Node("Conv1d", {"out_channels": 8, "kernel_size": 3, "padding": "same"}, Choice("ReLU"))),
        ("c3", Node("ConvTranspose1d", {"out_channels": 8, "kernel_size": 2, "stride": 2}, Choice("Tanh"))),
        ("drop", Node("Dropout1d", {"p": 0.1})),
        ("c4", Node("Conv1d", {"out_channels": 4, "kernel_size": 3}, Choice("Sigmoid"))),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(2, 20),
    )


NETWORKS = {t.id: t.network for t in templates()} | {
    "lstm": lstm(),
    "attention": attention(),
    "plain_cnn": plain_cnn(),
}


@pytest.mark.parametrize("name", NETWORKS)
class TestEveryNetwork:
    def test_it_is_sound_breaks_no_rule_and_goes_back_in_one_step(self, name: str) -> None:
        network = NETWORKS[name]
        before = engine.analyze(network)
        result = binarize(network, before)
        after = engine.analyze(result.network)
        assert [p.code for p in after.errors] == [p.code for p in before.errors]
        assert [str(p) for p in after.problems if p.code in CODES] == []
        assert {p.code for p in after.problems} <= {p.code for p in before.problems}
        changes = diff.changes(network, result.network)
        assert diff.apply(result.network, diff.invert(changes)) == network

    def test_first_and_last_layers_stay_real_and_all_that_is_told_is_true(self, name: str) -> None:
        network = NETWORKS[name]
        result = done(network)
        for told in result.layers:
            block, _, id = told.where.rpartition(" › ")
            assert result.network.graph(block or None).nodes[id].binarize
        kept = {told.where: told.why for told in result.kept}
        for where in kept:
            block, _, id = where.rpartition(" › ")
            assert (
                result.network.graph(block or None).nodes[id].binarize
                == network.graph(block or None).nodes[id].binarize
            )
        reasons = " ".join(kept.values())
        assert "first" in reasons
        assert "last" in reasons
        assert all(told.why for told in (*result.layers, *result.changes, *result.kept))

    def test_twice_changes_nothing_more(self, name: str) -> None:
        once = done(NETWORKS[name]).network
        assert done(once).network == once


@pytest.mark.parametrize("name", ["digits_mlp", "residual_digits", "attention", "lstm"])
def test_every_binarized_weight_and_the_real_ones_get_a_gradient(name: str) -> None:
    network = done(NETWORKS[name]).network
    model = engine.build(network)
    shape = network.nodes[next(iter(network.nodes))].fields["shape"]
    x = torch.randint(50, (8, *shape)) if name in ("attention", "lstm") else torch.randn(8, *shape)
    model(x).square().mean().backward()
    for path, parameter in model.named_parameters():
        assert parameter.grad is not None, path
        if parameter.dim() > 1:
            assert float(parameter.grad.abs().sum()) > 0, path


def test_the_residual_networks_shortcuts_stay_real() -> None:
    result = done(template("residual_digits").network)
    binarized = {id for id, node in result.network.nodes.items() if node.binarize}
    assert binarized == {"conv2", "conv3", "conv4", "conv5"}
    assert ("shortcut", "the shortcut carries what signs lose") in [
        (told.where, told.why) for told in result.kept
    ]


def test_depthwise_convolutions_and_tables_stay_real() -> None:
    result = done(template("mobilenet_v2").network)
    assert all("depthwise" not in told.where for told in result.layers)
    assert any("depthwise" in told.where for told in result.kept)
    assert [told.where for told in done(lstm()).kept] == ["embed", "head"]


def test_recurrent_and_attention_layers_get_scaled_signs_on_their_weights_alone() -> None:
    assert done(lstm()).network.nodes["lstm"].binarize == {"weight": choice("xnor_scale")}
    assert done(attention()).network.nodes["look"].binarize == {"weight": choice("xnor_scale")}
    own = done(attention(), weight=choice("bireal_weight"))
    assert own.network.nodes["look"].binarize == {"weight": choice("bireal_weight")}


class TestWhatIsAsked:
    def test_estimators_are_those_that_are_asked_for(self) -> None:
        result = done(template("lenet5_mnist").network, weight=choice("twn"), input=choice("approx_sign"))
        chosen = [node.binarize for node in result.network.nodes.values() if node.binarize]
        assert chosen == [{"weight": choice("twn"), "input": choice("approx_sign")}] * 3

    def test_weights_alone_leave_activations_where_they_are(self) -> None:
        network = template("digits_mlp").network
        result = done(network, input=None)
        assert result.network.nodes["fc2"].binarize == {"weight": choice("ste_sign")}
        assert result.network.nodes["fc1"] == network.nodes["fc1"]
        assert result.network.nodes["drop"] == network.nodes["drop"]

    def test_a_selection_is_all_that_is_binarized(self) -> None:
        network = template("lenet5_mnist").network
        result = done(network, nodes=["fc1", "pool1", "fc3"])
        assert {id for id, node in result.network.nodes.items() if node.binarize} == {"fc1"}
        assert [told.where for told in result.kept] == ["fc3"]
        # What feeds it loses its ReLU; other layers keep theirs.
        assert result.network.nodes["conv2"].activation is None
        assert result.network.nodes["conv1"] == network.nodes["conv1"]

    def test_a_selection_in_a_block_is_of_that_block(self) -> None:
        result = done(template("resnet18").network, nodes=["conv2"], block="Basic")
        assert [told.where for told in result.layers] == ["Basic › conv2"]
        assert result.network.blocks["Basic"].nodes["bn1"].activation is None
        assert result.network.blocks["Down"] == template("resnet18").network.blocks["Down"]

    def test_a_layers_own_estimator_stays(self) -> None:
        network = template("digits_binarized_mlp").network
        own = engine.edit.set_binarize(network, "fc2", "input", choice("approx_sign"))
        assert done(own).network == own

    def test_what_a_recipe_does_to_latent_weights_is_mended(self) -> None:
        network = template("digits_mlp").network
        recipe = Recipe(
            network.recipe.data, optimizer=choice("SGD", lr=0.1, weight_decay=1e-3),
            schedule=choice("OneCycleLR", max_lr=0.2), options={"decay": "all"},
        )  # fmt: skip
        after = done(engine.edit.set_recipe(network, recipe)).network.recipe
        assert after.optimizer == choice("Adam", lr=0.001)
        assert after.schedule == choice("OneCycleLR", max_lr=0.001)
        assert "decay" not in after.options

    def test_latent_weights_begin_where_signs_can_flip(self) -> None:
        network = template("digits_mlp").network
        for scheme in (choice("zeros"), choice("uniform", a=-2.0, b=2.0)):
            drawn = engine.edit.set_init(network, "fc2", "weight", scheme)
            assert "weight" not in done(drawn).network.nodes["fc2"].init
        everywhere = engine.edit.set_default_init(
            engine.edit.set_init(network, "fc2", "weight", None), "all", "weight", choice("ones")
        )
        assert done(everywhere).network.nodes["fc2"].init["weight"] == choice("default")

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            ({"weight": choice("ste_sing")}, "Did you mean 'ste_sign'"),
            ({"weight": choice("rsign")}, "rsign binarizes the input, not the weight"),
            ({"input": choice("ste_sign", clip_value=-1)}, "ste_sign › clip_value"),
            ({"weight": None, "input": None}, "Choose an estimator"),
            ({"nodes": ["flat"]}, "nothing to binarize"),
            ({"nodes": ["fc3"]}, "fc3: the last layer's answers need fine steps"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, how: dict[str, Any], words: str) -> None:
        with pytest.raises(EditProblem, match=words):
            done(template("digits_mlp").network, **how)

    def test_inserted_layers_stand_in_free_places(self) -> None:
        result = done(template("lenet5_mnist").network)
        places = result.network.positions()
        assert places.keys() == result.network.nodes.keys()
        corners = [tuple(place) for place in places.values()]
        near = [
            (a, b)
            for i, a in enumerate(corners)
            for b in corners[:i]
            if abs(a[0] - b[0]) < 200 and abs(a[1] - b[1]) < 90
        ]
        assert near == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.networks())
def test_any_document_is_binarized_or_refused_in_words(network: Network) -> None:
    before = engine.analyze(network)
    try:
        result = binarize(network, before)
    except EditProblem:
        return  # which is for the user; anything else fails
    assert diff.apply(network, diff.changes(network, result.network)) == result.network
    engine.analyze(result.network)


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """A sound convolutional chain with activations, norms, pooling and dropout wherever chance puts them."""
    bends = st.sampled_from([None, "ReLU", "Tanh", "GELU", "Sigmoid", "LeakyReLU"]).map(
        lambda id: id and Choice(id)
    )
    between = st.sampled_from(["ReLU", "BatchNorm2d", "Dropout", "Identity", "Hardtanh", "MaxPool2d"])
    nodes: list[tuple[str, Node]] = []
    for number in range(draw(st.integers(3, 5))):
        fields = {"out_channels": 8, "kernel_size": 3, "padding": 1, "bias": draw(st.booleans())}
        nodes.append((f"conv{number}", Node("Conv2d", fields, draw(bends))))
        for place, type in enumerate(draw(st.lists(between, max_size=3, unique=True))):
            pooled = {"kernel_size": 3, "stride": 1, "padding": 1} if type == "MaxPool2d" else {}
            nodes.append((f"between{number}{'abc'[place]}", Node(type, pooled)))
    ends = ("flat", Node("Flatten")), ("fc", Node("Linear", {"out_features": 10}))
    return chain(*nodes, *ends, shape=(1, 8, 8))


def _with_two_relus() -> Network:
    """A convolution with a ReLU, another behind it, and only then a normalisation."""
    fields = {"out_channels": 8, "kernel_size": 3, "padding": 1}
    own = [(f"conv{n}", Node("Conv2d", fields, Choice("ReLU") if n == 2 else None)) for n in range(3)]
    ends = ("flat", Node("Flatten")), ("fc", Node("Linear", {"out_features": 10}))
    return chain(*own, ("relu", Node("ReLU")), ("norm", Node("BatchNorm2d")), *ends, shape=(1, 8, 8))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chains())
@example(_with_two_relus())
def test_any_chain_comes_out_without_errors_and_breaks_no_rule(network: Network) -> None:
    result = done(network)
    after = engine.analyze(result.network)
    assert after.errors == ()
    kept = {told.where for told in result.kept}
    assert kept == {"conv0", "fc"}
    # What stays real is left as it was drawn, a bias in front of a normalisation too.
    broken = [p for p in after.problems if p.code in {rule.code for rule in RULES} and p.node not in kept]
    assert [str(p) for p in broken] == []


def test_the_digits_mlp_binarized_this_way_learns(tmp_path: Path) -> None:
    network = done(template("digits_mlp").network).network
    result = engine.train(network, run_dir=tmp_path, epochs=10)
    assert result["validation"]["accuracy"] > 0.95


def test_the_residual_network_binarized_this_way_learns(tmp_path: Path) -> None:
    network = done(template("residual_digits").network).network
    result = engine.train(network, run_dir=tmp_path, epochs=5)
    assert result["validation"]["accuracy"] > 0.85


class TestCommand:
    def run(self, *words: str) -> int:
        from engine import cli

        return cli.main(["binarize", *words])

    def file(self, folder: Path) -> str:
        engine.save(template("digits_mlp").network, folder / "real.layerlab")
        return str(folder / "real.layerlab")

    def test_it_writes_a_file_that_checks_and_says_what_and_why(self, tmp_path: Path, capsys: Any) -> None:
        out = tmp_path / "signs.layerlab"
        assert self.run(self.file(tmp_path), "-o", str(out), "--inputs", "swish_sign:beta=3") == 0
        said = capsys.readouterr().out
        assert "fc2: weights by ste_sign, input by swish_sign" in said
        assert "the last layer's answers need fine steps" in said
        network = engine.load(out)
        assert network.nodes["fc2"].binarize["input"] == choice("swish_sign", beta=3)
        assert engine.analyze(network).problems == ()

    def test_json_is_one_object(self, tmp_path: Path, capsys: Any) -> None:
        import json

        out = tmp_path / "signs.layerlab"
        assert self.run(self.file(tmp_path), "-o", str(out), "--inputs", "none", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert [layer["what"] for layer in told["layers"]] == ["weights by ste_sign"]
        assert {kept["where"] for kept in told["kept"]} == {"fc1", "fc3"}

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["--weights", "ste_sing"], 2, "Did you mean 'ste_sign'"),
            (["--weights", "rsign"], 1, "rsign binarizes the input"),
            (["--only", "fc9"], 2, "no node 'fc9'"),
            (["--only", "fc3"], 1, "the last layer's answers"),
            (["--weights", "ste_sign,lbsign"], 2, "not one estimator"),
        ],
    )
    def test_what_makes_no_sense_is_one_line(
        self, words: list[str], code: int, said: str, tmp_path: Path, capsys: Any
    ) -> None:
        assert self.run(self.file(tmp_path), "-o", str(tmp_path / "x.layerlab"), *words) == code
        message = capsys.readouterr().err
        assert said in message
        assert message.count("\n") <= 2
        assert not (tmp_path / "x.layerlab").exists()
