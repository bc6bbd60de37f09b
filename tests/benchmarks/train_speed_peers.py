"""Lightning and Keras 3 on torch, as their own tutorials train; contenders of train_speed where installed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

#: As :mod:`tests.benchmarks.train_speed` has it.
DEVICE = os.environ.get("LAYERLAB_BENCHMARK_DEVICE", "cpu")


def _need(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"{name} is not installed")


def lightning(
    inputs: Tensor, targets: Tensor, batch: int, rate: float, model: nn.Module, seconds: float
) -> float:
    """Steps per second of a Lightning Trainer with its bar, logger and checkpoints off."""
    _need("lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightning as pl

        class Module(pl.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.model = model
                self.loss = nn.CrossEntropyLoss()

            def training_step(self, batch: Any, number: int) -> Tensor:
                x, y = batch
                loss: Tensor = self.loss(self.model(x), y)
                return loss

            def configure_optimizers(self) -> optim.Optimizer:
                return optim.Adam(self.parameters(), lr=rate)

        class Clock(pl.Callback):
            def __init__(self) -> None:
                self.begun = self.end = 0.0
                self.steps = 0

            def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
                self.begun = self.begun or time.perf_counter()

            def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
                self.steps += 1
                self.end = time.perf_counter()
                trainer.should_stop = self.end - self.begun > seconds

        clock = Clock()
        trainer = pl.Trainer(
            max_epochs=-1,
            accelerator="cpu" if DEVICE == "cpu" else "gpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock],
        )
        loader = DataLoader(TensorDataset(inputs, targets), batch, shuffle=True)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            trainer.fit(Module(), loader)
    return clock.steps / (clock.end - clock.begun)


def keras(
    inputs: Tensor, targets: Tensor, batch: int, rate: float, model: nn.Module, seconds: float
) -> float:
    """Steps per second of ``fit`` of a Keras model around the same torch module."""
    _need("keras")
    os.environ["KERAS_BACKEND"] = "torch"
    import keras as k

    class Clock(k.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.begun = self.end = 0.0
            self.steps = 0

        def on_train_batch_begin(self, number: int, logs: Any = None) -> None:
            self.begun = self.begun or time.perf_counter()

        def on_train_batch_end(self, number: int, logs: Any = None) -> None:
            self.steps += 1
            self.end = time.perf_counter()
            if self.end - self.begun > seconds:
                self.model.stop_training = True

    clock, model = Clock(), model.to(DEVICE)
    whole = k.Sequential([k.Input(tuple(inputs.shape[1:])), k.layers.TorchModuleWrapper(model)])
    whole.compile(k.optimizers.Adam(rate), k.losses.SparseCategoricalCrossentropy(from_logits=True))
    shuffled = {"batch_size": batch, "epochs": 1 << 20, "verbose": 0, "callbacks": [clock]}
    whole.fit(inputs.numpy(), targets.numpy(), **shuffled)
    return clock.steps / (clock.end - clock.begun)


PEERS: dict[str, Callable[..., float]] = {"lightning": lightning, "keras": keras}
