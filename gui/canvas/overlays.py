"""Small things that lie over the canvas: children of the view, never of the scene."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from gui.canvas import look
from gui.theme import SPACE, theme

TOAST_MS = 5000


class Toast(QLabel):
    """One sentence over the canvas: why something was refused, or what would be wrong."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._canvas = parent
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setObjectName("toast")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def say(self, text: str, lasting: bool = False) -> None:
        """Show `text` for a while, or until dismissed."""
        if text != self.text() or not self.isVisible():
            self.setText(text)
            self.place()
            self.show()
            self.raise_()
        if lasting:
            self._timer.stop()
        else:
            self._timer.start(TOAST_MS)

    def dismiss(self) -> None:
        """Hide."""
        self._timer.stop()
        self.hide()

    def place(self) -> None:
        """Stand centred above the lower edge; below the upper one while the hand is busy down there."""
        room = self._canvas.size()
        width = min(560, max(160, room.width() - 16 * SPACE))
        natural = look.metrics(13).horizontalAdvance(self.text()) + 10 * SPACE
        width = int(min(width, natural))
        self.resize(width, self.heightForWidth(width))
        top, bottom = 4 * SPACE, room.height() - self.height() - 4 * SPACE
        cursor = self._canvas.mapFromGlobal(QCursor.pos())
        hidden = self.rect().translated((room.width() - width) // 2, bottom).adjusted(-40, -80, 40, 40)
        self.move((room.width() - width) // 2, top if hidden.contains(cursor) else bottom)

    def _restyle(self) -> None:
        tokens = theme.tokens
        self.setStyleSheet(
            f"#toast {{ background: {tokens.raised}; color: {tokens.text}; border: 1px solid {tokens.line};"
            f" border-left: 3px solid {tokens.error}; border-radius: 6px; padding: 8px 12px; }}"
        )


class EmptyState(QWidget):
    """What to do first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = QLabel("Draw your network here", self)
        title.setProperty("role", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint = QLabel(
            "Drag an Input in from the palette, or press Tab and type.\n"
            "While a layer is selected, the next one wires itself to it.",
            self,
        )
        hint.setProperty("role", "muted")
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        # On a ground of its own, so that no dot of the grid stands in the words.
        self._words = QWidget(self)
        column = QVBoxLayout(self._words)
        column.setContentsMargins(6 * SPACE, 4 * SPACE, 6 * SPACE, 4 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addWidget(self._icon)
        column.addWidget(title)
        column.addWidget(hint)
        middle = QVBoxLayout(self)
        middle.addWidget(self._words, 0, Qt.AlignmentFlag.AlignCenter)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self._icon.setPixmap(theme.icon("mdi6.graph-outline", "muted").pixmap(48, 48))
        palette = self._words.palette()
        palette.setColor(self._words.backgroundRole(), theme.color("canvas"))
        self._words.setPalette(palette)
        self._words.setAutoFillBackground(True)
