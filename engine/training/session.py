"""A run from its folder to its result: what is written around the loop, and what a failure becomes."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from engine.carry import drawn_anew, trained_in
from engine.data import Cancelled, watched
from engine.host.protocol import Event, Loading, RunStarted, RunState
from engine.network import Network
from engine.problems import FileProblem, NetworkProblem, ran_out
from engine.runs import Recorder, RunFolder
from engine.storage import leftovers
from engine.storage.atomic import write_bytes
from engine.storage.file import read
from engine.storage.file import write as write_network
from engine.storage.form import to_form
from engine.training import randomness
from engine.training import weights as tensors
from engine.training.changed import changed
from engine.training.compute import Choices, settled
from engine.training.control import Control
from engine.training.device import choose
from engine.training.divergence import locate
from engine.training.group import Group
from engine.training.memory import fitting_batch
from engine.training.options import options
from engine.training.snapshots import Snapshots
from engine.training.task import Task
from engine.training.trainer import Trainer


def run(
    network: Network,
    path: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    weights: str | Path | None = None,
    control: Control | None = None,
    emit: Callable[[Event], None] | None = None,
    observe: bool = True,
    chosen: Choices | None = None,
    group: Group | None = None,
) -> dict[str, Any]:
    """Train `network` in the run folder `path`, which is made if need be; returns the result.

    Parameters
    ----------
    network
        What is trained, recipe and all.
    path
        The run's own folder.
    device
        "auto", "cpu", "cuda", "cuda:1".
    resume
        Go on from the newest checkpoint in `path`; from the beginning where there is none.
    weights
        A safetensors file whose fitting tensors are the start.
    control
        Pauses, steps and stops from other threads.
    emit
        Gets the events of :mod:`engine.host.protocol`, in this thread.
    observe
        Whether weights and gradients are sampled for `emit` and the record.
    chosen
        How to compute, where that is settled already: a run that is repeated.
    group
        The processes that train together, this one among them; the first one writes.

    Returns
    -------
    dict
        What ``layerlab train --json`` prints. A run that fails after it began returns too, with the
        state "failed" and a `message`.

    Raises
    ------
    NetworkProblem, DataProblem, FileProblem
        If the run cannot begin.
    Cancelled
        If it was told to stop while its data were loaded; nothing is written then.
    OSError
        If the folder cannot be written.
    """
    control, group = control or Control(), group or Group()
    place = choose(device)
    threads = torch.get_num_threads()
    with randomness.seeded(network.recipe.seed, place), settled(place, options(network.recipe)):
        try:
            folder = RunFolder(path)
            if resume:
                group.asked(lambda: check_same(network, folder))
            with watched(_loading(control, emit)):
                task = Task.of(network, place)
            said = changed(folder, task.dataset.sha256) if resume and group.writes else ""
            if resume and weights is None and folder.start.exists():
                weights = folder.start
            anew, notes = _anew(network, task, weights), []
            if weights is not None:
                notes.append(tensors.start_from(task.model, weights, anew))
            readers = [] if emit is None else [emit]

            def tell(event: Event) -> None:
                for reader in readers:
                    reader(event)

            trainer = Trainer(
                task,
                folder,
                control,
                tell,
                observe=observe,
                resume=resume,
                notes=notes,
                warnings=[said] if said else [],
                group=group,
                chosen=chosen,
            )
            if not group.writes:
                return _train(trainer, tell, None, weights)
            # Nothing is written until all is ready, so that what cannot begin leaves nothing behind.
            path.mkdir(parents=True, exist_ok=True)
            facts = {**_facts(task, group), "choices": msgspec.to_builtins(trainer.choices)}
            claim = _Claim(folder, network, facts, weights, anew)
            if resume:
                claim.make()
            with Recorder(folder) as recorder:
                readers.insert(0, recorder)
                readers.append(claim)
                if observe:
                    readers.append(Snapshots(folder, task.model, tell))
                return _train(trainer, tell, claim, weights)
        except (torch.OutOfMemoryError, MemoryError) as problem:
            raise NetworkProblem(failure(problem, 0)) from problem
        finally:
            torch.set_num_threads(threads)


def _anew(network: Network, task: Task, weights: str | Path | None) -> frozenset[str]:
    """What is drawn anew although the weights would fit: its initialisation has been changed since."""
    trained = None if weights is None else trained_in(Path(weights))
    if trained is None:
        return frozenset()
    return drawn_anew(trained, network, {name: t.shape for name, t in task.model.state_dict().items()})


def _loading(control: Control, emit: Callable[[Event], None] | None) -> Callable[[str, int, int], None]:
    """Tells how far the data are loaded, and calls it off where the run is to end."""

    def tell(what: str, done: int, total: int) -> None:
        if control.stopping:
            raise Cancelled
        if emit is not None:
            emit(Loading(what, done, total))

    return tell


def called_off(path: Path | None, device: str) -> dict[str, Any]:
    """The result of a run that was stopped while its data were loaded; a new one has no `path` any more."""
    return {
        "run": None if path is None else str(path),
        "state": "stopped",
        "epochs": 0,
        "steps": 0,
        "device": device,
        "train": None,
        "validation": None,
        "best_epoch": None,
        "test": None,
        "seconds": 0.0,
        "steps_per_second": 0.0,
        "message": "Stopped while the data were loaded: nothing was trained.",
    }


class _Claim:
    """Puts what is trained, and by whom, into the run's folder.

    Both files wait for the disk, so a new run's come right behind its first figures: nobody who
    pressed Train waits for them, and all that the run keeps comes after them.
    """

    def __init__(
        self,
        folder: RunFolder,
        network: Network,
        facts: Mapping[str, Any],
        weights: str | Path | None,
        anew: Collection[str],
    ) -> None:
        self._folder, self._network, self._facts = folder, network, facts
        # What the run started from may be gone tomorrow.
        self._start: dict[str, Tensor] | None = None
        if weights is not None:
            self._start = {name: t for name, t in tensors.load(weights).items() if name not in anew}
        self._made = False

    def __call__(self, event: Event) -> None:
        """Write at the first event that is not about the run's beginning."""
        if not self._made and not isinstance(event, RunStarted) and event != RunState("running", 0):
            self.make()

    def make(self) -> None:
        """Write, unless that is done."""
        if self._made:
            return
        self._made = True
        if not self._folder.network.exists() or read(self._folder.network) != self._network:
            write_network(self._network, self._folder.network)
        if self._start is not None:
            tensors.save(self._folder.start, self._start)
            self._start = None
        self._folder.claim(self._facts)
        for place in (self._folder.path, self._folder.checkpoints):
            leftovers.sweep(place)  # an earlier process of this run may have been killed while it wrote


def _train(
    trainer: Trainer, tell: Callable[[Event], None], claim: _Claim | None, weights: str | Path | None
) -> dict[str, Any]:
    task, folder, group = trainer.task, trainer.folder, trainer.group
    message = ""
    more: dict[str, Any] = {}
    test: dict[str, float] | None = None
    full = False
    try:
        state = trainer.run()
        message = trainer.message
        if group.writes and state != "diverged":
            tensors.save(folder.weights, trainer.last())
        if "test" in task.dataset.splits and trainer.position.best is not None and state == "finished":
            test = group.told(_tested(task, folder) if group.writes else None)
    except Exception as problem:  # whatever it is, the run has failed and says so
        full = ran_out(problem)
        state, message = "failed", failure(problem, trainer.position.step)
        if group.size > 1 and isinstance(problem, RuntimeError) and not full:
            message = f"Another of the {group.size} processes ended: {message}"
        if not full and not isinstance(problem, RuntimeError | ValueError | OSError | FileProblem):
            print(f"{type(problem).__name__} while training: {problem}", file=sys.stderr)
    if full and group.writes:
        message, more = _with_fitting_batch(task, message, trainer.optimizer)
    if state == "diverged" and group.writes:
        if claim is not None:
            claim.make()
        message, more = _with_origin(trainer, message, folder.start if folder.start.exists() else weights)
    result = {
        "run": str(folder.path),
        "state": state,
        "epochs": trainer.position.epoch,
        "steps": trainer.position.step,
        "device": str(task.device),
        "train": trainer.position.train or None,
        "validation": trainer.position.best,
        "best_epoch": trainer.position.best_epoch,
        "test": test,
        "seconds": trainer.seconds,
        "steps_per_second": trainer.steps_per_second,
        **more,
        **({"message": message} if message else {}),
    }
    if claim is not None:
        claim.make()
        write_bytes(folder.result, msgspec.json.format(msgspec.json.encode(result)))
    tell(RunState(state, trainer.position.step, message, result))
    return result


def _tested(task: Task, folder: RunFolder) -> dict[str, float]:
    task.model.load_state_dict(tensors.load(folder.best))
    return task.evaluate("test")


def _with_fitting_batch(
    task: Task, message: str, optimizer: torch.optim.Optimizer
) -> tuple[str, dict[str, Any]]:
    """What to do about a full memory: a batch size that was tried."""
    failed = task.network.recipe.batch_size
    fits = fitting_batch(task, failed, optimizer)
    if fits is None:
        return message, {}
    said = message.partition(". ")[0]
    accumulate = failed // fits * options(task.network.recipe).accumulate
    return (
        f"{said}. Batches of {fits} fit: set recipe.batch_size to {fits}, and recipe.accumulate to "
        f"{accumulate} for steps like those of {failed}.",
        {"fits": {"batch_size": fits, "accumulate": accumulate}},
    )


def _with_origin(trainer: Trainer, message: str, weights: str | Path | None) -> tuple[str, dict[str, Any]]:
    """Where numbers first went wrong, and what may help."""
    task = trainer.task
    advice = "Lower the learning rate, or look at the initialisation and the data's scale."
    try:
        origin = locate(task.network, trainer.folder, task.device, trainer.choices, weights)
    except Exception as problem:  # telling more must not lose what is known
        print(f"{type(problem).__name__} while looking for the origin: {problem}", file=sys.stderr)
        origin = None
    if origin is None:
        return f"{message} {advice}", {}
    return (
        f"{message} It began at step {origin.step}: {origin.tensor} is no number. {advice}",
        {"diverged": msgspec.to_builtins(origin)},
    )


def failure(problem: Exception, step: int) -> str:
    """What went wrong in training after `step` steps, for people."""
    if ran_out(problem):
        return f"Out of memory after {step} steps. Lower recipe.batch_size, or make the layers smaller."
    said = str(problem).strip().partition("\n")[0] or type(problem).__name__
    if "does not have a deterministic implementation" in said:
        said = (
            f"{said.partition(' ')[0]} has no deterministic form on this device. Set recipe.deterministic to "
            "false, or replace the layer that needs it."
        )
    return f"Training failed after {step} steps: {said}"


def check_same(network: Network, folder: RunFolder) -> None:
    """Refuse to resume a run with another network than it was begun with; only epochs may differ.

    Raises
    ------
    NetworkProblem
        If more differs.
    FileProblem
        If the run's own network cannot be read.
    """

    def essence(of: Network) -> dict[str, Any]:
        form = to_form(of)
        for key in ("name", "view"):
            form.pop(key)
        form["recipe"].pop("epochs")
        return form

    begun = essence(read(folder.network))
    now = essence(network)
    differing = [key for key in begun.keys() | now.keys() if begun.get(key) != now.get(key)]
    if differing:
        raise NetworkProblem(
            f"{folder.path}: this run was begun with other {' and '.join(sorted(differing))}. Only "
            f"recipe.epochs may differ; train {folder.network.name} of the run's own folder, "
            "or start a new run from its weights."
        )


def _facts(task: Task, group: Group) -> dict[str, Any]:
    """What else it takes to repeat the run."""
    try:
        own = version("layerlab")
    except PackageNotFoundError:  # run from a checkout
        own = "unknown"
    cuda = task.device.type == "cuda"
    return {
        "layerlab": own,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(task.device),
        "device_name": torch.cuda.get_device_name(task.device) if cuda else platform.processor(),
        **({"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()} if cuda else {}),
        "processes": group.size,
        "threads": torch.get_num_threads(),
        "seed": task.network.recipe.seed,
        "data_sha256": task.dataset.sha256,
    }
