"""How the learning rate moves during a run.

All are torch's own, save cosine with warm-up, which torch leaves to be put together. Each has an
`interval`: whether it moves once per step or once per epoch. Lengths that are left empty are the
run's own, in the unit of the interval.
"""

from __future__ import annotations

from typing import Any

from engine.catalog.entry import Call, Horizon, Schedule, Settings
from engine.catalog.fields import Bool, Field, Float, Int, Option, Shape


def _interval(default: str) -> Option:
    return Option(
        "interval",
        default,
        options=("step", "epoch"),
        doc="Whether the rate moves after each step or each epoch; lengths count in the same.",
    )


def _length(name: str, doc: str, *, default: Any = None, lo: int = 1) -> Int:
    return Int(name, default, lo=lo, hi=1 << 40, optional=default is None, unit="intervals", doc=doc)


def _low(name: str = "eta_min") -> Float:
    return Float(name, 0.0, lo=0, hi=1000, doc="Learning rate at the bottom.")


def _run(f: Settings, horizon: Horizon) -> int:
    """The run's length in the schedule's own intervals."""
    if f.interval == "step":
        return horizon.steps
    return max(1, round(horizon.steps / horizon.steps_per_epoch))


def _call(name: str, f: Settings, **given: Any) -> Call:
    values = {**vars(f), **given}
    del values["interval"]
    return Call(f"torch.optim.lr_scheduler.{name}", **values)


_FACTOR = Float("gamma", 0.1, lo=0, hi=100, doc="What the rate is multiplied by.")

EXPONENTIAL = Schedule(
    id="ExponentialLR",
    title="Exponential decay",
    doc="Multiply the rate by `gamma` at every `interval`.",
    source="torch.optim.lr_scheduler.ExponentialLR",
    fields=(
        Float("gamma", start=0.95, lo=0, hi=10, open_lo=True, doc="What the rate is multiplied by."),
        _interval("epoch"),
    ),
    call=lambda f, h: _call("ExponentialLR", f),
)
STEP = Schedule(
    id="StepLR",
    title="Steps",
    doc="Multiply the rate by `gamma` every `step_size` intervals.",
    source="torch.optim.lr_scheduler.StepLR",
    fields=(
        Int("step_size", start=10, lo=1, hi=1 << 40, unit="intervals", doc="Intervals between two falls."),
        _FACTOR,
        _interval("epoch"),
    ),
    call=lambda f, h: _call("StepLR", f),
)
MULTI_STEP = Schedule(
    id="MultiStepLR",
    title="Milestones",
    doc="Multiply the rate by `gamma` at each of the `milestones`.",
    source="torch.optim.lr_scheduler.MultiStepLR",
    fields=(
        Shape(
            "milestones",
            start=[5, 8],
            hi=1 << 40,
            min_dims=1,
            max_dims=1000,
            doc="Intervals after which it falls.",
        ),
        _FACTOR,
        _interval("epoch"),
    ),
    call=lambda f, h: _call("MultiStepLR", f, milestones=list(f.milestones)),
)
CONSTANT = Schedule(
    id="ConstantLR",
    title="Held back, then full",
    doc="Multiply the rate by `factor` for the first `total_iters` intervals.",
    source="torch.optim.lr_scheduler.ConstantLR",
    fields=(
        Float("factor", 1 / 3, lo=0, hi=1, doc="Share of the rate at first."),
        Int("total_iters", 5, lo=1, hi=1 << 40, unit="intervals", doc="How long."),
        _interval("epoch"),
    ),
    call=lambda f, h: _call("ConstantLR", f),
)
LINEAR = Schedule(
    id="LinearLR",
    title="Linear",
    doc="From `start_factor` to `end_factor` times the rate, in a straight line over `total_iters` intervals.",
    source="torch.optim.lr_scheduler.LinearLR",
    fields=(
        Float("start_factor", 1 / 3, lo=0, hi=1, open_lo=True, doc="Share of the rate at first."),
        Float("end_factor", 1.0, lo=0, hi=1, doc="Share of the rate at the end."),
        Int("total_iters", 5, lo=1, hi=1 << 40, unit="intervals", doc="How long."),
        _interval("epoch"),
    ),
    call=lambda f, h: _call("LinearLR", f),
)
POLYNOMIAL = Schedule(
    id="PolynomialLR",
    title="Polynomial",
    doc="Down to zero over `total_iters` intervals, as (1 − t/`total_iters`)^`power`.",
    source="torch.optim.lr_scheduler.PolynomialLR",
    fields=(
        _length("total_iters", "How long; empty: the whole run."),
        Float("power", 1.0, lo=0, hi=100, doc="1 is a straight line."),
        _interval("step"),
    ),
    call=lambda f, h: _call("PolynomialLR", f, total_iters=f.total_iters or _run(f, h)),
)
COSINE = Schedule(
    id="CosineAnnealingLR",
    title="Cosine",
    doc="Half a cosine from the rate down to `eta_min` over `T_max` intervals.",
    source="torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter 2016, arXiv 1608.03983",
    fields=(_length("T_max", "How long; empty: the whole run."), _low(), _interval("step")),
    call=lambda f, h: _call("CosineAnnealingLR", f, T_max=f.T_max or _run(f, h)),
)
WARMUP_COSINE = Schedule(
    id="WarmupCosineLR",
    title="Cosine with warm-up",
    doc="In a straight line from `start_factor` of the rate up to all of it over `warmup` intervals, then half a cosine down to `eta_min` at the "
    "run's end.",
    source="layerlab; LinearLR and CosineAnnealingLR in sequence, as in Goyal et al. 2017, arXiv 1706.02677",
    fields=(
        _length("warmup", "How long the rate rises; empty: a twentieth of the run.", lo=0),
        Float("start_factor", 0.01, lo=0, hi=1, doc="Share of the rate at first."),
        _low(),
        _interval("step"),
    ),
    call=lambda f, h: Call(
        "engine.training.schedules.WarmupCosineLR",
        warmup=_run(f, h) // 20 if f.warmup is None else f.warmup,
        total=_run(f, h),
        start_factor=f.start_factor,
        eta_min=f.eta_min,
    ),
)
COSINE_RESTARTS = Schedule(
    id="CosineAnnealingWarmRestarts",
    title="Cosine with restarts",
    doc="Half a cosine from the rate to `eta_min`, begun anew after `T_0` intervals, each time `T_mult` times as long.",
    source="torch.optim.lr_scheduler.CosineAnnealingWarmRestarts; arXiv 1608.03983",
    fields=(
        Int("T_0", start=10, lo=1, hi=1 << 40, unit="intervals", doc="Length of the first cosine."),
        Int("T_mult", 1, lo=1, hi=1000, doc="How much longer each next one is."),
        _low(),
        _interval("epoch"),
    ),
    call=lambda f, h: _call("CosineAnnealingWarmRestarts", f),
)
_MOMENTUM: tuple[Field, ...] = (
    Bool("cycle_momentum", True, doc="Move momentum (or beta 1) against the rate.", advanced=True),
)
ONE_CYCLE = Schedule(
    id="OneCycleLR",
    title="One cycle",
    doc="From `max_lr`/`div_factor` up to `max_lr` over `pct_start` of the run, then down to `final_div_factor` times less than it began with "
    "(in a line or a cosine: `anneal_strategy`; in three phases with `three_phase`); momentum moves the other way, between `base_momentum` and `max_momentum`, unless "
    "`cycle_momentum` is off.",
    source="torch.optim.lr_scheduler.OneCycleLR; Smith and Topin 2017, arXiv 1708.07120",
    rates=("max_lr",),
    fields=(
        Float("max_lr", start=0.01, lo=0, hi=1000, open_lo=True, log=True, doc="Learning rate at the top."),
        Float("pct_start", 0.3, lo=0, hi=1, doc="Share of the run in which it rises."),
        Option("anneal_strategy", "cos", options=("cos", "linear"), doc="Shape of rise and fall."),
        *_MOMENTUM,
        Float("base_momentum", 0.85, lo=0, hi=0.99999, doc="Momentum at the top.", advanced=True),
        Float("max_momentum", 0.95, lo=0, hi=0.99999, doc="Momentum at the ends.", advanced=True),
        Float("div_factor", 25.0, lo=1, hi=1e9, doc="How far below the top it begins."),
        Float("final_div_factor", 1e4, lo=1, hi=1e12, doc="How far below its beginning it ends."),
        Bool("three_phase", False, doc="Down to the beginning first, then to the end.", advanced=True),
    ),
    # Always per step: torch counts its length in steps.
    call=lambda f, h: Call("torch.optim.lr_scheduler.OneCycleLR", total_steps=h.steps, **vars(f)),
)
CYCLIC = Schedule(
    id="CyclicLR",
    title="Cyclic",
    doc="Up and down between `base_lr` and `max_lr`: `step_size_up` steps up, `step_size_down` down (empty: the same); the top halves each "
    "time with `mode` triangular2, falls by `gamma` per step with exp_range; momentum moves the other way, between `base_momentum` and `max_momentum`, unless "
    "`cycle_momentum` is off.",
    source="torch.optim.lr_scheduler.CyclicLR; Smith 2015, arXiv 1506.01186",
    rates=("base_lr", "max_lr"),
    fields=(
        Float("base_lr", start=0.001, lo=0, hi=1000, log=True, doc="Learning rate at the bottom."),
        Float("max_lr", start=0.01, lo=0, hi=1000, log=True, doc="Learning rate at the top."),
        Int("step_size_up", 2000, lo=1, hi=1 << 40, unit="steps", doc="Steps of a rise."),
        Int("step_size_down", None, lo=1, hi=1 << 40, optional=True, unit="steps", doc="Steps of a fall."),
        Option(
            "mode", "triangular", options=("triangular", "triangular2", "exp_range"), doc="How the top moves."
        ),
        Float("gamma", 1.0, lo=0, hi=10, doc="Factor per step of exp_range.", advanced=True),
        *_MOMENTUM,
        Float("base_momentum", 0.8, lo=0, hi=0.99999, doc="Momentum at the top.", advanced=True),
        Float("max_momentum", 0.9, lo=0, hi=0.99999, doc="Momentum at the bottom.", advanced=True),
    ),
    call=lambda f, h: Call("torch.optim.lr_scheduler.CyclicLR", **vars(f)),
)
PLATEAU = Schedule(
    id="ReduceLROnPlateau",
    title="On a plateau",
    doc="Multiply the rate by `factor` when the monitored validation figure has not improved by `threshold` (in the sense of `threshold_mode`) for "
    "`patience` validations; wait `cooldown` after each fall, and never go below `min_lr`; falls smaller than `eps` are left out.",
    source="torch.optim.lr_scheduler.ReduceLROnPlateau",
    fields=(
        Float("factor", 0.1, lo=0, hi=1, open_hi=True, doc="What the rate is multiplied by."),
        Int("patience", 10, lo=0, hi=1 << 30, unit="validations", doc="How long it may stand still."),
        Float("threshold", 1e-4, lo=0, hi=1e9, doc="What counts as better.", advanced=True),
        Option(
            "threshold_mode", "rel", options=("rel", "abs"), doc="As a share, or as it is.", advanced=True
        ),
        Int("cooldown", 0, lo=0, hi=1 << 30, unit="validations", doc="Wait after a fall.", advanced=True),
        _low("min_lr"),
        Float("eps", 1e-8, lo=0, hi=1, doc="Smallest fall.", advanced=True),
    ),
    call=lambda f, h: Call("torch.optim.lr_scheduler.ReduceLROnPlateau", **vars(f)),
)
