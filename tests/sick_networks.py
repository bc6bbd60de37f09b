"""Networks that have an illness by construction, and healthy ones, all on the digits of scikit-learn.

Each sick one names the illness that it is made for (`code`), and those that follow from the same
cause (`also`): a sigmoid chain whose gradient vanishes does not learn, so its loss stays at chance.
What is in neither is a false alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from engine.network import Choice, Data, Edge, End, Network, Node, Recipe, Training


@dataclass(frozen=True)
class Patient:
    """A network, and what it is known to have."""

    name: str
    network: Network
    code: str = ""
    also: frozenset[str] = field(default_factory=frozenset)

    @property
    def ills(self) -> frozenset[str]:
        """All that a doctor may rightly say of it."""
        return self.also | ({self.code} if self.code else set())


def choice(id: str, **fields: Any) -> Choice:
    """A catalogue entry with fields."""
    return Choice(id, fields)


def dense(
    width: int,
    activation: str | None = "ReLU",
    weight: Choice | None = None,
    bias: Choice | None = None,
    **parts: Any,
) -> Node:
    """A Linear layer."""
    init = {key: value for key, value in (("weight", weight), ("bias", bias)) if value is not None}
    return Node(
        "Linear",
        {"out_features": width},
        activation=None if activation is None else Choice(activation),
        init=init,
        **parts,
    )


def network(
    name: str,
    hidden: list[Node],
    *,
    optimizer: Choice | None = None,
    epochs: int = 8,
    last: Node | None = None,
    split: dict[str, Any] | None = None,
    batch: int = 64,
    seed: int = 0,
) -> Network:
    """Image → Flatten → `hidden` … → Linear 10 → Output."""
    nodes = {"image": Node("Input", {"shape": [1, 8, 8]}), "flat": Node("Flatten")}
    nodes |= {f"h{number}": node for number, node in enumerate(hidden, 1)}
    nodes |= {"fc": last or dense(10, None), "out": Node("Output")}
    return Network(
        name=name,
        nodes=nodes,
        edges=tuple(Edge(End(a), End(b)) for a, b in pairwise(nodes)),
        recipe=Recipe(
            data=Data("digits", split=split or {}),
            optimizer=optimizer or choice("Adam", lr=0.002),
            epochs=epochs,
            batch_size=batch,
            seed=seed,
        ),
    )


HE = choice("kaiming_normal", nonlinearity="relu")
SGD = choice("SGD", lr=0.1)


def convolutional(name: str, *, activation: str = "ReLU", init: Choice | None = HE, **recipe: Any) -> Network:
    """Two convolutions and a Linear layer."""
    found = network(name, [], **recipe)
    weight = {} if init is None else {"weight": init}
    conv = {"out_channels": 12, "kernel_size": [3, 3], "padding": [1, 1]}
    nodes = {
        "image": found.nodes["image"],
        "conv1": Node("Conv2d", conv, activation=Choice(activation), init=weight),
        "pool": Node("MaxPool2d", {"kernel_size": [2, 2]}),
        "conv2": Node("Conv2d", {**conv, "out_channels": 24}, activation=Choice(activation), init=weight),
        "flat": Node("Flatten"),
        "fc": found.nodes["fc"],
        "out": Node("Output"),
    }
    from msgspec.structs import replace

    return replace(found, nodes=nodes, edges=tuple(Edge(End(a), End(b)) for a, b in pairwise(nodes)))


def binary(weight: Choice | None = None, estimator: str = "ste_sign", **recipe: Any) -> Network:
    """Two layers with binary weights, batch normalisation behind each."""
    init = {"weight": weight} if weight is not None else {}
    layer = Node(
        "Linear",
        {"out_features": 128, "bias": False},
        init=init,
        binarize={"weight": Choice(estimator)},
    )
    norm = Node("BatchNorm1d", activation=Choice("Hardtanh"))
    return network("binary", [layer, norm, layer, norm], **recipe)


def sick() -> list[Patient]:
    """At least three of each illness."""
    silent = {"chance-level", "layer-asleep", "rate-too-low"}
    found: list[Patient] = []

    def add(code: str, name: str, made: Network, *also: str) -> None:
        found.append(Patient(name, made, code, frozenset(also)))

    # Vanishing: σ' ≤ 1/4 per layer; weights of a hundredth divide by ten or more per layer.
    add(
        "vanishing-gradient",
        "12 sigmoid layers",
        network("v1", [dense(64, "Sigmoid") for _ in range(12)]),
        *silent,
    )
    add(
        "vanishing-gradient",
        "8 sigmoid layers, SGD",
        network("v2", [dense(64, "Sigmoid") for _ in range(8)], optimizer=SGD),
        *silent,
    )
    small = choice("normal", std=0.01)
    add(
        "vanishing-gradient",
        "8 tanh layers, N(0, 0.01)",
        network("v3", [dense(64, "Tanh", small) for _ in range(8)], optimizer=SGD),
        *silent,
    )
    add(
        "vanishing-gradient",
        "10 ReLU layers, N(0, 0.01)",
        network("v4", [dense(64, "ReLU", small, choice("zeros")) for _ in range(10)], optimizer=SGD),
        *silent,
    )

    # Exploding: a gain of 3 and more per layer. What follows a step of that size may be anything.
    wild = {"rate-too-high", "dead-relu", "chance-level", "layer-asleep"}
    for number, (depth, std, optimizer) in enumerate(
        ((10, 0.6, SGD), (14, 0.5, choice("Adam", lr=0.002)), (8, 1.0, SGD))
    ):
        hidden = [dense(64, "ReLU", choice("normal", std=std)) for _ in range(depth)]
        add(
            "exploding-gradient",
            f"{depth} ReLU layers, N(0, {std})",
            network(f"e{number}", hidden, optimizer=optimizer),
            *wild,
        )

    # Dead: biases that no input overcomes, so that no gradient passes either; or a first step that throws them there.
    for number, bias in enumerate((-4.0, -8.0)):
        hidden = [dense(64, "ReLU", HE, choice("constant", val=bias)), dense(32, "ReLU", HE)]
        add(
            "dead-relu",
            f"bias {bias:g}",
            network(f"d{number}", hidden, optimizer=SGD),
            *silent,
            "vanishing-gradient",
        )
    add(
        "dead-relu",
        "bias -3 in the second layer",
        network("d3", [dense(64, "ReLU", HE), dense(64, "ReLU", HE, choice("constant", val=-6.0))]),
        "chance-level",
        "layer-asleep",
    )
    add(
        "dead-relu",
        "Adam, lr 0.3",
        network("d4", [dense(64, "ReLU", HE), dense(64, "ReLU", HE)], optimizer=choice("Adam", lr=0.3)),
        "chance-level",
        "layer-asleep",
        "rate-too-high",
    )

    # Saturated: sums of 64 inputs with weights of 1 and more.
    for number, (activation, std) in enumerate((("Tanh", 2.0), ("Sigmoid", 4.0), ("Tanh", 4.0))):
        hidden = [dense(64, activation, choice("normal", std=std)) for _ in range(3)]
        add(
            "saturated-activation",
            f"3 {activation} layers, N(0, {std:g})",
            network(f"s{number}", hidden, optimizer=SGD),
            "layer-asleep",
            "exploding-gradient",
            "chance-level",
        )

    # Asleep: a rate of next to nothing, weights that no step of Adam reaches, two layers of zeros in a row.
    add(
        "layer-asleep",
        "multiplier 1e-6",
        network("a1", [dense(64, weight=HE, training=Training(lr_multiplier=1e-6)), dense(64, weight=HE)]),
    )
    add(
        "layer-asleep",
        "first layer N(0, 300)",
        network("a2", [dense(64, "Tanh", choice("normal", std=300.0)), dense(64, "ReLU", HE)]),
        "saturated-activation",
    )
    add(
        "layer-asleep",
        "two layers of zeros",
        network(
            "a3",
            [dense(64, weight=HE), dense(64, "Tanh", choice("zeros"), choice("zeros"))],
            last=dense(10, None, choice("zeros"), choice("zeros")),
        ),
        "chance-level",
    )

    # Stuck: latent weights of ±1 beside steps of 1e-6; SGD without a normalising square; no gradient.
    wide = choice("uniform", a=-1.0, b=1.0)
    for optimizer in (choice("Adam", lr=1e-7), choice("SGD", lr=1e-5), choice("AdamW", lr=2e-7)):
        add(
            "stuck-binary",
            f"{optimizer.id}, lr {optimizer.fields['lr']:g}, U(-1, 1)",
            binary(wide, optimizer=optimizer),
            "rate-too-low",
            "chance-level",
            "layer-asleep",
        )

    # At chance: nothing arrives, nothing moves, nothing differs.
    zeros = choice("zeros")
    add(
        "chance-level",
        "all zeros",
        network("c1", [dense(64, "ReLU", zeros, zeros)] * 2, last=dense(10, None, zeros, zeros)),
        "dead-relu",
        "layer-asleep",
        "vanishing-gradient",
    )
    add(
        "chance-level",
        "lr 1e-8",
        network(
            "c2",
            [dense(64, "Tanh", choice("normal", std=0.02))],
            optimizer=choice("Adam", lr=1e-8),
            last=dense(10, None, choice("normal", std=0.01)),
        ),
        "rate-too-low",
    )
    add(
        "chance-level",
        "16 sigmoid layers",
        network("c3", [dense(48, "Sigmoid") for _ in range(16)], optimizer=choice("SGD", lr=0.05)),
        "vanishing-gradient",
        "layer-asleep",
        "rate-too-low",
    )

    # Overfitting: few examples, much room, many epochs.
    few = {"kind": "random", "validation": 0.9, "test": 0.0}
    for number, (width, rate) in enumerate(((512, 0.01), (1024, 0.005), (256, 0.02))):
        add(
            "overfitting",
            f"180 examples, 2 × {width}, lr {rate}",
            network(
                f"o{number}",
                [dense(width, weight=HE), dense(width, weight=HE)],
                optimizer=choice("Adam", lr=rate),
                epochs=150,
                split=few,
                seed=number,
            ),
        )

    # Too high, too low: the same network at a thousand times, and a ten-thousandth of, what it wants.
    plain = [dense(64, weight=HE), dense(64, weight=HE)]
    for optimizer in (choice("SGD", lr=30.0), choice("Adam", lr=1.0), choice("SGD", lr=5.0, momentum=0.9)):
        add(
            "rate-too-high",
            f"{optimizer.id}, lr {optimizer.fields['lr']:g}",
            network("h", plain, optimizer=optimizer),
            "dead-relu",
            "chance-level",
            "layer-asleep",
        )
    for optimizer in (choice("SGD", lr=1e-5), choice("Adam", lr=1e-7), choice("AdamW", lr=5e-7)):
        add(
            "rate-too-low",
            f"{optimizer.id}, lr {optimizer.fields['lr']:g}",
            network("l", plain, optimizer=optimizer),
            "chance-level",
        )
    return found


def healthy() -> list[Patient]:
    """Networks that learn, of the same kinds; each rule meets at least three that could have its illness."""
    deep = [dense(64, weight=HE) for _ in range(8)]
    tanh = [dense(64, "Tanh", choice("xavier_normal")) for _ in range(6)]
    few = {"kind": "random", "validation": 0.5, "test": 0.0}
    return [
        Patient("8 ReLU layers, He", network("deep", deep, epochs=12)),
        Patient("4 ReLU layers, He, SGD", network("four", deep[:4], optimizer=SGD, epochs=12)),
        Patient("6 tanh layers, Glorot", network("tanh", tanh, epochs=12)),
        Patient("3 tanh layers, SGD", network("tanh3", tanh[:3], optimizer=SGD, epochs=12)),
        Patient("1 sigmoid layer", network("sigmoid", [dense(64, "Sigmoid")], epochs=12)),
        Patient("perceptron, torch's defaults", network("default", [dense(128), dense(64)], epochs=12)),
        Patient("convolutional, Adam", convolutional("conv", epochs=8)),
        Patient(
            "convolutional, tanh, SGD",
            convolutional("convt", activation="Tanh", init=None, optimizer=SGD, epochs=8),
        ),
        Patient("binary weights, Adam", binary(choice("xavier_uniform"), epochs=10)),
        Patient("binary weights, AdamW", binary(None, optimizer=choice("AdamW", lr=0.005), epochs=10)),
        Patient("binary weights, Bi-Real", binary(choice("xavier_uniform"), "bireal_weight", epochs=10)),
        Patient("half the examples", network("half", [dense(64, weight=HE)], split=few, epochs=12)),
    ]
