"""Words that may have less room than they need: they end in three dots, and the tool tip has them all.

A dock may be narrow, the text of a system large, and a translation longer than the English.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFocusEvent, QHelpEvent, QIcon, QKeyEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStylePainter,
    QTabWidget,
    QToolTip,
    QWidget,
)

from gui.line import Line
from gui.plain import tip
from gui.theme import SPACE, theme


class Paragraph(QLabel):
    """Plain text in lines: it insists on the height that they need at the width that it has.

    A label tells that only to layouts that ask for it, which scroll areas, splitters and dialogs do not.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent, textFormat=Qt.TextFormat.PlainText, wordWrap=True)

    def minimumSizeHint(self) -> QSize:
        """As high as its lines."""
        return QSize(1, self.heightForWidth(self.width()) if self.text() else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width, other lines."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()


class Pick(QComboBox):
    """A drop-down list. What the mouse has chosen in it leaves the keyboard to the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clicked = False
        self.activated.connect(self._hand_back)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard comes, by Tab or by a click."""
        super().focusInEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:  # its own list has closed
            self._clicked = event.reason() == Qt.FocusReason.MouseFocusReason

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Who goes on by keys stays."""
        self._clicked = False
        super().keyPressEvent(event)

    def _hand_back(self) -> None:
        if self._clicked and not isinstance(self.window(), QDialog):
            self.clearFocus()

    @property
    def shortened(self) -> bool:
        """Whether what is chosen has too little room."""
        return self.fontMetrics().horizontalAdvance(self._words()) > self._room()

    def minimumSizeHint(self) -> QSize:
        """Room for a word's beginning and the arrow."""
        hint = self.sizeHint()
        return QSize(min(20 * SPACE, hint.width()), hint.height())

    def showPopup(self) -> None:
        """Open a list that is wide enough for its longest entry."""
        widest = max(
            (self.fontMetrics().horizontalAdvance(self.itemText(i)) for i in range(self.count())), default=0
        )
        self.view().setMinimumWidth(widest + 12 * SPACE)
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it as the style does, with three dots where the text has no room."""
        painter = QStylePainter(self)
        option = self._option()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        if self.currentIndex() < 0:
            style, field = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
            room = self.style().subControlRect(style, option, field, self)
            said = self.fontMetrics().elidedText(self._words(), Qt.TextElideMode.ElideRight, room.width())
            painter.setPen(theme.color("muted"))  # as a line says what it would hold
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, said)
            return
        if self.shortened:  # a text that just fits would be cut by a fraction of a pixel
            option.currentText = self.fontMetrics().elidedText(  # type: ignore[attr-defined]
                self._words(), Qt.TextElideMode.ElideRight, self._room()
            )
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def event(self, event: QEvent) -> bool:
        """Tell the whole choice, and what it is for, to the mouse that rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self.shortened:
            _tell(event, "\n".join(filter(None, (self._words(), self.toolTip()))), self)
            return True
        return super().event(event)

    def _words(self) -> str:
        return self.currentText() if self.currentIndex() >= 0 else self.placeholderText()

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        return option

    def _room(self) -> int:
        style, part = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        return self.style().subControlRect(style, self._option(), part, self).width()


class Button(QPushButton):
    """A button with words on it."""

    def __init__(self, text: str = "", icon: QIcon | None = None) -> None:
        super().__init__(text)
        if icon is not None:
            self.setIcon(icon)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @property
    def shortened(self) -> bool:
        """Whether there is too little room."""
        return self.width() < self.sizeHint().width()

    def minimumSizeHint(self) -> QSize:
        """Room for a word or two."""
        hint = self.sizeHint()
        return QSize(min(24 * SPACE, hint.width()), hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """As a button is drawn, with three dots where the text has no room."""
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        metrics = self.fontMetrics()
        lacking = self.sizeHint().width() - self.width()
        if lacking > 0:
            room = metrics.horizontalAdvance(self.text()) - lacking
            option.text = metrics.elidedText(  # type: ignore[attr-defined]
                self.text(), Qt.TextElideMode.ElideRight, room, Qt.TextFlag.TextShowMnemonic
            )
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)

    def event(self, event: QEvent) -> bool:
        """Tell the whole text, and what it does, to the mouse that rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self.shortened:
            _tell(event, "\n".join(filter(None, (self.text(), self.toolTip()))), self)
            return True
        return super().event(event)


class Number(QSpinBox):
    """A whole number, whose digits keep off the border: a style sheet's padding does nothing there."""

    def __init__(self, minimum: int = 0, maximum: int = 99, value: int = 0, step: int = 1) -> None:
        super().__init__(minimum=minimum, maximum=maximum, value=value, singleStep=step)
        self.setLineEdit(Line())
        self.lineEdit().setTextMargins(SPACE + 2, 0, 0, 0)


def elide(tabs: QTabWidget) -> None:
    """Let the tabs be narrow: they share the room, and a tool tip has the whole name of each."""
    tabs.tabBar().setElideMode(Qt.TextElideMode.ElideRight)
    tabs.setUsesScrollButtons(False)
    for tab in range(tabs.count()):
        tabs.setTabToolTip(tab, tabs.tabText(tab))


def _tell(event: QHelpEvent, text: str, widget: QWidget) -> None:
    QToolTip.showText(event.globalPos(), tip(text), widget)
