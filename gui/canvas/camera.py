"""Where the canvas looks from: zoom, scroll, levels of detail, and cards that glide."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QPoint,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import (
    QInputDevice,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QWidget

from gui.canvas import card, grid
from gui.canvas.arrivals import HEIGHT
from gui.canvas.glide import Glide
from gui.canvas.levels import COARSE, FAR, MIDDLE, NEAR
from gui.canvas.node_item import LABEL
from gui.canvas.scene import Scene
from gui.theme import SPACE

MAX_ZOOM = 4.0
#: One can step back until the whole takes half the room that it has; where it is small, this far.
LEAST_ZOOM = 0.25
#: Zoom factors from which cards show id and fields, and everything.
MIDDLE_FROM, NEAR_FROM = 0.36, 0.56
#: From here they show their id alone: later where there are more than so many.
COARSE_FROM, CROWDED_FROM, CROWD = 0.18, 0.3, 150
ANIMATION_MS = 140
#: So many cards glide at most, from afar and from near; more come to their places as they can.
AFAR, ANEAR = 1500, 400
#: By how much a wheel's notch turns it, in eighths of a degree.
NOTCH = 120
#: How long a zoom rests before cards are drawn sharply, in milliseconds.
REST_MS = 90


class Outlook(NamedTuple):
    """Where one looks from: :meth:`Camera.look_from` leads back there."""

    zoom: float
    #: In pixels.
    scroll: QPoint
    #: Whether the whole is in view, and stays so.
    fitted: bool


class Camera(QGraphicsView):
    """A view of the scene that can be moved, and knows how closely it looks."""

    #: It looks elsewhere.
    looked = Signal()

    def __init__(self, drawing: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.drawing = drawing
        self.setScene(drawing)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate)
        self.setOptimizationFlags(
            QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing
            | QGraphicsView.OptimizationFlag.DontSavePainterState
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        #: Fit as soon as the canvas is seen.
        self.fit_wanted = True
        #: The whole is in view, and stays so when the canvas changes its size.
        self._fitted = False
        #: Pixels at the upper and the lower edge over which something else lies.
        self._covered = (0, 0)
        self._animation: QVariantAnimation | None = None
        #: Runs while one zooms, frame after frame.
        self._zooming = QTimer(self, singleShot=True, interval=REST_MS)
        self._zooming.timeout.connect(self.viewport().update)
        #: The next slice of what a frame could not draw sharply.
        self._sharpening = QTimer(self, singleShot=True, interval=0)
        self._sharpening.timeout.connect(self.viewport().update)
        self._zoomed_at = 0.0
        self.glide = Glide(self)

    @property
    def zooming(self) -> bool:
        """Whether one zooms, frame after frame."""
        return self._zooming.isActive()

    @property
    def drawn(self) -> bool:
        """Whether all is drawn as the document has it, and sharp."""
        moving = self._animation is not None or self.glide.under_way or self._zooming.isActive()
        return not (moving or self._sharpening.isActive() or self.drawing.busy)

    @property
    def held(self) -> bool:
        """Whether a hand is at something in the drawing."""
        return False

    def sharpen(self) -> None:
        """Draw all cards sharply in the next frame."""
        self._zooming.stop()
        self.drawing.pictures.clear()
        self.viewport().update()

    # ------------------------------------------------------------------ where we look

    @property
    def zoom_factor(self) -> float:
        """Pixels per scene unit."""
        return self.transform().m11()

    def visible_rect(self) -> QRectF:
        """What is in view, in scene coordinates."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    def scroll_position(self) -> QPoint:
        """Where the view is scrolled to, in pixels."""
        return QPoint(self.horizontalScrollBar().value(), self.verticalScrollBar().value())

    def scroll_to(self, position: QPoint) -> None:
        """Scroll to a place that :meth:`scroll_position` gave."""
        self._fitted = False
        self.horizontalScrollBar().setValue(position.x())
        self.verticalScrollBar().setValue(position.y())

    @property
    def outlook(self) -> Outlook:
        """Where one looks from now."""
        return Outlook(self.zoom_factor, self.scroll_position(), self._fitted)

    def look_from(self, outlook: Outlook) -> None:
        """Look again from where one did, however far one has come and zoomed since."""
        self.glide.stop()
        self.set_zoom(outlook.zoom)
        self.scroll_to(outlook.scroll)
        self._fitted = outlook.fitted
        self.looked.emit()

    def cursor_point(self) -> QPointF | None:
        """The cursor in scene coordinates; None when it is elsewhere."""
        place = self.viewport().mapFromGlobal(self.cursor().pos())
        return self.mapToScene(place) if self.viewport().rect().contains(place) else None

    def possible(self, factor: float) -> float:
        """The zoom factor nearest to `factor` that there is."""
        return max(self._least(), min(MAX_ZOOM, factor))

    def _least(self) -> float:
        """The smallest zoom factor: where the drawing has become smaller, the one that there is."""
        least = self._fitting(self.drawing.content()) / 2
        return min(LEAST_ZOOM, least, self.zoom_factor)

    def _fitting(self, content: QRectF) -> float:
        """The zoom factor at which `content` fills the view, and cards are not larger than they are."""
        view = self.viewport()
        margin = min(10.0 * SPACE, min(view.width(), view.height()) / 12)
        width, height = view.width() - 2 * margin, view.height() - sum(self._covered) - 2 * margin
        return min(1.0, max(width, 1) / max(content.width(), 1), max(height, 1) / max(content.height(), 1))

    def set_zoom(self, factor: float) -> None:
        """Set the zoom, and the level of detail that goes with it."""
        factor = self.possible(factor)
        self.setTransform(QTransform.fromScale(factor, factor))
        coarse_from = COARSE_FROM if self.drawing.count <= CROWD else CROWDED_FROM
        levels = ((NEAR, NEAR_FROM), (MIDDLE, MIDDLE_FROM), (COARSE, coarse_from))
        detail = next((level for level, least in levels if factor >= least), FAR)
        if detail != self.drawing.detail:
            self.drawing.detail = detail
            for frame in self.drawing.frames():
                frame.title.follow_detail()
            # From far away items are not painted one by one: what they tell of themselves says nothing.
            mode = QGraphicsView.ViewportUpdateMode
            self.setViewportUpdateMode(mode.NoViewportUpdate if detail == FAR else mode.MinimalViewportUpdate)
            self.viewport().update()

    def zoom(self, by: float, about: QPoint | None = None) -> None:
        """Zoom by a factor at once; the scene point under `about` (the middle) stays where it is."""
        self.glide.stop()
        place = self.viewport().rect().center() if about is None else about
        self.zoom_to(self.zoom_factor * by, self.mapToScene(place), place)

    def zoom_to(self, factor: float, fixed: QPointF, place: QPoint) -> None:
        """Set the zoom, and look so that a point of the scene lies at a place of the view."""
        now = time.monotonic()
        if now - self._zoomed_at < REST_MS / 1000:  # not the first step: it goes on
            self._zooming.start()
        self._zoomed_at = now
        before = self.zoom_factor
        self.set_zoom(factor)
        shift = self.mapFromScene(fixed) - place
        if self.zoom_factor < before:
            shift = self._not_aside(shift)
        self.scroll_to(self.scroll_position() + shift)
        self.looked.emit()

    def _not_aside(self, shift: QPoint) -> QPoint:
        """Where to scroll instead, lest the whole come to lie in a corner of the view as one steps back.

        While it fills the view it may lie anywhere; the smaller it is, the nearer to the middle, where it is
        in the end.
        """
        content = self.drawing.content()
        fitting, least = self._fitting(content), self._least()
        if content.isNull() or self.zoom_factor >= fitting:
            return shift
        free = max(0.0, (self.zoom_factor - least) / max(fitting - least, 1e-9))
        above, below = self._covered
        view = self.viewport().rect().adjusted(0, above, 0, -below)
        middle = self.mapFromScene(content.center()) - view.center()
        across, down = free * view.width() / 2, free * view.height() / 2
        return QPoint(
            round(min(max(shift.x(), middle.x() - across), middle.x() + across)),
            round(min(max(shift.y(), middle.y() - down), middle.y() + down)),
        )

    def zoom_reset(self) -> None:
        """Show cards at their own size."""
        self.zoom(1.0 / self.zoom_factor)

    def set_covered(self, above: int, below: int) -> None:
        """Something lies over so many pixels of the upper and the lower edge: who fits makes room for it."""
        self._covered = (above, below)

    def fit(self, ids: Iterable[str] | None = None) -> None:
        """Bring all nodes, or `ids`, into view."""
        self.glide.stop()
        if not self.isVisible():
            self.fit_wanted = True
            return
        content = self.drawing.content(ids)
        if content.isNull():
            self.set_zoom(1.0)
            self.centerOn(0, 0)
            return
        content.adjust(0, 0, LABEL / 2, 0)
        self.set_zoom(self._fitting(content))
        above, below = self._covered
        self.centerOn(content.center() + QPointF(0, (below - above) / 2 / self.zoom_factor))
        self._fitted = ids is None
        self.looked.emit()

    def sizeHint(self) -> QSize:
        """Room for a small network at its own size."""
        return QSize(960, 600)

    def minimumSizeHint(self) -> QSize:
        """Room for a card and its neighbours."""
        return QSize(320, 120)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the whole in view if it was, else the middle in the middle; what is held stays where it is."""
        old, new = event.oldSize(), event.size()
        super().resizeEvent(event)
        if self.held:
            pass
        elif self.fit_wanted or self._fitted:
            self.fit()
        elif old.isValid():
            half = QPoint((old.width() - new.width()) // 2, (old.height() - new.height()) // 2)
            self.scroll_to(self.scroll_position() + half)
        self.looked.emit()

    def look_at(self, point: QPointF) -> None:
        """Bring the point of the drawing nearest to `point` into the middle."""
        content = self.drawing.content()
        if content.isNull():
            return
        self.glide.stop()
        self._fitted = False
        x = min(max(point.x(), content.left()), content.right())
        self.centerOn(x, min(max(point.y(), content.top()), content.bottom()))

    def reveal(self, ids: Iterable[str]) -> None:
        """Scroll so far that `ids` are in view; what is in view stays under the hand."""
        content = self.drawing.content(ids)
        if not content.isNull() and not self.visible_rect().contains(content):
            self.ensureVisible(content.adjusted(-40, -40, 40, 40), 24, 24)
            self.looked.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A wheel zooms about the cursor; a touchpad, a tilted wheel and Shift scroll, Ctrl zooms."""
        angle, held = event.angleDelta(), event.modifiers()
        if held & Qt.KeyboardModifier.ShiftModifier:
            self.glide.stop()
            self.scroll_to(self.scroll_position() - QPoint(angle.y() + angle.x(), 0))
        elif held & Qt.KeyboardModifier.ControlModifier or not (_by_touch(event) or not angle.y()):
            by, place = 1.0015 ** (angle.y() or angle.x()), event.position().toPoint()
            (self.glide.zoom if angle.y() % NOTCH == 0 else self.zoom)(by, place)
        else:
            self.glide.stop()
            self.scroll_to(self.scroll_position() - (event.pixelDelta() or angle / 2))
        self.looked.emit()
        event.accept()

    def viewportEvent(self, event: QEvent) -> bool:
        """Pinch to zoom."""
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom(1.0 + event.value(), event.position().toPoint())
            return True
        return super().viewportEvent(event)

    # ------------------------------------------------------------------ gliding

    @contextmanager
    def animated(self) -> Iterator[None]:
        """Let nodes glide to where an edit made inside puts them."""
        before = self.drawing.positions()
        yield
        after = self.drawing.positions()
        ways = {id: (at, after[id]) for id, at in before.items() if id in after and after[id] != at}
        most = AFAR
        if self.drawing.detail != FAR:
            seen, most = self.visible_rect().adjusted(-card.WIDTH, -HEIGHT, 0, 0), ANEAR
            ways = {id: way for id, way in ways.items() if any(seen.contains(*place) for place in way)}
        if not ways or not self.isVisible() or len(ways) > most:
            return
        animation = QVariantAnimation(self)
        animation.setDuration(ANIMATION_MS)
        animation.setStartValue(0.0)
        animation.setEndValue(1.0)
        animation.setEasingCurve(QEasingCurve.Type.OutCubic)

        def step(share: float) -> None:
            self.drawing.glide(ways, share)
            self.refresh_far()

        animation.valueChanged.connect(step)
        animation.finished.connect(self.land)
        self._animation = animation
        step(0.0)
        animation.start()

    def stop_animation(self) -> None:
        """Let gliding cards arrive, and the view stay where it is."""
        self.glide.stop()
        self.land()

    def land(self) -> None:
        """Let gliding cards arrive."""
        animation, self._animation = self._animation, None
        if animation is not None:
            animation.valueChanged.disconnect()
            animation.finished.disconnect()
            animation.stop()
            animation.deleteLater()
            self.drawing.land()
            self.refresh_far()

    # ------------------------------------------------------------------ painting

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """From far away all is painted anew."""
        super().scrollContentsBy(dx, dy)
        self.refresh_far()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Near: item by item. Far: everything at once, past the items.

        What is painted for a picture rather than for the screen is all there, and sharp.
        """
        posing = isinstance(self.viewport().redirected(QPoint()), QPixmap)
        if posing:
            self.drawing.complete()
            self.drawing.departures.finish()
            self.drawing.router.finish()
        if self.drawing.detail != FAR:
            pictures = self.drawing.pictures
            ratio, moving = self.devicePixelRatioF(), self._zooming.isActive()
            self.drawing.departures.clear(self.visible_rect())
            pictures.begin(
                self.zoom_factor, ratio, self.drawing.detail, self.drawing.look, moving and not posing, posing
            )
            super().paintEvent(event)
            if pictures.end() and not moving:
                self._sharpening.start()
            return
        painter = QPainter(self.viewport())
        painter.setClipRegion(event.region())
        painter.fillRect(event.rect(), self.drawing.look.canvas_brush)
        painter.setTransform(self.viewportTransform())
        self.drawing.far.paint(painter)
        painter.end()

    def refresh_far(self) -> None:
        """Far away Qt does not know what has changed: paint anew."""
        if self.drawing.detail == FAR:
            self.viewport().update()

    def drawBackground(self, painter: QPainter, rect: QRectF | object) -> None:
        """The ground, with a grid of dots."""
        assert isinstance(rect, QRectF)
        tools = self.drawing.look
        painter.fillRect(rect, tools.canvas_brush)
        if self.drawing.detail != NEAR:
            return
        grid.draw(painter, rect, self.zoom_factor, self.devicePixelRatioF(), tools.grid.color().rgb())


def _by_touch(event: QWheelEvent) -> bool:
    """Whether fingers on a touchpad scroll, and no wheel turns.

    Some systems say so. Under X11 a wheel has pixels too: it is known by its whole notches.
    """
    touchpad = QInputDevice.DeviceType.TouchPad
    if event.deviceType() == touchpad or event.phase() != Qt.ScrollPhase.NoScrollPhase:
        return True
    x, y = event.angleDelta().toTuple()
    notches = bool(x or y) and not (x and y) and x % NOTCH == y % NOTCH == 0
    return not notches and (bool(x and y) or not event.pixelDelta().isNull())
