"""Text as a translator would leave it: longer by two fifths, and with accents; and what it no longer fits.

German is some 35 % longer than English in labels of this length. Single words grow, not only their
number: a line may break between words, never inside one.

``python -m tests.longer [WIDTHxHEIGHT] [FOLDER]`` opens the whole window with a run in it, lengthens
every word, prints what is cut off (exit code 1) and saves a picture of each panel into FOLDER.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QAction, QResizeEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QDockWidget,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTableWidget,
    QToolButton,
    QWidget,
)

from gui.docks import Dock
from gui.forms import ScrubLabel
from gui.narrow import Button, Pick
from gui.panels.panel import Empty, Panel
from gui.panels.words import Line
from gui.toolbar import ProgressView

#: How much longer a text becomes.
SHARE = 0.4

_ACCENTS = str.maketrans("aeiouyAEIOUYnc", "äëïöüÿÄËÏÖÜŸñç")
_TAG = re.compile(r"(<[^>]*>|&#?\w+;)")
_WORD = re.compile(r"(?<![\w._])[^\W\d_]{2,}(?!\w|[._]\w)")


def longer(text: str) -> str:
    """`text` with accents and words that are longer by :data:`SHARE`; figures and marks as they are."""
    if not text or _done(text):
        return text

    def stretch(found: re.Match[str]) -> str:
        word = found[0]
        more = max(1, round(SHARE * len(word)))
        return word.translate(_ACCENTS) + "ö" * more

    parts = _TAG.split(text) if Qt.mightBeRichText(text) else [text]
    return "".join(part if number % 2 else _WORD.sub(stretch, part) for number, part in enumerate(parts))


def _done(text: str) -> bool:
    return "ö" in text


def translate(root: QWidget) -> None:
    """Lengthen every text of `root` and of all that is in it."""
    for widget in (root, *root.findChildren(QWidget)):
        _translate(widget)


def _translate(widget: QWidget) -> None:
    if widget.toolTip():
        widget.setToolTip(longer(widget.toolTip()))
    if isinstance(widget, ScrubLabel):
        pass  # the name of a field, as the file and PyTorch spell it
    elif isinstance(widget, QLabel | QAbstractButton):
        own = isinstance(widget.parent(), ProgressView)  # which shortens its line itself
        if not own and not (isinstance(widget, QToolButton) and widget.defaultAction()):
            widget.setText(longer(widget.text()))
    elif isinstance(widget, QTabBar):
        for tab in range(widget.count()):
            if widget.tabToolTip(tab):
                widget.setTabToolTip(tab, longer(widget.tabToolTip(tab)))
            widget.setTabText(tab, longer(widget.tabText(tab)))
    elif isinstance(widget, QGroupBox | QMenu):
        widget.setTitle(longer(widget.title()))
    elif isinstance(widget, QDockWidget):
        widget.setWindowTitle(longer(widget.windowTitle()))
    elif isinstance(widget, QComboBox):
        for row in range(widget.count()):
            widget.setItemText(row, longer(widget.itemText(row)))
    elif isinstance(widget, QLineEdit):
        widget.setPlaceholderText(longer(widget.placeholderText()))
        _place_anew(widget)
    elif isinstance(widget, QTableWidget):
        for column in range(widget.columnCount()):
            if (item := widget.horizontalHeaderItem(column)) is not None:
                item.setText(longer(item.text()))
                item.setToolTip(longer(item.toolTip()))
    elif isinstance(widget, QListWidget):
        for row in range(widget.count()):
            widget.item(row).setText(longer(widget.item(row).text()))
    for action in widget.actions():
        _translate_action(action)


def _translate_action(action: QAction) -> None:
    action.setText(longer(action.text()))
    action.setToolTip(longer(action.toolTip()))


def _place_anew(widget: QWidget) -> None:
    """Let it look at its room again, as it does where its text changes by itself."""
    QApplication.sendEvent(widget, QResizeEvent(widget.size(), widget.size()))


def settle(root: QWidget, rounds: int = 4) -> None:
    """Lengthen what is there and what comes of it, until it stands."""
    for _ in range(rounds):
        translate(root)
        for panel in root.findChildren(Panel):
            if panel.isVisible():
                panel.flush()
        translate(root)
        for empty in root.findChildren(Empty):
            _place_anew(empty)
        QApplication.processEvents()


def clipped(root: QWidget) -> list[str]:
    """Texts of `root`, as it is seen, that are cut off though nothing tells the rest of them."""
    return [
        f"{type(widget).__name__} {_words(widget)!r} in {_place(widget)}: {why}"
        for widget in root.findChildren(QWidget)
        if widget.isVisibleTo(root) and widget.window() is root.window() and not _behind(widget)
        for why in _clipped(widget, root)
    ]


def _behind(widget: QWidget) -> bool:
    """Whether it is in a dock whose tab is not in front."""
    inner: QWidget | None = widget
    while inner is not None and not isinstance(inner, Dock):
        inner = inner.parentWidget()
    return isinstance(inner, Dock) and not inner.seen


def _place(widget: QWidget) -> str:
    names = []
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        if not parent.objectName().startswith("qt_") and type(parent) is not QWidget:
            names.append(type(parent).__name__)
        parent = parent.parentWidget()
    return " < ".join(names[:3])


def _words(widget: QWidget) -> str:
    if isinstance(widget, QLabel | QAbstractButton):
        return widget.text()
    if isinstance(widget, QComboBox):
        return widget.currentText()
    if isinstance(widget, QLineEdit):
        return widget.text() or widget.placeholderText()
    return widget.accessibleName()


def _clipped(widget: QWidget, root: QWidget) -> list[str]:
    found: list[str] = []
    if isinstance(widget, Line | Pick | Button):
        pass  # they end in dots, and tell the rest to the mouse
    elif isinstance(widget, QLabel) and widget.text() and widget.pixmap().isNull():
        found += _too_small(widget, _needed(widget))
    elif isinstance(widget, QAbstractButton) and widget.text() and not _icon_only(widget):
        found += _too_small(widget, QSize(widget.sizeHint().width(), widget.fontMetrics().height()))
    elif isinstance(widget, QComboBox) and not widget.isEditable():
        room = _edit_room(widget)
        if widget.fontMetrics().horizontalAdvance(widget.currentText()) > room:
            found.append(f"its choice has {room} px")
    elif isinstance(widget, QLineEdit) and not widget.text():
        room = widget.contentsRect().width() - 2 * 8
        if widget.fontMetrics().horizontalAdvance(widget.placeholderText()) > room:
            found.append(f"its hint has {room} px")
    elif isinstance(widget, QTabBar):
        found += _tabs(widget)
    elif isinstance(widget, QHeaderView):
        found += _sections(widget)
    if _words(widget) and _words(widget) in widget.toolTip():
        found = []  # it tells the rest
    if _words(widget) and (hidden := _beyond(widget, root)):
        found.append(hidden)
    return found


def _icon_only(button: QAbstractButton) -> bool:
    return isinstance(button, QToolButton) and (
        button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly and not button.icon().isNull()
    )


def _needed(label: QLabel) -> QSize:
    if label.wordWrap():
        return QSize(label.minimumSizeHint().width(), label.heightForWidth(label.width()))
    return label.sizeHint()


def _too_small(widget: QWidget, needed: QSize) -> list[str]:
    found = []
    if needed.width() > widget.width() + 1:
        found.append(f"{widget.width()} px wide, needs {needed.width()}")
    if needed.height() > widget.height() + 1:
        found.append(f"{widget.height()} px high, needs {needed.height()}")
    return found


def _edit_room(box: QComboBox) -> int:
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    style, part = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
    return box.style().subControlRect(style, option, part, box).width() - 2


def _tabs(bar: QTabBar) -> list[str]:
    found = []
    for tab in range(bar.count()):
        room = bar.tabRect(tab).width() - 2 * 7
        if bar.fontMetrics().horizontalAdvance(bar.tabText(tab)) > room and not bar.tabToolTip(tab):
            found.append(f"{bar.tabText(tab)} has {room} px")
    return found


def _sections(header: QHeaderView) -> list[str]:
    model, found = header.model(), []
    if header.orientation() != Qt.Orientation.Horizontal or model is None:
        return []
    for section in range(header.count()):
        if header.isSectionHidden(section):
            continue
        needed, room = header.sectionSizeHint(section), header.sectionSize(section)
        told = model.headerData(section, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
        if needed > room and not told and model.headerData(section, Qt.Orientation.Horizontal):
            found.append(
                f"{model.headerData(section, Qt.Orientation.Horizontal)} has {room} px, needs {needed}"
            )
    return found


def _beyond(widget: QWidget, root: QWidget) -> str:
    """Whether a part of the widget lies outside of what holds it, and cannot be scrolled to."""
    rect = QRect(QPoint(), widget.size())
    inner: QWidget = widget
    parent = widget.parentWidget()
    while parent is not None and inner is not root:
        rect.translate(inner.pos())
        area = parent.parentWidget()
        if isinstance(area, QAbstractScrollArea) and area.viewport() is parent:
            if isinstance(area, QAbstractItemView):
                return ""
            off = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            if area.verticalScrollBarPolicy() != off:
                return (
                    ""
                    if rect.left() >= 0 and rect.right() < parent.width() + 1
                    else (f"reaches from {rect.left()} to {rect.right()} in {parent.width()} px")
                )
        elif not parent.rect().adjusted(-1, -1, 1, 1).contains(rect):
            return f"{rect.getRect()} beyond {parent.size().toTuple()} of {type(parent).__name__}"
        inner, parent = parent, parent.parentWidget()
    return ""


def story(folder: Path) -> tuple[Any, str, list[Any]]:
    """A short run: its network, its folder and all that it told."""
    from msgspec.structs import replace

    import engine
    from tests.window_helpers import template

    network = template()
    network = replace(network, recipe=replace(network.recipe, epochs=2))
    events: list[Any] = []
    result = engine.train(network, device="cpu", run_dir=str(folder / "run"), emit=events.append)
    return network, result["run"], events


def window_with(told: tuple[Any, str, list[Any]], folder: Path) -> Any:
    """A whole window that shows a run."""
    import engine
    from tests.window_helpers import PlayedPool, open_window

    network, run, events = told
    window = open_window(folder, PlayedPool(), network)
    window.session.begin(network, run)
    for event in events:
        window.session.take(event)
    window.workers.analyzed.emit(engine.analyze(network))
    window.selection.set(["fc1"])
    QApplication.processEvents()
    return window


def walk(window: Any, size: tuple[int, int], lengthen: bool = True, folder: Path | None = None) -> list[str]:
    """What is cut off in any panel of a window of that size."""
    window.resize(*size)
    QTest.qWait(50)
    found: dict[str, None] = {}
    for dock in window.docks:
        name = dock.objectName()
        if name in window.docks.apart:
            continue
        window.docks.reveal(name)
        QTest.qWait(20)
        if lengthen:
            settle(window, 2)
        assert dock.seen, name
        for _ in range(10):  # panels draw at their own pace, and lay themselves out after it
            if not clipped(window):
                break
            QTest.qWait(150)
        found |= dict.fromkeys(clipped(window))
        if folder is not None:
            dock.grab().save(str(folder / f"longer_{name}.png"))
    if folder is not None:
        window.grab().save(str(folder / "longer.png"))
    return list(found)


def main(size: tuple[int, int], folder: Path | None) -> int:
    """Print what is cut off."""
    from gui.theme import theme
    from tests.window_helpers import close_window

    application = QApplication([])
    theme.install(application, "light")
    with tempfile.TemporaryDirectory() as place:
        window = window_with(story(Path(place)), Path(place))
        found = walk(window, size, folder=folder)
        print(f"{application.devicePixelRatio():g}", *found, sep="\n")
        close_window(window)
    return 1 if found else 0


if __name__ == "__main__":
    wide, _, high = (sys.argv[1] if len(sys.argv) > 1 else "1280x720").partition("x")
    sys.exit(main((int(wide), int(high)), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
