"""What to do about a full memory: a batch size that fits, found by trying, and taken in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from PySide6.QtCore import QObject

from engine import edit
from engine.host.client import KILLED
from engine.host.protocol import BatchFound, Failed
from gui.banners import Banners
from gui.document import Document
from gui.settings import Settings
from gui.workers import Workers

#: The notice's key.
_KEY = "memory"


class Fitting(QObject):
    """Offers a batch size that fits when a run has filled the memory.

    A run that could say so names the size itself. Where the system ended its process, the size is
    looked for on demand, in a process that may die of it.
    """

    def __init__(
        self, document: Document, workers: Workers, banners: Banners, settings: Settings, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._document, self._workers = document, workers
        self._banners, self._settings = banners, settings
        self._request: int | None = None
        workers.answered.connect(self._answered)

    def buttons(self) -> list[tuple[str, Callable[[], Any]]]:
        """What the notice about an ended run offers."""
        session = self._workers.session
        fits = (session.result or {}).get("fits")
        if isinstance(fits, dict):
            size, accumulate = int(fits["batch_size"]), int(fits["accumulate"])
            return [(f"Use batches of {size:,}", lambda: self._take(size, accumulate))]
        if session.message == KILLED and self._workers.elsewhere.machine(session.run) is None:
            return [("Find a batch size that fits", self.find)]
        return []

    def find(self) -> None:
        """Look for a size."""
        if self._request is None:
            self._request = self._workers.find_batch(self._settings.device)
            self._banners.show_banner(_KEY, "Looking for a batch size that fits …")

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        self._request = None
        now = self._document.network.recipe.batch_size
        if isinstance(event, Failed):
            self._banners.show_banner(_KEY, event.message, kind="warning")
        elif not isinstance(event, BatchFound):
            return
        elif event.batch_size is None:
            text = "Not even one example fits into the memory that is free. Make the layers smaller."
            self._banners.show_banner(_KEY, text, kind="warning")
        elif event.batch_size >= now:
            text = f"Batches of {now:,} fit into the memory that is free now."
            self._banners.show_banner(_KEY, text)
        else:
            size, parts = event.batch_size, -(-now // event.batch_size)
            accumulate = parts * int(self._document.network.recipe.options.get("accumulate", 1))
            text = f"Batches of {size:,} fit. {parts:,} of them make a step like those of {now:,}."
            take = (f"Use batches of {size:,}", lambda: self._take(size, accumulate))
            self._banners.show_banner(_KEY, text, [take])

    def _take(self, size: int, accumulate: int) -> None:
        network = self._document.network
        options = {**network.recipe.options, "accumulate": accumulate}
        recipe = replace(network.recipe, batch_size=size, options=options)
        self._document.edit(edit.set_recipe(network, recipe), f"Use batches of {size:,}")
        for key in (_KEY, "run"):
            self._banners.hide_banner(key)
