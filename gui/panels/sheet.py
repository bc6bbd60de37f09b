"""A table of figures, some with a bar for their share; a click on a row says which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyleOptionViewItem, QTableView, QWidget

from gui.panels.parameters import RowDelegate
from gui.plain import tip
from gui.theme import SPACE, theme

Index = QModelIndex | QPersistentModelIndex

#: Height of a row, and of a bar below its figure.
ROW, BAR = 32, 3


@dataclass(frozen=True)
class Column:
    """One column of a sheet."""

    title: str
    hint: str
    #: What a row says here.
    text: Callable[[Any], str]
    #: Its share of a whole, 0 … 1, drawn as a bar; None where it has none.
    share: Callable[[Any], float | None] | None = None
    #: Token of the bar's colour.
    color: str = "accent"
    #: Whether it is words, which stand on the left.
    words: bool = False

    @property
    def side(self) -> Qt.AlignmentFlag:
        """Where its text stands."""
        return Qt.AlignmentFlag.AlignLeft if self.words else Qt.AlignmentFlag.AlignRight


class SheetModel(QAbstractTableModel):
    """Rows of anything; the columns know how to read them. The last row may be a total."""

    def __init__(self, columns: Sequence[Column], parent: QWidget) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.rows: list[Any] = []
        self.totals = False

    def show_rows(self, rows: Sequence[Any], *, totals: bool = False) -> None:
        """Show these; with `totals` the last one is their sum."""
        self.beginResetModel()
        self.rows, self.totals = list(rows), totals
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Rows."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Columns."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Text, how it stands, and the total in bold."""
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(self.rows[index.row()])
        if role == Qt.ItemDataRole.ToolTipRole:
            text = column.text(self.rows[index.row()])
            return tip(f"{column.title} {text}\n{column.hint}" if text else column.hint)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return column.side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and self.totals and index.row() == len(self.rows) - 1:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """What the columns are."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.columns[section].title
            if role == Qt.ItemDataRole.ToolTipRole:
                return tip(self.columns[section].hint)
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return self.columns[section].side | Qt.AlignmentFlag.AlignVCenter
        return None


class SheetDelegate(RowDelegate):
    """Paints a figure, and its share as a bar below it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw ground, figure and bar."""
        model = index.model()
        assert isinstance(model, SheetModel)
        self.ground(painter, option, index)
        column, row = model.columns[index.column()], model.rows[index.row()]
        rect = option.rect.adjusted(2 * SPACE, 0, -2 * SPACE, 0)
        share = None if column.share is None else column.share(row)
        painter.save()
        font = index.data(Qt.ItemDataRole.FontRole)
        if isinstance(font, QFont):
            now = QFont(painter.font())
            now.setBold(True)
            painter.setFont(now)
        painter.setPen(theme.color("text"))
        text = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, rect.width())
        words = rect.adjusted(0, 0, 0, -BAR - 2) if column.share is not None else rect
        painter.drawText(words, column.side | Qt.AlignmentFlag.AlignVCenter, text)
        if share is not None:
            track = QRectF(rect.left(), rect.bottom() - BAR - 3, rect.width(), BAR)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(theme.color("raised"))
            painter.drawRoundedRect(track, BAR / 2, BAR / 2)
            track.setWidth(max(min(share, 1.0), 0.0) * track.width())
            painter.setBrush(theme.color(column.color))
            painter.drawRoundedRect(track, BAR / 2, BAR / 2)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """The text, with room at both sides."""
        hint = super().sizeHint(option, index)
        return QSize(hint.width() + 4 * SPACE, ROW)


class Sheet(QTableView):
    """The table."""

    #: The row that was clicked.
    found = Signal(object)

    def __init__(self, title: str, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        self.list = SheetModel(columns, self)
        self.setModel(self.list)
        self.setItemDelegate(SheetDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        across = self.horizontalHeader()
        across.setHighlightSections(False)
        across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        across.setMinimumSectionSize(56)
        self.clicked.connect(lambda index: self.found.emit(self.list.rows[index.row()]))
        self.selectionModel().currentRowChanged.connect(lambda *_: self.viewport().update())

    def show_rows(self, rows: Sequence[Any], *, totals: bool = False) -> None:
        """Show these; with `totals` the last one is their sum."""
        self.list.show_rows(rows, totals=totals)
