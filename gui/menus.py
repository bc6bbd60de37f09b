"""The menu bar, and the command palette that searches all of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox

from engine.host import protocol
from engine.runs import RunFolder
from engine.storage import write_bytes
from gui.actions import Command, CommandPalette, commands_of
from gui.choosing import ask_open
from gui.exchange import FORMS, Exchange
from gui.files import tell
from gui.past import Past
from gui.plain import tip
from gui.views import Views
from gui.weights import beside

if TYPE_CHECKING:
    from gui.binarizing import BinarizeDialog
    from gui.canvas import Canvas
    from gui.window import Window

_KEY = QKeySequence.StandardKey
#: Form -> the key that follows Ctrl+E.
_EXPORT_KEYS = {"python": "P", "training": "T", "onnx": "O", "safetensors": "W", "packed": "B"}


class Menus:
    """Builds the menus and does the small things that have no home of their own."""

    def __init__(self, window: Window) -> None:
        self.window = window
        bar = window.menuBar()
        self.file: QMenu = bar.addMenu("&File")
        self.edit: QMenu = bar.addMenu("&Edit")
        self.view: QMenu = bar.addMenu("&View")
        self.run: QMenu = bar.addMenu("&Run")
        self.help: QMenu = bar.addMenu("&Help")
        #: Undo and redo, which the toolbar shows too.
        self.history = self._history()
        #: What is in no menu, for there are keys that everyone knows.
        self._keys_alone: list[QAction] = []
        self._asked: int | None = None
        self._file_menu()
        self._edit_menu()
        Views(window, self.view)
        self._run_menu()
        self._help_menu()
        window.workers.answered.connect(self._answered)
        self.update_run()

    # ------------------------------------------------------------------ file

    def _file_menu(self) -> None:
        window, add, files = self.window, self.window.commands.add, self.window.files
        self.file.addAction(add("file.new", "&New", files.new, keys=_KEY.New, icon="mdi6.file-plus-outline"))
        self.file.addAction(
            add("file.open", "&Open…", files.open, keys=_KEY.Open, icon="mdi6.folder-open-outline")
        )
        self.recent = self.file.addMenu("Open &recent")
        self._forget_recent = add(
            "file.forget_recent",
            "Forget recent files",
            window.settings.forget_recent,
            keys="Ctrl+Shift+Backspace",
        )
        self.recent.aboutToShow.connect(self._fill_recent)
        window.settings.recent_changed.connect(self._fill_recent)
        self._fill_recent()
        self.file.addSeparator()
        self.file.addAction(
            add("file.save", "&Save", files.save, keys=_KEY.Save, icon="mdi6.content-save-outline")
        )
        self.file.addAction(add("file.save_as", "Save &as…", files.save_as, keys="Ctrl+Shift+S"))
        self.save_weights = add(
            "file.save_weights",
            "Save &weights with the network",
            self._save_weights,
            keys="Ctrl+Shift+W",
            icon="mdi6.weight",
            tip="Write the best weights of the last run beside the network's file",
        )
        self.file.addAction(self.save_weights)
        self.file.addSeparator()
        self.exchange = Exchange(window)
        self.file.addAction(
            add(
                "file.import",
                "&Import PyTorch code or ONNX…",
                self.exchange.import_code,
                keys="Ctrl+I",
                icon="mdi6.import",
                tip="Run a module once, and draw what it does, with its weights",
            )
        )
        export = self.export = self.file.addMenu("&Export")
        for form, (words, _, _) in FORMS.items():
            ask, keys = partial(self.exchange.export_as, form), f"Ctrl+E, {_EXPORT_KEYS[form]}"
            told = "Written, read back and compared"
            export.addAction(add(f"file.export_{form}", words, ask, keys=keys, tip=told))
        self.file.addSeparator()
        self.file.addAction(add("file.quit", "&Quit", window.close, keys="Ctrl+Q"))

    def add_history(self, show: Callable[[], object]) -> None:
        """Add the local history, once it is kept."""
        action = self.window.commands.add(
            "file.history",
            "Earlier &versions…",
            show,
            keys="Ctrl+H",
            icon="mdi6.history",
            tip="The last saves of this file, and what has changed since",
        )
        self.file.insertAction(self.save_weights, action)

    def _fill_recent(self) -> None:
        self.recent.clear()
        for path in self.window.settings.recent:
            action = self.recent.addAction(path.name.replace("&", "&&"))
            action.setToolTip(tip(str(path)))
            action.triggered.connect(lambda checked=False, path=path: self.window.files.open_path(path))
        self.recent.setEnabled(not self.recent.isEmpty())
        if not self.recent.isEmpty():
            self.recent.addSeparator()
            self.recent.addAction(self._forget_recent)

    def _save_weights(self) -> None:
        window, run = self.window, self.window.session.run
        if run is None:
            return
        if (window.document.path is None or not window.document.clean) and not window.files.save():
            return
        path = window.document.path
        assert path is not None
        folder, target = RunFolder(Path(run)), beside(path)
        source = folder.best if folder.best.is_file() else folder.weights
        try:
            write_bytes(target, source.read_bytes())
        except OSError as problem:
            tell(window, "The weights are not saved.", problem.strerror or str(problem))
            return
        window.status.showMessage(f"The weights of this run lie in {target.name}.", 8000)
        self.update_run()

    # ------------------------------------------------------------------ edit and view

    def _history(self) -> list[QAction]:
        window, stack = self.window, self.window.document.undo_stack
        add, actions = window.commands.add, window.commands
        undo = add("edit.undo", "&Undo", stack.undo, keys=_KEY.Undo, icon="mdi6.undo", finishes=False)
        redo_keys = ["Ctrl+Shift+Z", "Ctrl+Y"]
        redo = add("edit.redo", "&Redo", stack.redo, keys=redo_keys, icon="mdi6.redo", finishes=False)
        for action, word, able, text in (
            (undo, "Undo", stack.canUndoChanged, stack.undoTextChanged),
            (redo, "Redo", stack.canRedoChanged, stack.redoTextChanged),
        ):
            action.setEnabled(False)
            able.connect(action.setEnabled)

            def describe(label: str, action: QAction = action, word: str = word) -> None:
                action.setText(f"&{word} {label[:1].lower()}{label[1:]}" if label else f"&{word}")
                actions.describe(action, f"{word}: {label}" if label else word)

            text.connect(describe)
        return [undo, redo]

    def _edit_menu(self) -> None:
        self.edit.addActions(self.history)
        self.edit.addSeparator()

    def add_canvas(self, canvas: Canvas) -> None:
        """Take in what the canvas can do; walking and nudging stand in the command palette alone."""
        # Menus of their own, so that the longest fits a screen 800 pixels high.
        select, block, align = (QMenu(name, self.edit) for name in ("&Select", "Bloc&k", "Ali&gn"))
        inner = {"select": select, "align": align, "distribute": align}
        inner |= dict.fromkeys(("block", "unpack", "enter", "leave"), block)
        for action in canvas.commands:
            name = action.objectName().removeprefix("canvas.")
            kind = name.partition("_")[0]
            if kind in ("walk", "nudge"):
                self._keys_alone.append(action)
                continue
            if kind in inner:
                inner[kind].addAction(action)
            elif kind in ("fit", "zoom", "minimap"):
                self.view.addAction(action)
            elif kind == "export":
                self.export.addSeparator()
                self.export.addAction(action)
            else:
                if kind in ("cut", "frame", "arrange"):
                    self.edit.addSeparator()
                self.edit.addAction(action)
        self.edit.addSeparator()
        for menu in (select, block, align):
            self.edit.addMenu(menu)
        self._binarize_entries()

    def _binarize_entries(self) -> None:
        window, add = self.window, self.window.commands.add
        self.edit.addSeparator()
        self.edit.addAction(
            add(
                "edit.binarize",
                "&Binarize the network…",
                self.binarize,
                keys="F9",
                icon="mdi6.plus-minus-variant",
                tip="Signs for weights and inputs, and all that they need to learn, in one undo step",
            )
        )
        selected = add(
            "edit.binarize_selected",
            "Binarize the selected layers…",
            lambda: self.binarize(window.selection.nodes),
            keys="Shift+F9",
            tip="As above, for the selected layers and what feeds them",
        )
        self.edit.addAction(selected)

        def enable() -> None:
            selected.setEnabled(bool(window.selection.nodes))

        window.selection.changed.connect(enable)
        enable()

    def binarize(self, nodes: Collection[str] | None = None) -> BinarizeDialog:
        """Show what binarizing the network, or these layers of what is shown, would do."""
        from gui.binarizing import BinarizeDialog  # it brings pictures, which the first paint does not need

        window = self.window
        block = window.selection.block if nodes is not None else None
        dialog = BinarizeDialog(window.document, window.workers.analysis, nodes, block, window)
        dialog.open()
        return dialog

    # ------------------------------------------------------------------ run

    def _run_menu(self) -> None:
        running, add = self.window.running, self.window.commands.add
        self.run.addActions(
            [running.train_action, running.pause_action, running.step_action, running.stop_action]
        )
        self.run.addSeparator()
        self.run.addAction(running.resume_action)
        self.from_weights = add(
            "run.from_weights",
            "Start from saved &weights",
            self._toggle_weights,
            keys="Ctrl+T, W",
            checkable=True,
            tip="Start from the weights beside the file instead of a fresh draw",
        )
        self.run.addAction(self.from_weights)
        self.run.addAction(
            add(
                "run.weights_file",
                "Start from a weights &file…",
                self._choose_weights,
                keys="Ctrl+T, F",
                icon="mdi6.weight",
            )
        )
        self.run.addSeparator()
        self.evaluate = add(
            "run.evaluate",
            "&Evaluate the last run",
            self._evaluate,
            keys="F7",
            icon="mdi6.clipboard-check-outline",
            tip="Loss and metrics of the run's best weights on all of its data",
        )
        self.run.addAction(self.evaluate)
        self.past = Past(self.window, self.run)
        self.run.addSeparator()
        self.run.addAction(
            add(
                "run.lab_init",
                "&Initialisation laboratory",
                lambda: self.window.docks.reveal("lab_init"),
                icon="mdi6.flask-outline",
                keys="Ctrl+Shift+I",
                tip="What each initialisation does to signals and gradients, before any training",
            )
        )
        self.run.addAction(
            add(
                "run.lab_ste",
                "&Binarization laboratory",
                lambda: self.window.docks.reveal("lab_ste"),
                icon="mdi6.contrast-circle",
                keys="Ctrl+Alt+B",
                tip="Signs that flip, gradients that are masked, size and XNOR, a race of estimators",
            )
        )
        self.run.addAction(
            add(
                "run.rate",
                "Find a &learning rate",
                lambda: self.window.docks.reveal("rate"),
                icon="mdi6.chart-bell-curve",
                keys="F8",
                tip="Train for a moment with a growing rate, and see where the loss falls fastest",
            )
        )
        self.run.addSeparator()
        self.run.addAction(
            add(
                "run.machines",
                "Other &machines…",
                self.window.show_machines,
                keys="Ctrl+T, M",
                icon="mdi6.server-network",
                tip="Machines to train on, and a test of each",
            )
        )

    def update_run(self) -> None:
        """Enable what the last run and the weights on the disk allow."""
        session, document = self.window.session, self.window.document
        folder = RunFolder(Path(session.run)) if session.run else None
        trained = folder is not None and not session.active and folder.weights.is_file()
        self.save_weights.setEnabled(trained)
        ended = bool(session.run) and not session.active and session.begun is not None
        elsewhere = self.window.workers.elsewhere.machine(session.run) is not None
        self.evaluate.setEnabled(trained or (ended and elsewhere))
        there = document.path is not None and beside(document.path).is_file()
        chosen = self.window.running.weights
        self.from_weights.setEnabled(there or chosen is not None)
        self.from_weights.setChecked(chosen is not None)

    def _toggle_weights(self, checked: bool) -> None:
        path = self.window.document.path
        self.window.weights.start_from(beside(path) if checked and path is not None else None)

    def _choose_weights(self) -> None:
        weights = ask_open(self.window, "Start from weights", "Weights (*.safetensors)")
        if weights is not None:
            self.window.weights.start_from(weights)

    def _evaluate(self) -> None:
        if self.window.session.run:
            self._asked = self.window.workers.evaluate(self.window.session.run)
            self.window.status.showMessage("Evaluating…")

    def _answered(self, request: int, event: object) -> None:
        if request != self._asked:
            return
        self._asked = None
        self.window.status.clearMessage()
        if isinstance(event, protocol.Failed):
            tell(self.window, "The run cannot be evaluated.", event.message)
        elif isinstance(event, protocol.Evaluated):
            lines = [
                f"{split}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items())
                for split, values in event.splits.items()
            ]
            box = tell(self.window, "The run's best weights", "\n".join(lines))
            box.setIcon(QMessageBox.Icon.Information)

    # ------------------------------------------------------------------ help

    def _help_menu(self) -> None:
        add = self.window.commands.add
        self.help.addAction(
            add("help.contents", "&Contents", self._show_help, keys="F1", icon="mdi6.help-circle-outline")
        )
        self.help.addAction(
            add(
                "help.commands",
                "&Find a command…",
                self.find_command,
                keys=["Ctrl+K", "Ctrl+Shift+P"],
                icon="mdi6.magnify",
            )
        )
        self.help.addSeparator()
        self.help.addAction(add("help.about", "&About Layerlab", self._about, keys="Ctrl+F1"))

    def _show_help(self) -> None:
        from gui.help import Help

        shown = self.window.findChild(Help) or Help(self.window)
        shown.show()
        shown.raise_()

    def find_command(self) -> CommandPalette:
        """Open the command palette."""
        palette = CommandPalette(self.commands(), self.window)
        palette.show()
        return palette

    def commands(self) -> list[Command]:
        """Every action of every menu and panel, and those that are in none."""
        found: list[Command] = []
        self.past.fill()

        def collect(menu: QMenu, place: str) -> None:
            for action in menu.actions():
                inner = action.menu()
                if isinstance(inner, QMenu):
                    title = inner.title().replace("&", "")
                    collect(inner, f"{place} › {title}")
                elif not action.isSeparator():
                    found.append(Command(action, place))

        for menu in (self.file, self.edit, self.view, self.run, self.help):
            collect(menu, menu.title().replace("&", ""))
        found += [Command(action, "Canvas") for action in self._keys_alone]
        for dock in self.window.docks:
            found += [Command(action, dock.windowTitle(), panel=True) for action in commands_of(dock)]
        return found

    def _about(self) -> None:
        welcome = self.window.workers.welcome
        engine = f"PyTorch {welcome.torch}, Python {welcome.python}" if welcome else "The engine is starting."
        box = tell(self.window, f"Layerlab {QApplication.applicationVersion()}", engine)
        box.setIcon(QMessageBox.Icon.Information)
