"""File › Import and Export: done by the command line's program, in a process of its own.

The window thereby neither runs a user's code nor waits for torch.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from engine.network import Network
from engine.storage import SUFFIX, write_bytes
from engine.storage.file import dumps
from gui.choosing import ask_open, ask_save, file_name
from gui.files import tell
from gui.narrow import Paragraph
from gui.theme import SPACE
from gui.weights import beside

if TYPE_CHECKING:
    from gui.window import Window

#: Form -> (words of the menu, suffix, filter of the dialog).
FORMS = {
    "python": ("&Python source…", ".py", "Python (*.py)"),
    "training": ("Python with data and &training…", ".py", "Python (*.py)"),
    "onnx": ("&ONNX…", ".onnx", "ONNX (*.onnx)"),
    "safetensors": ("&Weights as safetensors…", ".safetensors", "safetensors (*.safetensors)"),
    "packed": ("Packed &bits…", ".npz", "NumPy archives (*.npz)"),
}


def factories(path: Path) -> list[str]:
    """What in a Python file could make a module: its functions and classes, found without running it.

    Functions without required arguments come first, then classes, the last defined first.
    """
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return []
    makes = [
        item.name
        for item in body
        if isinstance(item, ast.FunctionDef) and len(item.args.args) <= len(item.args.defaults)
    ]
    classes = [item.name for item in body if isinstance(item, ast.ClassDef)]
    return [*reversed(makes), *reversed(classes)]


class ImportDialog(QDialog):
    """Which factory of a file, on which example; and that its code is run."""

    def __init__(self, path: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import PyTorch code")
        self.path = path
        self.factory = QComboBox()
        self.factory.setEditable(True)
        self.factory.addItems(factories(path))
        self.factory.setAccessibleName("Made by")
        self.shape = QLineEdit()
        self.shape.setAccessibleName("Shape of an example")
        self.shape.setPlaceholderText("found by itself")
        self.shape.setToolTip("Such as 3,224,224; for token ids 128:int64")
        warning = Paragraph(
            f"This runs the code in {path.name}, with all that it does, in a process of its own. "
            "Go on only if you trust it."
        )
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.run = self.buttons.addButton("Run and import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("Made by", self.factory)
        form.addRow("Shape of an example", self.shape)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * SPACE, 4 * SPACE, 4 * SPACE, 3 * SPACE)
        column.setSpacing(3 * SPACE)
        column.addWidget(warning)
        column.addLayout(form)
        column.addWidget(self.buttons)
        self.resize(480, self.sizeHint().height())

    def words(self) -> list[str]:
        """The command's arguments that were chosen here."""
        shapes = [part for part in self.shape.text().split() if part]
        given = [word for shape in shapes for word in ("--input", shape)]
        return [f"{self.path}:{self.factory.currentText().strip()}", *given]


class Exchange(QObject):
    """Starts the commands, and tells what came of them."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self.process: QProcess | None = None

    # ------------------------------------------------------------------ what is asked

    def import_code(self) -> None:
        """Choose a file and what in it makes the module, then import; an ONNX file holds no code to run."""
        code = ask_open(self._window, "Import PyTorch code or ONNX", "PyTorch code and ONNX (*.py *.onnx)")
        if code is None:
            return
        if code.suffix.lower() == ".onnx":
            self.bring([str(code)], code)
            return
        dialog = ImportDialog(code, self._window)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.bring(dialog.words(), code)

    def bring(self, words: list[str], code: Path) -> None:
        """Import what `words` say; the file goes beside the code, under a name that is free."""
        target, number = code.with_suffix(SUFFIX), 2
        while target.exists():
            target, number = code.with_name(f"{code.stem}_{number}{SUFFIX}"), number + 1
        self._start(
            ["import", *words, "-o", str(target), "--yes", "--json"],
            f"Importing {code.name} …",
            lambda report: self._brought(target, report),
        )

    def export_as(self, form: str) -> None:
        """Choose a file, then export the drawing as it is now."""
        _, suffix, kinds = FORMS[form]
        path = self._window.document.path
        drawing = self._window.document.network
        stem = path.stem if path is not None else file_name(drawing.name)
        target = ask_save(self._window, "Export", f"{stem}{suffix}", kinds)
        if target is not None:
            self.export_to(form, target)

    def export_to(self, form: str, target: Path) -> None:
        """Export the drawing, with the last run's weights if they are this drawing's, to `target`."""
        folder = Path(tempfile.mkdtemp(prefix="layerlab-"))
        drawing = folder / f"network{SUFFIX}"
        write_bytes(drawing, dumps(self._window.document.network))
        to = ["python", "--with-training"] if form == "training" else [form]
        words = ["export", str(drawing), "--to", *to, "-o", str(target), "--json"]
        path, session = self._window.document.path, self._window.session
        run, drawn = session.run, self._window.document.network
        if run is not None and session.network is not None and _same_model(session.network, drawn):
            words += ["--run", str(run)]
        elif path is not None and beside(path).is_file():
            shutil.copy(beside(path), beside(drawing))

        def told(report: dict[str, Any]) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            if "error" in report:
                tell(self._window, "Nothing was exported.", report["error"])
                return
            self._window.status.showMessage(f"{target.name} is written, read back and compared.", 8000)

        self._start(words, f"Exporting to {target.name} …", told)

    def _brought(self, target: Path, report: dict[str, Any]) -> None:
        if "error" in report:
            tell(self._window, "Nothing was imported.", report["error"])
            return
        self._window.files.open_path(target)
        comparison = report["comparison"]
        lines = [f"No layer does this: {what}" for what in report["unsupported"]]
        lines += report.get("problems", [])
        if comparison is not None:
            parameters = report["parameters"]
            same = "equal to the last bit" if comparison["equal"] else "equal but for rounding"
            lines.append(f"{parameters['network']:,} of {parameters['module']:,} parameters came along.")
            lines.append(
                f"Outputs of {comparison['examples']} examples are {same}."
                if comparison["same"]
                else f"Outputs DIFFER by {comparison['largest_difference']:.2g}."
            )
        good = comparison is not None and comparison["same"]
        what = "file" if report["source"].lower().endswith(".onnx") else "code"
        title = f"The network is the same as the {what}." if good else f"The network is not yet the {what}."
        if report.get("unused"):
            lines.append(f"Not drawn, as the forward does not use it: {', '.join(report['unused'])}.")
        if "with" in (comparison or {}):
            lines.append(f"Compared with {comparison['with']}.")
        opinion = report.get("torch_export")
        if opinion is not None and opinion["exported"]:
            lines.append(
                "torch.export, which reads the code another way, gives the same outputs within "
                f"{opinion['largest_difference']:.2g}."
            )
        box = tell(self._window, title, "\n".join(lines))
        if good:
            box.setIcon(QMessageBox.Icon.Information)

    # ------------------------------------------------------------------ the process

    def _start(self, words: list[str], saying: str, then: Callable[[dict[str, Any]], None]) -> None:
        if self.process is not None:
            tell(self._window, "One at a time.", "An import or export is still going on.")
            return
        process = self.process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        known = [str(Path(__file__).resolve().parents[1]), environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in known if path))
        process.setProcessEnvironment(environment)

        def done(*_: object) -> None:
            self.process = None
            process.deleteLater()
            self._window.status.clearMessage()
            then(_report(process))

        process.finished.connect(done)
        self._window.status.showMessage(saying)
        process.start(sys.executable, ["-P", "-m", "engine.cli", *words])


def _same_model(trained: Network, drawn: Network) -> bool:
    """Whether the weights of one are those of the other."""
    return (trained.nodes, trained.edges, trained.blocks) == (drawn.nodes, drawn.edges, drawn.blocks)


def _report(process: QProcess) -> dict[str, Any]:
    """The one object on standard output; else the last line of what was said."""
    try:
        report: dict[str, Any] = json.loads(bytes(process.readAllStandardOutput().data()))
        return report
    except ValueError:
        said = bytes(process.readAllStandardError().data()).decode(errors="replace").strip().splitlines()
        return {"error": said[-1].removeprefix("layerlab: ") if said else "The process ended without a word."}
