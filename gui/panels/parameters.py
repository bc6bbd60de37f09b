"""The list of parameters in the model's order, with a bar per figure: how it flows through depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from gui.panels.series import figure
from gui.theme import theme

Index = QModelIndex | QPersistentModelIndex

#: Height of a row.
ROW = 24

#: Update-to-weight ratios at which learning is neither asleep nor wild: around 1e-3
#: (Karpathy, CS231n notes, "Ratio of weights:updates").
HEALTHY = (3e-4, 3e-3)


@dataclass(frozen=True)
class Measure:
    """One column of figures on a logarithmic bar."""

    title: str
    hint: str
    #: Token of the bar's colour.
    color: str
    #: A range to mark, outside of which a value is a warning.
    band: tuple[float, float] | None = None


class ParameterModel(QAbstractTableModel):
    """Names and figures."""

    def __init__(self, measures: Sequence[Measure], parent: QWidget, listed: str = "Parameter") -> None:
        super().__init__(parent)
        self.listed = listed
        self.measures = tuple(measures)
        self.names: tuple[str, ...] = ()
        self.values: tuple[Mapping[str, float], ...] = tuple({} for _ in measures)
        #: Powers of ten between which each measure's bars run.
        self.scales: list[tuple[float, float]] = [(-2.0, 0.0) for _ in measures]

    def show_names(self, names: Sequence[str]) -> bool:
        """List these; False if they are listed already."""
        if tuple(names) == self.names:
            return False
        self.beginResetModel()
        self.names = tuple(names)
        self.endResetModel()
        return True

    def show_values(self, values: Sequence[Mapping[str, float]]) -> None:
        """Set the figures, a mapping per measure."""
        self.values = tuple(values)
        for column, (measure, found) in enumerate(zip(self.measures, values, strict=True)):
            logs = [math.log10(v) for v in found.values() if v > 0 and math.isfinite(v)]
            logs += [math.log10(edge) for edge in measure.band or ()]
            if logs:
                lo, hi = math.floor(min(logs) - 0.3), math.ceil(max(logs))
                self.scales[column] = (lo, max(hi, lo + 2))
        if self.names:
            last = self.index(len(self.names) - 1, len(self.measures))
            self.dataChanged.emit(self.index(0, 1), last)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Parameters."""
        return 0 if parent.isValid() else len(self.names)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """The name and the measures."""
        return 0 if parent.isValid() else 1 + len(self.measures)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Name or figure."""
        name = self.names[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return name if index.column() == 0 else figure(self.value(index))
        if role == Qt.ItemDataRole.ToolTipRole:
            words = [
                f"{measure.title.lower()} {figure(values[name])}"
                for measure, values in zip(self.measures, self.values, strict=True)
                if name in values
            ]
            return "\n".join([name, *words])
        return None

    def value(self, index: Index) -> float:
        """The figure in a cell."""
        return self.values[index.column() - 1].get(self.names[index.row()], math.nan)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """What the columns are."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.listed if section == 0 else self.measures[section - 1].title
            if role == Qt.ItemDataRole.ToolTipRole and section:
                return self.measures[section - 1].hint
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None


class RowDelegate(QStyledItemDelegate):
    """Knows which row is the chosen one."""

    def __init__(self, table: QTableView) -> None:
        super().__init__(table)
        self._table = table

    def ground(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint the row's ground."""
        chosen = index.row() == self._table.currentIndex().row()
        painter.fillRect(option.rect, theme.color("selection" if chosen else "surface"))


class BarDelegate(RowDelegate):
    """Paints a figure as a bar on the column's logarithmic scale."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw track, band, bar and number."""
        model = index.model()
        assert isinstance(model, ParameterModel)
        measure, (lo, hi) = model.measures[index.column() - 1], model.scales[index.column() - 1]
        value = model.value(index)
        rect = QRectF(option.rect)
        self.ground(painter, option, index)
        if model.names[index.row()] not in model.values[index.column() - 1]:
            return  # it has no such figure
        words = painter.fontMetrics().horizontalAdvance("8.88e-88")
        track = QRectF(rect.left() + 4, rect.center().y() - 4, rect.width() - words - 16, 8)

        def place(number: float) -> float:
            share = (math.log10(number) - lo) / (hi - lo)
            return track.left() + min(max(share, 0.0), 1.0) * track.width()

        color = theme.color(measure.color)
        if track.width() > 12:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.fillRect(track, theme.color("raised"))
            if measure.band:
                left, right = place(measure.band[0]), place(measure.band[1])
                painter.fillRect(
                    QRectF(left, rect.top() + 3, right - left, rect.height() - 6), _faded("good")
                )
                inside = measure.band[0] <= value <= measure.band[1]
                color = theme.color("good" if inside else "warning")
            if value > 0 and math.isfinite(value):
                if measure.band:
                    painter.fillRect(QRectF(place(value) - 2, rect.top() + 4, 4, rect.height() - 8), color)
                else:
                    painter.fillRect(
                        QRectF(track.topLeft(), QSize(1, 8)).adjusted(
                            0, 0, place(value) - track.left() - 1, 0
                        ),
                        color,
                    )
        painter.setPen(theme.color("text" if math.isfinite(value) else "error"))
        painter.drawText(
            rect.adjusted(0, 0, -6, 0),
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            figure(value),
        )


def _faded(name: str) -> QColor:
    color = theme.color(name)
    color.setAlphaF(0.18)
    return color


class ParameterTable(QTableView):
    """The list; a click chooses a parameter, a double click asks for its node."""

    chosen = Signal(str)
    found = Signal(str)

    def __init__(
        self,
        title: str,
        measures: Sequence[Measure],
        parent: QWidget | None = None,
        listed: str = "Parameter",
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(f"{title}: {listed.lower()}s")
        self.list = ParameterModel(measures, self, listed)
        self.setModel(self.list)
        self.setItemDelegateForColumn(0, NameDelegate(self))
        for column in range(1, 1 + len(measures)):
            self.setItemDelegateForColumn(column, BarDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setMinimumSectionSize(40)
        self.selectionModel().currentRowChanged.connect(self._chose)
        self.doubleClicked.connect(lambda index: self.found.emit(self.list.names[index.row()]))

    @property
    def name(self) -> str | None:
        """The chosen parameter."""
        row = self.currentIndex().row()
        return self.list.names[row] if 0 <= row < len(self.list.names) else None

    def choose(self, name: str) -> None:
        """Choose a listed parameter."""
        self.setCurrentIndex(self.list.index(self.list.names.index(name), 0))

    def show_names(self, names: Sequence[str]) -> None:
        """List these, and stay with the chosen one if it is among them."""
        before = self.name
        if self.list.show_names(names) and names:
            self.choose(before if before is not None and before in names else names[0])

    def _chose(self, now: QModelIndex, _before: QModelIndex) -> None:
        self.viewport().update()
        if now.isValid():
            self.chosen.emit(self.list.names[now.row()])


class NameDelegate(RowDelegate):
    """Paints a parameter's name: the node in full voice, the rest quietly."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw the name, shortened in the middle where there is no room."""
        rect = option.rect.adjusted(8, 0, -4, 0)
        self.ground(painter, option, index)
        painter.setPen(theme.color("text"))
        name = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, rect.width())
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
