"""The doctor's rules against networks that are really ill, and really well (:mod:`tests.sick_networks`)."""

from __future__ import annotations

import dataclasses
import math

import pytest
from msgspec.structs import replace
from torch import nn

from engine import diff
from engine.catalog import ACTIVATIONS, OPTIMIZERS
from engine.diagnosis import ILLNESSES, Record, diagnose
from engine.diagnosis.repairs import BOUNDED
from engine.diagnosis.rule import Evidence
from engine.host.protocol import BinaryWeight, Distribution, Metrics, Observation
from engine.network import Choice, Data, Network, Node, Recipe
from engine.training.activations import bounded_range
from tests.diagnosis_table import heals, measure, templates_that_train, trained
from tests.networks import chain
from tests.sick_networks import SGD, dense, healthy, network, sick

SICK = sick()
WELL = healthy()


def test_each_illness_has_three_networks_that_have_it_and_three_that_could_but_do_not() -> None:
    for code in ILLNESSES:
        assert sum(patient.code == code for patient in SICK) >= 3
        assert sum(code not in patient.ills for patient in WELL) >= 3


@pytest.mark.parametrize("code", ILLNESSES)
def test_an_illness_is_found_where_it_is_and_its_repair_heals_it(code: str) -> None:
    quick = {"overfitting": "2 × 256", "exploding-gradient": "14 ReLU"}.get(code, "")
    patient = next(p for p in SICK if p.code == code and quick in p.name)
    record, result = trained(patient.network)
    findings = diagnose(record)
    assert code in {finding.code for finding in findings}
    assert {finding.code for finding in findings} <= patient.ills
    for finding in findings:
        assert any(character.isdigit() for character in finding.evidence)
        assert finding.cause.endswith(".")
        assert "threshold" in finding.source
        for repair in finding.repairs:
            assert diff.apply(patient.network, repair.changes) != patient.network
    healed, text = heals(patient, record, findings, result)
    assert healed, text


@pytest.mark.parametrize("patient", WELL[::4] + templates_that_train()[:1], ids=lambda p: p.name)
def test_the_doctor_says_nothing_of_a_network_that_learns(patient) -> None:
    record, result = trained(replace(patient.network, recipe=replace(patient.network.recipe, epochs=12)))
    assert result["validation"]["accuracy"] > 0.9
    assert diagnose(record) == ()


@pytest.mark.full
def test_nine_of_ten_are_found_one_of_twenty_is_a_false_alarm_and_seven_of_ten_are_healed() -> None:
    every = measure([*SICK, *WELL, *templates_that_train()])["all"]
    assert every["found"] >= 0.9 * every["ill"]
    assert every["alarms"] <= 0.05 * every["well"]
    assert every["healed"] >= 0.7 * every["repaired"]


@pytest.mark.full
def test_the_fewest_looks_that_a_run_gets_show_nine_of_ten_too() -> None:
    every = measure([*SICK, *WELL, *templates_that_train()], repair=False, looks="fewest")["all"]
    assert every["found"] >= 0.9 * every["ill"]
    assert every["alarms"] <= 0.05 * every["well"]


# ---------------------------------------------------------------------------- by the numbers


def spread(norm: float) -> Distribution:
    return Distribution(-1, 1, (0,) * 64, 0, 1, norm, 0)


SHAPES = {"h1.weight": (64, 64), "h2.weight": (64, 64), "h3.weight": (64, 64), "fc.weight": (10, 64)}


def record(gradients: dict[str, float], updates: float = 1e-3, losses: tuple[float, ...] = ()) -> Record:
    three = [dense(64)] * 3
    return Record(
        network("n", three, optimizer=SGD),
        tuple(Metrics(i, i / 23, "train", {"loss": v}, i / 100) for i, v in enumerate(losses, 1)),
        tuple(
            Observation(
                step,
                step / 23,
                {name: spread(5.0) for name in SHAPES},
                {name: spread(norm) for name, norm in gradients.items()},
                dict.fromkeys(SHAPES, updates),
            )
            for step in range(2, 60, 8)
        ),
        SHAPES,
        23,
    )


def even(size: float) -> dict[str, float]:
    """Gradients of one root mean square."""
    return {name: size * math.sqrt(math.prod(shape)) for name, shape in SHAPES.items()}


def codes(of: Record) -> set[str]:
    return {finding.code for finding in diagnose(of)}


def test_a_gradient_that_fades_to_a_thousandth_vanishes_whatever_the_layers_sizes() -> None:
    assert codes(record({**even(0.1), "h1.weight": 0.00009 * 64})) == {"vanishing-gradient"}
    assert codes(record({**even(0.1), "h1.weight": 0.00011 * 64})) == set()
    (finding,) = diagnose(record({**even(0.1), "h1.weight": 0.00005 * 64}))
    assert finding.node == "h1"
    assert finding.figures["share"] == pytest.approx(5e-4)


def test_a_loss_that_becomes_no_number_is_a_learning_rate_too_high() -> None:
    found = diagnose(record(even(0.1), 0.5, (2.3, 2.4, 9.0, math.nan)))
    assert [finding.code for finding in found] == ["rate-too-high"]
    assert "0.5" in found[0].evidence
    healed = diff.apply(record(even(0.1)).network, found[0].repairs[0].changes)
    # A ratio of 0.5 is 500 times the healthy 1e-3: a rate of 0.1 / 500 = 2e-4.
    assert healed.recipe.optimizer == Choice("SGD", {"lr": 2e-4})


@pytest.mark.parametrize(("rate", "code"), [(900.0, "rate-too-high"), (0.1, "exploding-gradient")])
def test_what_explodes_after_a_step_too_long_is_the_rates_and_no_illness_of_the_layers(rate, code) -> None:
    loud = {"init": {"weight": Choice("normal", {"std": 30.0})}} if rate < 1 else {}
    recipe = Recipe(
        data=Data("diabetes"), loss=Choice("MSELoss"), optimizer=Choice("SGD", {"lr": rate}), epochs=4
    )
    hidden = replace(dense(16), **loud)
    drawn = chain(("hidden", hidden), ("fc", replace(dense(1, None), **loud)), shape=(10,), recipe=recipe)
    found, _ = trained(drawn)
    assert code in codes(found)
    assert ("exploding-gradient" in codes(found)) == (code == "exploding-gradient")


def with_optimizer(of: Record, optimizer: Choice) -> Record:
    recipe = replace(of.network.recipe, optimizer=optimizer)
    return dataclasses.replace(of, network=replace(of.network, recipe=recipe))


def healed(of: Record) -> list[Choice]:
    """The optimizers that repairs choose, each one that a recipe may have."""
    found = [
        diff.apply(of.network, repair.changes).recipe.optimizer
        for finding in diagnose(of)
        for repair in finding.repairs
    ]
    assert not [wrong for chosen in found for wrong in OPTIMIZERS[chosen.id].check(chosen.fields)]
    return found


BROKEN = record(even(0.1), 0.5, (2.3, 9.0, math.nan))
EXPLODED = record(even(1e9), 0.5, (900.0, 800.0))
SLOW = record(even(0.1), 1e-12, tuple(2.3 - 1e-6 * i for i in range(60)))


@pytest.mark.parametrize("ill", [BROKEN, EXPLODED, SLOW])
@pytest.mark.parametrize("id", sorted(OPTIMIZERS))
def test_repairs_fit_every_optimizer(ill, id) -> None:
    assert healed(with_optimizer(ill, Choice(id)))


def test_beneath_bop_the_rate_is_that_of_what_is_not_binarized() -> None:
    bop = Choice("Bop", {"gamma": 1e-3, "real": {"type": "SGD", "fields": {"lr": 5.0}}})
    first = healed(with_optimizer(BROKEN, bop))[0]
    assert first == Choice("Bop", {"gamma": 1e-3, "real": {"type": "SGD", "fields": {"lr": 0.1}}})


def test_a_rate_of_zero_is_not_too_high_whatever_the_loss_does() -> None:
    still = Choice("SGD", {"lr": 0})
    assert codes(with_optimizer(BROKEN, still)) == set()
    assert codes(with_optimizer(EXPLODED, still)) == {"exploding-gradient"}
    assert (
        healed(with_optimizer(EXPLODED, still))[0].fields["lr"] == 0.02
    )  # a third of 0.1, and a round figure


def test_slow_and_unlearned_is_too_low_slow_and_learned_is_well() -> None:
    slow = tuple(2.3 - 0.0001 * i for i in range(60))
    assert codes(record(even(0.1), 1e-6, slow)) == {"rate-too-low", "chance-level"}
    learned = tuple(2.3 * 0.9**i for i in range(60))
    assert codes(record(even(0.1), 1e-6, learned)) == set()


def test_nothing_is_said_before_anything_is_known() -> None:
    assert codes(Record(network("n", []))) == set()
    assert codes(record(even(0.1), 1e-6, (2.3,))) == set()


def test_the_activations_whose_saturation_is_judged_are_those_whose_ends_are_told_of() -> None:
    plain = {id: getattr(nn, id) for id in ACTIVATIONS if hasattr(nn, id)}
    takes_nothing = {
        id: kind() for id, kind in plain.items() if id not in ("Threshold", "MultiheadAttention")
    }
    assert {id for id, module in takes_nothing.items() if bounded_range(module)} == set(BOUNDED)


@pytest.mark.parametrize(("rate", "stuck"), [(0.0, True), (1e-3, False)])
def test_a_binary_layer_whose_signs_flip_and_flip_back_between_looks_is_not_stuck(
    rate: float, stuck: bool
) -> None:
    looks = tuple(
        Observation(
            step,
            step / 50,
            {"fc.weight": spread(1.0)},
            {},
            flips={"fc.weight": 0.0},
            binary_weights={"fc.weight": BinaryWeight(rate, 0.5, 0.05, 0.0, 0.0, (4096,), (), 4096)},
        )
        for step in range(0, 200, 20)
    )
    of = Record(Network(), (), looks, {"fc.weight": (64, 64)})
    assert ("stuck-binary" in codes(of)) == stuck


def test_signs_that_bops_threshold_holds_flip_with_the_usual_one() -> None:
    hidden = Node("Linear", {"out_features": 32, "bias": False}, binarize={"weight": Choice("ste_sign")})
    fields = {"threshold": 1e-2, "gamma": 1e-3}
    drawn = chain(
        ("flat", Node("Flatten")),
        ("fc1", hidden),
        ("norm", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(data=Data("digits"), epochs=4, optimizer=Choice("Bop", fields)),
    )
    found = {finding.code: finding for finding in diagnose(trained(drawn)[0])}
    assert found.keys() == {"stuck-binary", "layer-asleep"}
    (repair,) = found["stuck-binary"].repairs
    assert found["layer-asleep"].repairs == (repair,)
    better = diff.apply(drawn, repair.changes)
    assert better.recipe.optimizer == Choice("Bop", {"threshold": 1e-8, "gamma": 1e-3})
    assert codes(trained(better)[0]).isdisjoint(found)


def test_what_stands_still_after_a_step_too_long_is_no_evidence_of_its_length() -> None:
    still = record(even(0.1), 0.0, (2.3, 2.4, 9.0, math.nan))
    first = replace(still.observations[0], updates=dict.fromkeys(SHAPES, 0.5))
    (seen,) = diagnose(dataclasses.replace(still, observations=(first, *still.observations[1:])))
    assert seen.figures["ratio"] == 0.5
    (unknown,) = (finding for finding in diagnose(still) if finding.code == "rate-too-high")
    assert "of their size" not in unknown.evidence


def test_doubts_while_a_healthy_run_is_under_way_are_as_rare_as_after_it() -> None:
    alarms = runs = 0
    for patient in WELL[::6]:
        full, _ = trained(patient.network)
        for share in (0.1, 0.25, 0.5, 0.75):
            until = full.step * share
            so_far = dataclasses.replace(
                full,
                metrics=tuple(metric for metric in full.metrics if metric.step <= until),
                observations=tuple(look for look in full.observations if look.step <= until),
            )
            runs += 1
            alarms += bool({finding.code for finding in diagnose(so_far)} - patient.ills)
    assert alarms <= 0.05 * runs


def test_a_repair_that_changes_rate_or_estimator_says_so_in_its_words() -> None:
    wide = Choice("normal", {"std": 4.0})
    saturated = dataclasses.replace(
        record(even(0.1)),
        network=network("s", [dense(64, "Tanh", wide)] * 3, optimizer=Choice("Adam", {"lr": 0.05})),
    )
    layer = Node("Linear", {"out_features": 64}, binarize={"weight": Choice("swish_sign")})
    binary = dataclasses.replace(record(even(0.1)), network=network("b", [layer] * 3, optimizer=SGD))
    seen = Evidence("", "h1")
    offered = [(saturated, ILLNESSES["saturated-activation"].repairs(saturated, seen))]
    offered += [(binary, ILLNESSES["stuck-binary"].repairs(binary, seen))]
    offered += [(ill, f.repairs) for ill in (BROKEN, EXPLODED, SLOW) for f in diagnose(ill)]
    quicker, binarizers = 0, 0
    for ill, repairs in offered:
        for repair in repairs:
            after = diff.apply(ill.network, repair.changes)
            new = after.recipe.optimizer.fields.get("lr")
            if new != ill.network.recipe.optimizer.fields.get("lr"):
                quicker += 1
                assert f"{new:g}" in repair.text
            if any("binarize" in change.path for change in repair.changes):
                binarizers += 1
                assert "estimators" in repair.text
    assert quicker >= 4
    assert binarizers
