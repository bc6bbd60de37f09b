"""Other machines to train on: a list of names and commands, each with a test."""

from __future__ import annotations

import queue
import threading

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.host import remote
from engine.host.client import HostProblem
from gui.narrow import Paragraph
from gui.settings import Machine, Settings
from gui.theme import SPACE

EXPLAINED = (
    "A machine is reached by a command that starts Layerlab there and carries what is said, such as "
    "“ssh gpu1 layerlab host” (“gpu1” alone means that too) or “docker exec -i box layerlab host”. "
    "Layerlab must be installed there in the same version, and the command must ask for no password.\n\n"
    "Files are that machine's own: data paths in the recipe and LAYERLAB_DATA are looked up there, and "
    "runs are kept there, in layerlab-runs in the folder that the command begins in. Curves, weights and "
    "gradients are shown here."
)
_GIB = 1 << 30
#: Milliseconds between two looks at what a test has found.
_LISTEN_MS = 50
_Answer = tuple[int, bool, str]


class MachinesDialog(QDialog):
    """Edits the settings' machines; what is changed is kept at once.

    Parameters
    ----------
    settings
        Whose machines they are.
    timeout
        Seconds that a tested machine has for its answer.
    """

    def __init__(self, settings: Settings, parent: QWidget | None = None, timeout: float = 20.0) -> None:
        super().__init__(parent)
        self.setWindowTitle("Machines")
        self.resize(720, 480)
        self._settings, self._timeout = settings, timeout
        self._test = 0
        #: Of tests that have ended: number, whether it went well, what to say. Their threads know this
        #: and nothing of Qt, so that a dialog that goes meanwhile never ends in one of them.
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._listening = QTimer(self, interval=_LISTEN_MS)
        self._listening.timeout.connect(self._listen)

        self.list = QListWidget()
        self.list.setAccessibleName("Machines")
        self.list.currentRowChanged.connect(lambda _: self._show())
        self.add = QPushButton("Add")
        self.add.clicked.connect(self._add)
        self.remove = QPushButton("Remove")
        self.remove.clicked.connect(self._remove)
        self.name = QLineEdit()
        self.name.setPlaceholderText("gpu1")
        self.name.setToolTip("What it is called under Device")
        self.command = QLineEdit()
        self.command.setPlaceholderText("ssh gpu1 layerlab host")
        self.command.setToolTip("What starts a host there")
        self.name.setAccessibleName("Name")
        self.command.setAccessibleName("Command")
        for line in (self.name, self.command):
            line.textEdited.connect(self._edited)
        self.test = QPushButton("Test")
        self.test.setToolTip("Start a host there, hear what it is, and end it")
        self.test.clicked.connect(self._begin_test)
        self.told = Paragraph()
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._arrange()
        self._fill(0)

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.add, self.remove):
            buttons.addWidget(button)
        left = QVBoxLayout()
        left.addWidget(self.list, 1)
        left.addLayout(buttons)
        form = QFormLayout()
        form.setSpacing(2 * SPACE)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Name", self.name)
        form.addRow("Command", self.command)
        test = QHBoxLayout()
        test.setSpacing(2 * SPACE)
        test.addWidget(self.test, 0, Qt.AlignmentFlag.AlignTop)
        test.addWidget(self.told, 1)
        explained = Paragraph(EXPLAINED)
        explained.setProperty("role", "muted")
        right = QVBoxLayout()
        right.setSpacing(3 * SPACE)
        right.addLayout(form)
        right.addLayout(test)
        right.addStretch(1)
        right.addWidget(explained)
        middle = QHBoxLayout()
        middle.setSpacing(4 * SPACE)
        middle.addLayout(left, 1)
        middle.addLayout(right, 2)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * SPACE, 4 * SPACE, 4 * SPACE, 3 * SPACE)
        column.setSpacing(3 * SPACE)
        column.addLayout(middle, 1)
        column.addWidget(close)

    # ------------------------------------------------------------------ the list

    def _fill(self, row: int) -> None:
        machines = self._settings.machines
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems([machine.name for machine in machines])
        self.list.setCurrentRow(min(row, len(machines) - 1))
        self.list.blockSignals(False)
        self._show()

    def _show(self) -> None:
        """Show the chosen machine."""
        row, machines = self.list.currentRow(), self._settings.machines
        chosen = machines[row] if 0 <= row < len(machines) else None
        for line, text in (
            (self.name, chosen.name if chosen else ""),
            (self.command, chosen.command if chosen else ""),
        ):
            line.setText(text)
            line.setEnabled(chosen is not None)
        self.remove.setEnabled(chosen is not None)
        self._test += 1  # what a test of another machine finds is of no use here
        self.told.clear()
        self._enable()

    def _enable(self) -> None:
        self._listening.stop()
        self.test.setText("Test")
        self.test.setEnabled(bool(self.command.text().strip()))

    def _add(self) -> None:
        machines = self._settings.machines
        taken = {machine.name for machine in machines}
        name = next(f"machine{n}" for n in range(1, len(taken) + 2) if f"machine{n}" not in taken)
        self._settings.machines = [*machines, Machine(name, "")]
        self._fill(len(machines))
        self.name.setFocus()
        self.name.selectAll()

    def _remove(self) -> None:
        row = self.list.currentRow()
        self._settings.machines = [m for i, m in enumerate(self._settings.machines) if i != row]
        self._fill(max(row - 1, 0))

    def _edited(self) -> None:
        """Keep what was typed; a name that is empty or taken waits until it is another."""
        row, machines = self.list.currentRow(), self._settings.machines
        name, command = self.name.text().strip(), self.command.text().strip()
        taken = any(machine.name == name for i, machine in enumerate(machines) if i != row)
        if not name or taken:
            self.told.setText(f"There is another machine called {name}." if taken else "It needs a name.")
            return
        machines[row] = Machine(name, command)
        self._settings.machines = machines
        item = self.list.item(row)
        if item is not None:
            item.setText(name)
        self._test += 1
        self.told.clear()
        self._enable()

    # ------------------------------------------------------------------ testing

    def _begin_test(self) -> None:
        self._test += 1
        asked = (self._test, self.command.text(), self._timeout, self._answers)
        self.test.setEnabled(False)
        self.test.setText("Testing …")
        self.told.clear()
        threading.Thread(target=_probe, args=asked, name="machine test", daemon=True).start()
        self._listening.start()

    def _listen(self) -> None:
        while not self._answers.empty():
            number, well, said = self._answers.get()
            if number == self._test:
                self._show_result(well, said)

    def _show_result(self, well: bool, said: str) -> None:
        self._enable()
        self.told.setText(said)
        self.told.setProperty("role", "good" if well else "error")
        self.told.style().unpolish(self.told)
        self.told.style().polish(self.told)


def _probe(number: int, command: str, timeout: float, answers: queue.SimpleQueue[_Answer]) -> None:
    """Ask the machine behind `command` who it is; on a thread of its own."""
    try:
        welcome = remote.probe(remote.words(command), timeout)
    except HostProblem as problem:
        answers.put((number, False, str(problem)))
        return
    devices = ", ".join(
        device.name + (f" ({device.memory / _GIB:.0f} GiB)" if device.memory else "")
        for device in welcome.devices
    )
    said = f"It answers: torch {welcome.torch}, Python {welcome.python}. It trains on: {devices}."
    answers.put((number, True, said))
