"""What a host answers, and all that it tells (of a run: :mod:`engine.host.story`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.dataview import DataView, Offer
from engine.findings import Analysis
from engine.host.messages import Answer, Message
from engine.host.story import (
    Confused,
    Distribution,
    Excerpt,
    Loading,
    Metrics,
    Observation,
    Progress,
    RunStarted,
    RunState,
    WeightsKept,
)
from engine.lab import LabReport, Race
from engine.lab_binary import BinaryReport


class Device(msgspec.Struct, frozen=True):
    """A device that can train."""

    id: str
    name: str
    memory: int | None = None


class Welcome(Message, frozen=True):
    """The first event; sent as soon as the host can take requests."""

    version: int
    pid: int
    python: str
    torch: str
    devices: tuple[Device, ...] = ()
    #: The layers of plugins, as :func:`engine.catalog.plugins.described` says them.
    layers: tuple[dict[str, Any], ...] = ()


class Warm(Message, frozen=True):
    """The host has paid what its first analysis costs. Also answers Prepare."""

    #: It answers Prepare: the next Train starts at once.
    prepared: bool = False


class Pong(Message, frozen=True):
    """Yes."""

    request: int


class Found(Message, frozen=True):
    """What is wrong with one document, told at once: ways out of it are still being tried.

    Of errors that were there before, those ways out are told that change nothing which is another now.
    An Analyzed of the same number follows, unless a newer Analyze comes first.
    """

    request: int
    analysis: Analysis


class Analyzed(Answer, frozen=True):
    """The analysis of one document."""

    analysis: Analysis
    seconds: float
    #: Its reports and totals are those of the Found before it, and are not sent again.
    found: bool = False


class Failed(Answer, frozen=True):
    """A request could not be done; `message` is for the user."""

    message: str


class InitPreview(Answer, frozen=True):
    """A real draw of one parameter."""

    scheme: str
    shape: tuple[int, ...]
    #: Histogram of the draw: `counts` over len(edges) − 1 equal bins.
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    #: The theoretical density at the bins' centres (1/unit); empty where there is none.
    density: tuple[float, ...]
    mean: float
    std: float
    lo: float
    hi: float
    fan_in: int | None
    fan_out: int | None
    #: Elements drawn; fewer than the parameter has where the budget asked for a sample.
    drawn: int
    #: Said to the user: "a sample of 65,536 of 102,760,448 values", …
    note: str = ""
    #: Singular values of the whole draw as a matrix [out x rest], the largest first; empty where it
    #: was sampled, is no matrix or is too large.
    singular: tuple[float, ...] = ()
    #: Least and largest share of exact zeros in a column of that matrix.
    zeros: tuple[float, float] | None = None


class CurvePreview(Answer, frozen=True):
    """Values of a function and of its derivative (for a binarizer: of its gradient for g = 1)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: tuple[float, ...]
    #: Said to the user: what is shown of a function of several values.
    note: str = ""


class EstimatorSeen(Answer, frozen=True):
    """The answer to LookAtEstimator."""

    node: str
    place: str
    #: Whose weights these are: "as first drawn", "best weights".
    note: str
    examples: int
    #: The latent weights, or what arrives at the input.
    values: Distribution
    #: Share of the gradient (of the sum of magnitudes) to which the estimator passes nothing on.
    masked: float | None
    #: Norm of the gradient behind the estimator: of the latent weights, or of what arrives.
    gradient: float
    #: The same with a plain sign in the place of every estimator.
    plain_gradient: float
    #: Weight matrices that get a gradient, and those that would with plain signs.
    learning: tuple[str, ...]
    plain_learning: tuple[str, ...]
    #: All there are.
    matrices: int


class Variant(msgspec.Struct, frozen=True):
    """What one value of a field comes to."""

    value: Any
    #: Shape of the node's first output, the batch left out; empty where it does not fit.
    output: tuple[int, ...] = ()
    #: Multiply–accumulate operations of the whole network for one example.
    macs: int = 0
    #: How many layers that sum leaves out, for nothing is known of them.
    unknown: int = 0
    #: The largest receptive field in the network, in input pixels.
    receptive_field: tuple[int, ...] = ()
    #: What is wrong with it that is right now; empty: nothing.
    message: str = ""


class Variants(Answer, frozen=True):
    """The answer to WhatIf, in the order of its values."""

    variants: tuple[Variant, ...]


class SourcePrinted(Answer, frozen=True):
    """The answer to PrintSource."""

    text: str
    #: ``id``, in a block ``Block/id`` -> the numbers of its lines, from 1.
    lines: dict[str, tuple[int, ...]]


class Evaluated(Answer, frozen=True):
    """Figures of a run per split: ``{"validation": {"loss": …, "accuracy": …}, …}``."""

    splits: Mapping[str, Mapping[str, float]]
    #: Said to the user: that the data have changed since the run began.
    note: str = ""


class Prediction(msgspec.Struct, frozen=True):
    """One example and what the network makes of it."""

    index: int
    #: The raw outputs.
    outputs: tuple[float, ...]
    #: Softmax of the outputs for a classifier, else empty.
    probabilities: tuple[float, ...] = ()
    predicted: int | None = None
    target: float | None = None
    #: The example itself, 8-bit grey or RGB, for the window; empty where it is no picture.
    picture: bytes = b""
    picture_shape: tuple[int, ...] = ()


class Predicted(Answer, frozen=True):
    """The answer to Predict."""

    classes: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    #: Said to the user: that the data have changed since the run began.
    note: str = ""
    #: Which predicted: "best weights", "weights of step 120" …
    weights: str = ""


class Measured(Answer, frozen=True):
    """The answer to Laboratory."""

    report: LabReport
    race: Race | None = None


class BinaryMeasured(Answer, frozen=True):
    """The answer to BinaryLaboratory: what was measured, or the race."""

    report: BinaryReport | None = None
    race: Race | None = None


class BatchFound(Answer, frozen=True):
    """The answer to FindBatch; None where not even one example fits."""

    batch_size: int | None


class RateFound(Answer, frozen=True):
    """The answer to FindRate: each step's rate, the loss smoothed up to it, and where it falls fastest."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None


class DataProgress(Message, frozen=True):
    """How far a LookAtData has come: so many of `total` are done. Newest wins.

    Number 0 stands for what a Prepare or an analysis reads, for which others may have to wait.
    """

    request: int
    what: str
    done: int
    total: int


class DataAbsent(Answer, frozen=True):
    """The answer to LookAtData where the files of a well-known set are not here, but can be fetched."""

    message: str
    offer: Offer


class DataLooked(Answer, frozen=True):
    """The answer to LookAtData."""

    view: DataView


class Response(msgspec.Struct, frozen=True, array_like=True):
    """What one node gives for one example."""

    values: Distribution
    #: Maps ``(channels, 1, height, width)``, a matrix, or ``(1, features)``: some of them.
    seen: Excerpt
    #: All of them.
    shape: tuple[int, ...]
    #: What comes into the activation inside the node; None where it has none.
    into: Distribution | None = None


class Responded(Answer, frozen=True):
    """The answer to Respond."""

    nodes: Mapping[str, Response]
    #: Which weights: "best weights", "as first drawn" …
    note: str = ""
    classes: tuple[str, ...] = ()
    target: float | None = None
    probabilities: tuple[float, ...] = ()
    #: The example's own values, where the network reads no more than a few thousand numbers: given with
    #: another Respond, they spare reading the data.
    values: tuple[float, ...] = ()


class Mapped(Answer, frozen=True):
    """The answer to Boundary."""

    lo: tuple[float, float]
    hi: tuple[float, float]
    size: int
    #: Row by row from the lowest; with `classes` the class' number plus how likely it is.
    values: tuple[float, ...]
    classes: int = 0
    #: Examples: the two inputs and the target.
    points: tuple[tuple[float, float, float], ...] = ()
    note: str = ""
    #: How many units the node has; the network as a whole counts as one.
    units: int = 1


Event = (
    Welcome
    | Warm
    | Pong
    | Found
    | Analyzed
    | Failed
    | InitPreview
    | CurvePreview
    | Variants
    | EstimatorSeen
    | SourcePrinted
    | Loading
    | RunStarted
    | Metrics
    | Progress
    | Observation
    | WeightsKept
    | Confused
    | RunState
    | Evaluated
    | Measured
    | BinaryMeasured
    | BatchFound
    | RateFound
    | Predicted
    | DataProgress
    | DataLooked
    | DataAbsent
    | Responded
    | Mapped
)

#: Events of which only the newest matters when a reader is slow.
NEWEST_WINS = (Progress, Observation, WeightsKept, Loading, DataProgress)
