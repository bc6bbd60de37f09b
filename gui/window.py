"""The main window: it puts the parts together and wires them; the parts do not know each other.

It is built in two steps. The constructor makes what the first paint needs; :meth:`Window.complete`,
called right after it, makes the rest (pyqtgraph and the panels take longer to import than Qt).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from engine.findings import Analysis
from engine.host.pool import Pool
from engine.network import Network
from engine.storage import SUFFIX
from gui.actions import Actions
from gui.banners import Banners
from gui.diagnosing import Diagnosing, difference, said
from gui.docks import Docks
from gui.document import Document
from gui.files import Files
from gui.fitting import Fitting
from gui.keys import Keyboard, finish_typing
from gui.mailbox import Mailbox
from gui.menus import Menus
from gui.notices import Notices
from gui.offering import WeightsOffer
from gui.resuming import Resuming
from gui.running import Running
from gui.scrubber import Scrubber
from gui.selection import Selection
from gui.settings import Settings
from gui.status import Status
from gui.toolbar import Toolbar
from gui.unfinished import UnfinishedTexts, summed
from gui.welcome import Welcome
from gui.workers import Workers

if TYPE_CHECKING:
    from gui.branching import BranchDialog
    from gui.recovery import Keeper

#: The smallest window in which nothing overlaps: one that a screen of 1280 × 800 at 150 % has room for.
MINIMUM = (840, 490)
#: Its size at a first start, where the screen has the room; and the room that its title bar takes.
FIRST, TITLE = QSize(1280, 800), QSize(0, 40)


class Window(QMainWindow):
    """One document, and all that is seen of it."""

    #: :meth:`complete` is done.
    completed = Signal()
    #: The user has closed the window, and what was not saved is not wanted.
    closed = Signal()

    def __init__(self, settings: Settings | None = None, hosts: tuple[Pool, Mailbox] | None = None) -> None:
        super().__init__()
        self.setObjectName("window")
        self.setMinimumSize(*MINIMUM)
        self.setAcceptDrops(True)
        self.settings = settings or Settings(parent=self)
        self.selection = Selection(self)
        self.document = Document(parent=self, selection=self.selection)
        self.workers = Workers(self.document, self, hosts)
        self.session = self.workers.session
        self.files = self.folders = Files(self.document, self.settings, self)
        self.commands = Actions(self)
        self.running = Running(self.workers, self.commands, self.settings, self)
        self._complete = False
        #: What :meth:`complete` has yet to make, in the order in which it is looked for.
        self._to_build = [self._build_canvas, self._build_inspector, self._build_panels]
        self._settled = False
        self._welcome_wanted = True

        self.welcome = Welcome(self.settings)
        # Canvas and docks are a main window inside this one, so that the welcome can stand in for
        # all of them without touching their arrangement.
        self.workbench = QMainWindow()
        self.workbench.setWindowFlags(Qt.WindowType.Widget)
        # Keeps the canvas's place, without which the docks would take it.
        self.desk = QStackedWidget()
        self.workbench.setCentralWidget(self.desk)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.welcome)
        self.stack.addWidget(self.workbench)
        centre = QWidget()
        column = self._column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.stack, 1)
        self.setCentralWidget(centre)
        self.banners = Banners(centre)
        self.banners.lie_over(self.stack)
        self.fitting = Fitting(self.document, self.workers, self.banners, self.settings, self)

        self.docks = Docks(self.workbench)
        self.unfinished = self.files.unfinished = UnfinishedTexts(self.docks.reveal)
        self.menus = Menus(self)
        self.toolbar = Toolbar(self.document, self.running, self.settings, self.menus.history)
        self.addToolBar(self.toolbar)
        self.status = Status(self.workers)
        self.setStatusBar(self.status)
        self.keyboard = Keyboard(self)
        self.notices = Notices(self)
        self.weights = WeightsOffer(self)
        self.resuming = Resuming(self)
        self._connect()
        self._restore()
        self._show_title()
        self._show_page()

    def _connect(self) -> None:
        self.document.changed.connect(self._document_changed)
        self.document.path_changed.connect(self._show_title)
        self.document.clean_changed.connect(self._show_title)
        self.files.opened.connect(self._opened)
        self.running.refused.connect(self._refused)
        self.workers.analyzed.connect(self._analyzed)
        self.workers.glimpsed.connect(self._glimpsed)
        self.workers.welcomed.connect(self.toolbar.set_devices)
        self.workers.elsewhere.command = self.settings.command
        self.status.problems_chosen.connect(lambda: self.docks.reveal("problems"))
        self.files.saved.connect(self._remind)
        self.session.state_changed.connect(self._remind_of_run)
        self.welcome.template_chosen.connect(self.files.open_template)
        self.welcome.file_chosen.connect(self.files.open_path)
        self.welcome.open_chosen.connect(self.files.open)
        self.welcome.empty_chosen.connect(self.begin_empty)
        self.welcome.pasted.connect(self._paste)

    @property
    def is_complete(self) -> bool:
        """Whether :meth:`complete` is done."""
        return self._complete

    def complete(self) -> None:
        """Make what the first paint did not need."""
        while self._to_build:
            self._to_build.pop(0)()

    def complete_soon(self) -> None:
        """As :meth:`complete`, but let events through between its parts."""
        if self._to_build:
            self._to_build.pop(0)()
            QTimer.singleShot(0, self.complete_soon)

    def _build_canvas(self) -> None:
        from gui.canvas import Canvas, Palette

        self.canvas = Canvas(self.document, self.selection)
        self.canvas.message.connect(self._say)
        self.scrubber = Scrubber(self.session)
        below = QWidget()
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.scrubber)
        self.desk.addWidget(below)
        self.canvas.edit_requested.connect(self._edit_layer)
        self.canvas.trial.wanted.connect(self.workers.try_out)
        self.workers.tried.connect(self.canvas.trial.show)
        self.palette_view = Palette()
        self.palette_view.chosen.connect(self.canvas.add_layer)
        self.workers.welcomed.connect(self.palette_view.refresh)
        self.docks.fill("palette", self.palette_view)
        self.menus.add_canvas(self.canvas)
        self.selection.changed.connect(self.banners.place)
        self.banners.placed.connect(self.canvas.set_covered)
        self._lay_banners()
        QTimer.singleShot(0, self.canvas, self.canvas.fit)
        self.keyboard.to_canvas()

    def _build_inspector(self) -> None:
        from gui.inspector import Inspector
        from gui.recipe import RecipePanel

        self.inspector = Inspector(self.document, self.selection, self.workers)
        self.docks.fill("inspector", self.inspector)
        self.unfinished.watch("inspector", self.inspector)
        self.recipe = RecipePanel(self.document)
        self.docks.fill("recipe", self.recipe)
        self.unfinished.watch("recipe", self.recipe)
        self.recipe.rate_wanted.connect(lambda: self.docks.reveal("rate"))

    def _build_panels(self) -> None:
        from gui.panels import (
            ActivationsPanel,
            BinaryLabPanel,
            CodePanel,
            CurvesPanel,
            DataPanel,
            FiltersPanel,
            GradientsPanel,
            HealthPanel,
            HistoryPanel,
            InitLabPanel,
            PredictionsPanel,
            ProblemsPanel,
            RatePanel,
            ResponsesPanel,
            WeightsPanel,
        )

        self.data = DataPanel(self.document, self.session, self.workers)
        self.docks.fill("data", self.data)
        varying = self.recipe.augmentation
        self.data.watchers.append(lambda: varying.wants_view)
        self.data.viewed.connect(varying.show_view)
        self.recipe.preview_changed.connect(self.data.request)
        varying.look_wanted.connect(self._show_varied)
        self.problems = ProblemsPanel(self.document, self.selection)
        self.docks.fill("curves", CurvesPanel(self.session))
        self.docks.fill("weights", WeightsPanel(self.session, self.selection))
        self.docks.fill("gradients", GradientsPanel(self.session, self.selection))
        self.docks.fill("activations", ActivationsPanel(self.session, self.selection))
        self.health = HealthPanel(self.document, self.selection, self.session)
        self.diagnosing = Diagnosing(self.workers, self.canvas, self.health, self.settings)
        self.scrubber.branched.connect(self.branch)
        self.scrubber.filmed.connect(self.film)
        self.docks.fill("health", self.health)
        self.health.counted.connect(lambda number: self.docks.count("health", number))
        self.docks.fill("filters", FiltersPanel(self.session, self.selection))
        self.docks.fill(
            "responses", ResponsesPanel(self.document, self.session, self.selection, self.workers)
        )
        self.docks.fill("predictions", PredictionsPanel(self.session, self.workers))
        self.docks.fill("problems", self.problems)
        self.docks.fill("history", HistoryPanel(self.document))
        self.docks.fill("code", CodePanel(self.document, self.selection, self.workers))
        self.lab_init = InitLabPanel(self.document, self.workers)
        self.lab_init.found.connect(self._select_path)
        self.docks.fill("lab_init", self.lab_init)
        self.rate = RatePanel(self.document, self.workers, lambda: self.settings.device)
        self.docks.fill("rate", self.rate)
        self.lab_ste = BinaryLabPanel(self.document, self.selection, self.session, self.workers)
        self.lab_ste.binarize_wanted.connect(self.commands["edit.binarize"].trigger)
        self.docks.fill("lab_ste", self.lab_ste)
        self._complete = True
        if self.workers.current:
            self._analyzed(self.workers.analysis)
        self._show_page()
        self.completed.emit()

    # ------------------------------------------------------------------ what is shown

    def begin_empty(self) -> None:
        """Leave the welcome for an empty canvas."""
        self._welcome_wanted = False
        self._show_page()

    def _paste(self) -> None:
        """Leave the welcome with what was copied; where that is nothing, say what can be."""
        self.complete()
        self.canvas.command("paste").trigger()
        self._show_page()

    def _say(self, text: str) -> None:
        """Say what the canvas has to say; on the welcome, where no status bar is seen, as a notice."""
        if self.welcoming:
            self.canvas.toast.dismiss()  # else it would be seen where the welcome is left
            self.banners.show_banner("said", text)
        else:
            self.status.showMessage(text, 8000)

    @property
    def welcoming(self) -> bool:
        """Whether the welcome is shown: nothing is drawn, nothing is open, nothing can be undone."""
        document = self.document
        return (
            self._welcome_wanted
            and not document.network.nodes
            and document.path is None
            and not document.undo_stack.count()
        )

    def _show_page(self) -> None:
        welcoming = self.welcoming
        self.toolbar.setVisible(not welcoming)
        self.status.setVisible(not welcoming)
        if not welcoming:
            self.banners.hide_banner("said")
        shown = self.welcome if welcoming else self.workbench
        if self.stack.currentWidget() is not shown:
            self.stack.setCurrentWidget(shown)
            self._lay_banners()
            self._settle()
            if self._complete and not welcoming:
                self.keyboard.to_canvas()
                QTimer.singleShot(0, self.canvas, self.canvas.fit)

    def _lay_banners(self) -> None:
        """Let notices lie over what is shown."""
        if self.desk.count() and self.stack.currentWidget() is self.workbench:
            self.banners.lie_over(self.canvas, self.canvas.covered)
        else:
            self.banners.lie_over(self.stack)

    def _show_title(self) -> None:
        self.setWindowTitle(f"{self.files.title()}{'' if self.document.clean else ' •'} — Layerlab")

    def _document_changed(self, before: Network, after: Network) -> None:
        if bool(before.nodes) != bool(after.nodes):
            self._show_page()
        if before.name != after.name:
            self._show_title()
        if self.session.active and (what := difference(before, after)):
            self.session.note_edit(what)
        self.notices.compare()

    def _opened(self) -> None:
        document = self.document
        if document.path is None and not document.network.nodes:
            self._welcome_wanted = True
        self.selection.set()
        self.selection.show_block(None)
        self.weights.opened()
        self._show_page()
        self.keyboard.to_canvas()
        if self._complete:
            QTimer.singleShot(0, self.canvas, self.canvas.fit)

    def _glimpsed(self, analysis: Analysis, searched: bool = False) -> None:
        """Show what is found while a gesture goes on, or ways out are being tried, where one looks."""
        self.status.show_analysis(analysis)
        if self._complete:
            self.canvas.set_analysis(analysis, searched)
            self.inspector.set_analysis(analysis)
            self.problems.set_analysis(analysis)

    def _analyzed(self, analysis: Analysis) -> None:
        self._glimpsed(analysis, searched=True)
        if self._complete:
            self.recipe.set_analysis(analysis)
            self.lab_init.set_analysis(analysis)
            self.notices.compare()  # what becomes of its weights, the analysis tells
            self.rate.set_analysis(analysis)
            self.lab_ste.set_analysis(analysis)
        self.weights.offer(analysis)

    def _edit_layer(self, node: str) -> None:
        self.docks.reveal("inspector")
        self.inspector.focus_first()

    def _refused(self, text: str) -> None:
        self.status.showMessage(" ".join(filter(None, (text, summed(self.unfinished())))), 8000)
        if self.workers.analysis.errors:
            self.docks.reveal("problems")

    def _remind(self) -> None:
        """Say which texts had no part in what has just been done."""
        if texts := self.unfinished():
            self.status.showMessage(summed(texts), 8000)

    def _remind_of_run(self, state: str) -> None:
        if state == "starting":
            self._remind()

    def show_machines(self) -> None:
        """Show the list of machines to train on."""
        from gui.machines import MachinesDialog

        dialog = MachinesDialog(self.settings, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # ------------------------------------------------------------------ the run

    def branch(self) -> BranchDialog:
        """Ask from which of the run's weights a new run shall begin, and show what has been edited since."""
        from gui.branching import BranchDialog  # it brings pictures, which the first paint does not need

        dialog = BranchDialog(self.session, self.document.network, said(self.diagnosing.carried()), self)
        dialog.chosen.connect(self.diagnosing.train_on)
        dialog.open()
        return dialog

    def film(self) -> None:
        """Ask for a file, and save the run as a film of what the window shows of it."""
        from gui.film import Film, ask

        path = ask(self)
        if path is not None:
            Film(self.session, self.workbench, self).start(path, self.status.showMessage)

    # ------------------------------------------------------------------ the window itself

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a network, or data, from a file manager."""
        if _dropped_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open it, once the other program's drag is over."""
        path = _dropped_file(event)
        if path is not None:
            event.acceptProposedAction()
            open_it = self.files.open_path if path.suffix == SUFFIX else self.open_data
            QTimer.singleShot(0, lambda: open_it(path))

    def _show_varied(self) -> None:
        self.docks.reveal("data")
        self.data.show_varied()

    def _select_path(self, path: str) -> None:
        """Select the node at a path, or the use of a block that it is in."""
        words = path.split(".")
        self.selection.set([words[-1] if self.selection.block else words[0]])

    def open_data(self, path: Path) -> None:
        """Look at the file or folder at `path` as data."""
        self.complete()
        self.begin_empty()
        self.docks.reveal("data")
        self.data.open_path(path)

    def showEvent(self, event: QShowEvent) -> None:
        """Share out the room, now that it is known."""
        super().showEvent(event)
        self._settle()

    def _settle(self) -> None:
        """Arrange the docks, once they are seen for the first time at the window's real size."""
        if not self._settled and self.isVisible() and self.workbench.isVisible():
            self._settled = True
            for layout in (self.layout(), self._column):
                if layout is not None:
                    layout.activate()
            self.docks.settle(self.settings.layout)

    def _restore(self) -> None:
        if self.settings.geometry is None or not self.restoreGeometry(self.settings.geometry):
            self.resize(FIRST.boundedTo(self.screen().availableSize() - TITLE))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask about unsaved changes; then end the hosts."""
        finish_typing()
        if not self.files.may_replace():
            event.ignore()
            return
        self.settings.geometry = self.saveGeometry()
        if self._settled:
            self.settings.layout = self.docks.state()
        self.hide()
        self.closed.emit()
        self.workers.close()
        event.accept()

    def keep_in(self, root: Path) -> Keeper:
        """Keep edits and saves safe from now on, below `root`."""
        from gui.recovery import Keeper  # not before the first paint

        keeper = Keeper(self.document, self.files, self.banners, root, self, self.unfinished)
        self.closed.connect(keeper.close)
        self.menus.add_history(keeper.show_history)
        return keeper


def _dropped_file(event: QDropEvent) -> Path | None:
    urls = event.mimeData().urls()
    path = Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
    return path if path is not None and (path.suffix == SUFFIX or path.exists()) else None
