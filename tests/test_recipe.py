"""The recipe: losses, optimizers, schedules and options, each against torch's own or a formula."""

import math
from itertools import pairwise

import msgspec
import pytest
import torch
from torch import nn

import engine
from engine.assign import AssignProblem, assign
from engine.catalog import LOSSES, OPTIMIZERS, RECIPE_OPTIONS, SCHEDULES, Horizon
from engine.compile.resolve import construct, resolve
from engine.host.protocol import Metrics, RunStarted, RunState
from engine.network import Choice, Edge, End, Network, Node, Recipe
from engine.problems import NetworkProblem
from engine.training import Control, find_rate, rate_finder, train
from engine.training.averaging import Average
from engine.training.feed import Feed
from engine.training.metrics import Gathered, aligned, better
from engine.training.schedules import Schedule, WarmupCosineLR
from tests.test_training import Told, chain, perceptron, replaced, same, weights, with_everything


def examples(network):
    return engine.data.load(network.recipe.data, network.recipe.seed).splits["train"]


def batches(network, size, epoch=0):
    """The batches of an epoch, as a person would slice them."""
    split = examples(network)
    order = Feed([split.targets], size, network.recipe.seed, torch.device("cpu")).order(epoch)
    return [(split.inputs["input"][chosen], split.targets[chosen]) for chosen in order.split(size)]


def recipe(**parts):
    options = {k: parts.pop(k) for k in list(parts) if k not in Recipe.__struct_fields__}
    return Recipe(**{"epochs": 1, "batch_size": 128, **parts}, options=options)


# ---------------------------------------------------------------------------- the catalogue


@pytest.mark.parametrize("id", [id for id, e in OPTIMIZERS.items() if e.source.startswith("torch.optim")])
def test_defaults_of_optimizers_are_torchs(id):
    ours = construct(OPTIMIZERS[id].call(OPTIMIZERS[id].settings({})), [nn.Parameter(torch.zeros(2, 2))])
    theirs = getattr(torch.optim, id)([nn.Parameter(torch.zeros(2, 2))])
    assert ours.defaults == theirs.defaults


@pytest.mark.parametrize("id", [id for id, e in LOSSES.items() if e.source.startswith("torch.nn")])
def test_defaults_of_losses_are_torchs_and_each_gives_torchs_value(id):
    ours, theirs = construct(LOSSES[id].call(LOSSES[id].settings({}))), getattr(nn, id)()
    if id == "KLDivLoss":  # torch warns of its own default, which is not the divergence
        theirs = nn.KLDivLoss(reduction="batchmean")
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(1))
    target = {
        "class": torch.arange(6) % 4,
        "like": x.flip(0),
        "multilabel": (x > 0.5).float(),
        "sign": (x > 0.5).float() * 2 - 1,
    }[LOSSES[id].target]
    assert torch.equal(ours(x, target), theirs(x, target))


def test_every_loss_of_torch_is_there_or_its_absence_is_explained():
    absent = {
        # pairs, triplets, alignments, second predictions, trees; and what another covers
        "CosineEmbeddingLoss HingeEmbeddingLoss MarginRankingLoss TripletMarginLoss TripletMarginWithDistanceLoss"
        " CTCLoss GaussianNLLLoss MultiLabelMarginLoss AdaptiveLogSoftmaxWithLoss LinearCrossEntropyLoss"
    }
    theirs = {name for name in dir(nn) if name.endswith("Loss")}
    assert theirs - set(LOSSES) <= set(" ".join(absent).split())


@pytest.mark.parametrize("id", SCHEDULES)
def test_schedules_move_the_rate_as_torchs_own_do(id):
    entry, horizon = SCHEDULES[id], Horizon(40, 10)
    rates, expected = [], []
    for seen in (rates, expected):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        fields = entry.start()
        if seen is rates:
            schedule = Schedule(Choice(id, fields), optimizer, [1.0], horizon)
            move = (lambda s=schedule: s.judge(1.0)) if schedule.on_plateau else schedule.move
        else:
            call = entry.call(entry.settings(fields), horizon)
            scheduler = resolve(call.target)(optimizer, **call.kwargs)
            move = (lambda s=scheduler: s.step(1.0)) if id == "ReduceLROnPlateau" else scheduler.step
        for _ in range(25):
            optimizer.step()
            move()
            seen.append(optimizer.param_groups[0]["lr"])
    assert rates == expected


def test_cosine_with_warm_up_follows_its_formula():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = WarmupCosineLR(optimizer, warmup=10, total=110, start_factor=0.1, eta_min=0.01)
    told = []
    for _ in range(110):
        told.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert told[0] == pytest.approx(0.05)
    assert told[5] == pytest.approx(0.5 * (0.1 + 0.9 * 0.5))
    assert told[10] == pytest.approx(0.5)
    assert told[60] == pytest.approx(0.01 + 0.49 / 2)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_every_option_is_a_key_of_the_recipe_in_file_and_command(tmp_path):
    network = perceptron()
    for section in RECIPE_OPTIONS.values():
        for field in section.fields:
            told = assign(
                network, f"recipe.{field.name}={'null' if field.optional else str(field.default).lower()}"
            )
            assert field.name in told.recipe.options
            assert not [p for p in engine.analyze(told).problems if p.field == f"recipe.{field.name}"]
    with pytest.raises(AssignProblem, match="out of range"):
        assign(network, "recipe.accumulate=0")
    with pytest.raises(AssignProblem, match="Did you mean 'clip_norm'"):
        assign(network, "recipe.clip_nrm=1")
    wrong = msgspec.structs.replace(network, recipe=recipe(accumulate=-1, ema_decay="much"))
    fields = {problem.field for problem in engine.analyze(wrong).errors}
    assert fields == {"recipe.accumulate", "recipe.ema_decay"}
    with pytest.raises(NetworkProblem, match="recipe › accumulate"):
        train(wrong, run_dir=tmp_path)


# ---------------------------------------------------------------------------- what a run does with them


@pytest.mark.parametrize("id", OPTIMIZERS)
def test_every_optimizer_trains(tmp_path, id):
    told = Told()
    fields = {"lr": 0.05} if id in ("SGD", "ASGD") else {}
    network = perceptron(recipe(epochs=3, batch_size=32, optimizer=Choice(id, fields)))
    result = train(network, run_dir=tmp_path, emit=told)
    first = told.of(Metrics)[0].values["loss"]
    assert result["state"] == "finished"
    assert result["train"]["loss"] < first


@pytest.mark.parametrize("id", [id for id, e in LOSSES.items() if e.source.startswith("torch.nn")])
def test_every_loss_trains_on_classes(tmp_path, id):
    last = {"NLLLoss": "LogSoftmax", "KLDivLoss": "LogSoftmax", "BCELoss": "Sigmoid"}.get(id)
    activation = None if last is None else Choice(last, {"dim": 1} if last == "LogSoftmax" else {})
    network = replaced(
        perceptron(recipe(epochs=4, batch_size=32, loss=Choice(id))), "fc2", activation=activation
    )
    told = Told()
    result = train(network, run_dir=tmp_path, emit=told)
    assert result["train"]["loss"] < told.of(Metrics)[0].values["loss"]
    if id not in ("L1Loss", "PoissonNLLLoss"):  # which one-hot vectors suit badly
        assert result["validation"]["accuracy"] > 0.3


def test_class_weights_are_those_of_torch_and_balanced_ones_come_from_counts(tmp_path):
    counts = torch.bincount(examples(perceptron()).targets)
    balanced = (counts.sum() / (10 * counts)).tolist()
    results = [
        train(perceptron(recipe(loss=Choice("CrossEntropyLoss", fields))), run_dir=tmp_path)
        for fields in ({"balanced": True}, {"weight": balanced}, {})
    ]
    assert same(weights(results[0]), weights(results[1]))
    assert not same(weights(results[0]), weights(results[2]))
    with pytest.raises(NetworkProblem, match="has 3 numbers, and the data have 10 classes"):
        train(perceptron(recipe(loss=Choice("CrossEntropyLoss", {"weight": [1, 2, 3]}))), run_dir=tmp_path)


def test_accumulated_batches_make_the_step_of_the_large_batch(tmp_path):
    # 1,438 training examples; the last step of the epoch has fewer batches than the others.
    parts = {"epochs": 2, "optimizer": Choice("SGD", {"lr": 0.1, "momentum": 0.9})}
    large = train(perceptron(recipe(batch_size=480, **parts)), run_dir=tmp_path)
    small = train(perceptron(recipe(batch_size=160, accumulate=3, **parts)), run_dir=tmp_path)
    for name, tensor in weights(large).items():
        # The last 478 are 160 + 160 + 158: their batch means are averaged alike.
        assert torch.allclose(weights(small)[name], tensor, atol=2e-4), name
    assert small["train"]["loss"] == pytest.approx(large["train"]["loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("option", "clip"),
    [
        ({"clip_norm": 0.01}, lambda p: nn.utils.clip_grad_norm_(p, 0.01)),
        ({"clip_value": 0.001}, lambda p: nn.utils.clip_grad_value_(p, 0.001)),
    ],
)
def test_gradients_are_clipped_as_torch_clips_them(tmp_path, option, clip):
    network = perceptron(recipe(optimizer=Choice("SGD", {"lr": 1.0}), **option))
    result = train(network, run_dir=tmp_path)
    model = engine.build(network, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for inputs, targets in batches(network, 128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        clip(model.parameters())
        optimizer.step()
    for name, tensor in model.state_dict().items():
        assert torch.allclose(weights(result)[name], tensor, atol=1e-5), name


def test_weight_decay_pulls_on_weights_alone_unless_told_to_pull_on_all(tmp_path):
    """With a learning rate and no gradient to speak of, decay is all that moves a weight."""
    optimizer = Choice("SGD", {"lr": 1.0, "weight_decay": 0.01})
    network = chain(
        recipe(batch_size=2000, optimizer=optimizer, clip_norm=1e-9),
        flat=Node("Flatten"),
        fc1=Node("Linear", {"out_features": 8}),
        norm=Node("BatchNorm1d"),
        latent=Node("Linear", {"out_features": 8}, binarize={"weight": Choice("ste_sign")}),
        fc2=Node("Linear", {"out_features": 10}),
    )
    start = engine.build(network, seed=0).state_dict()
    moved = {}
    for decay in ("weights", "all"):
        told = msgspec.structs.replace(network.recipe, options={"decay": decay, "clip_norm": 1e-9})
        end = weights(train(msgspec.structs.replace(network, recipe=told), run_dir=tmp_path))
        moved[decay] = {
            name
            for name, tensor in start.items()
            if name in end
            and "num" not in name
            and "running" not in name
            and torch.allclose(end[name], tensor * 0.99, atol=1e-6)
            and tensor.abs().max() > 0
        }
    assert moved["weights"] == {"fc1.weight", "fc2.weight"}
    assert moved["all"] == {
        "fc1.weight",
        "fc1.bias",
        "norm.weight",
        "latent.weight",
        "latent.bias",
        "fc2.weight",
        "fc2.bias",
    }


def test_the_average_of_weights_follows_its_formula_and_is_what_is_validated_and_kept(tmp_path):
    network = perceptron(recipe(optimizer=Choice("SGD", {"lr": 0.5}), ema_decay=0.5))
    result = train(network, run_dir=tmp_path)
    model = engine.build(network, seed=0)
    mean = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for number, (inputs, targets) in enumerate(batches(network, 128), 1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        decay = min(0.5, (1 + number) / (10 + number))
        for name, tensor in model.state_dict().items():
            mean[name] = decay * mean[name] + (1 - decay) * tensor
    for name, tensor in mean.items():
        assert torch.allclose(weights(result)[name], tensor, atol=1e-5), name
    model.load_state_dict(mean)
    split = engine.data.load(network.recipe.data, 0).splits["validation"]
    loss = nn.functional.cross_entropy(model(split.inputs["input"]), split.targets)
    assert result["validation"]["loss"] == pytest.approx(loss.item(), rel=1e-4)


def test_the_average_gives_the_model_its_own_weights_back():
    model = nn.Linear(3, 2)
    average = Average(model, 0.9)
    own = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1)
    average.update()
    with average.in_place():
        assert torch.allclose(model.weight, own + (1 - 2 / 11))
    assert torch.equal(model.weight, own + 1)


def test_the_rate_moves_with_the_schedule_and_each_node_keeps_its_share(tmp_path):
    """SGD from fixed gradients moves by the sum of the rates, so the sum can be read off the weights."""
    told = Told()
    schedule = Choice("ExponentialLR", {"gamma": 0.5})
    network = perceptron(
        recipe(epochs=3, batch_size=2000, optimizer=Choice("SGD", {"lr": 0.25}), schedule=schedule)
    )
    train(network, run_dir=tmp_path, emit=told)
    rates = [m.values["lr"] for m in told.of(Metrics) if m.split == "train"]
    assert rates == [0.25, 0.125, 0.0625]
    one_cycle = Choice("OneCycleLR", {"max_lr": 0.2})
    optimizer = torch.optim.SGD(
        [{"params": [nn.Parameter(torch.zeros(1))]}, {"params": [nn.Parameter(torch.zeros(1))]}], lr=0.1
    )
    Schedule(one_cycle, optimizer, [1.0, 0.1], Horizon(10, 5))
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert second == pytest.approx(first * 0.1)


def test_training_stops_early_when_nothing_gets_better(tmp_path):
    told = Told()
    network = perceptron(recipe(epochs=50, optimizer=Choice("SGD", {"lr": 0.0}), patience=3, monitor="loss"))
    result = train(network, run_dir=tmp_path, emit=told)
    assert (result["state"], result["epochs"], result["best_epoch"]) == ("finished", 4, 1)
    assert "Stopped early: no better loss in 3 validations, since epoch 1" in result["message"]


def test_a_figure_that_these_outputs_do_not_have_is_said_not_to_decide(tmp_path):
    for monitor, said in (("r2", True), ("f1", False), ("auto", False)):
        told = Told()
        train(perceptron(recipe(monitor=monitor)), run_dir=tmp_path, emit=told)
        assert any("there is no r2 here" in word for word in told.of(RunStarted)[0].warnings) == said


def test_validation_comes_every_so_many_steps_or_epochs(tmp_path):
    at = {}
    for unit, every in (("steps", 5), ("epochs", 2)):
        told = Told()
        train(
            perceptron(recipe(epochs=3, validate_every=every, validate_unit=unit)),
            run_dir=tmp_path,
            emit=told,
        )
        at[unit] = [m.step for m in told.of(Metrics) if m.split == "validation"]
    assert at == {"steps": [5, 10, 15, 20, 25, 30, 35], "epochs": [24, 36]}


def test_validating_does_not_change_what_is_learnt(tmp_path):
    often, seldom = (
        train(with_everything(**recipe_parts), run_dir=tmp_path)
        for recipe_parts in (
            {"epochs": 2, "options": {"validate_every": 3, "validate_unit": "steps"}},
            {"epochs": 2, "options": {"validate_every": 2}},
        )
    )
    assert same(weights(often), weights(seldom))


EVERYTHING = {
    "one cycle, averaged": {
        "schedule": Choice("OneCycleLR", {"max_lr": 0.01}),
        "options": {"ema_decay": 0.9, "clip_norm": 1.0},
    },
    "cosine per epoch, accumulating": {
        "schedule": Choice("CosineAnnealingLR", {"interval": "epoch"}),
        "options": {"accumulate": 2, "validate_every": 7, "validate_unit": "steps"},
    },
    "plateau": {
        "schedule": Choice("ReduceLROnPlateau", {"patience": 0, "threshold": 0.2, "factor": 0.5}),
        "options": {"monitor": "loss", "validate_every": 4, "validate_unit": "steps"},
    },
    "restarts, bfloat16": {
        "schedule": Choice("CosineAnnealingWarmRestarts", {"T_0": 7, "interval": "step"}),
        "options": {"precision": "bfloat16"},
    },
    "cyclic, channels last": {
        "schedule": Choice("CyclicLR", {"base_lr": 0.001, "max_lr": 0.01, "step_size_up": 5}),
        "optimizer": Choice("SGD", {"momentum": 0.9}),
        "options": {"channels_last": "on", "deterministic": True},
    },
}


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("stop_at", [4, 19])
def test_a_stopped_run_with_all_that_moves_goes_on_bit_for_bit(tmp_path, name, stop_at):
    network = with_everything(**EVERYTHING[name])
    whole, first, second = Told(), Told(), Told()
    expected = train(network, run_dir=tmp_path, emit=whole)
    control = Control(paused=True)
    for _ in range(stop_at):
        control.step()
    first.when = lambda e: control.stop() if isinstance(e, RunState) and e.state == "paused" else None
    stopped = train(network, run_dir=tmp_path, emit=first, control=control)
    assert stopped["state"] == "stopped"
    result = train(resume=stopped["run"], emit=second)
    assert first.curve() + second.curve() == whole.curve()
    for file in ("weights", "best"):
        assert same(weights(result, file), weights(expected, file))


def test_deterministic_mode_ends_with_the_run(tmp_path):
    train(perceptron(recipe(deterministic=True)), run_dir=tmp_path)
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_only_a_gpu_can_do_is_refused_on_the_processor(tmp_path):
    for option, said in (
        ({"precision": "float16"}, "float16 is for GPUs"),
        ({"cuda_graphs": True}, "CUDA graphs"),
    ):
        with pytest.raises(NetworkProblem, match=said):
            train(perceptron(recipe(**option)), run_dir=tmp_path, device="cpu")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------- figures and outputs


def test_figures_are_those_of_scikit_learn_and_of_torch():
    from sklearn import metrics as reference

    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.rand(50, 8, generator=generator), torch.randint(0, 8, (50,), generator=generator)
    rows = Gathered("class")
    rows.add(scores[:20], labels[:20])
    rows.add(scores[20:], labels[20:])
    found, guess = rows.figures(), scores.argmax(1).numpy()
    assert found["accuracy"] == reference.accuracy_score(labels, guess)
    assert found["f1"] == pytest.approx(reference.f1_score(labels, guess, average="macro"))
    assert found["top5"] == reference.top_k_accuracy_score(labels, scores, k=5)
    values = Gathered("value")
    values.add(scores[:, :1], scores[:, 1])
    assert values.figures()["r2"] == pytest.approx(reference.r2_score(scores[:, 1], scores[:, 0]))
    assert values.figures()["mae"] == pytest.approx((scores[:, 0] - scores[:, 1]).abs().mean().item())
    several = Gathered("multilabel")
    several.add(scores - 0.5, (scores > 0.3).float())
    agreeing = ((scores > 0.5) == (scores > 0.3)).double().mean().item()
    assert several.figures()["accuracy"] == pytest.approx(agreeing)


def test_scores_of_a_sequence_have_their_classes_where_torchs_losses_look():
    target = torch.zeros(2, 5, dtype=torch.int64)
    assert aligned(torch.zeros(2, 5, 7), target).shape == (2, 7, 5)
    assert aligned(torch.zeros(2, 7, 5), target).shape == (2, 7, 5)
    assert aligned(torch.zeros(2, 7), target[:, 0]).shape == (2, 7)


def test_what_is_better_depends_on_the_figure():
    old = {"loss": 0.5, "accuracy": 0.9, "mae": 1.0}
    assert better({"loss": 0.4, "accuracy": 0.9}, old)
    assert not better({"loss": 0.4, "accuracy": 0.8}, old)
    assert better({"loss": 0.4, "accuracy": 0.8}, old, "loss")
    assert better({"loss": 0.9, "mae": 0.8}, old, "mae")
    assert not better({"loss": 0.45, "accuracy": 0.9}, old, "loss", 0.1)


def two_outputs(**parts):
    """Digits, told apart and drawn again from the same features."""
    nodes = {
        "image": Node("Input", {"shape": [1, 8, 8]}),
        "flat": Node("Flatten"),
        "features": Node("Linear", {"out_features": 32}, activation=Choice("ReLU")),
        "scores": Node("Linear", {"out_features": 10}),
        "pixels": Node("Linear", {"out_features": 64}),
        "shaped": Node("Unflatten", {"dim": 1, "unflattened_size": [1, 8, 8]}),
        "digit": Node("Output"),
        "drawn": Node("Output"),
    }
    wires = [("image", "flat"), ("flat", "features"), ("features", "scores"), ("features", "pixels")]
    wires += [("pixels", "shaped"), ("scores", "digit"), ("shaped", "drawn")]
    return Network("Two", nodes, tuple(Edge(End(a), End(b)) for a, b in wires), recipe=recipe(**parts))


def test_several_outputs_train_together_on_the_weighted_sum_of_their_losses(tmp_path):
    outputs = {
        "digit": {"target": "target"},
        "drawn": {"target": "input", "loss": {"type": "MSELoss", "fields": {}}, "weight": 3.0},
    }
    network = two_outputs(epochs=3, batch_size=2000, outputs=outputs)
    told = Told()
    result = train(network, run_dir=tmp_path, emit=told)
    split = examples(network)
    out = engine.build(network, seed=0)(split.inputs["input"])
    expected = nn.functional.cross_entropy(out["digit"], split.targets)
    expected = expected + 3 * nn.functional.mse_loss(out["drawn"], split.inputs["input"])
    assert told.of(Metrics)[0].values["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert result["validation"].keys() >= {"loss", "digit.accuracy", "digit.f1", "drawn.mae", "drawn.r2"}
    with pytest.raises(NetworkProblem, match=r"has 2 Outputs \(digit, drawn\)"):
        train(two_outputs(), run_dir=tmp_path)
    with pytest.raises(NetworkProblem, match="Did you mean 'drawn'"):
        train(two_outputs(outputs={**outputs, "drwn": {}}), run_dir=tmp_path)
    with pytest.raises(NetworkProblem, match="no column 'inptu'"):
        train(two_outputs(outputs={**outputs, "drawn": {"target": "inptu"}}), run_dir=tmp_path)


# ---------------------------------------------------------------------------- learning rate finder


def test_the_rate_finder_suggests_where_the_loss_falls_fastest():
    # Falls along a logistic curve around 1e-2, is lowest at 0.1, explodes behind it.
    rates = [10 ** (-5 + i * 0.05) for i in range(101)]
    losses = [2.0 / (1 + (r / 1e-2) ** 2) + 0.5 + (r / 0.3) ** 4 for r in rates]
    # −dL/dlog r of 2/(1 + x²) is largest at x = 1.
    assert rate_finder._steepest(rates, losses) == pytest.approx(1e-2, rel=0.5)
    assert rate_finder._steepest(rates, sorted(losses)) is None


def test_the_rate_finder_writes_nothing_and_ends_where_the_loss_explodes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = perceptron(recipe(batch_size=64, optimizer=Choice("SGD")))
    before = torch.get_rng_state()
    curve = find_rate(network, highest=1e4, steps=150)
    assert torch.equal(torch.get_rng_state(), before)
    assert list(tmp_path.iterdir()) == []
    assert len(curve.rates) < 150
    assert curve.losses[0] == pytest.approx(math.log(10), rel=0.1)
    assert 1e-2 < curve.suggestion < 10
    steps = [b / a for a, b in pairwise(curve.rates)]
    assert steps == pytest.approx([steps[0]] * len(steps))
