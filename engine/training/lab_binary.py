"""The binarization laboratory: what estimators do to a network, measured on one real batch.

Nothing is trained and nothing is kept. Batch normalisation takes the batch's own statistics, as in
training, and nothing is drawn (dropout is off), so that two passes differ by what is asked and by
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine import lab_binary as lab
from engine.analysis import analyze
from engine.binary_cost import binary_costs, total
from engine.catalog import BINARIZERS
from engine.compile.estimators import EdeTanh
from engine.compile.plan import CompiledNetwork, Line
from engine.compile.weight_estimators import BcStochastic, IrWeight
from engine.lab import Race, choices
from engine.lab_binary import AT_CLIP, NEAR_ZERO, BinaryReport, Place
from engine.network import Choice, Network
from engine.problems import NetworkProblem
from engine.training import parameters, racing
from engine.training.metrics import aligned
from engine.training.responses import model_of
from engine.training.signs import Signs, passed
from engine.training.task import LOOK, Task

#: Coordinates of each weight or input at which the finite difference is taken, if there is time.
SAMPLES = 64
#: Examples for that, at most, and multiplications that all of it may take.
_EXAMPLES, _WORK = 64, 5e10


def measure(network: Network, run: str | None = None, samples: int = SAMPLES) -> BinaryReport:
    """Look at every estimator of `network`, with the weights of a run or as first drawn.

    Per estimator the report says how many bits its values carry, what share of the gradient it masks,
    what changes when it alone is left out, and how far its gradient points where the loss falls.

    For the last, the loss has no derivative to compare with: it is a staircase in every latent value.
    Its difference over the one stair is taken in the place of a derivative: a sampled latent value is
    set to +h and to −h, h the mean magnitude, and the difference of the two losses is divided by 2h.
    For a binary value this is the exact derivative of the expected loss by the expectation of that
    value, all others kept (Titsias and Lázaro-Gredilla 2015, "Local expectation gradients for black box
    variational inference", arXiv 1503.01494). Its cosine to what the estimator gives is the
    agreement that Yin et al. 2019, "Understanding straight-through estimator in training activation
    quantized neural nets", arXiv 1903.05662, show to be positive for good estimators. Losses are
    computed in double precision: one value among many changes a loss by little.

    Parameters
    ----------
    network
        A network without errors, with data that can be loaded.
    run
        A run's folder, whose best weights are taken where they fit.
    samples
        Coordinates per estimator; fewer are taken where the network is large.

    Raises
    ------
    NetworkProblem
        If the network has errors, binarizes nothing, or does not fit its data.
    DataProblem, FileProblem
        If the data or the run's weights cannot be had.
    """
    if next(lab.binarized(network), None) is None:
        raise NetworkProblem(
            "Nothing is binarized in this network. Choose an estimator for a layer's weight or input first."
        )
    task = Task.of(network, torch.device("cpu"))
    model, note = model_of(network, run)
    assert isinstance(model, CompiledNetwork)
    batch = racing.first_batch(task, LOOK)
    bench = Bench(network, task, model, trained=run is not None)
    costs = binary_costs(network, analyze(network))
    seen = bench.run(batch)
    gradients = bench.gradients(batch)
    real = bench.run(batch, without=[site.path for site in bench.sites])
    size = min(len(batch[0]), _EXAMPLES)
    each = 2 * size * max(1, total(costs).real_macs) * max(1, len(bench.sites))
    samples = min(samples, max(4, int(_WORK / each)))
    differences = bench.differences([column[:size] for column in batch], samples)
    places = []
    for site in bench.sites:
        if not gradients[site.path]:
            continue  # what it gives, no loss depends on
        alone = bench.run(batch, without=[site.path])
        places.append(
            Place(
                **bench.place(site, gradients[site.path], differences.get(site.path)),
                output_cosine=_cosine(seen.nodes[site.node], alone.nodes[site.node]),
                same=bench.same(seen, alone),
            )
        )
    return BinaryReport(
        tuple(places),
        note,
        len(batch[0]),
        seen.loss,
        real.loss,
        bench.same(seen, real),
        sum(_cosine(a, b) for a, b in zip(seen.outputs, real.outputs, strict=True)) / len(seen.outputs),
        costs,
    )


def race(network: Network, estimators: Sequence[Choice], steps: int) -> Race:
    """Train the network as it is, without estimators, and with each of `estimators`, for `steps` steps."""
    entrants = {"current": network, lab.REAL: lab.without_estimators(network)}
    entrants |= {choice.id: lab.with_estimator(network, choice) for choice in estimators}
    return racing.race(Task.of(network, torch.device("cpu")), entrants, steps)


def parsed(text: str | None) -> list[Choice]:
    """Estimators as the command line writes them: ``ste_sign,swish_sign:beta=3``; None: the usual ones.

    Raises
    ------
    ValueError
        If there is no such estimator or field, or a value is out of range.
    """
    if text is None:
        return [Choice(id) for id in lab.USUAL]
    return choices(text, BINARIZERS, "estimator")


# ---------------------------------------------------------------------------- measuring


class Site(NamedTuple):
    """One estimator in the model."""

    #: Its module, ``layer1.conv1__weight``.
    path: str
    node: str
    place: str
    estimator: str


class Seen(NamedTuple):
    """One pass forward."""

    loss: float
    outputs: list[Tensor]
    #: Node -> what it gives.
    nodes: Mapping[str, Tensor]


class Felt(NamedTuple):
    """What one estimator got and what came back, for one of its parameters or its input."""

    name: str
    x: Tensor
    gradient: Tensor
    passed: Tensor


class Bench:
    """A model with its estimators at hand, in double precision."""

    def __init__(self, network: Network, task: Task, model: CompiledNetwork, *, trained: bool) -> None:
        self.network, self.task, self.model = network, task, model.double()
        for head in task.heads:
            head.loss.double()
        self.parts = parameters.parts(network, model)
        self.sites = [site for path in dict(model.named_modules()) if (site := self._site(path)) is not None]
        model.train()
        for module in model.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd | BcStochastic):
                module.eval()
            elif isinstance(getattr(module, "dropout", None), float):  # recurrent layers and attention
                setattr(module, "dropout", 0.0)  # noqa: B010
            if isinstance(module, EdeTanh | IrWeight):
                module.set_progress(float(trained), 1)

    def _site(self, path: str) -> Site | None:
        node, _, place = path.rpartition("__")
        drawn = self.network.at(node) if place in ("weight", "input") else None
        return None if drawn is None else Site(path, node, place, drawn.binarize[place].id)

    def _left_out(self, paths: Sequence[str]) -> AbstractContextManager[None]:
        """Within this context the estimators at `paths` pass on what they get."""
        return self.replaced({path: nn.Identity() for path in paths})

    @contextmanager
    def replaced(self, modules: Mapping[str, nn.Module]) -> Iterator[None]:
        """Within this context these stand in the place of estimators, by path."""
        kept: dict[str, nn.Module] = {path: self.model.get_submodule(path) for path in modules}
        try:
            for path, module in modules.items():
                self._put(path, module)
            yield
        finally:
            for path, module in kept.items():
                self._put(path, module)

    def _put(self, path: str, module: nn.Module) -> None:
        parent, _, name = path.rpartition(".")
        self.model.get_submodule(parent)._modules[name] = module

    def _loss(self, batch: Sequence[Tensor], *, from_data: bool = False) -> tuple[Any, Tensor]:
        """Outputs and loss; with `from_data` gradients reach back to the data."""
        inputs, targets, _ = self.task.parted([t.double() if t.is_floating_point() else t for t in batch])
        if from_data:
            inputs = [t.detach().requires_grad_(t.is_floating_point()) for t in inputs]
        outputs = self.model(*inputs)
        return outputs, self.task.loss(outputs, *targets)

    def run(self, batch: Sequence[Tensor], without: Sequence[str] = ()) -> Seen:
        """One pass, some estimators left out."""
        nodes: dict[str, Tensor] = {}

        def see(line: Line, result: Any) -> None:
            while isinstance(result, tuple | list):
                result = result[0]
            nodes[line.node] = result.detach()

        with torch.no_grad(), self._left_out(without), self.model.watched(see):
            outputs, loss = self._loss(batch)
        labels = self.task.parted(batch)[2]
        found = [
            aligned(self.task.output(outputs, head), label)
            for head, label in zip(self.task.heads, labels, strict=True)
        ]
        return Seen(float(loss), found, nodes)

    def same(self, one: Seen, other: Seen) -> float | None:
        """Share of examples that both passes put into the same class; None where there are no classes."""
        equal = [
            (a.argmax(1) == b.argmax(1)).double().flatten()
            for head, a, b in zip(self.task.heads, one.outputs, other.outputs, strict=True)
            if head.takes == "class"
        ]
        return float(torch.cat(equal).mean()) if equal else None

    def learning(self, batch: Sequence[Tensor]) -> tuple[str, ...]:
        """The parameters of two dimensions or more that get a gradient other than 0."""
        self._loss(batch, from_data=True)[1].backward()
        names = tuple(
            part.name
            for part in self.parts
            if part.tensor.dim() > 1
            and part.tensor.grad is not None
            and bool(part.tensor.grad.count_nonzero())
        )
        self.model.zero_grad(set_to_none=True)
        return names

    def gradients(self, batch: Sequence[Tensor]) -> dict[str, list[Felt]]:
        """By site: what its estimator got, the gradient that came, and what it passed on."""
        signs = Signs(self.parts, self.model)
        with signs.watching():
            _, loss = self._loss(batch, from_data=True)
            loss.backward()
        self.model.zero_grad(set_to_none=True)
        paths = {id(self.model.get_submodule(site.path)): site.path for site in self.sites}
        found: dict[str, list[Felt]] = {site.path: [] for site in self.sites}
        for name, times in signs.heard.items():
            for estimator, x, gradient in times:
                felt = Felt(name, x, gradient, passed(estimator, x, gradient))
                found[paths[id(estimator)]].append(felt)
        return found

    # ------------------------------------------------------------------ finite differences

    def differences(self, batch: Sequence[Tensor], samples: int) -> dict[str, tuple[Tensor, Tensor]]:
        """By site: the estimator's gradient and the loss' finite difference, at the same coordinates."""
        generator = torch.Generator().manual_seed(self.network.recipe.seed)
        found = {}
        for path, felt in self.gradients(batch).items():
            if not felt:
                continue
            sizes = torch.tensor([len(f.x.flatten()) for f in felt])
            chosen = torch.randperm(int(sizes.sum()), generator=generator)[:samples].sort().values
            pairs = []
            first = 0
            for one, size in zip(felt, sizes.tolist(), strict=True):
                own = chosen[(chosen >= first) & (chosen < first + size)] - first
                first += size
                step = float(one.x.abs().mean())
                if len(own) and step > 0:
                    move = self._mover(path, one)
                    slopes = [
                        (move(int(i), step, batch) - move(int(i), -step, batch)) / (2 * step) for i in own
                    ]
                    pairs.append((one.passed.flatten()[own], torch.tensor(slopes, dtype=torch.float64)))
            if pairs:
                found[path] = torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])
        return found

    def _mover(self, path: str, felt: Felt) -> Callable[[int, float, Sequence[Tensor]], float]:
        """A function that sets one latent value, computes the loss, and sets the value back."""
        parameter = next((part.tensor for part in self.parts if part.name == felt.name), None)
        estimator = self.model.get_submodule(path)

        @torch.no_grad()
        def weight(place: int, value: float, batch: Sequence[Tensor]) -> float:
            assert parameter is not None
            flat = parameter.view(-1)
            kept = flat[place].clone()
            flat[place] = value
            try:
                return float(self._loss(batch)[1])
            finally:
                flat[place] = kept

        @torch.no_grad()
        def arriving(place: int, value: float, batch: Sequence[Tensor]) -> float:
            def moved(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                x = inputs[0].clone()
                x.view(-1)[place] = value
                return (x,)

            handle = estimator.register_forward_pre_hook(moved)
            try:
                return float(self._loss(batch)[1])
            finally:
                handle.remove()

        return arriving if parameter is None else weight

    # ------------------------------------------------------------------ one place

    def place(self, site: Site, felt: Sequence[Felt], pair: tuple[Tensor, Tensor] | None) -> dict[str, Any]:
        """The figures of one estimator, but for those that need a pass without it."""
        estimator = self.model.get_submodule(site.path)
        with torch.no_grad():
            levels = torch.cat([normal_levels(estimator(one.x)).flatten() for one in felt])
        x = torch.cat([one.x.flatten() for one in felt])
        size = x.abs()
        came = sum(float(one.gradient.abs().sum()) for one in felt)
        stopped = sum(float(one.gradient.abs()[one.passed == 0].sum()) for one in felt)
        alike = None
        if pair is not None and float(pair[0].norm()) > 0 and float(pair[1].norm()) > 0:
            alike = float(functional.cosine_similarity(*pair, dim=0))
        return {
            "name": felt[0].name if len(felt) == 1 else f"{site.node} ({len(felt)} weights)",
            "node": site.node,
            "place": site.place,
            "estimator": site.estimator,
            "values": len(x),
            "bits": entropy(levels),
            "positive": float((x >= 0).double().mean()),
            "near_zero": float((size <= NEAR_ZERO * size.mean()).double().mean()),
            "at_clip": float((size >= AT_CLIP).double().mean()),
            "masked": stopped / came if came else None,
            "cosine": alike,
            "coordinates": 0 if pair is None else len(pair[0]),
        }


def normal_levels(values: Tensor) -> Tensor:
    """What an estimator gives, ``[out, …]``, less the scale where each channel has one: then −1, 0 and +1."""
    size = values.abs().flatten(1) if values.dim() > 1 else values.abs()[None]
    top = size.amax(1, keepdim=True)
    return values.sign() if bool(((size == top) | (size == 0)).all()) else values


def entropy(levels: Tensor) -> float:
    """Shannon's entropy of how often each level occurs, in bits per value."""
    counts = levels.unique(return_counts=True)[1].double()
    return float(torch.special.entr(counts / counts.sum()).sum() / torch.log(torch.tensor(2.0)))


def _cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of two outputs, the mean over examples ``[N, …]``."""
    a, b = a.reshape(len(a), -1).double(), b.reshape(len(b), -1).double()
    return float(functional.cosine_similarity(a, b, dim=1).mean())
