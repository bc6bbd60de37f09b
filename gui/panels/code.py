"""The network as Python, beside its drawing: the lines of the selected node, the node of the clicked line."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Iterator, Mapping
from typing import Protocol

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.host.protocol import Failed, SourcePrinted
from engine.network import Network
from gui.document import Document
from gui.panels.panel import Panel
from gui.selection import Selection
from gui.theme import SPACE, TYPE, theme

#: Milliseconds without an edit before the source is asked for.
_QUIET = 250
#: Kind of word -> colour of the theme.
_COLOURS = {
    "keyword": "accent",
    "string": "good",
    "number": "warning",
    "comment": "muted",
    "name": "validation",
}


class Asking(Protocol):
    """What the panel needs of the workers."""

    answered: SignalInstance

    def print_source(self) -> int:
        """Ask for the source; `answered` brings it."""


class CodePanel(Panel):
    """Source that follows the drawing."""

    def __init__(
        self, document: Document, selection: Selection, workers: Asking, parent: QWidget | None = None
    ) -> None:
        super().__init__("Code", "mdi6.language-python", parent)
        self._document, self._selection, self._workers = document, selection, workers
        self._asked: int | None = None
        self.lines: Mapping[str, tuple[int, ...]] = {}
        #: Why the text is not of the drawing as it is now; empty: it is.
        self._trouble = ""

        self.text = SourceView()
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("role", "muted")
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.copy = QToolButton()
        self.copy.setText("Copy")
        self.copy.setToolTip("Copy the whole file")
        self.copy.setAutoRaise(True)
        self.copy.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.copy.setIconSize(QSize(16, 16))
        bar = QHBoxLayout()
        bar.setContentsMargins(2 * SPACE, SPACE, SPACE, SPACE)
        bar.addWidget(self.note, 1)
        bar.addWidget(self.copy)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.text)

        self._soon = QTimer(self, singleShot=True, interval=_QUIET)
        self._soon.timeout.connect(self._print)
        document.changed.connect(self._document_changed)
        selection.changed.connect(self._highlight)
        selection.block_changed.connect(self._highlight)
        workers.answered.connect(self._take)
        self.text.line_clicked.connect(self._select)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        self.empty.say("No code yet", "It is printed as soon as the drawing has no errors.")
        self._follow_theme()
        theme.changed.connect(self._follow_theme)

    def refresh(self) -> None:
        """Ask for the source if the drawing has changed since; called when the panel is shown."""
        if self._asked is None and not self._soon.isActive():
            self._print()

    # ------------------------------------------------------------------ the source

    def _document_changed(self, before: Network, after: Network) -> None:
        same = before.nodes is after.nodes and before.edges is after.edges and before.blocks is after.blocks
        if same and before.name == after.name and before.defaults is after.defaults:
            return
        self._asked = None
        if self.in_view:
            self._soon.start()
        else:
            self._stale = True

    def _print(self) -> None:
        self._asked = self._workers.print_source()

    def _take(self, request: int, event: object) -> None:
        if request != self._asked:
            return
        if isinstance(event, SourcePrinted):
            self._trouble = ""
            if event.text != self.text.toPlainText():
                self.text.set_source(event.text)
            self.lines = event.lines
            self._pages.setCurrentWidget(self.content)
            self._highlight()
        elif isinstance(event, Failed):
            self._trouble = event.message.splitlines()[0] if event.message else "It has errors."
            self.empty.say("No code yet", self._trouble)
        self._say()

    def _say(self) -> None:
        count = self.text.blockCount()
        self.note.setText(
            f"As it was before: {self._trouble}" if self._trouble else f"{count:,} lines; needs torch alone"
        )

    # ------------------------------------------------------------------ nodes and lines

    def _place(self, id: str) -> str:
        return id if self._selection.block is None else f"{self._selection.block}/{id}"

    def _highlight(self, *_: object) -> None:
        """Mark the lines of the selected nodes, and show the first."""
        chosen = [line for id in self._selection.nodes for line in self.lines.get(self._place(id), ())]
        self.text.mark(chosen)

    def _select(self, line: int) -> None:
        """Select the node of a line; in a block, which is then shown."""
        for place, lines in self.lines.items():
            if line in lines:
                block, _, id = place.rpartition("/")
                self._selection.show_block(block or None)
                self._selection.set([id])
                return

    def _follow_theme(self) -> None:
        self.copy.setIcon(theme.icon("mdi6.content-copy"))
        self.text.follow_theme()
        self._highlight()


class SourceView(QPlainTextEdit):
    """Python to read and copy: numbered lines in colour, some of them marked."""

    #: A line was clicked: its number, from 1.
    line_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setAccessibleName("Python source")
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPixelSize(TYPE[1])
        self.setFont(font)
        self._colouring = Colouring(self.document())
        self._marked: tuple[int, ...] = ()
        self._numbers = _Numbers(self)
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._scrolled)
        self._make_room()

    def set_source(self, text: str) -> None:
        """Show `text`, the view staying where it is."""
        across, down = self.horizontalScrollBar().value(), self.verticalScrollBar().value()
        self._colouring.read(text)
        self.setPlainText(text)
        self.horizontalScrollBar().setValue(across)
        self.verticalScrollBar().setValue(down)

    @property
    def marked(self) -> tuple[int, ...]:
        """Numbers of the marked lines."""
        return self._marked

    def mark(self, lines: list[int]) -> None:
        """Mark these lines; the first comes into view if none of them is."""
        self._marked = tuple(sorted(set(lines)))
        ground = theme.color("selection")
        marks = []
        for line in self._marked:
            mark = QTextEdit.ExtraSelection()
            mark.format.setBackground(ground)
            mark.format.setProperty(QTextCharFormat.Property.FullWidthSelection, True)
            mark.cursor = QTextCursor(self.document().findBlockByNumber(line - 1))
            marks.append(mark)
        self.setExtraSelections(marks)
        self._numbers.update()
        if self._marked and not any(line in self._shown() for line in self._marked):
            self.verticalScrollBar().setValue(max(0, self._marked[0] - 3))

    def _shown(self) -> range:
        first = self.firstVisibleBlock().blockNumber() + 1
        return range(first, first + max(1, self.viewport().height() // self.fontMetrics().height()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell the line that was clicked; the text can be selected as ever."""
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.line_clicked.emit(self.cursorForPosition(event.position().toPoint()).blockNumber() + 1)

    def follow_theme(self) -> None:
        """Colours of the theme."""
        self._colouring.rehighlight()
        self._numbers.update()

    # ------------------------------------------------------------------ numbers

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the numbers along the left side."""
        super().resizeEvent(event)
        inside = self.contentsRect()
        self._numbers.setGeometry(inside.left(), inside.top(), self._numbers.room(), inside.height())

    def _make_room(self, *_: object) -> None:
        self.setViewportMargins(self._numbers.room(), 0, 0, 0)

    def _scrolled(self, *_: object) -> None:
        self._numbers.update()

    def rows(self) -> Iterator[tuple[int, QRectF]]:
        """The visible lines: number and where it stands."""
        block = self.firstVisibleBlock()
        while block.isValid():
            place = self.blockBoundingGeometry(block).translated(self.contentOffset())
            if place.top() > self.viewport().height():
                return
            yield block.blockNumber() + 1, place
            block = block.next()


class _Numbers(QWidget):
    """The numbers of a source view's lines."""

    def __init__(self, view: SourceView) -> None:
        super().__init__(view)
        self._view = view

    def room(self) -> int:
        """Width, in pixels."""
        digits = len(str(max(99, self._view.blockCount())))
        return self._view.fontMetrics().horizontalAdvance("9" * digits) + 4 * SPACE

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the numbers, those of marked lines stronger."""
        painter = QPainter(self)
        painter.setFont(self._view.font())
        for number, place in self._view.rows():
            painter.setPen(theme.color("accent" if number in self._view.marked else "muted"))
            room = QRectF(0, place.top(), self.width() - 2 * SPACE, place.height())
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(number))


class Colouring(QSyntaxHighlighter):
    """Python in the theme's colours, by Python's own tokenizer."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        #: Line -> (first column, behind the last, kind).
        self._words: dict[int, list[tuple[int, int, str]]] = {}

    def read(self, text: str) -> None:
        """Find the words of `text`, which is shown next."""
        self._words = {}
        before = ""
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = _kind(token, before)
            if token.type == tokenize.NAME:
                before = token.string
            if kind:
                (first, begin), (last, end) = token.start, token.end
                for line in range(first, last + 1):
                    stop = end if line == last else len(text)
                    self._words.setdefault(line, []).append((begin if line == first else 0, stop, kind))

    def highlightBlock(self, text: str) -> None:
        """Colour one line."""
        for begin, end, kind in self._words.get(self.currentBlock().blockNumber() + 1, ()):
            self.setFormat(begin, min(end, len(text)) - begin, QColor(theme.color(_COLOURS[kind])))


def _kind(token: tokenize.TokenInfo, before: str) -> str:
    if token.type == tokenize.STRING:
        return "string"
    if token.type == tokenize.NUMBER:
        return "number"
    if token.type == tokenize.COMMENT:
        return "comment"
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "keyword"
        return "name" if before in ("class", "def") else ""
    return ""
