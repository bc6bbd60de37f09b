"""What panels share beside what they show: pictures and data as files, a menu, a window of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QContextMenuEvent, QPainter, QPixmap, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import (
    QDockWidget,
    QGraphicsOpacityEffect,
    QMenu,
    QMessageBox,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from engine.storage import atomic
from gui.actions import local
from gui.choosing import ask_save
from gui.theme import theme

#: A panel in a window of its own is at least so large.
TORN = QSize(720, 460)

#: A picture is at least so large, and so high that nothing is scrolled out of it, up to a limit.
PICTURE, TALLEST = QSize(820, 420), 4000


class Savable(QWidget):
    """A view whose picture and data can be saved, and that can be torn off."""

    title: str
    _pages: QStackedWidget
    _menu_button: QToolButton | None = None

    def flush(self) -> None:
        """Show the newest now."""
        raise NotImplementedError

    def request(self, *args: object) -> None:
        """Ask for a repaint, soon."""
        raise NotImplementedError

    def picture(self) -> QPixmap:
        """The panel's content as a picture, at the screen's resolution."""
        with self._roomy():
            return self._pages.grab()

    @contextmanager
    def _roomy(self) -> Iterator[None]:
        """Give what is shown the room that it wants for a while in which nothing is painted."""
        pages, before, button = self._pages, self._pages.size(), self._menu_button
        areas = [area for area in pages.findChildren(QScrollArea) if area.isVisible()]
        bars = [(area.verticalScrollBarPolicy(), area.verticalScrollBar().value()) for area in areas]
        for area in areas:
            area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        if button is not None:  # out of sight, with its place and the keyboard's focus
            button.setGraphicsEffect(QGraphicsOpacityEffect(button, opacity=0.0))
        pages.resize(before.expandedTo(PICTURE))
        self.flush()
        for _ in range(3):  # more room may show more, which wants some in turn
            _settle(pages)
            hidden = max((area.verticalScrollBar().maximum() for area in areas), default=0)
            if not hidden or pages.height() >= TALLEST:
                break
            pages.resize(pages.width(), min(pages.height() + hidden, TALLEST))
            self.flush()
        try:
            yield
        finally:
            for area, (policy, _) in zip(areas, bars, strict=True):
                area.setVerticalScrollBarPolicy(policy)
            if button is not None:
                button.setGraphicsEffect(None)  # type: ignore[arg-type]
            pages.resize(before)
            self.flush()
            for area, (_, value) in zip(areas, bars, strict=True):
                bar = area.verticalScrollBar()  # which has its way again when all is laid out
                QTimer.singleShot(0, bar, lambda bar=bar, value=value: bar.setValue(value))

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The data behind the panel: column names and rows."""
        raise NotImplementedError

    def save_picture(self, path: Path) -> None:
        """Write the picture as PNG; OSError if that fails."""
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        self.picture().save(buffer, "PNG")
        atomic.write_bytes(path, bytes(buffer.data().data()))

    def save_vectors(self, path: Path) -> None:
        """Write the picture as SVG, its lines and text as such; OSError if that fails."""
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        maker = QSvgGenerator()
        maker.setOutputDevice(buffer)
        maker.setTitle(self.title)
        with self._roomy():
            maker.setSize(self._pages.size())
            maker.setViewBox(self._pages.rect())
            # A painter on the maker: a widget's own device is this machine's screen.
            painter = QPainter(maker)
            self._pages.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
            painter.end()
        atomic.write_bytes(path, bytes(buffer.data().data()))

    def save_table(self, path: Path) -> None:
        """Write the data as CSV (RFC 4180, UTF-8), or by the name as Parquet; OSError if that fails."""
        names, rows = self.table()
        if path.suffix == ".parquet":
            atomic.write_bytes(path, _parquet(names, rows))
            return
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows(rows)
        atomic.write_bytes(path, text.getvalue().encode())

    def menu_button(self, *extra: QAction) -> QToolButton:
        """The button with the panel's menu: saving, behind the panel's `extra` actions.

        All keys of a panel begin with Ctrl+P; the extra actions bring their own.
        """
        button = QToolButton(self)
        button.setAccessibleName(f"{self.title}: menu")
        button.setToolTip("More")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for action in extra:
            menu.addAction(action)
        if extra:
            menu.addSeparator()
        doings: list[tuple[str, str, Callable[[], object]]] = [
            ("Tear off", "T", self.tear_off),
            ("Save picture as PNG…", "P", lambda: self._ask("picture", "png", self.save_picture)),
            ("Save picture as SVG…", "V", lambda: self._ask("picture", "svg", self.save_vectors)),
        ]
        if type(self).table is not Savable.table:
            doings += [
                ("Save data as CSV…", "D", lambda: self._ask("data", "csv", self.save_table)),
                ("Save data as Parquet…", "Q", lambda: self._ask("data", "parquet", self.save_table)),
            ]
        for words, key, run in doings:
            action = QAction(words, self)
            action.triggered.connect(run)
            local(action, self, f"Ctrl+P, {key}")
            menu.addAction(action)
            if run == self.tear_off:
                menu.addSeparator()
                menu.aboutToShow.connect(
                    lambda action=action: action.setText("Put back" if self.torn_off else "Tear off")
                )
        button.setMenu(menu)
        self._menu_button = button
        self._paint_menu_button()
        theme.changed.connect(self._paint_menu_button)
        return button

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The same menu at the right mouse button; of a panel within a panel, the outer one's."""
        if not isinstance(self.parentWidget(), QDockWidget):
            event.ignore()
            return
        if self._menu_button is None:
            self.menu_button().hide()
        assert self._menu_button is not None
        self._menu_button.menu().popup(event.globalPos())

    @property
    def torn_off(self) -> bool:
        """Whether the panel stands in a window of its own."""
        dock = self.parentWidget()
        return isinstance(dock, QDockWidget) and dock.isFloating()

    def tear_off(self) -> None:
        """Let the panel stand in a window of its own, larger than it was; where it does, put it back."""
        dock = self.parentWidget()
        if not isinstance(dock, QDockWidget):
            return
        place = QRect(dock.mapToGlobal(QPoint()), dock.size())
        dock.setFloating(not dock.isFloating())
        dock.show()
        dock.raise_()
        if dock.isFloating():
            size, screen = dock.size().expandedTo(TORN), dock.screen().availableGeometry()
            frame = QRect(QPoint(), size.boundedTo(screen.size()))
            frame.moveCenter(place.center())
            frame.moveLeft(max(screen.left(), min(frame.left(), screen.right() - frame.width())))
            frame.moveTop(max(screen.top(), min(frame.top(), screen.bottom() - frame.height())))
            dock.setGeometry(frame)

    def _paint_menu_button(self) -> None:
        assert self._menu_button is not None
        self._menu_button.setIcon(theme.icon("mdi6.dots-horizontal", "muted"))

    def _ask(self, what: str, suffix: str, save: Callable[[Path], None]) -> None:
        name = f"{self.title.lower()}.{suffix}"
        path = ask_save(self, f"Save {what}", name, f"{suffix.upper()} (*.{suffix})")
        if path is None:
            return
        try:
            save(path if path.suffix else path.with_suffix(f".{suffix}"))
        except OSError as error:
            QMessageBox.warning(self, f"Save {what}", error.strerror or str(error))


def _settle(view: QWidget) -> None:
    """Lay out what is in `view` now, and nothing around it, which would give it its old size again."""
    for widget in (view, *view.findChildren(QWidget)):
        layout = widget.layout()
        if layout is not None:
            layout.activate()


def _parquet(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    import polars  # slow to import, and asked for rarely

    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    frame = polars.DataFrame(
        {name: polars.Series(list(values), strict=False) for name, values in zip(names, columns, strict=True)}
    )
    data = io.BytesIO()
    frame.write_parquet(data)
    return data.getvalue()
