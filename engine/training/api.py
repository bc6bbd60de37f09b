"""Training, evaluating and predicting, as functions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import torch

from engine.catalog import RECIPE_OPTIONS
from engine.data import Cancelled
from engine.host.protocol import Event, RunState
from engine.network import Network, Recipe
from engine.problems import NetworkProblem, did_you_mean
from engine.runs import RunFolder, create
from engine.storage.file import read
from engine.training import processes, session
from engine.training.control import Control
from engine.training.group import Group, require_gpus
from engine.training.memory import release


def train(
    network: Network | None = None,
    *,
    epochs: int | None = None,
    device: str = "auto",
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    emit: Callable[[Event], None] | None = None,
    control: Control | None = None,
    weights: str | Path | None = None,
    observe: bool = True,
    nproc: int = 1,
    **recipe: Any,
) -> dict[str, Any]:
    """Train a network; returns what ``layerlab train --json`` prints.

    A run that is stopped while its data are loaded ends as "stopped" with no steps; a new one leaves
    no folder then, and its result names none.

    Parameters
    ----------
    network
        What to train. May be left out with `resume`: the run's own.
    epochs
        Passes over the training examples, instead of the recipe's.
    device
        "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1".
    run_dir
        The folder in which the run's folder is made; ``runs`` in the working folder if left out.
    resume
        A run's folder: go on with it where its last checkpoint left it.
    emit
        Called with every event of the run (:mod:`engine.host.protocol`), in this thread.
    control
        Pauses, steps and stops from another thread. Without one, Ctrl+C stops the run in good order.
    weights
        A safetensors file: its tensors that fit by name and shape are the start.
    observe
        Whether weights and gradients are sampled and recorded.
    nproc
        Processes that share every batch; started by ``torchrun``, this one is one of its processes.
    **recipe
        Other parts of the recipe: ``batch_size=128``, ``seed=1``, ``optimizer=Choice("SGD")``,
        ``clip_norm=1.0`` …

    Raises
    ------
    NetworkProblem
        If the network has errors, does not fit its data, or there is no such device.
    DataProblem
        If the data cannot be had.
    FileProblem
        If `weights` or the run to resume cannot be read.
    TypeError
        If the recipe has no part of that name.
    """
    if network is None:
        if resume is None:
            raise TypeError("train() needs a network, or a run to resume")
        network = read(RunFolder(Path(resume)).network)
    network = _with_recipe(network, recipe if epochs is None else {"epochs": epochs, **recipe})
    group = Group.join(device)
    if group.size > 1 and nproc > 1:
        raise NetworkProblem("torchrun has started this process already: leave --nproc out.")
    if nproc > network.recipe.batch_size:
        raise NetworkProblem(
            f"{nproc} processes cannot share batches of {network.recipe.batch_size}: raise recipe.batch_size."
        )
    if nproc > 1 and device != "cpu" and torch.cuda.is_available():
        require_gpus(nproc)
    path = None if resume is None else Path(resume)
    started: dict[str, Any] = {
        "resume": resume is not None,
        "weights": weights,
        "emit": emit,
        "observe": observe,
    }
    try:
        with (
            _run_folder(network, run_dir, resume, group) as folder,
            stopped_by_keyboard(control) as control,
        ):
            if nproc > 1:
                return processes.run(network, folder, nproc=nproc, device=device, control=control, **started)
            return session.run(
                network, folder, device=group.device(device), control=control, group=group, **started
            )
    except Cancelled:
        result = session.called_off(path, device)
        if emit is not None:
            emit(RunState("stopped", 0, result["message"], result))
        return result
    finally:
        group.leave()
        release()


def _with_recipe(network: Network, changes: dict[str, Any]) -> Network:
    """`network` with other parts or options of the recipe."""
    known = {field.name for section in RECIPE_OPTIONS.values() for field in section.fields} | {"outputs"}
    parts, options = {}, dict(network.recipe.options)
    for name, value in changes.items():
        if name in known:
            options[name] = value
        elif name in Recipe.__struct_fields__:
            parts[name] = value
        else:
            hint = did_you_mean(name, (*Recipe.__struct_fields__, *known))
            raise TypeError(f"the recipe has no {name!r}.{hint}")
    if not changes:
        return network
    recipe = msgspec.structs.replace(network.recipe, **{"options": options, **parts})
    return msgspec.structs.replace(network, recipe=recipe)


@contextmanager
def _run_folder(
    network: Network, run_dir: str | Path | None, resume: str | Path | None, group: Group
) -> Iterator[Path]:
    """The run's folder; a new one is removed again if the run does not begin."""
    if resume is not None:
        yield Path(resume)
        return
    if not group.writes:
        yield Path(group.told(None))
        return
    parent = Path(run_dir or "runs")
    made = not parent.exists()
    path = Path(group.told(str(create(parent, network.name).path)))
    try:
        yield path
    finally:
        with suppress(OSError):  # not empty: the run had begun, and all it wrote is kept
            path.rmdir()
        if made and not path.exists():
            with suppress(OSError):
                parent.rmdir()


@contextmanager
def stopped_by_keyboard(control: Control | None) -> Iterator[Control]:
    """Let the first Ctrl+C stop a run that has no other control; a second one interrupts at once."""
    if control is not None or threading.current_thread() is not threading.main_thread():
        yield control or Control()
        return
    mine = Control()
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        mine.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield mine
    finally:
        signal.signal(signal.SIGINT, before)
