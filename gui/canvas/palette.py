"""The palette: all layers by group, searchable, to be dragged onto the canvas."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from PySide6.QtCore import (
    QEvent,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QDrag, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui.canvas import look
from gui.canvas.finder import COMMON, Found, find
from gui.theme import SPACE, theme

MIME = "application/x-layerlab-layer"
_TYPE = int(Qt.ItemDataRole.UserRole)
_GROUP = _TYPE + 1
#: From this width on rows say the torch name, too: in a narrower one few titles leave room for it.
_NAMED = 270


class _Row(QStyledItemDelegate):
    """A layer: stripe of its family, title and torch name; or a group's heading."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, 30 if index.data(_TYPE) else 32)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        box = QRect(option.rect)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        type = index.data(_TYPE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not type:
            painter.setPen(theme.color("muted"))
            painter.setFont(look.font(11, bold=True))
            heading = box.adjusted(3 * SPACE, 2 * SPACE, -SPACE, 0)
            painter.drawText(heading, Qt.AlignmentFlag.AlignVCenter, index.data())
            painter.restore()
            return
        ground = None
        if state & QStyle.StateFlag.State_Selected:
            ground = theme.color("selection")
        elif state & QStyle.StateFlag.State_MouseOver:
            ground = theme.color("raised")
        if ground is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(box.adjusted(SPACE, 1, -SPACE, -1), 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.Look(theme.tokens).family(index.data(_GROUP)))
        painter.drawRoundedRect(QRect(box.left() + 3 * SPACE, box.center().y() - 6, 4, 13), 2, 2)
        text = box.adjusted(6 * SPACE, 0, -3 * SPACE, 0)
        named = box.width() >= _NAMED
        name_width = look.metrics(11).horizontalAdvance(type) + 2 * SPACE if named else 0
        painter.setFont(look.font(13))
        painter.setPen(theme.color("text"))
        title = str(index.data())
        fits = look.metrics(13).horizontalAdvance(title) <= text.width() - name_width
        painter.drawText(
            text,
            Qt.AlignmentFlag.AlignVCenter,
            # Its end tells 1-D from 2-D.
            title if fits else look.elided(title, 13, text.width(), mode=Qt.TextElideMode.ElideMiddle),
        )
        if named and fits and title != type:
            painter.setFont(look.font(11))
            painter.setPen(theme.color("muted"))
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, type)
        painter.restore()


class LayerList(QListWidget):
    """Layers that can be dragged."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setItemDelegate(_Row(self))
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Layers")

    def show_layers(self, layers: Sequence[Found], headings: bool) -> None:
        """List `layers`, under their groups' names where `headings` are wanted, the common ones first."""
        self.clear()
        if headings:
            there = {layer.id: layer for layer in layers}
            self._show_group("Common", [there[id] for id in COMMON if id in there])
        groups = [(None, layers)] if not headings else groupby(layers, lambda layer: layer.group)
        for group, members in groups:
            self._show_group(group, members)
        self._select_from(0, 1)

    def _show_group(self, title: str | None, layers: Iterable[Found]) -> None:
        if title is not None:
            heading = QListWidgetItem(title, self)
            heading.setFlags(Qt.ItemFlag.NoItemFlags)
        for layer in layers:
            row = QListWidgetItem(layer.title, self)
            row.setData(_TYPE, layer.id)
            row.setData(_GROUP, layer.group)
            row.setToolTip(f"{layer.id}: {layer.doc.replace('`', '')}")

    def _select_from(self, row: int, step: int) -> None:
        while 0 <= row < self.count():
            if self.item(row).data(_TYPE):
                self.setCurrentRow(row)
                return
            row += step

    def step(self, by: int) -> None:
        """Select the next or previous layer."""
        self._select_from(self.currentRow() + by, by)

    @property
    def current_type(self) -> str | None:
        """The selected layer."""
        item = self.currentItem()
        return None if item is None else str(item.data(_TYPE))

    def mimeTypes(self) -> list[str]:
        """What a drag carries."""
        return [MIME]

    def mimeData(self, items: Sequence[QListWidgetItem]) -> QMimeData:
        """The dragged layer's type."""
        data = QMimeData()
        if items:
            data.setData(MIME, str(items[0].data(_TYPE)).encode())
        return data

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Carry the layer as a small chip below the cursor, so that the wire under it is seen."""
        item = self.currentItem()
        if item is None or not item.data(_TYPE):
            return
        drag = QDrag(self)
        drag.setMimeData(self.mimeData([item]))
        drag.setPixmap(_chip(str(item.data(_TYPE)), str(item.data(_GROUP)), self.devicePixelRatioF()))
        drag.setHotSpot(QPoint(-14, -18))
        drag.exec(Qt.DropAction.CopyAction)
        # The pointer went without a word: the row that it left last would look pointed at for ever. Not at
        # once: of the move that began the drag the list has yet to hear which row it was over.
        QApplication.postEvent(self.viewport(), QEvent(QEvent.Type.Leave))


def _chip(type: str, group: str, ratio: float) -> QPixmap:
    """A layer's name beside its family's colour."""
    tools = look.Look(theme.tokens)
    size = QSize(math.ceil(look.metrics(12).horizontalAdvance(type)) + 6 * SPACE, 6 * SPACE)
    picture = QPixmap(size * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(tools.accent, 1.0))
    painter.setBrush(tools.raised)
    painter.drawRoundedRect(QRectF(0.5, 0.5, size.width() - 1, size.height() - 1), 6, 6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tools.family(group))
    painter.drawRoundedRect(QRectF(2 * SPACE, 6, 4, size.height() - 12), 2, 2)
    painter.setFont(look.font(12))
    painter.setPen(tools.text)
    painter.drawText(QRectF(4 * SPACE, 0, size.width(), size.height()), Qt.AlignmentFlag.AlignVCenter, type)
    painter.end()
    return picture


class SearchField(QLineEdit):
    """A search line whose arrow keys walk the list below it."""

    accepted = Signal()

    def __init__(self, layers: LayerList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self.setPlaceholderText("Search layers")
        self.setAccessibleName("Search layers")
        self.setClearButtonEnabled(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk the list, or accept."""
        if event.key() == Qt.Key.Key_Down:
            self._layers.step(1)
        elif event.key() == Qt.Key.Key_Up:
            self._layers.step(-1)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accepted.emit()
        else:
            super().keyPressEvent(event)


class Palette(QWidget):
    """Searchable list of layers; drag one onto the canvas, or double click it."""

    #: A layer was chosen by double click or Enter: its type.
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("palette")
        self.layers = LayerList(self)
        self.layers.setDragEnabled(True)
        self.layers.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.search = SearchField(self.layers, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 0)
        column.setSpacing(2 * SPACE)
        column.addWidget(self.search)
        column.addWidget(self.layers)
        self.search.textChanged.connect(self._filter)
        self.search.accepted.connect(self._choose)
        self.layers.itemActivated.connect(self._choose)
        theme.changed.connect(self.layers.viewport().update)
        self._filter("")

    def refresh(self) -> None:
        """List anew: the catalogue has grown by the layers of plugins."""
        self._filter(self.search.text())

    def _filter(self, query: str, wanted: Callable[[str], bool] | None = None) -> None:
        self.layers.show_layers(find(query, wanted), headings=not query.strip())

    def _choose(self) -> None:
        if self.layers.current_type:
            self.chosen.emit(self.layers.current_type)
