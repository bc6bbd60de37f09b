"""What a run tells as it goes: where it is, its figures, and what its weights and activations look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.host.messages import Message

#: Run states after which nothing more comes.
FINAL_STATES = frozenset({"finished", "stopped", "diverged", "failed", "interrupted"})

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
    #: Channels (of ``[N, C, …]``) or features (of ``[N, F]``, and of sequences ``[N, T, F]``) that it has.
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
