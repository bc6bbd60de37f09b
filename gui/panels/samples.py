"""Examples as pictures or lines, with their targets beneath."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.dataview import SampleView
from gui.plain import tip
from gui.theme import SPACE, theme

Index = QModelIndex | QPersistentModelIndex
#: Sides of an example's picture, and of what stands beneath.
SIDE, CAPTION = 72, 18
#: Room for the arrow between before and after.
ARROW = 20


class _Model(QAbstractListModel):
    """The examples, for the list and for screen readers."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.samples: Sequence[SampleView] = ()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Examples."""
        return 0 if parent.isValid() else len(self.samples)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The example in words; its picture is painted."""
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            sample = self.samples[index.row()]
            words = f"Example {sample.index}: {sample.target}"
            if sample.varied_target and sample.varied_target != sample.target:
                words += f", after augmentation {sample.varied_target}"
            return tip(words) if role == Qt.ItemDataRole.ToolTipRole else words
        return None


class _Delegate(QStyledItemDelegate):
    """Paints one example."""

    varied = False

    def __init__(self, model: _Model, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All are alike; a pair takes two pictures and what leads from one to the other."""
        width = 2 * SIDE + ARROW if self.varied else SIDE
        return QSize(width + 2 * SPACE, SIDE + CAPTION + 2 * SPACE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw the picture or lines, and the target."""
        sample = self._model.samples[index.row()]
        cell = option.rect.adjusted(SPACE, SPACE, -SPACE, -SPACE)
        painter.save()
        if self.varied:
            before = QRect(cell.left(), cell.top(), SIDE, SIDE)
            _draw(painter, before, sample, varied=False)
            painter.setPen(QColor(theme.color("muted")))
            between = QRect(cell.left() + SIDE, cell.top(), ARROW, SIDE)
            painter.drawText(between, Qt.AlignmentFlag.AlignCenter, "→")
            _draw(painter, before.translated(SIDE + ARROW, 0), sample, varied=True)
        else:
            _draw(painter, QRect(cell.left(), cell.top(), cell.width(), SIDE), sample, varied=False)
        painter.setPen(QColor(theme.color("muted")))
        words = sample.varied_target if self.varied and sample.varied_target else sample.target
        text = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, cell.width())
        caption = QRect(cell.left(), cell.top() + SIDE, cell.width(), CAPTION)
        painter.drawText(caption, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()


def _draw(painter: QPainter, place: QRect, sample: SampleView, *, varied: bool) -> None:
    """An example's picture or lines, as they are or as augmentation makes them."""
    if not sample.picture:
        _draw_lines(painter, place, sample.varied_lines if varied else sample.lines)
        return
    image = picture(sample, varied=varied)
    scaled = image.size().scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio)
    large = image.width() > place.width() or image.height() > place.height()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, large)
    left, top = place.center().x() - scaled.width() // 2, place.center().y() - scaled.height() // 2
    painter.drawImage(QRect(left, top, scaled.width(), scaled.height()), image)


def picture(sample: SampleView, *, varied: bool = False) -> QImage:
    """An example's picture, as it is or as augmentation makes it."""
    height, width = sample.picture_shape[:2]
    colours = len(sample.picture_shape) == 3
    form = QImage.Format.Format_RGB888 if colours else QImage.Format.Format_Grayscale8
    data = sample.augmented if varied and sample.augmented else sample.picture
    return QImage(data, width, height, width * (3 if colours else 1), form).copy()


def _draw_lines(painter: QPainter, place: QRect, lines: Sequence[Sequence[float]]) -> None:
    values = [value for line in lines for value in line]
    if not values:
        return
    lo, hi = min(values), max(values)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for number, line in enumerate(lines):
        painter.setPen(QPen(QColor(theme.color("accent" if number == 0 else "muted")), 1))
        step = place.width() / max(1, len(line) - 1)
        scale = (place.height() - 2) / ((hi - lo) or 1.0)
        painter.drawPolyline(
            QPolygonF(
                [
                    QPointF(place.left() + i * step, place.bottom() - 1 - (v - lo) * scale)
                    for i, v in enumerate(line)
                ]
            )
        )


class Samples(QListView):
    """The examples, as many to a row as there is room for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Samples")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self._model = _Model(self)
        self._delegate = _Delegate(self._model, self)
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)

    def show_samples(self, samples: Sequence[SampleView]) -> None:
        """Show these."""
        self._model.beginResetModel()
        self._model.samples = samples
        self._model.endResetModel()

    def show_varied(self, varied: bool) -> None:
        """Show them as augmentation makes them, or as they are."""
        self._delegate.varied = varied
        self.scheduleDelayedItemsLayout()
        self.viewport().update()

    @property
    def cell(self) -> QSize:
        """The room that one example takes."""
        return self._delegate.sizeHint(QStyleOptionViewItem(), QModelIndex())
