"""Frames and notes on the canvas, and the words inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from engine.edit_view import COLORS, Frame, Note
from gui.canvas import captions, look
from gui.canvas.levels import COARSE, NEAR

if TYPE_CHECKING:
    from gui.canvas.scene import Scene

#: Height of a frame's title, and side of the corner by which marks are resized.
TITLE = 32.0
CORNER = 18.0
#: Room between a frame and what it is put around.
PADDING = 16.0
INSET = 10.0
#: Room above a frame for its caption, where it is seen from furthest as items: in scene units.
ABOVE = 112.0


def color_of(name: str, tools: look.Look) -> QColor:
    """A frame's colour in the theme of `tools`."""
    series = tools.tokens.series
    return QColor(series[COLORS.index(name) % len(series)])


class Words(QTextDocument):
    """A note's Markdown. HTML is shown as text, and nothing is loaded from anywhere."""

    def __init__(self, text: str, width: float) -> None:
        super().__init__()
        self.setDefaultFont(look.font(13))
        self.setDocumentMargin(0)
        features = QTextDocument.MarkdownFeature
        self.setMarkdown(text, features.MarkdownDialectGitHub | features.MarkdownNoHTML)
        self.setIndentWidth(20)
        self._calm_headings()
        self.setTextWidth(width)

    def _calm_headings(self) -> None:
        """Headings one step larger than the text: Qt makes them twice as large."""
        block = self.begin()
        while block.isValid():
            if block.blockFormat().headingLevel():
                cursor = QTextCursor(block)
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                larger = QTextCharFormat()
                larger.setProperty(QTextFormat.Property.FontSizeAdjustment, 1)
                cursor.mergeCharFormat(larger)
            block = block.next()

    def loadResource(self, type: int, name: QUrl | str) -> object:
        """No picture of a note is fetched: not from the disk, not from the net."""
        return None


class MarkItem(QGraphicsItem):
    """A frame or note: one painted item."""

    def __init__(self, owner: Scene, id: str) -> None:
        super().__init__()
        self.owner = owner
        self.id = id
        self.selected = False
        self._rect = QRectF()

    @property
    def rect(self) -> QRectF:
        """Where it stands, in scene coordinates."""
        return self._rect.translated(self.pos())

    @property
    def parts(self) -> tuple[QGraphicsItem, ...]:
        """All that the scene holds of it."""
        return (self,)

    def place(self, x: float, y: float) -> None:
        """Move the top left corner to ``(x, y)``."""
        self.setPos(x, y)

    def before_wires(self, point: QPointF, reach: float) -> bool:
        """Whether it is meant at `point`, though a wire runs there."""
        return self.corner(point, reach)

    def resize(self, width: float, height: float) -> None:
        """Show it at another size."""
        self.prepareGeometryChange()
        self._rect = QRectF(0, 0, width, height)
        self.update()

    def boundingRect(self) -> QRectF:
        """With its border."""
        return self._rect.adjusted(-4, -4, 4, 4)

    def grip(self, point: QPointF) -> bool:
        """Whether it can be taken at `point`, in scene coordinates."""
        return self.rect.contains(point)

    def corner(self, point: QPointF, reach: float) -> bool:
        """Whether `point` is at the corner by which it is resized."""
        side = max(CORNER, reach)
        away = self.rect.bottomRight() - point
        return -reach / 2 <= away.x() <= side and -reach / 2 <= away.y() <= side

    def _paint_corner(self, painter: QPainter, color: QColor) -> None:
        right, bottom = self._rect.right(), self._rect.bottom()
        painter.setPen(QPen(color, 1.5))
        for size in (5.0, 10.0):
            painter.drawLine(QPointF(right - 4 - size, bottom - 4), QPointF(right - 4, bottom - 4 - size))


class FrameItem(MarkItem):
    """A coloured area behind the cards, taken by its title."""

    def __init__(self, owner: Scene, id: str, mark: Frame) -> None:
        super().__init__(owner, id)
        self.mark = mark
        self.title = FrameTitle(self)
        self.setZValue(-3)
        self.show_mark(mark)

    @property
    def parts(self) -> tuple[QGraphicsItem, ...]:
        """The area behind the wires, and the title before them."""
        return self, self.title

    def show_mark(self, mark: Frame) -> None:
        """Take place, title and colour anew."""
        self.mark = mark
        x, y, width, height = mark.rect
        self.place(x, y)
        self.resize(width, height)

    def place(self, x: float, y: float) -> None:
        """Move area and title."""
        super().place(x, y)
        self.title.setPos(x, y)

    def resize(self, width: float, height: float) -> None:
        """Show it at another size."""
        super().resize(width, height)
        self.title.show_words()

    def before_wires(self, point: QPointF, reach: float) -> bool:
        """At its corner, and at its title's words."""
        return super().before_wires(point, reach) or self.title.written.contains(point)

    @property
    def color(self) -> QColor:
        """Its colour."""
        return color_of(self.mark.color, self.owner.look)

    @property
    def ground(self) -> QColor:
        """What its area is painted with."""
        tools = self.owner.look
        return look.mixed(self.color, tools.canvas, 0.12 if tools.dark else 0.08)

    @property
    def title_rect(self) -> QRectF:
        """Its title's bar in scene coordinates."""
        return QRectF(self.rect.left(), self.rect.top(), self.rect.width(), TITLE)

    def grip(self, point: QPointF) -> bool:
        """By its title only, so that a rubber band can begin inside."""
        return self.title_rect.contains(point) or self.title.written.contains(point)

    def shape(self) -> QPainterPath:
        """The title's bar."""
        path = QPainterPath()
        path.addRect(QRectF(0, 0, self._rect.width(), TITLE))
        return path

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The area and its border."""
        tools, color = self.owner.look, self.color
        painter.setBrush(self.ground)
        painter.setPen(
            QPen(tools.accent, 2.0) if self.selected else QPen(look.mixed(color, tools.canvas, 0.5), 1.25)
        )
        painter.drawRoundedRect(self._rect, 10, 10)
        if self.owner.detail == NEAR and widget is not None:  # on paper there is nothing to hold
            self._paint_corner(painter, look.mixed(color, tools.canvas, 0.6))


class FrameTitle(QGraphicsItem):
    """A frame's title on a plate of its ground: wires that run there pass below it."""

    def __init__(self, frame: FrameItem) -> None:
        super().__init__()
        self._frame = frame
        self._rect = QRectF()
        self._bounds = QRectF()
        #: Where it was written last as a caption, from far away.
        self._caption = QRectF()
        self.follow_detail()
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def _words(self) -> tuple[str, int]:
        """What is written, and how large: larger where one looks from further off."""
        pixels = 14 if self._frame.owner.detail == NEAR else 26
        room = self._frame.rect.width() - 2 * INSET
        return look.elided(self._frame.mark.title or "Frame", pixels, room, bold=True), pixels

    def show_words(self) -> None:
        """Take the title anew."""
        self.prepareGeometryChange()
        self._bounds = QRectF(0, -ABOVE, self._frame.rect.width(), ABOVE + TITLE)
        room = self._frame.rect.width() - 8
        widest = look.metrics(26, bold=True).horizontalAdvance(self._frame.mark.title or "Frame")
        self._rect = QRectF(4, 3, max(0.0, min(room, widest + 2 * INSET - 8)), TITLE - 2)
        self.update()

    def boundingRect(self) -> QRectF:
        """Room for the words at their largest, and for a caption above the frame."""
        return self._bounds

    @property
    def captioned(self) -> bool:
        """Whether its words are a caption, which lies above the cards."""
        return self._frame.owner.detail <= COARSE

    def follow_detail(self) -> None:
        """One looks from elsewhere: words on the frame lie above wires, a caption above all.

        Where it is from here shows when it is written: what was one far away may reach far above its frame.
        """
        self._caption = QRectF()
        self.setZValue(3.0 if self.captioned else 0.6)

    @property
    def written(self) -> QRectF:
        """Where its words are, in scene coordinates."""
        return (self._caption if self.captioned else self._rect).translated(self.pos())

    @property
    def caption_colors(self) -> tuple[QColor, QColor]:
        """Ground and ink of its caption."""
        frame, tools = self._frame, self._frame.owner.look
        if frame.selected:
            return tools.accent, tools.accent_text
        return look.mixed(frame.color, tools.canvas, 0.2), look.mixed(frame.color, tools.text, 0.35)

    def paint_caption(self, painter: QPainter, taken: list[QRectF]) -> None:
        """Write it above the frame, as large on the screen from however far; `taken` is other captions'."""
        frame, (ground, ink) = self._frame, self.caption_colors
        area = QRectF(0, 0, frame.rect.width(), frame.rect.height())
        words = frame.mark.title or "Frame"
        self._caption = captions.title(painter, area, words, ground, ink, taken)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The plate and the words."""
        tools = self._frame.owner.look
        if self.captioned:
            self.paint_caption(painter, [])
            return
        words, pixels = self._words()
        plate = QRectF(self._rect)
        plate.setWidth(
            min(plate.width(), look.metrics(pixels, bold=True).horizontalAdvance(words) + 2 * INSET - 8)
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._frame.ground)
        painter.drawRoundedRect(plate, 5, 5)
        painter.setFont(look.font(pixels, bold=True))
        painter.setPen(look.mixed(self._frame.color, tools.text, 0.55))
        painter.drawText(
            plate.adjusted(INSET - 4, 0, 0, 0),
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            words,
        )


class NoteItem(MarkItem):
    """A note: a sheet with Markdown on it."""

    def __init__(self, owner: Scene, id: str, mark: Note) -> None:
        super().__init__(owner, id)
        self.mark = mark
        self._words: Words | None = None
        self.setZValue(0.8)
        self.show_mark(mark)

    def show_mark(self, mark: Note) -> None:
        """Take place and text anew."""
        self.mark = mark
        x, y, width, height = mark.rect
        self.setPos(x, y)
        self.resize(width, height)

    def before_wires(self, point: QPointF, reach: float) -> bool:
        """Everywhere: it lies above them."""
        return True

    @property
    def color(self) -> QColor:
        """Its colour."""
        return color_of("gold", self.owner.look)

    def resize(self, width: float, height: float) -> None:
        """At least as high as its words."""
        self._words = Words(self.mark.text, width - 2 * INSET)
        super().resize(width, max(height, self._words.size().height() + 2 * INSET))

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """The sheet and its words."""
        tools, gold = self.owner.look, self.color
        painter.setBrush(look.mixed(gold, tools.surface, 0.14))
        painter.setPen(
            QPen(tools.accent, 2.0) if self.selected else QPen(look.mixed(gold, tools.surface, 0.45), 1.0)
        )
        painter.drawRoundedRect(self._rect, 4, 4)
        if self._words is not None and self.owner.detail >= NEAR - 1:
            painter.save()
            painter.translate(INSET, INSET)
            context = QAbstractTextDocumentLayout.PaintContext()
            context.palette.setColor(QPalette.ColorRole.Text, tools.text)  # type: ignore[attr-defined]
            self._words.documentLayout().draw(painter, context)
            painter.restore()
        elif self._words is not None:
            said = (line for line in self._words.toPlainText().splitlines() if line)
            captions.lines(painter, self._rect, said, tools.text)
        if self.owner.detail == NEAR and widget is not None:  # on paper there is nothing to hold
            self._paint_corner(painter, look.mixed(gold, tools.surface, 0.7))


def item_of(owner: Scene, id: str, mark: Frame | Note) -> FrameItem | NoteItem:
    """The item that shows `mark`."""
    return FrameItem(owner, id, mark) if isinstance(mark, Frame) else NoteItem(owner, id, mark)
