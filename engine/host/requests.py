"""What the window asks of a host, and tells it to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.host.messages import PROTOCOL_VERSION, LongQuestion, Message, Question


class Hello(Message, frozen=True):
    """The first request."""

    version: int = PROTOCOL_VERSION


class Analyze(Question, frozen=True):
    """Analyse a document. Newest wins: an older one still waiting is dropped unanswered."""

    document: bytes


class PreviewInit(Question, frozen=True):
    """Draw one parameter of one node as training would, and describe the draw."""

    document: bytes
    node: str
    parameter: str


class PreviewActivation(Question, frozen=True):
    """An activation's curve and derivative."""

    id: str
    fields: Mapping[str, Any] = {}


class PreviewBinarizer(Question, frozen=True):
    """A binarizer's forward values and backward factor."""

    id: str
    fields: Mapping[str, Any] = {}


class WhatIf(Question, frozen=True):
    """A document analysed with one field of one node at each of several values.

    Newest wins, as with Analyze, for which it makes way.
    """

    document: bytes
    node: str
    #: The block in whose drawing the node is; None: the top level.
    block: str | None
    #: The node as the analysis names it.
    path: str
    field: str
    values: tuple[Any, ...]


class LookAtEstimator(LongQuestion, frozen=True):
    """What one estimator gets and lets pass on one real batch, beside a plain sign."""

    document: bytes
    #: The node's path.
    node: str
    #: "weight" or "input".
    place: str
    #: The run whose weights are taken where they fit; None: as first drawn.
    run: str | None = None


class PrintSource(Question, frozen=True):
    """A document as Python source. Newest wins, as with Analyze."""

    document: bytes


class Prepare(Message, frozen=True):
    """Get ready to train this: load its data, build and run one step, throw that away.

    An empty document stands for something tiny. Newest wins, as with Analyze.
    """

    document: bytes = b""


class Train(Message, frozen=True):
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


class Control(Message, frozen=True):
    """Do this: "pause", "resume", "step" (one batch, then pause) or "stop"."""

    action: str


class Evaluate(LongQuestion, frozen=True):
    """Loss and metrics of a run's best weights on each of its splits."""

    run: str
    device: str = "auto"


class Predict(LongQuestion, frozen=True):
    """What a run's best weights make of examples of its data, or of a file."""

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


class Laboratory(LongQuestion, frozen=True):
    """Compare initialisations of a document on one batch of its data, and race them for some steps."""

    document: bytes
    #: As the command line writes them; None: the usual ones.
    schemes: str | None = None
    race: int = 0


class BinaryLaboratory(LongQuestion, frozen=True):
    """Measure a document's straight-through estimators on one batch of its data, or race some."""

    document: bytes
    #: The run whose best weights are taken where they fit; None: as first drawn.
    run: str | None = None
    #: Steps of a race; 0: measure instead.
    race: int = 0
    #: What is raced, as the command line writes it; None: the usual ones.
    estimators: str | None = None


class FindBatch(LongQuestion, frozen=True):
    """Find the batch size that fits into memory: the document's, or its half, quarter …"""

    document: bytes
    device: str = "auto"


class FindRate(LongQuestion, frozen=True):
    """Train a document for some steps with a growing learning rate; nothing is kept."""

    document: bytes
    device: str = "auto"
    steps: int = 200


class LookAtData(LongQuestion, frozen=True):
    """Load a document's data, or what lies at a path, and show them."""

    #: Whose recipe says the data; with `path` its seed alone counts.
    document: bytes
    #: A file or folder whose kind is guessed.
    path: str | None = None
    #: Fetch a well-known set's files first: the user has said so.
    download: bool = False


class CancelData(Message, frozen=True):
    """Call a LookAtData off; it ends in Failed with :data:`CANCELLED`."""

    request: int


#: What Failed says of a look that was called off.
CANCELLED = "Cancelled."


class Respond(LongQuestion, frozen=True):
    """How does every node of a document respond to one example?"""

    document: bytes
    #: The run whose newest weights are taken where they fit; None: as first drawn.
    run: str | None = None
    split: str = "validation"
    index: int = 0
    #: Instead of an example of the data: the Input's values, row by row.
    values: tuple[float, ...] = ()
    #: As in Predict.
    step: int | None = None


class Boundary(LongQuestion, frozen=True):
    """What does a network of two inputs give at every point of their plane?"""

    document: bytes
    run: str | None = None
    #: A node's unit in the place of the network's output.
    node: str | None = None
    unit: int = 0
    #: Points on a side.
    size: int = 96
    #: As in Predict.
    step: int | None = None


class Ping(Message, frozen=True):
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

#: Requests of which only the newest is worth doing.
_NEWEST_ASKED = (Analyze, Prepare, PrintSource, WhatIf)


def supersedes(newer: object, older: object) -> bool:
    """Whether `older`, which still waits, is not worth doing any more: nobody waits for its answer.

    Of draws that holds for those of the same parameter: while a field is scrubbed each step asks for one.
    """
    if type(newer) is not type(older):
        return False
    if isinstance(newer, PreviewInit) and isinstance(older, PreviewInit):
        return (newer.node, newer.parameter) == (older.node, older.parameter)
    return isinstance(newer, _NEWEST_ASKED)
