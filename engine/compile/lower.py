"""One step lowered to calls: the same :class:`Operation` is built, run on meta and printed as code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.catalog import (
    ACTIVATIONS,
    BINARIZERS,
    LAYERS,
    Apply,
    Call,
    Inputs,
    Layer,
    Settings,
    Spec,
)
from engine.compile.gain import gain_of
from engine.compile.surroundings import Surroundings, fixup
from engine.defaults import scheme_of
from engine.network import Choice, Network, Node


class Operation(NamedTuple):
    """What one node does: input binarizer, layer with binarized weight, activation."""

    call: Call | Apply | None
    activation: Call | None = None
    #: Estimator on the input.
    input: Call | None = None
    #: Estimator on the weight, and the parameters that it binarizes.
    weight: Call | None = None
    binarized: tuple[str, ...] = ()
    #: Input ports nested as the module takes them, unwired ones left out; empty: one after the other.
    takes: tuple[Any, ...] = ()
    #: Output ports nested as the module returns them; empty: flat.
    returns: tuple[Any, ...] = ()

    @property
    def children(self) -> dict[str, Call]:
        """Suffix of the child's name -> its construction; the layer itself has the empty suffix."""
        found: dict[str, Call] = {}
        if isinstance(self.call, Call):
            found[""] = self.call
        for suffix, call in (
            ("__input", self.input),
            ("__weight", self.weight),
            ("__activation", self.activation),
        ):
            if call is not None:
                found[suffix] = call
        return found


def lower(node: Node, inputs: Inputs) -> Operation:
    """The calls of `node` for these inputs. Its fields must have passed the analysis."""
    layer = LAYERS[node.type]
    settings = layer.settings(node.fields)
    return Operation(
        call=layer.call(settings, inputs),
        activation=_activation(node.activation, _behind(settings, inputs)),
        input=_estimator(node.binarize.get("input"), shape=_per_channel(layer, inputs)),
        weight=_estimator(
            node.binarize.get("weight"),
            transposed_groups=settings.groups if layer.id.startswith("ConvTranspose") else 0,
        ),
        binarized=layer.binarizable_names(node.fields, inputs) if "weight" in node.binarize else (),
        takes=_wired(layer.takes, inputs) if _nested(layer.takes) else (),
        returns=layer.returns,
    )


def _nested(ports: tuple[Any, ...]) -> bool:
    return any(isinstance(port, tuple) for port in ports)


def _wired(ports: tuple[Any, ...], inputs: Inputs) -> tuple[Any, ...]:
    """`ports` less those that nothing is wired to, and groups of them."""
    kept = [_wired(port, inputs) if isinstance(port, tuple) else port for port in ports]
    return tuple(port for port in kept if (port if isinstance(port, tuple) else port in inputs))


def _behind(settings: Settings, inputs: Inputs) -> Inputs:
    """What a node's activation sees: its input with the channels that the layer makes."""
    if not inputs:
        return inputs
    shape = inputs.shape
    if hasattr(settings, "out_channels"):
        shape = (shape[0], settings.out_channels, *shape[2:])
    elif hasattr(settings, "out_features"):
        shape = (*shape[:-1], settings.out_features)
    return Inputs(input=Spec(shape, inputs.first.dtype))


def _activation(choice: Choice | None, inputs: Inputs) -> Call | None:
    if choice is None:
        return None
    entry = ACTIVATIONS[choice.id]
    call = entry.call(entry.settings(choice.fields), inputs)
    assert isinstance(call, Call), "an activation is a module"
    return call


def _estimator(choice: Choice | None, **context: Any) -> Call | None:
    if choice is None:
        return None
    entry = BINARIZERS[choice.id]
    call = entry.call(entry.settings(choice.fields))
    given = {name: context[name] for name in entry.context if context.get(name)}
    return Call(call.target, *call.args, **{**call.kwargs, **given})


def _per_channel(layer: Layer, inputs: Inputs) -> tuple[int, ...]:
    """The shape of one value per channel of the first input: images [C, 1, 1], features [C]."""
    if not inputs:
        return ()
    if layer.group == "Convolution":
        return (inputs.channels, *(1 for _ in inputs.spatial))
    return (inputs.features,)


def schemes(
    network: Network, node: Node, shapes: Mapping[str, Any], around: Surroundings
) -> dict[str, Choice]:
    """Parameter -> initialisation of `node`: its own, else the network's default for its group, else for all.

    `shapes` gives the parameters that the layer has and their shapes. A default applies only
    where the scheme takes a tensor of that many dimensions. What depends on what is `around` the
    layer (gain "auto", Fixup) comes back as plain numbers and schemes.
    """
    layer = LAYERS[node.type]
    chosen = {
        parameter: choice
        for parameter in layer.parameter_names(node.fields)
        if (choice := scheme_of(network, node, parameter, len(shapes.get(parameter, ())))) is not None
    }
    return {
        parameter: settled(choice, shapes.get(parameter, ()), around) for parameter, choice in chosen.items()
    }


def looks_around(choice: Choice) -> bool:
    """Whether a scheme depends on what is around its layer."""
    return choice.id == "fixup" or choice.fields.get("gain") == "auto"


def settled(choice: Choice, shape: tuple[int, ...], around: Surroundings) -> Choice:
    """A scheme that :func:`looks_around` as plain numbers and schemes; any other as it is."""
    if choice.id == "fixup" and len(shape) >= 2:
        return fixup(around, shape)
    if choice.fields.get("gain") == "auto":
        return Choice(choice.id, {**choice.fields, "gain": gain_of(around.follower)}, choice.extra)
    return choice
