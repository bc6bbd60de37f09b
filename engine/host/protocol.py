"""What window and host say to each other.

Each frame is a 4-byte big-endian length and that many bytes of msgpack: one struct of the tagged
unions below. Requests go to the host's standard input, events come from its standard output. A
`document` is the network's file text (UTF-8 JSON), so the host reads it with the same limits as a
file. Every answer bears the `request` number that it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec

from engine.dataview import DataView, Offer
from engine.findings import Analysis
from engine.lab import LabReport, Race
from engine.lab_binary import BinaryReport

#: Raised with every change of these structs; the handshake compares it.
PROTOCOL_VERSION = 5

#: A frame longer than this is nonsense, and the connection is closed.
MAX_FRAME = 256 * 1024 * 1024


class _Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all messages."""


# ---------------------------------------------------------------------------- requests


class Hello(_Message, frozen=True):
    """The first request."""

    version: int = PROTOCOL_VERSION


class Analyze(_Message, frozen=True):
    """Analyse a document. Newest wins: an older one still waiting is dropped unanswered."""

    request: int
    document: bytes


class PreviewInit(_Message, frozen=True):
    """Draw one parameter of one node as training would, and describe the draw."""

    request: int
    document: bytes
    node: str
    parameter: str


class PreviewActivation(_Message, frozen=True):
    """An activation's curve and derivative."""

    request: int
    id: str
    fields: Mapping[str, Any] = {}


class PreviewBinarizer(_Message, frozen=True):
    """A binarizer's forward values and backward factor."""

    request: int
    id: str
    fields: Mapping[str, Any] = {}


class WhatIf(_Message, frozen=True):
    """A document analysed with one field of one node at each of several values."""

    request: int
    document: bytes
    node: str
    #: The block in whose drawing the node is; None: the top level.
    block: str | None
    #: The node as the analysis names it.
    path: str
    field: str
    values: tuple[Any, ...]


class LookAtEstimator(_Message, frozen=True):
    """What one estimator gets and lets pass on one real batch, beside a plain sign."""

    request: int
    document: bytes
    #: The node's path.
    node: str
    #: "weight" or "input".
    place: str
    #: The run whose weights are taken where they fit; None: as first drawn.
    run: str | None = None


class PrintSource(_Message, frozen=True):
    """A document as Python source."""

    request: int
    document: bytes


class Prepare(_Message, frozen=True):
    """Get ready to train this: load its data, build and run one step, throw that away.

    An empty document stands for something tiny. Newest wins, as with Analyze.
    """

    document: bytes = b""


class Train(_Message, frozen=True):
    """Train. The host becomes this run's own; it ends when the run has ended and been collected."""

    request: int
    document: bytes
    #: The run's folder, which the host makes; with `resume` it exists.
    run: str
    device: str = "auto"
    resume: bool = False
    #: A safetensors file whose fitting tensors are the start, instead of a fresh draw.
    weights: str | None = None
    #: Begin paused, so that the first Step is step 1.
    paused: bool = False


class Control(_Message, frozen=True):
    """Do this: "pause", "resume", "step" (one batch, then pause) or "stop"."""

    action: str


class Evaluate(_Message, frozen=True):
    """Loss and metrics of a run's best weights on each of its splits."""

    request: int
    run: str
    device: str = "auto"


class Predict(_Message, frozen=True):
    """What a run's best weights make of examples of its data, or of a file."""

    request: int
    run: str
    #: Examples of `split` from `first` on, `count` of them …
    split: str = "validation"
    first: int = 0
    count: int = 16
    #: … or this file (picture, .npy).
    file: str | None = None
    #: Whether the examples' own pictures are wanted.
    pictures: bool = True
    #: Weights of the last step up to this one that are kept, instead of the best ones.
    step: int | None = None


class Laboratory(_Message, frozen=True):
    """Compare initialisations of a document on one batch of its data, and race them for some steps."""

    request: int
    document: bytes
    #: As the command line writes them; None: the usual ones.
    schemes: str | None = None
    race: int = 0


class BinaryLaboratory(_Message, frozen=True):
    """Measure a document's straight-through estimators on one batch of its data, or race some."""

    request: int
    document: bytes
    #: The run whose best weights are taken where they fit; None: as first drawn.
    run: str | None = None
    #: Steps of a race; 0: measure instead.
    race: int = 0
    #: What is raced, as the command line writes it; None: the usual ones.
    estimators: str | None = None


class FindBatch(_Message, frozen=True):
    """Find the batch size that fits into memory: the document's, or its half, quarter …"""

    request: int
    document: bytes
    device: str = "auto"


class FindRate(_Message, frozen=True):
    """Train a document for some steps with a growing learning rate; nothing is kept."""

    request: int
    document: bytes
    device: str = "auto"
    steps: int = 200


class LookAtData(_Message, frozen=True):
    """Load a document's data, or what lies at a path, and show them."""

    request: int
    #: Whose recipe says the data; with `path` its seed alone counts.
    document: bytes
    #: A file or folder whose kind is guessed.
    path: str | None = None
    #: Fetch a well-known set's files first: the user has said so.
    download: bool = False


class CancelData(_Message, frozen=True):
    """Call a LookAtData off; it ends in Failed with :data:`CANCELLED`."""

    request: int


#: What Failed says of a look that was called off.
CANCELLED = "Cancelled."


class Respond(_Message, frozen=True):
    """How does every node of a document respond to one example?"""

    request: int
    document: bytes
    #: The run whose newest weights are taken where they fit; None: as first drawn.
    run: str | None = None
    split: str = "validation"
    index: int = 0
    #: Instead of an example of the data: the Input's values, row by row.
    values: tuple[float, ...] = ()
    #: As in Predict.
    step: int | None = None


class Boundary(_Message, frozen=True):
    """What does a network of two inputs give at every point of their plane?"""

    request: int
    document: bytes
    run: str | None = None
    #: A node's unit in the place of the network's output.
    node: str | None = None
    unit: int = 0
    #: Points on a side.
    size: int = 96
    #: As in Predict.
    step: int | None = None


class Ping(_Message, frozen=True):
    """Are you there?"""

    request: int


Request = (
    Hello
    | Analyze
    | PreviewInit
    | PreviewActivation
    | PreviewBinarizer
    | WhatIf
    | LookAtEstimator
    | PrintSource
    | Prepare
    | Train
    | Control
    | Evaluate
    | Predict
    | Respond
    | Boundary
    | Laboratory
    | BinaryLaboratory
    | FindBatch
    | FindRate
    | LookAtData
    | CancelData
    | Ping
)


# ---------------------------------------------------------------------------- events


class Device(msgspec.Struct, frozen=True):
    """A device that can train."""

    id: str
    name: str
    memory: int | None = None


class Welcome(_Message, frozen=True):
    """The first event; sent as soon as the host can take requests."""

    version: int
    pid: int
    python: str
    torch: str
    devices: tuple[Device, ...] = ()
    #: The layers of plugins, as :func:`engine.catalog.plugins.described` says them.
    layers: tuple[dict[str, Any], ...] = ()


class Warm(_Message, frozen=True):
    """The host has paid what its first analysis costs. Also answers Prepare."""

    #: It answers Prepare: the next Train starts at once.
    prepared: bool = False


class Pong(_Message, frozen=True):
    """Yes."""

    request: int


class Analyzed(_Message, frozen=True):
    """The analysis of one document."""

    request: int
    analysis: Analysis
    seconds: float


class Failed(_Message, frozen=True):
    """A request could not be done; `message` is for the user."""

    request: int
    message: str


class InitPreview(_Message, frozen=True):
    """A real draw of one parameter."""

    request: int
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


class CurvePreview(_Message, frozen=True):
    """Values of a function and of its derivative (for a binarizer: of its gradient for g = 1)."""

    request: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: tuple[float, ...]
    #: Said to the user: what is shown of a function of several values.
    note: str = ""


class Distribution(msgspec.Struct, frozen=True, array_like=True):
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


class EstimatorSeen(_Message, frozen=True):
    """The answer to LookAtEstimator."""

    request: int
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
    #: The largest receptive field in the network, in input pixels.
    receptive_field: tuple[int, ...] = ()
    #: What is wrong with it that is right now; empty: nothing.
    message: str = ""


class Variants(_Message, frozen=True):
    """The answer to WhatIf, in the order of its values."""

    request: int
    variants: tuple[Variant, ...]


class SourcePrinted(_Message, frozen=True):
    """The answer to PrintSource."""

    request: int
    text: str
    #: ``id``, in a block ``Block/id`` -> the numbers of its lines, from 1.
    lines: dict[str, tuple[int, ...]]


class Loading(_Message, frozen=True):
    """A run that was asked for loads its data: so many of `total` are done. Newest wins."""

    what: str
    done: int
    total: int


class RunStarted(_Message, frozen=True):
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


class Metrics(_Message, frozen=True):
    """Figures of one split at one step. `seconds` counts training time since the start."""

    step: int
    epoch: float
    split: str
    values: Mapping[str, float]
    seconds: float


class Progress(_Message, frozen=True):
    """Where the run is. Newest wins."""

    step: int
    steps: int
    epoch: int
    epochs: int
    steps_per_second: float
    #: Estimated seconds to the end; None while unknown.
    left: float | None
    seconds: float


class Activation(msgspec.Struct, frozen=True, array_like=True):
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
    #: singular values' shares, of at most 64 examples and 256 features; None where there is one example.
    rank: float | None = None
    #: The greatest that `rank` could be.
    full_rank: int = 0
    #: Mean over units of the standard deviation over examples: 0 where all examples look alike.
    spread: float = 0.0


class Excerpt(msgspec.Struct, frozen=True, array_like=True):
    """At most 1,024 values of a tensor in 8 bits, to be looked at."""

    #: ``(rows, columns)`` of a matrix, ``(out, in, height, width)`` of kernels: what is shown of each.
    shape: tuple[int, ...]
    #: What 127 stands for; values are ``byte / 127 * scale``.
    scale: float
    #: Signed bytes, row by row.
    values: bytes


class BinaryWeight(msgspec.Struct, frozen=True, array_like=True):
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


class BinaryInput(msgspec.Struct, frozen=True, array_like=True):
    """What a node's input binarizer got over the batch of one step."""

    values: Distribution
    #: Share that is +1.
    positive: float
    #: Share of the gradient (of the sum of magnitudes) to which the estimator passes nothing on.
    masked: float | None


class Observation(_Message, frozen=True):
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


class WeightsKept(_Message, frozen=True):
    """The steps whose weights the run keeps, beside its best and last ones: in order, all of them."""

    steps: tuple[int, ...]


class Confused(_Message, frozen=True):
    """Which classes were taken for which, over a whole split."""

    step: int
    split: str
    #: The output that it is about; "" where there is one.
    output: str
    #: Their names, as far as they have some.
    classes: tuple[str, ...]
    #: Examples by class (row) and answer (column), row by row.
    counts: tuple[int, ...]


class RunState(_Message, frozen=True):
    """The state now: "running", "paused", "finished", "stopped", "diverged", "failed".

    Where the host dies, the client says "interrupted" in its stead.
    """

    state: str
    step: int
    #: For the user: why it failed, where it diverged.
    message: str = ""
    #: What ``train --json`` prints, once the run has ended.
    result: Mapping[str, Any] | None = None


class Evaluated(_Message, frozen=True):
    """Figures of a run per split: ``{"validation": {"loss": …, "accuracy": …}, …}``."""

    request: int
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


class Predicted(_Message, frozen=True):
    """The answer to Predict."""

    request: int
    classes: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    #: Said to the user: that the data have changed since the run began.
    note: str = ""
    #: Which predicted: "best weights", "weights of step 120" …
    weights: str = ""


class Measured(_Message, frozen=True):
    """The answer to Laboratory."""

    request: int
    report: LabReport
    race: Race | None = None


class BinaryMeasured(_Message, frozen=True):
    """The answer to BinaryLaboratory: what was measured, or the race."""

    request: int
    report: BinaryReport | None = None
    race: Race | None = None


class BatchFound(_Message, frozen=True):
    """The answer to FindBatch; None where not even one example fits."""

    request: int
    batch_size: int | None


class RateFound(_Message, frozen=True):
    """The answer to FindRate: each step's rate, the loss smoothed up to it, and where it falls fastest."""

    request: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None


class DataProgress(_Message, frozen=True):
    """How far a LookAtData has come: so many of `total` are done. Newest wins.

    Number 0 stands for what a Prepare or an analysis reads, for which others may have to wait.
    """

    request: int
    what: str
    done: int
    total: int


class DataAbsent(_Message, frozen=True):
    """The answer to LookAtData where the files of a well-known set are not here, but can be fetched."""

    request: int
    message: str
    offer: Offer


class DataLooked(_Message, frozen=True):
    """The answer to LookAtData."""

    request: int
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


class Responded(_Message, frozen=True):
    """The answer to Respond."""

    request: int
    nodes: Mapping[str, Response]
    #: Which weights: "best weights", "as first drawn" …
    note: str = ""
    classes: tuple[str, ...] = ()
    target: float | None = None
    probabilities: tuple[float, ...] = ()


class Mapped(_Message, frozen=True):
    """The answer to Boundary."""

    request: int
    lo: tuple[float, float]
    hi: tuple[float, float]
    size: int
    #: Row by row from the lowest; with `classes` the class' number plus how likely it is.
    values: tuple[float, ...]
    classes: int = 0
    #: Examples: the two inputs and the target.
    points: tuple[tuple[float, float, float], ...] = ()
    note: str = ""


Event = (
    Welcome
    | Warm
    | Pong
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

encode = msgspec.msgpack.Encoder().encode
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_event_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
decode_request = _request_decoder.decode
decode_event = _event_decoder.decode


class ChannelProblem(Exception):
    """What arrives is not this protocol; the message is for the user."""


def frame(message: _Message) -> bytes:
    """A message as it goes over the wire.

    Raises
    ------
    ChannelProblem
        If it is longer than any reader would take.
    """
    body = encode(message)
    if len(body) > MAX_FRAME:
        raise ChannelProblem(
            f"A message of {len(body):,} bytes is over the limit of {MAX_FRAME:,}: the document is too large."
        )
    return len(body).to_bytes(4, "big") + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """The body of the next frame, or None where the stream ends between frames.

    Raises
    ------
    ChannelProblem
        If the stream ends inside a frame, or the length is nonsense (which is what text that
        strays into the channel looks like).
    """
    head = stream.read(4)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) == 4 and length > MAX_FRAME:
        raise ChannelProblem(
            f"A frame claims {length:,} bytes, over the limit of {MAX_FRAME:,} (it begins {head!r})."
        )
    body = stream.read(length) if len(head) == 4 else b""
    if len(head) < 4 or len(body) < length:
        raise ChannelProblem("The connection broke off in the middle of a message.")
    return body


def decoded_request(body: bytes) -> Request:
    """The request in a frame.

    Raises
    ------
    ChannelProblem
        If it is none.
    """
    try:
        return decode_request(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelProblem(f"A frame of {len(body):,} bytes is no request: {error}.") from error


def decoded_event(body: bytes) -> Event:
    """The event in a frame.

    Raises
    ------
    ChannelProblem
        If it is none.
    """
    try:
        return decode_event(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelProblem(f"A frame of {len(body):,} bytes is no event: {error}.") from error


def mismatch(theirs: int, who: str) -> str | None:
    """Say that `who` ("window" or "host") speaks another version, or None if it does not."""
    if theirs == PROTOCOL_VERSION:
        return None
    return (
        f"The {who} speaks version {theirs} of Layerlab's protocol, this side version {PROTOCOL_VERSION}: "
        "install the same version of Layerlab on both sides."
    )
