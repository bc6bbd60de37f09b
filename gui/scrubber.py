"""The time scrubber under the canvas: any recorded step of the run, for panels and colours alike."""

from __future__ import annotations

import bisect

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStyle, QToolButton, QWidget

from gui.session import Session
from gui.slider import Slider
from gui.theme import SPACE, theme

#: Milliseconds between two pictures of the film.
FILM = 80


class StepSlider(Slider):
    """A slider with marks: where weights are kept, and where the drawing was edited."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []
        self.edits: list[int] = []

    def mark(self, kept: list[int], edits: list[int]) -> None:
        """Set the marks' places, in the slider's own values."""
        if (kept, edits) != (self.kept, self.edits):
            self.kept, self.edits = kept, edits
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the slider, and its marks along the lower edge."""
        super().paintEvent(event)
        painter = QPainter(self)
        handle = 14
        for places, color, high in ((self.kept, "muted", 4), (self.edits, "warning", 7)):
            for place in places:
                room = self.width() - handle
                x = handle // 2 + QStyle.sliderPositionFromValue(self.minimum(), self.maximum(), place, room)
                painter.fillRect(x, self.height() - high, 2, high, theme.color(color))


class Scrubber(QWidget):
    """A slider over the observations that are kept; at its right end it follows the run."""

    #: A new run from some of this one's weights is wanted.
    branched = Signal()
    #: The run shall be saved as a film.
    filmed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setAccessibleName("Time scrubber")
        self.play = QToolButton()
        self.play.setCheckable(True)
        self.play.setToolTip("Play the run as a film")
        self.play.setAccessibleName("Play the run as a film")
        self.slider = StepSlider()
        self.slider.setAccessibleName("Step of the run")
        self.slider.setToolTip("Look at an earlier step; at the right end the newest is followed")
        self.where = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.where.setProperty("role", "muted")
        self.branch = QToolButton()
        self.branch.setToolTip("Branch: train the drawing as it is now from weights that this run keeps")
        self.branch.setAccessibleName("Branch a new run")
        self.branch.clicked.connect(self.branched)
        self.film = QToolButton()
        self.film.setToolTip("Save the run as a film (GIF, MP4 or WebP)")
        self.film.setAccessibleName("Save the run as a film")
        self.film.clicked.connect(self.filmed)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, 2, 2 * SPACE, 2)
        for part in (self.play, self.slider, self.where, self.film, self.branch):
            row.addWidget(part)
        self._film = QTimer(self, interval=FILM)
        self._film.timeout.connect(self._next)
        #: The step that was shown as a drag began; None: the newest.
        self._before: int | None = None
        self.slider.held.connect(self._held)
        self.slider.taken_back.connect(lambda: session.seek(self._before))
        self.slider.valueChanged.connect(self._moved)
        self.play.toggled.connect(self._toggled)
        session.observed.connect(self._grown)
        session.state_changed.connect(self._grown)
        session.weights_kept.connect(self._grown)
        session.edited.connect(self._grown)
        session.sought.connect(self._grown)
        for signal in (session.progressed, session.metrics_added):
            signal.connect(self._say)  # how far the run has come since that look
        theme.changed.connect(self._paint)
        self._paint()
        self._grown()

    @property
    def following(self) -> bool:
        """Whether the newest step is shown."""
        return self._session.at is None

    def _grown(self, *_: object) -> None:
        count = len(self._session.observations)
        self.setVisible(count > 1)
        self.branch.setEnabled(bool(self._session.run))
        steps = [observation.step for observation in self._session.observations]
        self.slider.mark(
            [bisect.bisect_left(steps, step) for step in self._session.kept],
            [bisect.bisect_left(steps, step) for step, _ in self._session.edits],
        )
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(count - 1, 0))
        if self.following:
            self.slider.setValue(count - 1)
        else:  # every second one may have been dropped: stay at the step
            steps = [o.step for o in self._session.observations if o.step <= (self._session.at or 0)]
            self.slider.setValue(max(len(steps) - 1, 0))
        self.slider.blockSignals(False)
        self._say()

    def _held(self) -> None:
        self._before = self._session.at

    def _moved(self, index: int) -> None:
        kept = self._session.observations
        if not kept:
            return
        last = index >= len(kept) - 1
        self._session.seek(None if last else kept[index].step)
        self._say()

    def _say(self, *_: object) -> None:
        seen, reached = self._session.seen(), self._session.step
        if not seen:
            return
        step = seen[-1].step
        words, told = f"step {step:,}", f"Panels and colours show step {step:,}"
        if step < reached:
            words += f" of {reached:,}" + (", newest look" if self.following else "")
            told += f"; the run has reached step {reached:,}"
        elif self.following:
            words += " (newest)"
        self.where.setText(words)
        self.where.setToolTip(f"{told}.")
        # Room that was needed once is kept: the slider does not hop with the words.
        self.where.setMinimumWidth(max(self.where.minimumWidth(), self.where.sizeHint().width()))

    def _toggled(self, on: bool) -> None:
        if on:
            if self.slider.value() >= self.slider.maximum():
                self.slider.setValue(0)
            self._film.start()
        else:
            self._film.stop()
        self._paint()

    def _next(self) -> None:
        self.slider.setValue(self.slider.value() + 1)
        if self.slider.value() >= self.slider.maximum():
            self.play.setChecked(False)

    def _paint(self) -> None:
        self.slider.update()
        self.branch.setIcon(theme.icon("mdi6.source-branch"))
        self.film.setIcon(theme.icon("mdi6.filmstrip"))
        self.play.setIcon(theme.icon("mdi6.pause" if self.play.isChecked() else "mdi6.play"))
