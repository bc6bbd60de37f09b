"""The binarization laboratory: every figure against a computation of its own in NumPy."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import engine
from engine import cli, diff, storage
from engine import lab_binary as lab
from engine.analysis import analyze
from engine.binary_cost import LayerCost, binary_costs, total
from engine.catalog import BINARIZERS, LAYERS
from engine.exchange.packing import pack
from engine.host.protocol import BinaryLaboratory, BinaryMeasured, Metrics
from engine.host.work import Work
from engine.network import Choice, Network, Node, Recipe
from engine.problems import NetworkProblem
from engine.storage import file
from engine.training import lab_binary, racing
from engine.training.task import Task
from tests.networks import alone, chain, choice

BOTH = {"weight": choice("ste_sign"), "input": choice("ste_sign")}


def mlp(width: int = 6, epochs: int = 2, **binarize: Choice) -> Network:
    """Pixels, normalised → a binarized layer → batch norm → ten classes, on digits."""
    return chain(
        ("flat", Node("Flatten")),
        ("norm0", Node("BatchNorm1d")),
        ("fc1", Node("Linear", {"out_features": width, "bias": False}, binarize=binarize or BOTH)),
        ("norm1", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(epochs=epochs, optimizer=choice("Adam", lr=0.005)),
    )


# ---------------------------------------------------------------------------- the same network by hand


class ByHand:
    """The network of :func:`mlp` in NumPy, double precision, batch statistics."""

    def __init__(self, network: Network, examples: int) -> None:
        model = engine.build(network, seed=network.recipe.seed)
        state = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
        self.w1, self.w2, self.b2 = state["fc1.weight"], state["fc2.weight"], state["fc2.bias"]
        columns = racing.first_batch(Task.of(network, torch.device("cpu")), examples)
        self.x = self.norm(columns[0].double().numpy().reshape(examples, -1))
        self.y = columns[1].numpy()

    @staticmethod
    def norm(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)

    @staticmethod
    def sgn(x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, 1.0, -1.0)

    def hidden(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x @ w.T

    def scores(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return self.norm(self.hidden(x, w)) @ self.w2.T + self.b2

    def loss(self, x: np.ndarray, w: np.ndarray) -> float:
        z = self.scores(x, w)
        z = z - z.max(1, keepdims=True)
        likely = z - np.log(np.exp(z).sum(1, keepdims=True))
        return float(-likely[np.arange(len(z)), self.y].mean())

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the loss for the binary inputs and the binary weights, by torch's own differentiation."""
        x, w = (torch.tensor(self.sgn(a), requires_grad=True) for a in (self.x, self.w1))
        hidden = torch.nn.functional.batch_norm(x @ w.T, None, None, training=True)
        scores = hidden @ torch.tensor(self.w2).T + torch.tensor(self.b2)
        torch.nn.functional.cross_entropy(scores, torch.tensor(self.y)).backward()
        assert x.grad is not None
        assert w.grad is not None
        return x.grad.numpy(), w.grad.numpy()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over rows."""
    return float(np.mean((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))


@pytest.fixture(scope="module")
def network() -> Network:
    return mlp()


@pytest.fixture(scope="module")
def report(network: Network) -> lab.BinaryReport:
    return lab_binary.measure(network, samples=6 * 64)


class TestFigures:
    def test_losses_and_agreement_are_those_of_a_pass_by_hand(
        self, network: Network, report: lab.BinaryReport
    ) -> None:
        hand = ByHand(network, 256)
        binary, real = (hand.sgn(hand.x), hand.sgn(hand.w1)), (hand.x, hand.w1)
        assert report.examples == 256
        assert report.loss == pytest.approx(hand.loss(*binary), rel=1e-6)
        assert report.real_loss == pytest.approx(hand.loss(*real), rel=1e-6)
        a, b = hand.scores(*binary), hand.scores(*real)
        assert report.output_cosine == pytest.approx(cosine(a, b), rel=1e-5)
        assert report.same == pytest.approx((a.argmax(1) == b.argmax(1)).mean())

    def test_each_estimator_is_left_out_alone(self, network: Network, report: lab.BinaryReport) -> None:
        hand = ByHand(network, 256)
        x, w = hand.sgn(hand.x), hand.sgn(hand.w1)
        for place, other in (("input", (hand.x, w)), ("weight", (x, hand.w1))):
            found = next(p for p in report.places if p.place == place)
            assert found.output_cosine == pytest.approx(
                cosine(hand.hidden(x, w), hand.hidden(*other)), rel=1e-5
            )
            same = (hand.scores(x, w).argmax(1) == hand.scores(*other).argmax(1)).mean()
            assert found.same == pytest.approx(same)

    def test_bits_signs_and_mask_are_counted(self, network: Network, report: lab.BinaryReport) -> None:
        hand = ByHand(network, 256)
        for found, latent, g in zip(report.places, (hand.x, hand.w1), hand.gradients(), strict=True):
            p = (latent >= 0).mean()
            assert found.positive == pytest.approx(p)
            assert found.bits == pytest.approx(-p * math.log2(p) - (1 - p) * math.log2(1 - p))
            size = np.abs(latent)
            assert found.near_zero == pytest.approx((size <= 0.1 * size.mean()).mean())
            assert found.at_clip == pytest.approx((size >= 0.99).mean())
            assert found.masked == pytest.approx(np.abs(g)[size > 1].sum() / np.abs(g).sum(), rel=1e-5)
            assert found.values == latent.size
        assert [found.place for found in report.places] == ["input", "weight"]

    def test_the_mismatch_is_the_cosine_to_a_finite_difference_of_the_loss(
        self, network: Network, report: lab.BinaryReport
    ) -> None:
        hand = ByHand(network, 64)  # over the first 64 examples, at every coordinate
        x, w = hand.sgn(hand.x), hand.sgn(hand.w1)
        of_inputs, of_weights = hand.gradients()
        slopes = np.zeros_like(w)
        for place in np.ndindex(w.shape):
            one = {}
            for sign in (1.0, -1.0):
                moved = w.copy()
                moved[place] = sign
                one[sign] = hand.loss(x, moved)
            slopes[place] = one[1.0] - one[-1.0]
        passed = of_weights * (np.abs(hand.w1) <= 1)
        wanted = (passed * slopes).sum() / np.linalg.norm(passed) / np.linalg.norm(slopes)
        found = next(p for p in report.places if p.place == "weight")
        assert found.coordinates == w.size
        assert found.cosine == pytest.approx(wanted, rel=1e-4)
        assert 0.3 < found.cosine < 1

        # Inputs: at the coordinates that the same seed chooses.
        found = next(p for p in report.places if p.place == "input")
        assert found.coordinates == w.size
        generator = torch.Generator().manual_seed(network.recipe.seed)
        chosen = torch.randperm(x.size, generator=generator)[: w.size].sort().values.numpy()
        gradient = (of_inputs * (np.abs(hand.x) <= 1)).ravel()[chosen]
        difference = []
        for place in chosen:
            losses = []
            for sign in (1.0, -1.0):
                moved = x.copy().ravel()
                moved[place] = sign
                losses.append(hand.loss(moved.reshape(x.shape), w))
            difference.append(losses[0] - losses[1])
        wanted = gradient @ difference / np.linalg.norm(gradient) / np.linalg.norm(difference)
        assert found.cosine == pytest.approx(wanted, rel=1e-4)

    @pytest.mark.parametrize(
        ("estimator", "fields", "levels"),
        [
            ("twn", {}, lambda w: np.sign(w) * (np.abs(w) > 0.7 * np.abs(w).mean())),
            ("magnitude_aware_sign", {}, lambda w: np.where(w >= 0, 1.0, -1.0)),
            (
                "dorefa_weight",
                {"k_bit": 3},
                lambda w: np.rint((np.tanh(w) / (2 * np.abs(np.tanh(w)).max()) + 0.5) * 7),
            ),
        ],
    )
    def test_effective_bits_are_the_entropy_of_the_levels(
        self, estimator: str, fields: dict[str, int], levels: object
    ) -> None:
        network = mlp(weight=choice(estimator, **fields))
        (found,) = lab_binary.measure(network, samples=2).places
        w = engine.build(network, seed=network.recipe.seed).fc1.weight.detach().double().numpy()
        _, counts = np.unique(levels(w), return_counts=True)  # type: ignore[operator]
        p = counts / counts.sum()
        assert found.bits == pytest.approx(-(p * np.log2(p)).sum())

    def test_measuring_draws_nothing_and_says_the_same_again(self, network: Network) -> None:
        stochastic = mlp(weight=choice("bc_stochastic"))
        state = torch.random.get_rng_state()
        first = lab_binary.measure(stochastic, samples=8)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert lab_binary.measure(stochastic, samples=8) == first

    def test_a_network_without_estimators_says_what_to_do(self) -> None:
        with pytest.raises(NetworkProblem, match="Nothing is binarized"):
            lab_binary.measure(chain(("flat", Node("Flatten")), shape=(1, 8, 8)))

    @pytest.mark.parametrize("type", ["LSTM", "SelfAttention", "Conv1d"])
    def test_layers_of_every_kind_are_measured(self, type: str) -> None:
        layer = {
            "LSTM": Node("LSTM", {"hidden_size": 4}, binarize=BOTH),
            "SelfAttention": Node("SelfAttention", {"num_heads": 2}, binarize=BOTH),
            "Conv1d": Node("Conv1d", {"out_channels": 4, "kernel_size": 3}, binarize=BOTH),
        }[type]
        network = chain(
            ("rows", Node("Reshape", {"shape": [8, 8]})),
            ("layer", layer),
            ("flat", Node("Flatten")),
            ("fc", Node("Linear", {"out_features": 10})),
            shape=(1, 8, 8),
        )
        if type == "LSTM":  # whose ports have names
            named = {"rows": ("target", "input"), "layer": ("source", "output")}
            edges = []
            for edge in network.edges:
                end, port = named.get(edge.source.node, ("", ""))
                edges.append(edge._replace(**{end: getattr(edge, end)._replace(port=port)}) if end else edge)
            network = Network(nodes=network.nodes, edges=tuple(edges))
        found = lab_binary.measure(network, samples=4).places
        assert [place.place for place in found] == ["input", "weight"]
        assert all(place.cosine is not None for place in found)


# ---------------------------------------------------------------------------- size and operations


def cost_of(network: Network, node: str = "layer") -> LayerCost:
    return next(c for c in binary_costs(network, analyze(network)) if c.node == node)


class TestCost:
    def test_a_linear_layer_packs_32_to_1_and_multiplies_by_xnor(self) -> None:
        network = mlp(width=16)
        found = cost_of(network, "fc1")
        assert found == LayerCost(
            "fc1", 1, 1, 64 * 16, 4 * 64 * 16, 64 * 16 // 8, xnor=64 * 16, real_macs=64 * 16
        )
        whole = total(binary_costs(network, analyze(network)))
        assert (whole.xnor, whole.macs) == (64 * 16, 16 * 10)
        assert whole.real_bytes == 4 * sum(p.numel() for p in engine.build(network).parameters())
        assert whole.operations == 64 * 16 / 64 + 160

    def test_packed_bytes_are_those_that_the_packed_export_writes(self) -> None:
        nodes = [
            ("conv1", Node("Conv2d", {"out_channels": 5, "kernel_size": 3, "bias": False}, binarize=BOTH)),
            ("norm", Node("BatchNorm2d")),
            ("conv2", Node("Conv2d", {"out_channels": 7, "kernel_size": 2, "bias": False}, binarize=BOTH)),
            ("flat", Node("Flatten")),
            ("fc", Node("Linear", {"out_features": 10})),
        ]
        network = chain(*nodes, shape=(1, 8, 8))
        tensors = pack(network, engine.build(network).eval()).tensors
        for node in ("conv1", "conv2"):
            assert cost_of(network, node).packed_bytes == tensors[f"{node}.weight"].nbytes

    @pytest.mark.parametrize(
        ("weight", "inputs", "expected"),
        [
            (choice("ste_sign"), None, (0, 512, 0)),
            (None, choice("ste_sign"), (0, 512, 0)),
            (choice("twn"), choice("ste_sign"), (2 * 512, 0, 0)),
            (choice("dorefa_weight", k_bit=3), choice("dorefa_input", k_bit=2), (6 * 512, 0, 0)),
            (None, choice("ste_heaviside"), (0, 512, 0)),
        ],
    )
    def test_operands_of_several_bits_cost_their_product(
        self, weight: Choice | None, inputs: Choice | None, expected: tuple[int, int, int]
    ) -> None:
        binarize = {k: v for k, v in (("weight", weight), ("input", inputs)) if v is not None}
        found = cost_of(mlp(width=8, **binarize), "fc1")
        assert (found.xnor, found.additions, found.macs) == expected

    def test_only_the_first_matrices_of_a_recurrent_layer_read_the_binary_input(self) -> None:
        fields = {"hidden_size": 12, "num_layers": 2, "bidirectional": True}
        found = cost_of(alone("LSTM", fields, binarize=BOTH))
        features, length = 16, 8  # alone() feeds [8, 16]
        reading = 2 * 4 * 12 * features * length
        others = 2 * 4 * 12 * (12 + 24 + 12) * length
        assert (found.xnor, found.additions, found.macs) == (reading, others, 0)

    @pytest.mark.parametrize("type", ["SelfAttention", "MultiheadAttention"])
    def test_scores_and_mixture_of_attention_stay_real(self, type: str) -> None:
        found = cost_of(alone(type, binarize=BOTH))
        length, features = 8, 16
        square = length * features * features
        reading = 3 * square if type == "SelfAttention" else square
        assert (found.xnor, found.additions) == (reading, 4 * square - reading)
        assert found.macs == 2 * length * length * features

    @pytest.mark.parametrize(
        "type", sorted(id for id, layer in LAYERS.items() if layer.binarizable and id != "MultiheadAttention")
    )
    def test_what_counts_as_binarized_is_what_the_catalogue_binarizes(self, type: str) -> None:
        network = alone(type, binarize={"weight": choice("ste_sign")})
        report = analyze(network).nodes["layer"]
        names = LAYERS[type].binarizable_names(network.nodes["layer"].fields)
        assert cost_of(network).binary_weights == sum(
            math.prod(shape) for name, shape in report.parameters.items() if name in names
        )

    def test_every_estimator_says_how_many_bits_it_takes(self) -> None:
        several = {"ste_tern": 2, "twn": 2, "dorefa_input": 2}
        for id, entry in BINARIZERS.items():
            assert entry.bits(entry.settings({})) == several.get(id, 1)


# ---------------------------------------------------------------------------- race, edits


class TestRace:
    def test_it_is_reproducible_and_every_entrant_sees_the_same_batches(self) -> None:
        network = mlp(width=24)
        estimators = lab_binary.parsed("identity_ste,approx_sign,twn")
        raced = lab_binary.race(network, estimators, 30)
        assert raced == lab_binary.race(network, estimators, 30)
        assert list(raced.losses) == ["current", "real", "identity_ste", "approx_sign", "twn"]
        first = {name: losses[0] for name, losses in raced.losses.items()}
        # The same batch and forward at step 1; then their gradients part them.
        assert first["current"] == first["identity_ste"] == first["approx_sign"]
        assert raced.losses["current"][-1] != raced.losses["approx_sign"][-1]
        assert all(losses[-1] < losses[0] for losses in raced.losses.values())

    def test_the_current_network_trains_as_training_does(self, tmp_path: Path) -> None:
        network = mlp(width=24, epochs=1)
        told: list[Metrics] = []
        engine.train(
            network,
            run_dir=str(tmp_path),
            device="cpu",
            emit=lambda e: told.append(e) if isinstance(e, Metrics) and e.split == "train" else None,
        )
        steps = told[-1].step
        losses = lab_binary.race(network, [], steps).losses["current"]
        before = 0
        for point in told:
            mean = np.mean(losses[before : point.step])
            # The last batch of an epoch is smaller, and training counts examples.
            assert point.values["loss"] == pytest.approx(mean, rel=1e-5 if point.step < steps else 0.05)
            before = point.step

    def test_an_estimator_goes_where_one_stands_and_it_may_and_back_in_one_step(self) -> None:
        latent = Choice("ste_sign", {}, {"clip_latent": False})
        network = mlp(weight=latent, input=choice("ste_sign"))
        scaled = lab.with_estimator(network, choice("xnor_scale"))
        assert scaled.nodes["fc1"].binarize["weight"] == Choice("xnor_scale", {}, {"clip_latent": False})
        assert scaled.nodes["fc1"].binarize["input"].id == "ste_sign"
        assert lab.with_estimator(network, choice("approx_sign")).nodes["fc1"].binarize["input"].id == (
            "approx_sign"
        )
        assert not scaled.nodes["fc2"].binarize
        assert diff.apply(scaled, diff.invert(diff.changes(network, scaled))) == network
        assert not list(lab.binarized(lab.without_estimators(network)))


# ---------------------------------------------------------------------------- command and host


class TestCommand:
    def test_it_prints_one_object_for_a_file(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "signs.layerlab"
        storage.write(mlp(), path)
        arguments = ["--samples", "4", "--race", "5", "--estimators", "approx_sign", "--json"]
        assert cli.main(["lab", "binarize", str(path), *arguments]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert [place["name"] for place in shown["places"]] == ["fc1", "fc1.weight"]
        assert shown["note"] == "as first drawn"
        assert {len(losses) for losses in shown["race"]["losses"].values()} == {5}
        assert shown["totals"]["xnor"] == 64 * 6

    def test_a_run_is_measured_with_its_weights_and_tells_of_its_signs(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        result = engine.train(mlp(width=24), run_dir=str(tmp_path), device="cpu")
        assert cli.main(["lab", "binarize", result["run"], "--samples", "4", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["note"] == "best weights"
        assert shown["loss"] < 1
        signs = shown["signs"]["fc1.weight"]
        assert sum(signs["per_weight"]) == signs["followed"] == 24 * 64
        assert cli.main(["lab", "binarize", result["run"], "--samples", "4"]) == 0
        assert "best weights" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("estimators", "message"),
        [
            ("ste_sgn", "Did you mean 'ste_sign'?"),
            ("swish_sign:beta=-1", "swish_sign › beta: -1"),
        ],
    )
    def test_a_wrong_estimator_is_told(
        self, estimators: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "signs.layerlab"
        storage.write(mlp(), path)
        assert cli.main(["lab", "binarize", str(path), "--estimators", estimators]) == 2
        assert message in capsys.readouterr().err

    def test_a_real_network_says_so(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "real.layerlab"
        storage.write(lab.without_estimators(mlp()), path)
        assert cli.main(["lab", "binarize", str(path)]) == 1
        assert "Nothing is binarized" in capsys.readouterr().err


def test_a_host_answers_with_the_report_or_the_race() -> None:
    document = file.dumps(mlp())
    answers: list[object] = []
    work = Work(threads=1)
    work.answer(BinaryLaboratory(1, document), answers.append)
    work.answer(BinaryLaboratory(2, document, race=3, estimators="twn"), answers.append)
    first, second = answers
    assert isinstance(first, BinaryMeasured)
    assert isinstance(second, BinaryMeasured)
    assert first.report is not None
    assert first.race is None
    assert second.report is None
    assert second.race is not None
    assert list(second.race.losses) == ["current", "real", "twn"]
