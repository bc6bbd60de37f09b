"""What an empty window shows: templates to start from, recent files, an empty network."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QShortcut,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine import assets
from engine.catalog import LAYERS
from engine.network import Network
from engine.storage import SUFFIX
from engine.templates import Template, templates
from gui.plain import tip
from gui.settings import Settings
from gui.theme import SPACE, TYPE, family_color, theme

#: Recent files that are listed.
SHOWN = 6
_WIDTH = 760


#: Templates that get a card with their drawing; the others, known networks, a button.
_CARDS = 4


class Card(QAbstractButton):
    """A template: its drawing in small, its name, a sentence."""

    def __init__(self, template: Template) -> None:
        super().__init__()
        self.template = template
        self.setText(template.title)
        self.setAccessibleName(template.title)
        self.setAccessibleDescription(template.description)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Two cards fill the column."""
        return QSize(_WIDTH // 2 - 2 * SPACE, 168)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens, as Space does."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be pressed."""
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, drawing, words."""
        tokens = theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        busy = self.hasFocus() or self.underMouse()
        painter.setPen(QPen(QColor(tokens.accent if busy else tokens.line), 2 if self.hasFocus() else 1))
        painter.setBrush(QColor(tokens.raised if self.isDown() else tokens.surface))
        painter.drawRoundedRect(frame, 2 * SPACE, 2 * SPACE)
        inside = frame.adjusted(4 * SPACE, 3 * SPACE, -4 * SPACE, -3 * SPACE)
        picture = QRectF(inside.left(), inside.top(), inside.width(), 72)
        draw_network(painter, picture, self.template.network)

        font = self.font()
        font.setPixelSize(TYPE[2])
        font.setWeight(font.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(tokens.text))
        name = QRectF(inside.left(), picture.bottom() + 2 * SPACE, inside.width(), 20)
        painter.drawText(name, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setFont(self.font())
        painter.setPen(QColor(tokens.muted))
        words = QRectF(inside.left(), name.bottom() + SPACE, inside.width(), inside.bottom() - name.bottom())
        painter.drawText(words, Qt.TextFlag.TextWordWrap, self.template.description)


def draw_network(painter: QPainter, area: QRectF, network: Network) -> None:
    """The network in small: a block per node in its family's colour, columns by depth, a line per wire."""
    columns: dict[int, list[str]] = {}
    for id, depth in _depths(network).items():
        columns.setdefault(depth, []).append(id)
    if not columns:
        return
    step = min(area.width() / len(columns), 48.0)
    left = area.left() + step / 2
    block = QRectF(0, 0, min(step * 0.5, 3.5 * SPACE), 6 * SPACE)
    places: dict[str, QPointF] = {}
    for depth, ids in columns.items():
        for lane, id in enumerate(ids):
            y = area.center().y() + (lane - (len(ids) - 1) / 2) * (block.height() + SPACE)
            places[id] = QPointF(left + depth * step, y)

    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.tokens.wire), 1.5))
    for edge in network.edges:
        if edge.source.node in places and edge.target.node in places:
            start, end = places[edge.source.node], places[edge.target.node]
            path = QPainterPath(start)
            if end.x() - start.x() > 1.5 * step and abs(end.y() - start.y()) < 1:
                lift = start.y() - block.height()  # over what it skips
                path.cubicTo(QPointF(start.x() + step, lift), QPointF(end.x() - step, lift), end)
            else:
                middle = (start.x() + end.x()) / 2
                path.cubicTo(QPointF(middle, start.y()), QPointF(middle, end.y()), end)
            painter.drawPath(path)
    painter.setPen(Qt.PenStyle.NoPen)
    for id, place in places.items():
        layer = LAYERS.get(network.nodes[id].type)
        painter.setBrush(QColor(family_color(theme.tokens, layer.group if layer else "Other")))
        block.moveCenter(place)
        painter.drawRoundedRect(block, 0.75 * SPACE, 0.75 * SPACE)


def _depths(network: Network) -> dict[str, int]:
    """How many wires the longest way to each node has; nodes in a circle stay at the beginning."""
    depths = dict.fromkeys(network.nodes, 0)
    for _ in network.nodes:
        moved = False
        for edge in network.edges:
            source, target = edge.source.node, edge.target.node
            if source in depths and target in depths and depths[target] <= depths[source] < len(depths):
                depths[target] = depths[source] + 1
                moved = True
        if not moved:
            return depths
    return dict.fromkeys(network.nodes, 0)


class Welcome(QScrollArea):
    """The page that an empty window shows."""

    #: A template's or a recent file's path was chosen.
    template_chosen = Signal(object)
    file_chosen = Signal(object)
    empty_chosen = Signal()
    open_chosen = Signal()
    #: What was copied is to become a network.
    pasted = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.settings = settings
        page = QWidget()
        page.setObjectName("welcome-page")
        column = QVBoxLayout(page)
        column.setContentsMargins(8 * SPACE, 8 * SPACE, 8 * SPACE, 8 * SPACE)
        column.setSpacing(0)
        column.addStretch(2)
        body = QWidget()
        body.setMaximumWidth(_WIDTH)
        self._body = QVBoxLayout(body)
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.setSpacing(2 * SPACE)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(body, 100)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(3)
        self.setWidget(page)

        title = QLabel("Layerlab")
        title.setProperty("role", "display")
        about = QLabel("Draw a network, see every shape, train it and watch it learn.")
        about.setProperty("role", "lead")
        self._body.addWidget(title)
        self._body.addWidget(about)
        self._body.addSpacing(5 * SPACE)
        self._heading("Start from a template")
        grid = QGridLayout()
        grid.setSpacing(4 * SPACE)
        known = templates()
        self.cards = [Card(template) for template in known[:_CARDS]]
        for number, card in enumerate(self.cards):
            card.clicked.connect(lambda checked=False, id=card.template.id: self._choose(id))
            grid.addWidget(card, number // 2, number % 2)
        # The keyboard begins at what one starts from; the page as a whole has nothing to press.
        self.setFocusProxy(self.cards[0])
        self._body.addLayout(grid)
        self._body.addSpacing(4 * SPACE)
        self._heading("Or from a network of the literature")
        row = QHBoxLayout()
        row.setSpacing(2 * SPACE)
        self.more = [QPushButton(template.title) for template in known[_CARDS:]]
        for template, button in zip(known[_CARDS:], self.more, strict=True):
            button.setToolTip(template.description)
            button.clicked.connect(lambda checked=False, id=template.id: self._choose(id))
            row.addWidget(button)
        row.addStretch()
        self._body.addLayout(row)
        self._body.addSpacing(4 * SPACE)
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * SPACE)
        self.empty_button = QPushButton("Empty network")
        self.empty_button.clicked.connect(self.empty_chosen)
        self.open_button = QPushButton("Open a file…")
        self.open_button.clicked.connect(self.open_chosen)
        hint = QLabel("or drop a .layerlab file here, or paste copied layers")
        hint.setProperty("role", "muted")
        buttons.addWidget(self.empty_button)
        buttons.addWidget(self.open_button)
        buttons.addSpacing(SPACE)
        buttons.addWidget(hint)
        buttons.addStretch()
        self._body.addLayout(buttons)
        self._body.addSpacing(4 * SPACE)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(SPACE)
        self._body.addLayout(self._recent)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self).activated.connect(self.pasted)
        settings.recent_changed.connect(self._list_recent)
        self._list_recent()

    def _heading(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", "heading")
        self._body.addWidget(label)
        return label

    def _choose(self, id: str) -> None:
        self.template_chosen.emit(assets.path(f"networks/{id}{SUFFIX}"))

    def _list_recent(self) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        recent = self.settings.recent[:SHOWN]
        if not recent:
            return
        heading = QLabel("Recent")
        heading.setProperty("role", "heading")
        self._recent.addWidget(heading)
        for path in recent:
            button = QPushButton(f"{path.name}    {_folder(path)}")
            button.setProperty("flat", True)
            button.setProperty("row", True)
            button.setToolTip(tip(str(path)))
            button.setAccessibleName(f"Open {path.name}")
            button.clicked.connect(lambda checked=False, path=path: self.file_chosen.emit(path))
            self._recent.addWidget(button)


def _folder(path: Path) -> str:
    """The file's folder, with the home folder as ~."""
    try:
        return f"~/{path.parent.relative_to(Path.home())}"
    except ValueError:
        return str(path.parent)
