"""What a host answers and tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.dataview import DataView, Offer
from engine.findings import Analysis
from engine.host.messages import Answer, Message
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


# What comes by the thousand and is kept (gc=False) stays out of the garbage collector's rounds, which
# would stop the window for it: such values hold nothing that could point back at them.


class Distribution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One tensor's values at one step."""

    lo: float
    hi: float
    #: Counts over 64 equal bins from lo to hi, of a fixed strided sample.
    counts: tuple[int, ...]
    mean: float
    std: float
    #: Euclidean norm of the whole tensor.
    norm: float
    #: Share of exact zeros in the sample.
    zeros: float
    #: Values that are NaN or infinite in the sample.
    bad: int = 0


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


class Loading(Message, frozen=True):
    """A run that was asked for loads its data: so many of `total` are done. Newest wins."""

    what: str
    done: int
    total: int


class RunStarted(Message, frozen=True):
    """A run has begun (or been resumed)."""

    run: str
    device: str
    epochs: int
    steps_per_epoch: int
    #: Steps already behind it (0 unless resumed).
    step: int
    #: Parameter name -> shape, in the model's order.
    parameters: Mapping[str, tuple[int, ...]]
    train_examples: int
    validation_examples: int
    threads: int
    #: What was chosen by measurement or is worth knowing: "fused Adam", "data on the device", …
    notes: tuple[str, ...] = ()
    #: What must not be overlooked, in sentences: that the data have changed since the run began.
    warnings: tuple[str, ...] = ()
    #: What the parameters are like before the next step; none where nobody observes.
    weights: Mapping[str, Distribution] = {}


class Metrics(Message, frozen=True, gc=False):
    """Figures of one split at one step. `seconds` counts training time since the start."""

    step: int
    epoch: float
    split: str
    values: Mapping[str, float]
    seconds: float


class Progress(Message, frozen=True):
    """Where the run is. Newest wins."""

    step: int
    steps: int
    epoch: int
    epochs: int
    #: Since the first figures were told; 0 with these.
    steps_per_second: float
    #: Estimated seconds to the end; None while unknown.
    left: float | None
    seconds: float


class Activation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A node's output over the batch of one step."""

    values: Distribution
    #: Channels (of ``[N, C, …]``) or features (of ``[N, F]``) that it has.
    units: int
    #: Share of units that are exactly zero for every example of the batch, at every place.
    dead: float
    #: Share of values within 1 % of an end of the activation's range, where its slope is below 4 % of
    #: its greatest; None where the node ends in no activation of a bounded range.
    saturated: float | None = None
    #: Effective rank of the examples' features (Roy and Vetterli, 2007): exp of the entropy of the
    #: singular values' shares, of at most 32 examples and 256 features; None where there is one example.
    rank: float | None = None
    #: The greatest that `rank` could be: of n examples about their mean, n − 1.
    full_rank: int = 0
    #: Mean over units of the standard deviation over examples: 0 where all examples look alike.
    spread: float = 0.0


class Excerpt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """At most 1,024 values of a tensor in 8 bits, to be looked at."""

    #: ``(rows, columns)`` of a matrix, ``(out, in, height, width)`` of kernels: what is shown of each.
    shape: tuple[int, ...]
    #: What 127 stands for; values are ``byte / 127 * scale``.
    scale: float
    #: Signed bytes, row by row.
    values: bytes


class BinaryWeight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A binarized parameter's latent weights at one step."""

    #: Share of its signs that this one step changed.
    flip_rate: float
    #: Share that is +1.
    positive: float
    #: Share of magnitudes within a tenth of their mean: 5 % of a uniform distribution, 6.4 % of a normal one.
    near_zero: float
    #: Share of magnitudes from 0.99 on.
    at_clip: float
    #: Share of the gradient (of the sum of magnitudes) to which the estimator passes nothing on.
    masked: float | None
    #: At ``[i]`` how many weights differed in sign from the look before at i of the last 16 looks.
    per_weight: tuple[int, ...]
    #: Weights that did so at four looks or more, the most restless first: place in the flat tensor, looks.
    restless: tuple[tuple[int, int], ...]
    #: How many weights are followed one by one; fewer than there are in large tensors.
    followed: int


class BinaryInput(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a node's input binarizer got over the batch of one step."""

    values: Distribution
    #: Share that is +1.
    positive: float
    #: Share of the gradient (of the sum of magnitudes) to which the estimator passes nothing on.
    masked: float | None


class Observation(Message, frozen=True, gc=False):
    """Weights, gradients and activations at one step. Newest wins."""

    step: int
    epoch: float
    weights: Mapping[str, Distribution]
    gradients: Mapping[str, Distribution]
    #: Norm of the last update over norm of the weight, per parameter.
    updates: Mapping[str, float] = {}
    #: Share of training time that observing has cost so far.
    cost: float = 0.0
    #: Outputs by node, in the order in which they are computed.
    activations: Mapping[str, Activation] = {}
    #: Cosine between this step's gradient and that of the step before, per parameter.
    cosines: Mapping[str, float] = {}
    #: Share of a binarized layer's latent weights that changed sign since the last observation.
    flips: Mapping[str, float] = {}
    #: What is seen of weights and of their gradients, per parameter of two dimensions or more.
    weight_excerpts: Mapping[str, Excerpt] = {}
    gradient_excerpts: Mapping[str, Excerpt] = {}
    #: The optimizer's learning rate at this step, of its first group.
    learning_rate: float | None = None
    #: Binarized parameters, by parameter, and binarized inputs, by node.
    binary_weights: Mapping[str, BinaryWeight] = {}
    binary_inputs: Mapping[str, BinaryInput] = {}


class WeightsKept(Message, frozen=True):
    """The steps whose weights the run keeps, beside its best and last ones: in order, all of them."""

    steps: tuple[int, ...]


class Confused(Message, frozen=True):
    """Which classes were taken for which, over a whole split."""

    step: int
    split: str
    #: The output that it is about; "" where there is one.
    output: str
    #: Their names, as far as they have some.
    classes: tuple[str, ...]
    #: Examples by class (row) and answer (column), row by row.
    counts: tuple[int, ...]


class RunState(Message, frozen=True):
    """The state now: "running", "paused", "finished", "stopped", "diverged", "failed".

    Where the host dies, the client says "interrupted" in its stead.
    """

    state: str
    step: int
    #: For the user: why it failed, where it diverged.
    message: str = ""
    #: What ``train --json`` prints, once the run has ended.
    result: Mapping[str, Any] | None = None


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

#: Run states after which nothing more comes.
FINAL_STATES = frozenset({"finished", "stopped", "diverged", "failed", "interrupted"})

#: Events of which only the newest matters when a reader is slow.
NEWEST_WINS = (Progress, Observation, WeightsKept, Loading, DataProgress)
