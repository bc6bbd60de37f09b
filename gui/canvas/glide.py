"""The view glides: by a fifth or a quarter at a wheel's notch or a key, and to where it is led."""

from __future__ import annotations

from collections.abc import Callable
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
        self._animation = self._animated(self._step)
        self._start = self._end = QPoint()
        self._way = self._animated(self._go)

    def _animated(self, step: Callable[[float], None]) -> QVariantAnimation:
        """One that tells `step` which share of the way is behind."""
        animation = QVariantAnimation(self)
        animation.setDuration(STEP_MS)
        animation.setStartValue(0.0)
        animation.setEndValue(1.0)
        animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        animation.valueChanged.connect(step)
        return animation

    @property
    def under_way(self) -> bool:
        """Whether the view is still on its way."""
        running = QVariantAnimation.State.Running
        return running in (self._animation.state(), self._way.state())

    def look_at(self, point: QPointF) -> None:
        """Go where a point of the drawing is in the middle, as closely as one looks now."""
        self.stop()
        camera = self._camera
        self._start = camera.scroll_position()
        self._end = self._start + camera.mapFromScene(point) - camera.viewport().rect().center()
        self._way.start()

    def zoom(self, by: float, about: QPoint | None = None) -> None:
        """Go to `by` times the zoom factor that there is, or that is gone to."""
        camera = self._camera
        zooming = self._animation.state() == QVariantAnimation.State.Running
        goal = (self._goal if zooming else camera.zoom_factor) * by
        self.stop()
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
        self._way.stop()

    def _go(self, share: float) -> None:
        self._camera.scroll_to(self._start + (self._end - self._start) * share)
        self._camera.looked.emit()

    def _step(self, share: float) -> None:
        self._camera.zoom_to(self._from * (self._goal / self._from) ** share, self._fixed, self._about)
