"""Illnesses of a run: what its curves show."""

from __future__ import annotations

import bisect
import math
from dataclasses import replace

from engine.diagnosis import repairs
from engine.diagnosis.record import Record, median
from engine.diagnosis.rule import Evidence, Illness, Needs
from engine.findings import Repair

# ---------------------------------------------------------------------------- at chance

#: When guessing, and creeping, are no beginning any more.
_BEGUN = Needs(points=5, steps=50, epochs=1)
#: A loss above this share of ln C is that of guessing.
GUESSING = 0.95


def _at_chance(record: Record) -> list[Evidence]:
    chance, loss = record.chance, record.latest_loss
    if chance is None or not math.isfinite(loss) or loss < GUESSING * chance:
        return []
    right = record.curve("train", "accuracy")
    share = right[-1][1] if right else math.nan
    # Far above ln C a network is wrong with confidence; whether it guesses, its accuracy tells.
    if right and share > 2.0 / (record.classes or 2):
        return []
    return [
        Evidence(
            f"After {record.step:,} steps the loss is {loss:.3g}, that of guessing is ln {record.classes} = {chance:.3g}"
            + (f"; {share:.0%} are right." if right else "."),
            None,
            {"loss": loss, "chance": chance, "accuracy": share},
        )
    ]


def _begin_afresh(record: Record, _seen: Evidence) -> tuple[Repair, ...]:
    usual = repairs.default_rate(record)
    healthy = repairs.afresh(record, repairs.rectify(record, repairs.thawed(record)))
    return repairs.offer(
        record,
        (
            f"ReLU, He initialisation and a learning rate of {usual:g}",
            repairs.with_rate(record, usual, healthy),
        ),
        ("He initialisation in every layer", repairs.afresh(record)),
        (f"A learning rate of {usual:g}", repairs.with_rate(record, usual)),
    )


CHANCE = Illness(
    code="chance-level",
    title="The loss is that of guessing",
    cause="What the network gives does not depend on its input: all weights alike, no gradient, or a learning rate "
    "beyond all measure.",
    source="Karpathy, 'A recipe for training neural networks' (verify the loss at chance); threshold: 95 % of ln C after an epoch.",
    needs=_BEGUN,
    concerns=lambda record: record.chance is not None,
    find=_at_chance,
    repairs=_begin_afresh,
)

# ---------------------------------------------------------------------------- overfitting

#: The validation loss is this many times its least value, after so many more epochs.
WORSE = 1.25


def _overfitting(record: Record) -> list[Evidence]:
    validation = record.curve("validation", "loss")
    values = [value for _, value in validation]
    best = min(range(len(values)), key=lambda index: values[index])
    now = median(values[-3:])
    train = record.latest_loss
    curve = record.curve("train", "loss")
    until = bisect.bisect_right(curve, validation[best][0], key=lambda point: point[0])
    before = median(value for _, value in curve[max(until - 5, 0) : until])
    if not (now >= WORSE * values[best] and now >= values[best] + 0.02 and best < len(values) - 3):
        return []
    if not (train < before and train < 0.5 * now):
        return []
    epoch = round(validation[best][0] / record.steps_per_epoch)
    return [
        Evidence(
            f"Since epoch {epoch} the validation loss has risen from {values[best]:.3g} to {now:.3g}, while the "
            f"training loss fell from {before:.3g} to {train:.3g}.",
            None,
            {"best": values[best], "now": now, "epoch": float(epoch), "train": train},
        )
    ]


def _regularise(record: Record, seen: Evidence) -> tuple[Repair, ...]:
    epochs = max(1, int(seen.figures["epoch"]))
    sparse = repairs.with_dropout(record)
    return repairs.offer(
        record,
        (
            f"Stop after {epochs} epochs, where validation did best",
            repairs.with_epochs(record.network, epochs),
        ),
        ("Dropout behind the hidden layers", sparse),
        (
            "Weight decay of 0.01",
            repairs.with_optimizer_fields(record.network, {"weight_decay": 0.01}),
        ),
    )


OVERFITTING = Illness(
    code="overfitting",
    title="The network learns its examples by heart",
    cause="It has room to remember single examples, and nothing new to learn from them: what still lowers the training "
    "loss does not hold for others.",
    source="Prechelt 1998, 'Early stopping - but when?'; threshold: validation loss a quarter above its least, training loss half of it.",
    needs=Needs(points=1, validations=5),
    concerns=lambda record: record.validated,
    find=_overfitting,
    repairs=_regularise,
)

# ---------------------------------------------------------------------------- learning rate

#: The loss rises to this many times its first value …
ROSE = 2.0
#: … and what is left is not below this share of it.
LOST = 0.5
#: Points from which on a loss that has risen is judged; one that is no number is at once.
_JUDGED = Needs(points=5)
#: Ratio of update to weight that is healthy (CS231n), and the bounds beyond which a rate is judged.
USUAL, SLOW = 1e-3, 5e-5


def _too_high(record: Record) -> list[Evidence]:
    losses = record.losses
    if not losses or not math.isfinite(losses[0]):
        return []
    first = losses[0]
    if record.chance is not None and first > 3 * record.chance:
        return []  # it began so: that is the initialisation
    finite = [value for value in losses if math.isfinite(value)]
    most = max(finite)
    broken = record.diverged or len(finite) < len(losses)
    stays = len(losses) >= _JUDGED.points and most > ROSE * first and record.latest_loss > LOST * first
    if not (broken or stays):
        return []
    moved = [
        median(look.updates.get(name, math.nan) for name in record.matrices)
        for look in record.observations[:5]
    ]
    # What stands still afterwards, for its layers are saturated, says nothing of the steps that led there.
    ratio = max((found for found in moved if found > USUAL), default=math.nan)
    words = (
        f"The loss began at {first:.3g} and became no number by step {record.step:,}"
        if broken
        else f"The loss began at {first:.3g} and rose to {most:.3g} at step "
        f"{record.curve('train', 'loss')[losses.index(most)][0]:,}"
    )
    if math.isfinite(ratio):
        words += f"; a step moved weights by {ratio:.2g} of their size"
    return [Evidence(f"{words}.", None, {"first": first, "most": most, "ratio": ratio})]


def _slower(record: Record, seen: Evidence) -> tuple[Repair, ...]:
    now, ratio = repairs.rate(record), seen.figures["ratio"]
    usual = repairs.default_rate(record)
    measured = now * USUAL / ratio if math.isfinite(ratio) and ratio > 0 else now / 10
    value = repairs.rounded(min(max(measured, now / 1e5), now / 3))
    options = [(f"A learning rate of {value:g}", repairs.with_rate(record, value))]
    if usual < now:
        known = options if math.isfinite(ratio) else []
        options = [(f"A learning rate of {usual:g}, the usual one", repairs.with_rate(record, usual)), *known]
    return repairs.offer(record, *options)


RATE_HIGH = Illness(
    code="rate-too-high",
    title="The learning rate is too high",
    cause="A step is longer than the slope holds: it lands higher on the other side, and the next one higher still.",
    source="Goodfellow et al. 2016, §8.3.1 and §11.4.1; threshold: a loss twice its first value that does not come down, or no number.",
    needs=_JUDGED,
    early=True,
    concerns=lambda record: repairs.rate(record) > 0,
    find=_too_high,
    repairs=_slower,
    severity="error",
)


def _too_low(record: Record) -> list[Evidence]:
    ratios = [r for r in record.update_ratios.values() if math.isfinite(r)]
    losses = record.losses
    if not ratios:
        return []
    ratio, loss, first = max(ratios), record.latest_loss, losses[0]
    # Gradients that vanish, or lie about in a minimum, are no matter of the rate: the loss must have far to go.
    if not (0 < ratio < SLOW and loss > 0.7 * first):
        return []
    if any(math.isfinite(size) and size == 0 for size in record.gradient_sizes.values()):
        return []
    return [
        Evidence(
            f"A step moves no layer's weights by more than {ratio:.2g} of their size, and after {record.step:,} steps the "
            f"loss is {loss:.3g} of {first:.3g} at the start.",
            None,
            {"ratio": ratio, "loss": loss, "first": first},
        )
    ]


def _faster(record: Record, seen: Evidence) -> tuple[Repair, ...]:
    now, ratio = repairs.rate(record), seen.figures["ratio"]
    usual = repairs.default_rate(record)
    value = repairs.rounded(min(now * USUAL / ratio or usual, repairs.MOST))
    options = [(f"A learning rate of {value:g}", repairs.with_rate(record, value))]
    if usual > now:
        options.insert(0, (f"A learning rate of {usual:g}, the usual one", repairs.with_rate(record, usual)))
    return repairs.offer(record, *options)


RATE_LOW = Illness(
    code="rate-too-low",
    title="The learning rate is too low",
    cause="Every step goes the right way and hardly anywhere: it would take many times the epochs.",
    source="Goodfellow et al. 2016, §11.4.1; Karpathy, CS231n, 'Ratio of weights:updates' (around 1e-3); threshold: below 5e-5.",
    needs=replace(_BEGUN, looks=3),
    find=_too_low,
    repairs=_faster,
)
