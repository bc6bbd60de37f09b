"""Weights that lie beside the document's file offer themselves as a start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.findings import Analysis
from gui.weights import beside, fit, shapes

if TYPE_CHECKING:
    from gui.window import Window


class WeightsOffer(QObject):
    """Looks for weights once after each opening, and says with which weights the next runs begin."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        #: Whether this file's weights have been looked for.
        self._asked = True

    def opened(self) -> None:
        """Another document is shown."""
        window = self._window
        window.running.weights = None
        window.banners.hide_banner("weights")
        self._asked = window.document.path is None
        if window.workers.current:  # the same network as before, so no analysis follows
            self.offer(window.workers.analysis)

    def offer(self, analysis: Analysis) -> None:
        """Once after opening: weights that fit the file offer themselves as a start."""
        path = self._window.document.path
        if self._asked or path is None or not self._window.workers.current:
            return
        self._asked = True
        file = beside(path)
        found = shapes(file) if file.is_file() else None
        if found is None:
            return
        match = fit(found, analysis)
        if not match.fitting:
            return
        words = (
            f"Trained weights lie beside this file ({file.name})."
            if match.whole
            else f"{file.name} has trained weights for {len(match.fitting)} of "
            f"{len(match.fitting) + len(match.missing)} parameters of this network."
        )

        def start() -> None:
            self._window.banners.hide_banner("weights")
            self.start_from(file)

        self._window.banners.show_banner("weights", words, [("Start training from them", start)])

    def start_from(self, weights: Path | None) -> None:
        """Let the next runs start from this file's tensors; None: from a fresh draw."""
        self._window.running.weights = weights
        self._window.menus.update_run()
        self._window.status.showMessage(
            f"Training starts from {weights.name}." if weights else "Training starts from a fresh draw.", 6000
        )
