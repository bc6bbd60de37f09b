"""What an entry of the catalogue is: a frozen value that declares one thing once.

Everything that the program does with a layer (its form, its file format, its check, its module,
its exported code, its help) follows from one :class:`Layer`; likewise for initialisers,
binarizers, losses, optimizers, schedules and data sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

from engine.catalog.fields import Field
from engine.problems import did_you_mean


class Settings(SimpleNamespace):
    """An entry's fields, complete and canonical, by attribute: ``settings.kernel_size``."""


class Spec(NamedTuple):
    """What flows through a wire, as far as a layer's declaration needs to know it."""

    #: With the batch as dimension 0.
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def channels(self) -> int:
        """Size of dimension 1, torch's channel dimension."""
        return self.shape[1]

    @property
    def features(self) -> int:
        """Size of the last dimension."""
        return self.shape[-1]

    @property
    def spatial(self) -> tuple[int, ...]:
        """The dimensions behind batch and channels."""
        return self.shape[2:]


class Inputs(dict[str, Spec]):
    """A layer's inputs by port. Reading `shape`, `channels` … speaks of the first."""

    @property
    def first(self) -> Spec:
        """The first input, in port order."""
        return next(iter(self.values()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first input, with the batch."""
        return self.first.shape

    @property
    def channels(self) -> int:
        """Size of dimension 1 of the first input."""
        return self.first.channels

    @property
    def features(self) -> int:
        """Size of the last dimension of the first input."""
        return self.first.features

    @property
    def spatial(self) -> tuple[int, ...]:
        """Spatial sizes of the first input."""
        return self.first.spatial


# ---------------------------------------------------------------------------- calls


@dataclass(frozen=True, init=False)
class Call:
    """Construct this: ``target(*args, **kwargs)`` gives a torch module (or optimizer, loss …).

    `target` names what catalogue entries alone may name: ``torch.nn.Conv2d``, or a class of ours
    in :mod:`engine.compile.modules`, whose source then goes into exported code. The compiler
    builds the module from it and prints the same as code.
    """

    target: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __init__(self, target: str, *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "kwargs", kwargs)


@dataclass(frozen=True, init=False)
class Apply:
    """Do this: ``target(inputs…, *args, **kwargs)`` on the tensors, with nothing to learn.

    With ``together`` the inputs are passed as one tuple, as ``torch.cat`` takes them.
    """

    target: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    together: bool

    def __init__(self, target: str, *args: Any, together: bool = False, **kwargs: Any) -> None:
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "kwargs", kwargs)
        object.__setattr__(self, "together", together)


# ---------------------------------------------------------------------------- entries


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What all entries have."""

    id: str
    title: str
    doc: str
    #: Where the definition comes from: a torch name, a paper, a page.
    source: str
    fields: tuple[Field, ...] = ()
    #: The format version that first had it.
    since: int = 1

    def field(self, name: str) -> Field:
        """The field called `name`; KeyError if there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def start(self) -> dict[str, Any]:
        """The fields that a new use of this entry has: those with a start value, first of all the required ones."""
        return {f.name: f.start if f.start is not None else f.initial for f in self.fields if f.starts}

    def check(self, fields: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Every ``(field, what is wrong)`` in `fields`; empty when all is well."""
        names = [f.name for f in self.fields]
        wrong = [
            (name, f"{self.id} has no field {name!r}.{did_you_mean(name, names)}")
            for name in fields
            if name not in names
        ]
        for f in self.fields:
            if f.name in fields:
                message = f.check(fields[f.name])
            else:
                message = f"is missing: {f.expected}." if f.required else None
            if message:
                wrong.append((f.name, message))
        return wrong

    def settings(self, fields: Mapping[str, Any]) -> Settings:
        """`fields` completed with defaults, each in canonical form. `fields` must have passed check."""
        return Settings(**{f.name: f.canonical(fields.get(f.name, f.default)) for f in self.fields})


@dataclass(frozen=True)
class Port:
    """One end that wires attach to."""

    name: str
    doc: str = ""
    #: May stay unconnected.
    optional: bool = False


class Fix(NamedTuple):
    """A way out: set these fields, said in `text`."""

    text: str
    fields: Mapping[str, Any]


class Verdict(NamedTuple):
    """What a rule found: at which field, in words, with ways out (best first)."""

    field: str | None
    message: str
    fixes: Sequence[Fix] = ()


@dataclass(frozen=True)
class Rule:
    """A condition on a layer's fields and input; `check` says what breaks it, or None."""

    code: str
    check: Callable[[Settings, Inputs], Verdict | None]
    severity: str = "error"
    #: Why this matters, in a sentence or two, with its source.
    lesson: str = ""


Names = tuple[str, ...] | Callable[[Settings, "Inputs | None"], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Layer(Entry):
    """A kind of node.

    `call` gets the settings and the inputs' :class:`Spec`s and says what to build or do.
    """

    group: str
    call: Callable[[Settings, Inputs], Call | Apply | None]
    #: Dimension names of input and output, for people: "N C H W".
    reads: str = ""
    gives: str = ""
    #: Input ports. A layer that is `variadic` has ports "0", "1", … as many as are wired.
    inputs: tuple[Port, ...] = (Port("input"),)
    outputs: tuple[Port, ...] | Callable[[Settings], tuple[Port, ...]] = (Port("output"),)
    variadic: bool = False
    #: How the module is called: ports nested as its arguments are, such as
    #: ``("input", ("h_0", "c_0"))``; a group whose ports are all unwired is left out. Empty: flat.
    takes: tuple[Any, ...] = ()
    #: How its result is taken apart, likewise. Empty: one tensor.
    returns: tuple[Any, ...] = ()
    #: Names of the parameters that can be initialised; a function of the settings and, once they
    #: are known, the inputs where these decide (an LSTM's layers).
    parameters: Names = ()
    #: Those of them that an estimator may binarize as the node's "weight".
    binarizable: Names = ()
    #: The input dtypes it takes.
    dtypes: tuple[str, ...] = ("float32",)
    #: Numbers of dimensions, the batch included, that its input may have; empty: any.
    ranks: tuple[int, ...] = ()
    rules: tuple[Rule, ...] = ()
    #: Whether the node may carry an `activation`.
    activatable: bool = True
    #: Whether it is itself an activation, and so may stand in a node's `activation`.
    is_activation: bool = False
    #: For an activation, the range of what comes out, for people: "−1 … 1"; a field by its name.
    values: str = ""
    #: Other words that search finds it by.
    keywords: tuple[str, ...] = ()

    def parameter_names(self, fields: Mapping[str, Any], inputs: Inputs | None = None) -> tuple[str, ...]:
        """The parameters that a node with these fields may have; without `inputs` rather too many."""
        return self._names(self.parameters, fields, inputs)

    def binarizable_names(self, fields: Mapping[str, Any], inputs: Inputs | None = None) -> tuple[str, ...]:
        """Those of them that an estimator may binarize as the node's "weight"."""
        return self._names(self.binarizable, fields, inputs)

    def _names(self, names: Names, fields: Mapping[str, Any], inputs: Inputs | None) -> tuple[str, ...]:
        if not callable(names):
            return names
        try:
            return names(self.settings(fields), inputs)
        except Exception:  # fields that do not pass check have no settings
            return ()

    def output_ports(self, fields: Mapping[str, Any]) -> tuple[Port, ...]:
        """The output ports that a node with these fields has."""
        if not callable(self.outputs):
            return self.outputs
        try:
            return self.outputs(self.settings(fields))
        except Exception:  # fields that do not pass check have no settings
            return (Port("output"),)


@dataclass(frozen=True, kw_only=True)
class Initializer(Entry):
    """A way to draw a parameter's first values."""

    #: The formula, in plain text with Unicode signs.
    formula: str = ""
    #: What to remember about it.
    lesson: str = ""
    #: The function that fills a tensor in place; its keyword arguments are the fields.
    call: Callable[[Settings], Call]
    min_dims: int = 0
    max_dims: int = 8
    #: What else is wrong with a tensor of this shape, as a sentence; None if nothing is.
    fits: Callable[[Settings, tuple[int, ...]], str | None] = lambda settings, shape: None
    #: Needs a batch and the whole network, so it cannot fill a lone tensor.
    needs_network: bool = False


@dataclass(frozen=True, kw_only=True)
class Binarizer(Entry):
    """A straight-through estimator: binary (or few-valued) forward, a chosen gradient backward."""

    forward: str = ""
    backward: str = ""
    lesson: str = ""
    #: Where it may be used: "weight", "input".
    places: tuple[str, ...] = ("weight", "input")
    #: Bits that one of its values takes when packed; a scale that channels or tensors share is not counted.
    bits: Callable[[Settings], int] = lambda f: 1
    #: What the call gets from its place beside the fields: "transposed_groups" (a transposed
    #: convolution's groups, where its weight is laid out so), "shape" (of a value per channel).
    context: tuple[str, ...] = ()
    call: Callable[[Settings], Call]


@dataclass(frozen=True, kw_only=True)
class Loss(Entry):
    """What training makes small."""

    call: Callable[[Settings], Call]
    #: What the targets are: "class" (int64 class numbers), "like" (a tensor shaped as the output),
    #: "multilabel" (0/1 tensor shaped as the output), "sign" (−1/+1 tensor shaped as the output).
    target: str = "class"


@dataclass(frozen=True, kw_only=True)
class Optimizer(Entry):
    """How weights follow gradients. `call` constructs it; parameter groups come first."""

    call: Callable[[Settings], Call]


class Horizon(NamedTuple):
    """How long a run is."""

    steps: int
    steps_per_epoch: int


@dataclass(frozen=True, kw_only=True)
class Schedule(Entry):
    """How the learning rate moves. `call` gets the settings and the run's length in steps."""

    call: Callable[[Settings, Horizon], Call]
    #: Fields that are learning rates themselves: a node's multiplier goes for them too.
    rates: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source(Entry):
    """Where examples come from. The loader of the same id is in :mod:`engine.data`."""

    #: What the examples are: "image", "table", "text", "series", "array", "points".
    kind: str = "array"
    #: What the targets are: "class", "value", "token".
    target: str = "class"


@dataclass(frozen=True, kw_only=True)
class Augmentation(Entry):
    """A way to vary training examples by chance. The function of the same id is in :mod:`engine.data`."""

    #: Kinds of source (:attr:`Source.kind`) whose examples it varies.
    reads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(Entry):
    """A section of the recipe's own options (clipping, averaging, precision …), which are its fields."""
