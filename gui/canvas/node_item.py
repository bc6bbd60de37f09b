"""One node on the canvas: a single painted item, ports and text inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from gui.amounts import at_least
from gui.canvas import card, look, overlay
from gui.canvas.levels import COARSE, MIDDLE, NEAR
from gui.theme import theme

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.pictures import Picture
    from gui.canvas.scene import Scene

PORT_RADIUS = 5.0
MARGIN = 16.0
#: Radius of a problem's badge beside the id alone.
COARSE_BADGE = 20
#: Room below a card for the figure of a measure.
BELOW = 44.0
#: Room right of the card for the shapes written above its wires.
LABEL = 76.0
LEFT = 16.0


def _name(id: str, pixels: int, room: float) -> str:
    """An id, shortened in its middle: names that are alike mostly differ at their ends."""
    return look.elided(id, pixels, room, bold=True, mode=Qt.TextElideMode.ElideMiddle)


class CardText:
    """A card's text, shortened to fit and put in its place: done once, painted often."""

    def __init__(self, shown: card.Card) -> None:
        inner = card.WIDTH - LEFT - 12
        badge = 22 if shown.severity else 0
        self.id = _name(shown.id, 13, inner - badge)
        self.type = look.elided(shown.type, 11, inner)
        y = card.HEADER + shown.port_rows * card.PORT_ROW
        self.fields_y = y + 12.0
        self.fields = look.elided(shown.fields, 13, inner)
        y += card.FIELD_ROW if shown.fields else 0
        self.chips: list[tuple[QRectF, str, str]] = []
        x = LEFT
        for chip in shown.chips:
            room = card.WIDTH - 8 - x
            if room < 32:
                break
            text = look.elided(chip.text, 11, room - 12)
            width = look.metrics(11).horizontalAdvance(text) + 12
            self.chips.append((QRectF(x, y + 1, width, 18), text, chip.kind))
            x += width + 4
        self.shapes = {port: card.shape_text(tensor) for port, tensor in shown.tensors}
        count = at_least(card.count_text(shown.parameters), shown.unknown)
        self.parameters = f"{count} par." if shown.parameters else ""
        room = inner - look.metrics(11).horizontalAdvance(self.parameters) - 8
        self.footer = look.elided(next(iter(self.shapes.values()), ""), 11, room)


class NodeItem(QGraphicsItem):
    """Paints a :class:`~gui.canvas.card.Card`; knows where its ports are."""

    def __init__(self, owner: Scene, shown: card.Card) -> None:
        super().__init__()
        self.owner = owner
        self.id = shown.id
        self.card = shown
        self.edges: set[EdgeItem] = set()
        self.hovered = False
        #: The document no longer has it: it is about to be let go.
        self.gone = False
        #: During a connect gesture: None, True (takes the wire) or False (does not).
        self.accepts: bool | None = None
        #: The port under the cursor: (kind, index).
        self.hot_port: tuple[str, int] | None = None
        #: What a measure says of this node while it trains.
        self.mark: overlay.Mark | None = None
        #: Its contents as last drawn; None: they say something else now.
        self.picture: Picture | None = None
        #: Its top left corner in scene coordinates.
        self.at = (0.0, 0.0)
        self.far_rect = QRectF(0, 0, card.WIDTH, shown.height)
        self.far_stripe = QRectF(0, 0, 20, shown.height)
        self._measure()
        self.setZValue(1)

    # ------------------------------------------------------------------ geometry

    def set_card(self, shown: card.Card) -> bool:
        """Show another card; whether ports may have moved."""
        if shown == self.card:
            return False
        before = self.card
        moved = (before.height, before.inputs, before.outputs) != (shown.height, shown.inputs, shown.outputs)
        if moved:
            self.prepareGeometryChange()
        self.card = shown
        self.far_rect.setHeight(shown.height)
        self.far_stripe.setHeight(shown.height)
        if before.height != shown.height:
            self.owner.resized(self)
        self._measure()
        self.update()
        self.owner.far.touch_card(self)
        return moved or before.tensors != shown.tensors

    def place(self, x: float, y: float) -> None:
        """Move the card's top left corner to ``(x, y)``."""
        self.setPos(x, y)
        self.at = self.owner.stands[self.id] = (x, y)
        self.owner.floors[self.id] = y + self.card.height
        self.show_at(x, y)

    def show_at(self, x: float, y: float) -> None:
        """Show it elsewhere in the drawing from far away, where it glides."""
        self.far_rect.moveTo(x, y)
        self.far_stripe.moveTo(x, y)

    @property
    def selected(self) -> bool:
        """Whether it is among what is selected."""
        return self.id in self.owner.chosen

    @property
    def rect(self) -> QRectF:
        """The card in scene coordinates."""
        return self.far_rect

    def input_point(self, index: int) -> QPointF:
        """Centre of an input port in scene coordinates."""
        return QPointF(self.far_rect.x(), self.far_rect.y() + self.card.port_y(index))

    def output_point(self, index: int) -> QPointF:
        """Centre of an output port in scene coordinates."""
        return QPointF(self.far_rect.x() + card.WIDTH, self.far_rect.y() + self.card.port_y(index))

    def badge_at(self, point: QPointF, reach: float) -> bool:
        """Whether the problem's badge is within `reach` of `point`, in scene coordinates."""
        away = point - self.far_rect.topRight() - QPointF(-16, 17)
        return bool(self.card.severity) and away.manhattanLength() <= reach

    @property
    def mendable(self) -> bool:
        """Whether one of its problems has a repair."""
        return any(problem.repairs for problem in self.card.problems)

    def boundingRect(self) -> QRectF:
        """The card with its ports, halo and the labels of its wires."""
        return self._bounds

    def shape(self) -> QPainterPath:
        """The card's outline."""
        return look.card_path(self.card.height)

    def _measure(self) -> None:
        """Take the card's size; its text is laid out when it is first painted."""
        room = LABEL if self.card.outputs else MARGIN
        height = self.card.height
        self._bounds = QRectF(-MARGIN, -MARGIN, card.WIDTH + MARGIN + room, height + MARGIN + BELOW)
        self.contents_rect = QRectF(-8, 0, card.WIDTH + 8 + room, height)
        self._wrong = self.card.severity == "error"
        self.text: CardText | None = None
        self._large: tuple[str, str] | None = None
        self._short: tuple[str, int] | None = None
        self.touch()

    def touch(self) -> None:
        """What it says has changed: text, ports, or the wires at these."""
        if self.picture is not None:
            self.owner.pictures.forget(self)

    # ------------------------------------------------------------------ painting

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """Paint at the scene's level of detail: on the canvas from pictures, else as lines and text."""
        if self.accepts is False and self.hot_port is None:
            painter.setOpacity(0.35)
        tools = self.owner.look
        if widget is None or not self.owner.pictures.paint(painter, self):
            self.paint_frame(painter, tools)
            self.paint_contents(painter, tools)
        if self.mark is not None:
            overlay.paint(painter, self.mark, self.card.height, tools, self.owner.detail, not self.selected)
        if self.hot_port is not None and self.owner.detail == NEAR:
            self._paint_port(painter, tools, *self.hot_port, hot=True)

    @property
    def frame_key(self) -> tuple[object, ...]:
        """Cards that agree in this have the same frame."""
        return (self.card.height, self.card.group, self._state)

    @property
    def _state(self) -> str:
        if self.selected:
            return "selected"
        if self._wrong:
            return "error"
        return "hover" if self.hovered else ""

    def paint_frame(self, painter: QPainter, tools: look.Look) -> None:
        """Ground, stripe and border."""
        height, state = self.card.height, self._state
        painter.setPen(Qt.PenStyle.NoPen)
        if state == "selected":
            painter.setBrush(tools.ring)
            look.draw_card(painter, height, 4.0)
        elif self.owner.detail == NEAR:
            for grown, shadow in tools.shadows:
                painter.setBrush(shadow)
                look.draw_card(painter, height, grown, 2.0)
        coarse, family = self.owner.detail < MIDDLE, tools.family(self.card.group)
        ground = look.mixed(family, tools.surface, look.TINT) if coarse else tools.surface
        painter.setBrush(ground if self.mark is None else overlay.tint(self.mark, tools))
        look.draw_card(painter, height)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.fillPath(look.stripe_path(height, look.STRIPE_COARSE if coarse else look.STRIPE), family)
        painter.setPen(tools.borders[max(self.owner.detail, COARSE)][state])
        painter.drawPath(look.card_path(height))

    def paint_contents(self, painter: QPainter, tools: look.Look) -> None:
        """Everything on the card, as much as can be read at the scene's level of detail."""
        if self.owner.detail == NEAR:
            if self.text is None:
                self.text = CardText(self.card)
            self._paint_text(painter, tools, self.text)
            self._paint_ports(painter, tools)
            self._paint_labels(painter, tools, self.text)
        elif self.owner.detail == MIDDLE:
            self._paint_large_text(painter, tools)
        else:
            painter.setPen(tools.text)
            words, pixels = self._short_id()
            painter.setFont(look.font(pixels, bold=True))
            box = QRectF(14, 0, self._short_room(), self.card.height)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        if self.card.severity:
            self._paint_badge(painter, tools, self.card.severity)

    def _paint_text(self, painter: QPainter, tools: look.Look, text: CardText) -> None:
        shown = self.card
        painter.setPen(tools.text)
        painter.setFont(look.font(13, bold=True))
        painter.drawText(QPointF(LEFT, 22), text.id)
        painter.setPen(tools.family(shown.group))
        painter.setFont(look.font(11))
        painter.drawText(QPointF(LEFT, 38), text.type)
        if text.fields:
            painter.setPen(tools.text)
            painter.setFont(look.font(13))
            painter.drawText(QPointF(LEFT, text.fields_y), text.fields)
        if text.chips:
            painter.setFont(look.font(11))
            for box, words, kind in text.chips:
                ground, ink = tools.chip(kind)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(ground)
                painter.drawRoundedRect(box, 9, 9)
                painter.setPen(ink)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        if shown.outputs:
            y = shown.height - 24.0
            painter.setPen(tools.divider)
            painter.drawLine(QPointF(LEFT, y), QPointF(card.WIDTH - 12, y))
            if shown.cost:
                length = max(2.0, shown.cost * (card.WIDTH - 12 - LEFT))
                painter.fillRect(QRectF(LEFT, y - 1, length, 2), tools.family(shown.group))
            painter.setFont(look.font(11))
            tensor = shown.tensor()
            painter.setPen(tools.muted if tensor is None else tools.text)
            painter.drawText(QPointF(LEFT, y + 16), text.footer or "–")
            if text.parameters:
                painter.setPen(tools.muted)
                width = look.metrics(11).horizontalAdvance(text.parameters)
                painter.drawText(QPointF(card.WIDTH - 12 - width, y + 16), text.parameters)

    def _paint_large_text(self, painter: QPainter, tools: look.Look) -> None:
        """Id and fields, large enough to be read from the middle distance."""
        if self._large is None:
            room = card.WIDTH - 32
            self._large = (
                _name(self.card.id, 22, room),
                look.elided(self.card.fields, 20, room),
            )
        painter.setPen(tools.text)
        painter.setFont(look.font(22, bold=True))
        painter.drawText(QPointF(LEFT + 2, 34), self._large[0])
        if self._large[1] and self.card.height > 64:
            painter.setPen(tools.muted)
            painter.setFont(look.font(20))
            painter.drawText(QPointF(LEFT + 2, 62), self._large[1])

    def _short_id(self) -> tuple[str, int]:
        """The id alone, and how large: a long one is smaller, before it is shortened."""
        if self._short is None:
            room, large, small = self._short_room(), 38, 31
            fits = look.metrics(large, bold=True).horizontalAdvance(self.card.id) <= room
            self._short = (self.card.id, large) if fits else (_name(self.card.id, small, room), small)
        return self._short

    def _short_room(self) -> float:
        """Width that the id alone has, beside a badge."""
        return card.WIDTH - 18 - (2 * COARSE_BADGE + 4 if self.card.severity else 0)

    def _paint_ports(self, painter: QPainter, tools: look.Look) -> None:
        shown = self.card
        if shown.named_ports:
            painter.setFont(look.font(11))
            painter.setPen(tools.muted)
            for kind, available in (("in", shown.inputs), ("out", shown.outputs)):
                side = Qt.AlignmentFlag.AlignLeft if kind == "in" else Qt.AlignmentFlag.AlignRight
                for index, port in enumerate(available if len(available) > 1 else ()):
                    row = QRectF(LEFT, shown.port_y(index) - 9, card.WIDTH - LEFT - 12, 18)
                    painter.drawText(row, side | Qt.AlignmentFlag.AlignVCenter, port.name)
        for kind, available in (("in", shown.inputs), ("out", shown.outputs)):
            for index in range(len(available)):
                self._paint_port(painter, tools, kind, index)

    def _paint_port(
        self, painter: QPainter, tools: look.Look, kind: str, index: int, hot: bool = False
    ) -> None:
        """A circle: filled where a wire is; larger under the cursor."""
        own = (item for item in self.edges if (item.target if kind == "in" else item.source) is self)
        wired = any((item.target_index if kind == "in" else item.source_index) == index for item in own)
        color = tools.accent if hot else self._port_color(kind, index, tools)
        painter.setPen(QPen(color, 2.0))
        painter.setBrush(color if hot or wired else tools.surface)
        radius = PORT_RADIUS + (2.0 if hot else 0.0)
        x = 0.0 if kind == "in" else float(card.WIDTH)
        painter.drawEllipse(QPointF(x, self.card.port_y(index)), radius, radius)

    def _port_color(self, kind: str, index: int, tools: look.Look) -> QColor:
        if kind == "out":
            tensor = self.card.tensor(self.card.outputs[index].name)
            return tools.rank(None if tensor is None else len(tensor.shape))
        for item in self.edges:
            if item.target is self and item.target_index == index:
                return tools.rank(item.dimensions)
        return tools.unknown_wire

    def _paint_labels(self, painter: QPainter, tools: look.Look, text: CardText) -> None:
        """The shape above the beginning of each wire."""
        if not text.shapes:
            return
        leaving = {item.source_index for item in self.edges if item.source is self}
        painter.setFont(look.font(11))
        painter.setPen(tools.muted)
        for index, port in enumerate(self.card.outputs):
            if index in leaving and port.name in text.shapes:
                painter.drawText(
                    QPointF(card.WIDTH + 10, self.card.port_y(index) - 6), text.shapes[port.name]
                )

    def _paint_badge(self, painter: QPainter, tools: look.Look, severity: str) -> None:
        coarse = self.owner.detail < MIDDLE
        radius = COARSE_BADGE if coarse else 8
        centre = QPointF(card.WIDTH - 26, self.card.height / 2) if coarse else QPointF(card.WIDTH - 16, 17)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tools.severity(severity))
        painter.drawEllipse(centre, radius, radius)
        if self.mendable and self.owner.detail == NEAR:
            bulb = theme.icon("mdi6.lightbulb", "surface").pixmap(32, 32)
            painter.drawPixmap(QRectF(centre.x() - 6, centre.y() - 6, 12, 12), bulb, QRectF(bulb.rect()))
            return
        painter.setPen(tools.surface)
        painter.setFont(look.font(28 if coarse else 11, bold=True))
        box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "i" if severity == "hint" else "!")
