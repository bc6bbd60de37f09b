"""The window's own states, for :mod:`tests.pictures`: welcome, first steps, notices, questions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QWidget

import engine
from engine import edit
from engine.host.events import Welcome
from engine.network import Choice as Chosen
from engine.network import Network
from gui.binarizing import BinarizeDialog
from gui.document import Document
from gui.recovery import DISCARD, LATER, RESTORE
from gui.theme import theme
from gui.versions import Choice
from gui.window import MINIMUM, Window
from tests.window_helpers import PlayedPool, close_window, open_window, template

#: Long enough for all that comes a moment later, in milliseconds.
REST = 300
SIZE = (1100, 700)


def _over(window: Window, popup: QWidget) -> QImage:
    """The window with what has opened over it."""
    image = window.grab().toImage()
    painter = QPainter(image)
    painter.drawPixmap(window.mapFromGlobal(popup.mapToGlobal(QPoint())), popup.grab())
    painter.end()
    return image


def _open(folder: Path, network: Network | None = None) -> Window:
    """A window without hosts, in the theme in force, which opening one for a test would change."""
    name = theme.tokens.name
    window = open_window(folder, PlayedPool(), network)
    theme.choose(name)
    window.workers.welcomed.emit(Welcome(0, 0, "3.11", "2.13"))
    return window


def _analysed(window: Window) -> Window:
    window.workers.analyzed.emit(engine.analyze(window.document.network))
    window.banners.hide_banner("silence")
    window.canvas.fit()
    QTest.qWait(REST)
    return window


def welcome(folder: Path) -> QImage:
    """Nothing is open: what to start from."""
    window = _open(folder)
    return _shot(window)


def empty(folder: Path) -> QImage:
    """An empty network: every panel says what to do first."""
    window = _open(folder)
    window.begin_empty()
    return _shot(window)


def commands(folder: Path) -> QImage:
    """The command palette."""
    window = _analysed(_open(folder, template("residual_digits")))
    window.resize(*SIZE)
    palette = window.menus.find_command()
    QTest.keyClicks(palette.line, "train")
    QTest.qWait(REST)
    return _shot(window, palette)


def notices(folder: Path) -> QImage:
    """What goes wrong is said over the drawing, with what can be done."""
    window = _analysed(_open(folder, template("residual_digits")))
    window.banners.show_banner(
        "run",
        "The loss became not a number in step 41. The last checkpoint is of step 40.",
        [("Continue the run", window.running.resume)],
        kind="error",
    )
    window.banners.show_banner(
        "differs",
        "The drawing differs from the run.",
        [("Bring its version back", window.notices.bring_back)],
    )
    return _shot(window)


def small(folder: Path) -> QImage:
    """The smallest window in which nothing overlaps."""
    window = _analysed(_open(folder, template()))
    window.resize(*MINIMUM)
    window.selection.set(("fc1",))
    return _shot(window)


def binarize(folder: Path) -> QImage:
    """All that binarizing would change, before it does."""
    network = template("residual_digits")
    dialog = BinarizeDialog(Document(network), engine.analyze(network))
    return _dialog(dialog)


def restore(folder: Path) -> QImage:
    """Edits that were not saved are offered after a crash."""
    before = template("lenet5_mnist")
    parent = QWidget()
    dialog = Choice("Layerlab", "LeNet-5 has edits that were not saved.", parent)
    for name, role in (
        (RESTORE, QDialogButtonBox.ButtonRole.AcceptRole),
        (DISCARD, QDialogButtonBox.ButtonRole.DestructiveRole),
        (LATER, QDialogButtonBox.ButtonRole.RejectRole),
    ):
        dialog.add_button(name, role)
    dialog.show_difference(before, _edited(before))
    return _dialog(dialog)


def _edited(network: Network) -> Network:
    network = edit.set_activation(network, "conv2", Chosen("Tanh"))
    network = edit.set_field(network, "fc1", "out_features", 96)
    return edit.remove(network, ["fc2"], heal=True)


def _dialog(dialog: QWidget) -> QImage:
    dialog.show()
    QTest.qWait(REST)
    image = dialog.grab().toImage()
    dialog.close()
    return image


def _shot(window: Window, popup: QWidget | None = None) -> QImage:
    QTest.qWait(REST)
    image = window.grab().toImage() if popup is None else _over(window, popup)
    if popup is not None:
        popup.close()
    close_window(window)
    return image


STATES: tuple[Callable[[Path], QImage], ...] = (
    welcome,
    empty,
    commands,
    notices,
    small,
    binarize,
    restore,
)


def draw() -> Iterator[tuple[str, QImage]]:
    """Every state's name and picture, in the theme in force."""
    for state in STATES:
        with tempfile.TemporaryDirectory() as folder:
            yield state.__name__, state(Path(folder))
