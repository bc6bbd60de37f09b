"""Search-to-add: a small popup at the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from engine.catalog import LAYERS
from gui.canvas import phrase
from gui.canvas.finder import Found, find
from gui.canvas.palette import LayerList, SearchField
from gui.theme import SPACE, theme


class SearchPopup(QFrame):
    """Type a few letters, press Enter. No window of its own, so that it never steals the canvas's focus.

    What follows the layer's name sets its fields: ``conv 6 5x5 pad 2 relu``.
    """

    #: (type, what was said of it: a :class:`~gui.canvas.phrase.Reading`).
    chosen = Signal(str, object)
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._canvas = parent
        self.setObjectName("search")
        self.layers = LayerList(self)
        self.search = SearchField(self.layers, self)
        self.hint = QLabel(self)
        self.hint.setProperty("role", "muted")
        self.hint.setTextFormat(Qt.TextFormat.PlainText)
        self.hint.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(self.hint)
        column.addWidget(self.search)
        column.addWidget(self.layers)
        self._wanted: Callable[[str], bool] | None = None
        self._blocks: Sequence[Found] = ()
        self._said = ""
        self._words: tuple[str, ...] = ()
        self.layers.currentItemChanged.connect(lambda *_: self._tell())
        self.search.setPlaceholderText("Search layers: conv2d 16 3x3 relu")
        self.search.textChanged.connect(self._filter)
        self.search.accepted.connect(self._choose)
        self.search.installEventFilter(self)
        self.layers.itemClicked.connect(self._choose)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def open_at(
        self,
        point: QPoint,
        wanted: Callable[[str], bool] | None = None,
        hint: str = "",
        blocks: Sequence[Found] = (),
    ) -> None:
        """Show at `point` in the canvas's coordinates; only layers that are `wanted`, and `blocks`.

        Where the canvas is too low for it, it lies over the window.
        """
        self._wanted, self._blocks = wanted, blocks
        self._said = hint
        self.search.clear()
        self._filter("")
        self.resize(300, 320)
        fits = self._canvas.height() >= self.height() + 2 * SPACE
        home = self._canvas if fits else self._canvas.window()
        if self.parent() is not home:
            self.setParent(home)
        point, room = self._canvas.mapTo(home, point), home.size()
        self.move(
            max(4, min(point.x(), room.width() - self.width() - 4)),
            max(4, min(point.y(), room.height() - self.height() - 4)),
        )
        self.show()
        self.raise_()
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Close on Escape and when the focus goes elsewhere."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Tab):
                self.dismiss()
                return True
        elif event.type() == QEvent.Type.FocusOut and self.isVisible() and not self.underMouse():
            self.dismiss()
        elif event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().eventFilter(watched, event)

    def dismiss(self) -> None:
        """Close without choosing."""
        if self.isVisible():
            self.hide()
            self.closed.emit()

    def _filter(self, query: str) -> None:
        said = phrase.split(query)
        found = find(query, self._wanted, self._blocks)
        if found and not said.words:
            self._words = ()
        else:
            found, self._words = find(said.query, self._wanted, self._blocks), said.words
        self.layers.show_layers(found, headings=not query.strip())
        self._tell()

    def _tell(self) -> None:
        """Say what Enter would add, or what is not understood."""
        type = self.layers.current_type
        text = self._said
        if type in LAYERS and self._words:
            reading = phrase.read(LAYERS[type], self._words)
            text = reading.trouble or f"Enter adds {reading.describe(LAYERS[type])}"
        self.hint.setText(text)
        self.hint.setVisible(bool(text))

    def _choose(self) -> None:
        type = self.layers.current_type
        if not type:
            return
        reading = phrase.read(LAYERS[type], self._words) if type in LAYERS else phrase.Reading()
        if not reading.trouble:
            self.hide()
            self.chosen.emit(type, reading)

    def _restyle(self) -> None:
        tokens = theme.tokens
        self.setStyleSheet(
            f"QFrame#search {{ background: {tokens.surface}; border: 1px solid {tokens.line};"
            " border-radius: 8px; }"
        )
