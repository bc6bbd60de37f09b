"""Zooming in steps: a wheel's notch and a key are a fifth or a quarter, over which the view glides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEasingCurve, QObject, QPoint, QPointF, QVariantAnimation

if TYPE_CHECKING:
    from gui.canvas.camera import Camera

#: How long one step takes, in milliseconds; a step that follows meanwhile is added to what is left.
STEP_MS = 110


class Glide(QObject):
    """The way to a zoom factor, about a point that stays where it is."""

    def __init__(self, camera: Camera) -> None:
        super().__init__(camera)
        self._camera = camera
        self._from = self._goal = 1.0
        self._about = QPoint()
        self._fixed = QPointF()
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(STEP_MS)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._step)

    @property
    def under_way(self) -> bool:
        """Whether the view is still on its way."""
        return self._animation.state() == QVariantAnimation.State.Running

    def zoom(self, by: float, about: QPoint | None = None) -> None:
        """Go to `by` times the zoom factor that there is, or that is gone to."""
        camera = self._camera
        goal = (self._goal if self.under_way else camera.zoom_factor) * by
        self._animation.stop()
        self._from, self._goal = camera.zoom_factor, camera.possible(goal)
        self._about = camera.viewport().rect().center() if about is None else about
        self._fixed = camera.mapToScene(self._about)
        if camera.isVisible():
            self._animation.start()
        else:
            self._step(1.0)

    def stop(self) -> None:
        """Stay here."""
        self._animation.stop()

    def _step(self, share: float) -> None:
        self._camera.zoom_to(self._from * (self._goal / self._from) ** share, self._fixed, self._about)
