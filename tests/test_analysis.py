"""What the analysis says about networks: shapes, cost, and each mistake at its place."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import engine
from engine import diff, edit
from engine.analysis import evaluate
from engine.analysis.walk import walk
from engine.network import Choice, Data, Edge, End, Network, Node, Recipe
from tests.networks import alone, chain, choice, example_shape


def digits(**fields: Any) -> Network:
    """A sound network for the digits."""
    return chain(
        ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3, **fields}, choice("ReLU"))),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )


def codes(network: Network) -> list[tuple[str, str | None, str | None]]:
    return [(p.code, p.node, p.field) for p in engine.analyze(network).problems]


def with_node(network: Network, id: str, **parts: Any) -> Network:
    node = edit.replace(network.nodes[id], **parts)
    return edit.replace(network, nodes={**network.nodes, id: node})


def wire(source: str, target: str) -> Edge:
    return Edge(End.parse(source), End.parse(target))


def test_a_sound_network_has_no_problems() -> None:
    assert codes(digits()) == []


BROKEN = {
    "unknown-type": (with_node(digits(), "conv", type="Conv2D"), "conv", None, "Did you mean 'Conv2d'"),
    "unknown-field": (digits(strid=2), "conv", "strid", "Did you mean 'stride'"),
    "wrong-field": (digits(stride="two"), "conv", "stride", "'two'"),
    "missing-field": (with_node(digits(), "fc", fields={}), "fc", "out_features", "missing"),
    "window-fits": (digits(kernel_size=9), "conv", "kernel_size", r"9.*8 \+ 2·0 = 8"),
    "dangling-edge": (edit.replace(digits(), edges=(*digits().edges, wire("conf", "fc"))), "fc", None, "'conf'.*'conv'"),
    "two-wires": (edit.replace(digits(), edges=(*digits().edges, wire("image", "fc"))), "fc", None, "two wires"),
    "unconnected": (edit.replace(digits(), edges=digits().edges[1:]), "conv", None, "not connected"),
    "port-unknown": (
        edit.replace(digits(), edges=(wire("image.mask", "conv"), *digits().edges[1:])), "image", None, "'mask'",
    ),
    "unknown-activation": (with_node(digits(), "fc", activation=choice("Relu")), "fc", "activation", "'ReLU'"),
    "activation-place": (with_node(digits(), "out", activation=choice("ReLU")), "out", "activation", "no activation"),
    "unknown-initialiser": (with_node(digits(), "fc", init={"weight": choice("xavier")}), "fc", "init.weight", "xavier"),
    "unknown-parameter": (with_node(digits(), "fc", init={"wieght": choice("ones")}), "fc", "init.wieght", "'weight'"),
    "init-misfit": (with_node(digits(), "fc", init={"bias": choice("orthogonal")}), "fc", "init.bias", r"\[10\]"),
    "unknown-binarizer": (with_node(digits(), "fc", binarize={"weight": choice("sign")}), "fc", "binarize.weight", "sign"),
    "binarize-place": (with_node(digits(), "flat", binarize={"weight": choice("ste_sign")}), "flat", "binarize.weight", "no weight"),
    "rank": (edit.replace(digits(), edges=(wire("image", "flat"), wire("flat", "conv"), wire("conv", "fc"), wire("fc", "out"))), "conv", None, "flattened"),
    "dtype": (with_node(digits(), "image", fields={"shape": [1, 8, 8], "dtype": "int64"}), "conv", None, "int64"),
    "batch-mixing": (with_node(digits(), "flat", fields={"start_dim": 0}), "flat", None, "batch"),
    "data-shape": (with_node(digits(), "image", fields={"shape": [1, 9, 9]}), "image", "shape", r"\[1, 8, 8\].*\[1, 9, 9\]"),
    "data-classes": (with_node(digits(), "fc", fields={"out_features": 7}), "out", None, "10 classes.*7"),
    "unknown-data-source": (edit.set_recipe(digits(), Recipe(data=Data("digit"))), None, "recipe.data.source", "'digits'"),
    "unknown-loss": (edit.set_recipe(digits(), Recipe(loss=choice("CrossEntropy"))), None, "recipe.loss.type", "'CrossEntropyLoss'"),
    "unknown-optimizer": (edit.set_recipe(digits(), Recipe(optimizer=choice("Adm"))), None, "recipe.optimizer.type", "'Adam'"),
}  # fmt: skip


@pytest.mark.parametrize("code", BROKEN)
class TestEveryMistake:
    def test_it_is_named_at_its_node_and_field_with_what_matters_in_it(self, code: str) -> None:
        network, node, field, message = BROKEN[code]
        found = [p for p in engine.analyze(network).problems if p.code == code]
        assert [(p.node, p.field) for p in found] == [(node, field)]
        assert re.search(message, found[0].message), found[0].message

    def test_it_keeps_the_network_from_being_built(self, code: str) -> None:
        if code.startswith(("data-", "unknown-data", "unknown-loss", "unknown-optimizer")):
            pytest.skip("the recipe is not looked at by build")
        with pytest.raises(engine.NetworkProblem):
            engine.build(BROKEN[code][0])

    def test_each_repair_offered_takes_it_away(self, code: str) -> None:
        network = BROKEN[code][0]
        for problem in engine.analyze(network).problems:
            for repair in problem.repairs:
                mended = engine.analyze(diff.apply(network, repair.changes))
                same = [
                    p
                    for p in mended.problems
                    if (p.code, p.node, p.field) == (problem.code, problem.node, problem.field)
                ]
                assert same == [], repair.text


def test_a_circle_is_named_in_its_order() -> None:
    network = edit.replace(
        digits(),
        nodes={**digits().nodes, "back": Node("Add")},
        edges=(
            wire("image", "back.input"),
            wire("fc", "back.other"),
            wire("back", "conv"),
            *digits().edges[1:],
        ),
    )
    (problem,) = [p for p in engine.analyze(network).problems if p.code == "cycle"]
    named = problem.message.partition(": ")[2].partition(".")[0].split(" → ")
    assert named[0] == named[-1] == problem.node
    assert set(named) == {"back", "conv", "flat", "fc"}
    wires = {(edge.source.node, edge.target.node) for edge in network.edges}
    assert all(pair in wires for pair in pairwise(named))


def test_an_empty_network_lacks_its_ends() -> None:
    assert {"no-input", "no-output"} <= {p.code for p in engine.analyze(Network()).problems}


@pytest.mark.parametrize(
    ("network", "code", "node"),
    [
        (chain(("fc", Node("Linear", {"out_features": 10}, choice("Softmax", dim=1))), shape=(4,)), "scores-wanted", "out"),
        (chain(("a", Node("Linear", {"out_features": 9}, choice("ReLU"))), ("b", Node("Linear", {"out_features": 10}, binarize={"input": choice("ste_sign")})), shape=(4,)), "sign-of-positives", "b"),
        (chain(("a", Node("Linear", {"out_features": 9})), ("norm", Node("BatchNorm1d")), shape=(4,)), "bias-before-norm", "a"),
        (chain(("a", Node("Linear", {"out_features": 9}, init={"weight": choice("zeros")})), shape=(4,)), "equal-weights", "a"),
        (edit.add_node(digits(), "lost", Node("Dropout")), "unused", "lost"),
        (with_node(digits(), "fc", extra={"colour": "red"}), "unknown-key", "fc"),
    ],
)  # fmt: skip
def test_what_torch_lets_pass_is_said_without_stopping_anyone(network: Network, code: str, node: str) -> None:
    (problem,) = [p for p in engine.analyze(network).problems if p.code == code]
    assert problem.node == node
    assert problem.severity in ("warning", "hint")


# ---------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        ("Conv2d", {"out_channels": 6, "kernel_size": [3, 5], "stride": 2, "padding": 1, "groups": 2}),
        ("Conv1d", {"out_channels": 6, "kernel_size": 3}),
        ("Conv3d", {"out_channels": 2, "kernel_size": 2}),
        ("ConvTranspose2d", {"out_channels": 6, "kernel_size": 3, "stride": 2}),
        ("Linear", {"out_features": 7}),
        ("MatMul", {}),
        ("MultiheadAttention", {"num_heads": 2}),
        ("SelfAttention", {"num_heads": 2}),
        ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 24, "dropout": 0.0}),
        ("TransformerDecoderLayer", {"nhead": 2, "dim_feedforward": 24, "dropout": 0.0}),
    ],
)
def test_multiplications_are_those_that_torch_counts(type: str, fields: dict[str, Any]) -> None:
    network = alone(type, fields)
    inputs = [torch.rand(1, *n.fields["shape"]) for n in network.nodes.values() if n.type == "Input"]
    model = engine.build(network)
    # torch's counter knows no fused attention on the CPU, so it counts the plain one.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(*inputs)
    assert engine.analyze(network).nodes["layer"].macs == counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("type", "fields", "per_step"),
    [
        ("RNN", {"hidden_size": 5}, 5 * (16 + 5)),
        ("GRU", {"hidden_size": 5, "num_layers": 2}, 3 * 5 * (16 + 5) + 3 * 5 * (5 + 5)),
        ("LSTM", {"hidden_size": 5, "bidirectional": True}, 2 * 4 * 5 * (16 + 5)),
        ("LSTM", {"hidden_size": 5, "proj_size": 3}, 4 * 5 * (16 + 3) + 3 * 5),
    ],
)
def test_a_recurrent_layer_multiplies_by_its_matrices_at_every_step(
    type: str, fields: dict[str, Any], per_step: int
) -> None:
    assert example_shape(type) == (8, 16)  # 8 steps of 16 features; gates × hidden × (input + hidden)
    assert engine.analyze(alone(type, fields)).nodes["layer"].macs == 8 * per_step


def test_the_receptive_field_grows_as_the_formula_says() -> None:
    network = chain(
        ("a", Node("Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": 1})),
        ("b", Node("MaxPool2d", {"kernel_size": 2})),
        ("c", Node("Conv2d", {"out_channels": 4, "kernel_size": 3, "dilation": 2})),
        shape=(1, 28, 28),
    )
    # r ← r + (reach − 1)·jump, jump ← jump·stride: 1 → 3 → 4 (jump 2) → 4 + 4·2 = 12
    nodes = engine.analyze(network).nodes
    assert [nodes[id].receptive_field for id in "abc"] == [(3, 3), (4, 4), (12, 12)]


def _seen(network: Network) -> int:
    """Pixels from the first to the last that one output of a 1-D network depends on, the most of all outputs."""
    model = engine.build(network)
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter)
    image = torch.ones(1, 1, 97, requires_grad=True)
    most = 0
    for place in range(model(image).shape[-1]):
        (gradient,) = torch.autograd.grad(model(image)[0, 0, place], image)
        seen = gradient[0, 0].nonzero().flatten().tolist()
        most = max(most, seen[-1] - seen[0] + 1)
    return most


_DOWN = st.one_of(
    st.builds(
        lambda k, s, d: Node("Conv1d", {"out_channels": 1, "kernel_size": k, "stride": s, "dilation": d}),
        st.integers(1, 4),
        st.integers(1, 3),
        st.integers(1, 2),
    ),
    st.builds(lambda k: Node("AvgPool1d", {"kernel_size": k}), st.integers(1, 3)),
)
_UP = st.one_of(
    st.builds(
        lambda k, s: Node("ConvTranspose1d", {"out_channels": 1, "kernel_size": k + s - 1, "stride": s}),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    st.builds(
        lambda s, mode: Node("Upsample", {"scale_factor": float(s), "mode": mode}),
        st.integers(1, 3),
        st.sampled_from(["nearest", "linear"]),
    ),
)
_SAME = st.builds(lambda k: Node("Conv1d", {"out_channels": 1, "kernel_size": k}), st.integers(1, 4))


@given(st.lists(_DOWN, max_size=2), st.lists(st.one_of(_UP, _SAME), max_size=3), st.lists(_DOWN, max_size=1))
@settings(max_examples=20, deadline=None)
def test_the_receptive_field_is_what_gradients_reach(
    down: list[Node], up: list[Node], after: list[Node]
) -> None:
    def drawn(layers: list[Node]) -> Network:
        return chain(*((f"n{i}", node) for i, node in enumerate(layers)), shape=(1, 97))

    def reported(network: Network) -> int:
        return engine.analyze(network).nodes["out"].receptive_field[0]

    network = drawn([*down, *up])
    assert reported(network) == _seen(network)
    stepped = drawn([*down, *up, *after])  # what steps over enlarged places may see less than the most
    assert reported(stepped) >= _seen(stepped)


def test_totals_are_the_built_models() -> None:
    analysis = engine.analyze(digits())
    model = engine.build(digits())
    assert analysis.totals["parameters"] == sum(p.numel() for p in model.parameters())
    assert analysis.totals["macs"] == 4 * 6 * 6 * 9 + 144 * 10
    frozen = edit.set_training(digits(), "fc", edit.Training(frozen=True))
    assert engine.analyze(frozen).totals["trainable"] == 4 * 9 + 4
    assert not engine.build(frozen).fc.weight.requires_grad


# ---------------------------------------------------------------------------- speed, by what is computed


def test_an_edit_computes_only_what_lies_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [(f"fc{i}", Node("Linear", {"out_features": 300 + i}, choice("ReLU"))) for i in range(60)]
    network = chain(*layers, shape=(17,))
    walk(network)
    computed: list[str] = []
    real = evaluate._evaluate
    monkeypatch.setattr(
        evaluate, "_evaluate", lambda step, inputs: (computed.append(step.path), real(step, inputs))[1]
    )
    walk(network)
    assert computed == []
    walk(edit.set_field(network, "fc40", "out_features", 999))
    assert computed == ["fc40", "fc41"]


def test_sizes_beyond_any_machine_are_a_problem_and_never_memory() -> None:
    huge = chain(("fc", Node("Linear", {"out_features": 1 << 20})), shape=(1 << 24,))
    assert "too-large" in [p.code for p in walk(huge).problems]
    wide = chain(("flat", Node("Flatten")), shape=(1 << 24,) * 8)
    assert "too-large" in [p.code for p in walk(wide).problems]


def test_ten_thousand_nodes_in_a_row_are_no_trouble() -> None:
    network = chain(*((f"n{i}", Node("ReLU")) for i in range(10_000)), shape=(10,))
    assert engine.analyze(network).shapes["out"] == (10,)


@pytest.mark.parametrize(
    "value", [None, True, -1, 0, 1.5, "x", [], [1, "a"], {}, 1 << 80, [[1]], float("nan")]
)
def test_no_value_in_any_place_makes_the_analysis_raise(value: Any) -> None:
    for id, name in [("image", "shape"), ("image", "dtype"), ("conv", "kernel_size"), ("fc", "out_features")]:
        engine.analyze(with_node(digits(), id, fields={name: value}))
    engine.analyze(edit.set_recipe(digits(), Recipe(optimizer=Choice("Adam", {"lr": value, "betas": value}))))


# ---------------------------------------------------------------------------- advice


def conv(channels: int = 4, kernel: int = 3, **fields: Any) -> Node:
    return Node("Conv2d", {"out_channels": channels, "kernel_size": kernel, **fields})


def linear(features: int, activation: str | None = None, **parts: Any) -> Node:
    return Node(
        "Linear", {"out_features": features}, None if activation is None else choice(activation), **parts
    )


HE = {"weight": choice("kaiming_normal", nonlinearity="relu")}

#: code -> (a network with the mistake, its node, the same network without it)
MISTAKES: dict[str, tuple[Network, str, Network]] = {
    "stride-skips": (
        chain(("conv", conv(kernel=2, stride=3)), shape=(1, 8, 8)), "conv",
        chain(("conv", conv(kernel=3, stride=3)), shape=(1, 8, 8)),
    ),
    "dropout-at-output": (
        chain(("fc", linear(10)), ("drop", Node("Dropout")), shape=(4,)), "drop",
        chain(("drop", Node("Dropout")), ("fc", linear(10)), shape=(4,)),
    ),
    "dropout-before-norm": (
        chain(("drop", Node("Dropout")), ("norm", Node("BatchNorm1d")), ("fc", linear(10)), shape=(4,)), "drop",
        chain(("norm", Node("BatchNorm1d")), ("drop", Node("Dropout")), ("fc", linear(10)), shape=(4,)),
    ),
    "norm-at-output": (
        chain(("fc", linear(10)), ("norm", Node("BatchNorm1d")), shape=(4,)), "norm",
        chain(("norm", Node("BatchNorm1d")), ("fc", linear(10)), shape=(4,)),
    ),
    "saturating-he": (
        chain(("a", linear(9, "Tanh", init=HE)), ("b", linear(9, "Tanh")), ("c", linear(10)), shape=(4,)), "a",
        chain(("a", linear(9, "ReLU", init=HE)), ("b", linear(9, "Tanh")), ("c", linear(10)), shape=(4,)),
    ),
    "narrow-view": (
        chain(("conv", conv()), ("mean", Node("AdaptiveAvgPool2d", {"output_size": 1})), shape=(1, 32, 32)), "mean",
        chain(("conv", conv(kernel=17)), ("mean", Node("AdaptiveAvgPool2d", {"output_size": 1})), shape=(1, 32, 32)),
    ),
    "unused-part": (
        edit.replace(alone("Chunk"), edges=alone("Chunk").edges[:-1]), "layer", alone("Chunk"),
    ),
    "residual-strides": (
        Network(
            nodes={"image": Node("Input", {"shape": [1, 8, 8]}), "pool": Node("AdaptiveAvgPool2d", {"output_size": 1}),
                   "add": Node("Add"), "out": Node("Output")},
            edges=(wire("image", "pool"), wire("pool", "add.input"), wire("image", "add.other"), wire("add", "out")),
        ), "add", alone("Add"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_that_torch_lets_pass_is_named_with_its_lesson_and_its_cure_is_silent(code: str) -> None:
    wrong, node, right = MISTAKES[code]
    (problem,) = [p for p in engine.analyze(wrong).problems if p.code == code]
    assert problem.node == node
    assert problem.severity in ("warning", "hint")
    assert problem.lesson
    assert code not in [p.code for p in engine.analyze(right).problems]
    # Only what the network is for says what else would mend these.
    assert problem.repairs or code in ("narrow-view", "unused-part")
    for repair in problem.repairs:
        mended = engine.analyze(diff.apply(wrong, repair.changes))
        assert len(mended.errors) <= len(engine.analyze(wrong).errors)
        assert (code, node) not in [(p.code, p.node) for p in mended.problems]


@pytest.mark.parametrize("network", [
    chain(("fc", edit.replace(linear(10), activation=choice("Softmax", dim=1))), shape=(4,)),
    chain(("fc", linear(10)), ("scores", Node("Softmax", {"dim": 1})), shape=(4,)),
])  # fmt: skip
def test_scores_are_laid_bare_by_one_repair(network: Network) -> None:
    (problem,) = [p for p in engine.analyze(network).problems if p.code == "scores-wanted"]
    (repair,) = problem.repairs
    mended = diff.apply(network, repair.changes)
    assert not [p for p in engine.analyze(mended).problems if p.code == "scores-wanted"]
    assert list(mended.nodes) == ["image", "fc", "out"]


@pytest.mark.parametrize(
    ("loss", "giving"), [("BCELoss", "Sigmoid"), ("NLLLoss", "LogSoftmax"), ("KLDivLoss", "LogSoftmax")]
)
def test_a_loss_of_probabilities_says_so_of_raw_scores_and_each_repair_helps(loss: str, giving: str) -> None:
    network = chain(("fc", linear(10)), shape=(4,), recipe=Recipe(loss=choice(loss)))
    (problem,) = [p for p in engine.analyze(network).problems if p.code == "probabilities-wanted"]
    assert (problem.node, problem.severity) == ("out", "warning")
    assert [repair.text for repair in problem.repairs][1] == f"End fc with {giving}"
    for repair in problem.repairs:
        mended = engine.analyze(diff.apply(network, repair.changes))
        assert not {"probabilities-wanted", "scores-wanted"} & {p.code for p in mended.problems}


def test_outputs_that_name_nothing_are_an_error() -> None:
    network = chain(("fc", linear(10)), shape=(4,), recipe=Recipe(options={"outputs": 3}))
    (problem,) = [p for p in engine.analyze(network).errors if p.field == "recipe.outputs"]
    mended = engine.analyze(diff.apply(network, problem.repairs[0].changes))
    assert not [p for p in mended.errors if p.field == "recipe.outputs"]


def test_what_is_computed_for_nothing_is_removed_by_its_repair() -> None:
    network = chain(("fc", linear(10)), shape=(4,))
    stray = edit.connect(edit.add_node(network, "stray", linear(3)), End("image"), End("stray"))
    (problem,) = [p for p in engine.analyze(stray).problems if p.code == "unused"]
    assert diff.apply(stray, problem.repairs[0].changes) == network


def test_a_batch_of_one_cannot_be_normalised_as_torch_says_too() -> None:
    network = chain(("fc", linear(10)), ("norm", Node("BatchNorm1d")), ("last", linear(10)), shape=(4,))
    alone = edit.set_recipe(network, Recipe(batch_size=1))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        engine.build(network).train()(torch.zeros(1, 4))
    (problem,) = [p for p in engine.analyze(alone).problems if p.code == "norm-of-one"]
    assert problem.node == "norm"
    mended = engine.analyze(diff.apply(alone, problem.repairs[0].changes))
    assert "norm-of-one" not in [p.code for p in mended.problems]
    pictures = chain(("norm", Node("BatchNorm2d")), shape=(3, 8, 8), recipe=Recipe(batch_size=1))
    assert "norm-of-one" not in [p.code for p in engine.analyze(pictures).problems]


def test_sigmoid_before_a_loss_that_has_one_is_named() -> None:
    network = chain(("fc", linear(10, "Sigmoid")), shape=(4,))
    network = edit.set_recipe(network, Recipe(loss=choice("BCEWithLogitsLoss")))
    (problem,) = [p for p in engine.analyze(network).problems if p.code == "scores-wanted"]
    assert "sigmoid" in problem.message


@pytest.mark.parametrize("code", BROKEN)
def test_every_error_of_the_drawing_has_a_lesson(code: str) -> None:
    if code.startswith(("unknown-", "port-", "activation-", "binarize-")):
        pytest.skip("its message says it all")
    assert all(p.lesson for p in engine.analyze(BROKEN[code][0]).problems if p.code == code)


# ---------------------------------------------------------------------------- memory and names


def test_memory_is_foretold_for_the_batch_and_the_optimizer() -> None:
    network = chain(("a", linear(100)), ("b", linear(10)), shape=(50,))
    weights, learned = 4 * (50 * 100 + 100 + 100 * 10 + 10), 4 * (50 * 100 + 100 + 100 * 10 + 10)
    outputs = 4 * (50 + 100 + 10)
    for optimizer, kept in (("SGD", 0), ("Adam", 2)):
        recipe = Recipe(optimizer=choice(optimizer), batch_size=32)
        totals = engine.analyze(edit.set_recipe(network, recipe)).totals
        assert totals["training_bytes"] == weights + learned * (1 + kept) + 32 * outputs
        # Two neighbours at most are held at once.
        assert totals["inference_bytes"] == weights + 32 * 4 * (50 + 100)
    frozen = edit.set_training(
        edit.set_recipe(network, Recipe(batch_size=32)), "a", edit.Training(frozen=True)
    )
    assert engine.analyze(frozen).totals["training_bytes"] == weights + 3 * 4 * (100 * 10 + 10) + 32 * outputs


def test_what_training_keeps_is_what_torch_keeps_for_the_backward_pass() -> None:
    network = chain(("a", linear(100, "Tanh")), ("b", linear(40, "ReLU")), ("c", linear(10)), shape=(50,))
    model, kept = engine.build(network), {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(t.data_ptr(), t), lambda t: t):
        model(torch.rand(32, 50))
    parameters = {p.data_ptr() for p in model.parameters()}
    saved = sum(t.nbytes for pointer, t in kept.items() if pointer not in parameters)
    foretold = 32 * engine.analyze(network).totals["activation_bytes"]
    assert saved <= foretold <= 1.1 * saved  # the scores themselves are kept by the loss


def test_dimensions_are_named_as_their_layers_speak_of_them() -> None:
    network = Network(
        nodes={
            "words": Node("Input", {"shape": [12], "dtype": "int64"}),
            "table": Node("Embedding", {"num_embeddings": 50, "embedding_dim": 8}),
            "norm": Node("LayerNorm"),
            "lstm": Node("LSTM", {"hidden_size": 8}),
            "last": Node("Select", {"dim": 1, "index": -1}),
            "out": Node("Output"),
        },
        edges=(wire("words", "table"), wire("table", "norm"), wire("norm", "lstm.input"),
               wire("lstm.output", "last"), wire("last", "out")),
    )  # fmt: skip
    nodes = engine.analyze(network).nodes
    assert [nodes[id].dimensions for id in ("table", "norm", "lstm", "last")] == [
        "L C",
        "L C",
        "L C",
        "features",
    ]
    assert engine.analyze(digits()).nodes["conv"].dimensions == "C H W"


def test_more_outputs_than_classes_are_a_warning_with_a_way_out() -> None:
    network = with_node(digits(), "fc", fields={"out_features": 20})
    (found,) = [problem for problem in engine.analyze(network).problems if problem.code == "data-classes"]
    assert found.severity == "warning"
    assert "10 classes" in found.message
    assert "20" in found.message
    mended = diff.apply(network, found.repairs[0].changes)
    assert mended.nodes["fc"].fields["out_features"] == 10
    assert "data-classes" not in {problem.code for problem in engine.analyze(mended).problems}
