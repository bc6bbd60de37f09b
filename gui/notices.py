"""What the window says, in notices over the canvas, of its hosts and of its run beside the drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import QObject

from gui.diagnosing import said
from gui.meaning import same_meaning
from gui.running import RESUMABLE

if TYPE_CHECKING:
    from engine.host.protocol import RunStarted
    from engine.host.pulse import Silence
    from gui.window import Window


class Notices(QObject):
    """Shows and takes back notices as hosts and runs tell."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window, self._banners, self._session = window, window.banners, window.session
        window.workers.host_lost.connect(self.host_lost)
        window.workers.silence.connect(self.silence)
        window.session.state_changed.connect(self.run_changed)
        window.session.started.connect(self.run_began)
        window.running.differs.connect(self.trained_another)

    def host_lost(self, text: str) -> None:
        """Say that hosts cannot be kept alive."""
        self._banners.show_banner("host", text, kind="error")

    def silence(self, silence: Silence) -> None:
        """Say that a host, or its work, stands still, for as long as it does."""
        run = silence.run
        key = f"{'slow' if silence.answers else 'silence'}{'' if run is None else '-run'}"
        if not silence.silent:
            self._banners.hide_banner(key)
            return
        if run is not None:
            text, button = "The run's process stands still.", ("End it", run.kill)
            if silence.answers:
                text = "The run has made no step for a while, though its process answers."
            text += " Its last checkpoint is safe."
        else:
            text = "The engine does not answer."
            if silence.answers:
                text = "The engine has been working at this drawing for a while, and shows an earlier one."
            text += " It is replaced if that lasts."
            button = ("Replace it now", self._window.workers.pool.replace_analyst)
        self._banners.show_banner(key, text, [button], kind="warning")

    def run_changed(self, state: str) -> None:
        """Say how the run ended, if not as it should."""
        self.compare()
        if self._session.active:
            self._banners.hide_banner("run")
            if state == "starting":
                self._window.docks.reveal("curves")
        elif self._session.message and state in ("failed", "diverged", "interrupted"):
            buttons = [("Continue the run", self._window.running.resume)] if state in RESUMABLE else []
            buttons += self._window.fitting.buttons()
            self._banners.show_banner("run", self._session.message, buttons, kind="error")
        elif self._session.message and state == "finished":  # before its time
            self._banners.show_banner("run", self._session.message, kind="info")
        self._window.menus.update_run()

    def run_began(self, begun: RunStarted) -> None:
        """Say what must not be overlooked about a run."""
        self._banners.hide_banner("data")
        if begun.warnings:
            self._banners.show_banner("data", " ".join(begun.warnings), kind="warning")

    def compare(self) -> None:
        """Say so when the drawing has moved on from what is being trained."""
        trained, drawn = self._session.network, self._window.document.network
        if not self._session.active or trained is None or same_meaning(trained, drawn):
            self._banners.hide_banner("differs")
            return
        what = "recipe" if same_meaning(replace(trained, recipe=drawn.recipe), drawn) else "drawing"
        buttons = [("Bring its version back", self.bring_back)]
        words = f"The {what} differs from the run."
        if self._window.is_complete and self._session.state == "paused":
            words += f" {said(self._window.diagnosing.carried())}"
            buttons.insert(0, ("Train on with the changes", self._window.diagnosing.train_on))
        self._banners.show_banner("differs", words, buttons)

    def trained_another(self) -> None:
        """Say that what is drawn is not what the run trained."""
        buttons = [("Bring its version", self.bring_back)]
        self._banners.show_banner("differs", "This run trained another drawing.", buttons)

    def bring_back(self) -> None:
        """Make the drawing what the run trains; the present one stays in the undo history."""
        trained, drawn = self._session.network, self._window.document.network
        if trained is None:
            return
        kept = {id: at for id, at in drawn.positions().items() if id in trained.nodes}
        positions = {**trained.positions(), **kept}
        self._window.document.edit(
            replace(trained, view={**drawn.view, "positions": positions}), "Bring the run's version back"
        )
