"""Controls that forms are made of, and what the style sheet looks at."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QSizePolicy, QWidget

from gui.narrow import Pick
from gui.theme import SPACE, theme


def set_state(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at, and let it look again."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    # A widget that was never shown has not been looked at yet.
    if widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def show_if(widget: QWidget, visible: bool) -> None:
    """Show or hide; asking for what is so already costs nothing, unlike ``setVisible``."""
    hidden = widget.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide) and widget.isHidden()
    if hidden == visible:
        widget.setVisible(visible)


class Switch(QCheckBox):
    """A check box drawn as a switch."""

    def sizeHint(self) -> QSize:
        """As wide as the knob needs to travel."""
        height = max(18, self.fontMetrics().height() + 2)
        return QSize(int(height * 1.8), height)

    def hitButton(self, at: QPoint) -> bool:
        """All of it can be clicked."""
        return self.rect().contains(at)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw track and knob; the middle place is "neither"."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = self.sizeHint()
        track = QRectF(1, (self.height() - size.height()) / 2 + 1, size.width() - 2, size.height() - 2)
        on = self.checkState() == Qt.CheckState.Checked
        painter.setPen(QPen(theme.color("accent" if on or self.hasFocus() else "muted"), 1))
        painter.setBrush(theme.color("accent" if on else "surface"))
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        knob = track.height() / 2 - 3
        left, right = track.left() + knob + 3, track.right() - knob - 3
        place = {Qt.CheckState.Checked: right, Qt.CheckState.Unchecked: left}.get(
            self.checkState(), (left + right) / 2
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent_text" if on else "muted"))
        painter.drawEllipse(QPointF(place, track.center().y()), knob, knob)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)


class Chooser(Pick):
    """A drop-down list that the wheel changes only when it has the focus, and that may be narrow."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMaxVisibleItems(16)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """No wider than the panel: the list itself opens as wide as it needs."""
        return QSize(24 * SPACE, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Room for a few letters and the arrow."""
        return QSize(14 * SPACE, self.sizeHint().height())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel that scrolls."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
