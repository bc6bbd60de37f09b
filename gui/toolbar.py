"""The toolbar: train and steer on the left, where and how long in the middle, progress on the right."""

from __future__ import annotations

from msgspec.structs import replace
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QResizeEvent, QStatusTipEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QMainWindow,
    QProgressBar,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine import edit
from engine.host.protocol import Welcome
from gui.document import Document
from gui.elsewhere import MARK
from gui.narrow import Number, Pick
from gui.plain import tip
from gui.running import Running, story
from gui.settings import Settings
from gui.theme import SPACE, theme

#: More epochs than anyone trains.
MAX_EPOCHS = 1_000_000
_GIB = 1 << 30


#: Room for where a run is in a narrow window, and in any other, in pixels.
_PROGRESS = (36 * SPACE, 70 * SPACE)
#: Room for "Automatic".
_DEVICE = 31 * SPACE


class Toolbar(QToolBar):
    """The window's one toolbar."""

    def __init__(self, document: Document, running: Running, settings: Settings, history: list[QAction]):
        super().__init__("Toolbar")
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setIconSize(QSize(20, 20))
        self.document, self.session, self.settings = document, running.session, settings

        self.train_button = self._button(running.train_action, text=True)
        self.train_button.setProperty("primary", True)
        # Menus show the action's icon on their own ground; the button's stands on the accent.
        running.train_action.changed.connect(self._dress)
        self._dress()
        for action in (running.pause_action, running.step_action, running.stop_action):
            self._button(action)
        self.addSeparator()
        for action in history:
            self._button(action)
        self.addSeparator()
        self.device = Pick()
        self.device.setToolTip("Where to train; Run › Other machines adds some")
        self.device.setAccessibleName("Device")
        self.device.setMinimumWidth(_DEVICE)
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.device.addItem("Automatic", "auto")
        if settings.device != "auto":
            self.device.addItem(settings.device.removeprefix(MARK), settings.device)
            self.device.setCurrentIndex(1)
        self.device.activated.connect(self._device_chosen)
        self._welcome: Welcome | None = None
        settings.machines_changed.connect(self._list_machines)
        self.epochs = Number(minimum=1, maximum=MAX_EPOCHS)
        self.epochs.lineEdit().setAccessibleName("Epochs")
        self.epochs.setToolTip("Passes over the training data")
        self.epochs.setAccessibleName("Epochs")
        self.epochs.setFixedWidth(84)
        self.epochs.setKeyboardTracking(False)
        self.epochs.valueChanged.connect(self._epochs_chosen)
        for name, widget in (("Device", self.device), ("Epochs", self.epochs)):
            label = QLabel(name)
            label.setProperty("role", "muted")
            label.setBuddy(widget)
            label.setContentsMargins(2 * SPACE, 0, SPACE, 0)
            self.addWidget(label)
            self.addWidget(widget)

        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(spacer)
        self.progress = ProgressView(running)
        self.addWidget(self.progress)

        document.changed.connect(lambda before, after: self._show_epochs())
        self._show_epochs()

    def _button(self, action: QAction, text: bool = False) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(action)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setObjectName(action.objectName())
        style = Qt.ToolButtonStyle
        button.setToolButtonStyle(style.ToolButtonTextBesideIcon if text else style.ToolButtonIconOnly)

        said = action.statusTip()

        def name() -> None:
            nonlocal said
            button.setAccessibleName(action.text().replace("&", ""))
            before, said = said, action.statusTip() if action.isEnabled() else ""
            if button.underMouse() and before != said and self._says(before):
                QApplication.sendEvent(button, QStatusTipEvent(said))

        action.changed.connect(name)
        name()
        self.addWidget(button)
        return button

    def _says(self, tip: str) -> bool:
        """Whether a tip stands in the window's status bar: Qt puts it there once, as a button is entered."""
        window = self.window()
        return isinstance(window, QMainWindow) and window.statusBar().currentMessage() == tip

    def _dress(self) -> None:
        self.train_button.setIcon(theme.icon("mdi6.play", "accent_text"))

    def set_devices(self, welcome: Welcome) -> None:
        """List the devices that the host has found, and other machines."""
        self._welcome = welcome
        wanted = self.settings.device
        self.device.clear()
        self.device.addItem("Automatic", "auto")
        for device in welcome.devices:
            memory = f" · {device.memory / _GIB:.0f} GiB" if device.memory else ""
            self.device.addItem(device.id.upper() if device.id == "cpu" else device.id, device.id)
            tip = f"{device.name}{memory}"
            self.device.setItemData(self.device.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        for machine in self.settings.machines:
            self.device.addItem(machine.name, f"{MARK}{machine.name}")
            self.device.setItemData(self.device.count() - 1, machine.command, Qt.ItemDataRole.ToolTipRole)
        row = self.device.findData(wanted)
        self.device.setCurrentIndex(max(row, 0))
        if row < 0:
            self.settings.device = "auto"

    def _list_machines(self) -> None:
        if self._welcome is not None:
            self.set_devices(self._welcome)

    def _device_chosen(self, row: int) -> None:
        self.settings.device = str(self.device.itemData(row))

    def _show_epochs(self) -> None:
        epochs = self.document.network.recipe.epochs
        if self.epochs.value() != epochs:
            self.epochs.blockSignals(True)
            self.epochs.setValue(epochs)
            self.epochs.blockSignals(False)

    def _epochs_chosen(self, epochs: int) -> None:
        network = self.document.network
        after = edit.set_recipe(network, replace(network.recipe, epochs=epochs))
        self.document.edit(after, "Change epochs", merge="recipe.epochs")


class ProgressView(QWidget):
    """A slim bar, and above it where the run is and what is left."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.session = running.session
        self.label = QLabel()
        self.label.setAccessibleName("State of the run")
        self.label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.bar = QProgressBar(textVisible=False, maximum=1000)
        self.bar.setAccessibleName("Progress of the run")
        self.bar.setFixedHeight(SPACE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, SPACE, 0)
        column.setSpacing(SPACE)
        column.addStretch()
        column.addWidget(self.label)
        column.addWidget(self.bar)
        column.addStretch()
        self._story = ""
        self.label.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(_PROGRESS[0])
        self.session.state_changed.connect(self.update_view)
        self.session.progressed.connect(self.update_view)
        self.session.loaded.connect(self.update_view)
        theme.changed.connect(self.update_view)
        self.update_view()

    def sizeHint(self) -> QSize:
        """Room for all that is said; without a run nothing is."""
        if self.session.state == "idle":
            return QSize(_PROGRESS[0], super().sizeHint().height())
        said = self.label.fontMetrics().horizontalAdvance(self._story) + 3 * SPACE
        return QSize(max(_PROGRESS[1], said), super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say as much as there is room for."""
        super().resizeEvent(event)
        self._tell()

    def _tell(self) -> None:
        room = self.contentsRect().width() - SPACE
        self.label.setText(
            self.label.fontMetrics().elidedText(self._story, Qt.TextElideMode.ElideRight, room)
        )

    def update_view(self) -> None:
        """Show the session as it is."""
        session = self.session
        bad = session.state in ("failed", "diverged", "interrupted")
        role = "error" if bad else "muted" if not session.active else ""
        if self.label.property("role") != role:
            self.label.setProperty("role", role)
            self.label.style().unpolish(self.label)
            self.label.style().polish(self.label)
        self._story = story(session)
        self.setMaximumWidth(self.sizeHint().width())
        self._tell()
        self.label.setToolTip(tip(session.message or self._story))
        self.label.setAccessibleDescription(self._story)
        progress = session.progress
        done = progress.step / progress.steps if progress is not None and progress.steps else 0.0
        loading = session.loading if session.state == "starting" else None
        if loading is not None and loading.total:
            done = loading.done / loading.total
        endless = session.state == "starting" and (loading is None or not loading.total)
        self.bar.setRange(0, 0 if endless else 1000)
        self.bar.setValue(1000 if session.state == "finished" else round(1000 * done))
        self.bar.setVisible(session.state != "idle")
