"""The data: choose or drop a file or folder, see what it is, and what the network will receive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QMenu,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from engine import datawords, diff, edit
from engine.dataview import DataView, Offer
from engine.findings import Analysis
from engine.host.protocol import CANCELLED, DataAbsent, DataLooked, DataProgress, Failed
from engine.network import Network, Node
from engine.problems import FileProblem
from engine.runs import RunFolder
from gui.actions import local
from gui.choosing import ask_folder, ask_open
from gui.document import Document
from gui.inspector.from_data import fitting
from gui.narrow import elide
from gui.panels.balance import Balance
from gui.panels.bar import Bar
from gui.panels.panel import Panel
from gui.panels.rows import Facts, fill, plain_label, plain_table
from gui.panels.samples import Samples
from gui.plain import tip
from gui.session import Session
from gui.theme import SPACE

#: What the dialog for files shows.
_DATA = "Data (*.csv *.tsv *.parquet *.npz *.npy *.safetensors *.txt *.gz *-ubyte);;All files (*)"
#: The recipe rests for so long before its data are looked at again.
REST_MS = 300


class Looks(Protocol):
    """What the panel needs of the window's workers."""

    answered: Any
    analyzed: Any

    def look_at_data(self, path: str | None = None, download: bool = False) -> int:
        """Ask what the document's data look like, or what lies at a path; `download`: fetch them first."""

    def analyze_again(self) -> None:
        """Analyse the document anew: its data have come."""

    def cancel_data(self, request: int) -> None:
        """Call a look off."""


class DataPanel(Panel):
    """Shows the document's data set; or another one, which a button makes the document's.

    Attributes
    ----------
    watchers
        Asked whether the document's data are wanted elsewhere while the panel is not seen.
    """

    #: The document's data were looked at: their DataView, or None where they cannot be had.
    viewed = Signal(object)

    def __init__(
        self, document: Document, session: Session, workers: Looks, parent: QWidget | None = None
    ) -> None:
        super().__init__("Data", "mdi6.database-outline", parent)
        self._document, self._session, self._workers = document, session, workers
        self._analysis = Analysis()
        #: What is shown, and the path it was found at where it is not yet the document's.
        self.view: DataView | None = None
        self.path: str | None = None
        self.watchers: list[Callable[[], bool]] = []
        self._request = 0
        self._looked: object = None
        self._problem = ""
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._rested)
        self._build()
        document.changed.connect(self._document_changed)
        session.state_changed.connect(self.request)
        workers.answered.connect(self._answered)
        workers.analyzed.connect(self.set_analysis)

    def _build(self) -> None:
        self.choose = QPushButton("Choose…")
        self.choose.setToolTip("Look at a file or folder; or drop one onto the window")
        chosen = QMenu(self.choose)
        self.choose_file = chosen.addAction("A file…", lambda: self._choose(folder=False))
        self.choose_folder = chosen.addAction("A folder…", lambda: self._choose(folder=True))
        local(self.choose_file, self, "Ctrl+P, F")
        local(self.choose_folder, self, "Ctrl+P, O")
        self.choose.setMenu(chosen)
        self.use = QPushButton("Use these data")
        self.use.setProperty("primary", True)
        self.use.clicked.connect(self.use_shown)
        self.fit = QPushButton("Fit the network to them")
        self.fit.setToolTip("Set the shapes of Input and Output, and the loss, as these data need them")
        self.fit.clicked.connect(self.fit_network)
        self.samples = Samples()
        self.varied = QCheckBox("Augmented")
        self.varied.setToolTip("Show each example as it is and as augmentation makes it")
        self.varied.toggled.connect(self.samples.show_varied)
        self.fetch = QPushButton("Fetch")
        self.fetch.setProperty("primary", True)
        self.fetch.clicked.connect(self.ask_to_fetch)
        self._offer: Offer | None = None
        self._fetching = False
        self._progress = QProgressBar()
        self._progress.setMaximumWidth(240)
        self._progress.setMinimumWidth(80)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(lambda: self._workers.cancel_data(self._request))

        self._title = plain_label("heading")
        self._facts = Facts()
        self._remarks = plain_label("")
        words = QWidget()
        column = QVBoxLayout(words)
        column.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        column.setSpacing(2 * SPACE)
        for part in (self._title, self._facts, self._remarks):
            column.addWidget(part)
        column.addStretch()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(words)

        self.examples = plain_table("Examples")
        self.columns = plain_table("Columns")
        #: Pictures, or rows.
        self._pages_of_samples = (self.samples, self.examples)
        #: Nothing has been shown yet: no tab was chosen.
        self._unseen = True
        self.balance = Balance()
        self._about = scroll
        self._tabs = QTabWidget(documentMode=True)
        self._tabs.setAccessibleName("What the data hold")
        for tab, name in (
            (self._about, "About"),
            (self.samples, "Samples"),
            (self.examples, "Samples"),
            (self.balance, "Classes"),
            (self.columns, "Columns"),
        ):
            self._tabs.setTabVisible(self._tabs.addTab(tab, name), tab is self._about)
        elide(self._tabs)

        # The row of buttons stays while there is nothing to show: it is the way to something.
        row = Bar(
            self.choose,
            self._progress,
            self.cancel,
            None,
            self.varied,
        )
        self._doing = QWidget()
        self._doing.setLayout(Bar(self.use, self.fit, self.fetch, None))
        page = QVBoxLayout(self.content)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(self._tabs)
        own = self.layout()
        assert isinstance(own, QVBoxLayout)
        own.insertLayout(0, row)
        own.insertWidget(1, self._doing)
        hidden = (self._progress, self.cancel, self.varied, self.fit, self.use, self.fetch, self._doing)
        for widget in hidden:
            widget.hide()
        self.show_empty("No data looked at yet", "Choose a file or folder, or drop one onto the window.")

    # ------------------------------------------------------------------ asking

    def open_path(self, path: Path) -> None:
        """Look at what lies at `path`; it becomes the document's only when that is wished."""
        self.path = str(path)
        self._look()

    def _choose(self, *, folder: bool) -> None:
        if folder:
            path = ask_folder(self, "Choose a folder of data", self.path or "")
        else:
            path = ask_open(self, "Choose data", _DATA, self.path or "")
        if path is not None:
            self.open_path(path)

    def _rested(self) -> None:
        if self.in_view or self.works_hidden:
            self._look()
        else:  # when it comes into view
            self._stale = True

    @property
    def works_hidden(self) -> bool:
        """Whether the document's data are wanted elsewhere."""
        return any(wanted() for wanted in self.watchers)

    def request(self, *_: object) -> None:
        """Ask for a repaint, soon; where the data are wanted elsewhere, seen or not."""
        super().request()
        if not self.in_view and self.works_hidden:
            self._take_turn(0)

    def show_varied(self) -> None:
        """Show the samples before and after augmentation."""
        self.varied.setChecked(True)
        self._tabs.setCurrentIndex(max(map(self._tabs.indexOf, self._pages_of_samples)))

    def ask_to_fetch(self) -> None:
        """Ask whether the files may be fetched, and from where; nothing is fetched before that is said."""
        offer = self._offer
        if offer is None:
            return
        box = QMessageBox(QMessageBox.Icon.Question, "Layerlab", f"Download {offer.title}?", parent=self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        files = "1 file" if offer.files == 1 else f"{offer.files} files"
        box.setInformativeText(
            f"{files}, {offer.size / 1e6:,.0f} MB, from {offer.address} into {offer.folder}. Each is checked "
            "by its SHA-256; what breaks off is gone on with the next time."
        )
        yes = box.addButton("Download", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.buttonClicked.connect(lambda button: self._look(download=True) if button is yes else None)
        box.open()

    def _look(self, *, download: bool = False) -> None:
        if self._request:
            self._workers.cancel_data(self._request)
        self._rest.stop()
        self._looked, self._offer, self._fetching = self._wanted(), None, download
        self._request = self._workers.look_at_data(self.path, download)
        self._progress.setRange(0, 0)
        self._show_busy(True)

    def _wanted(self) -> object:
        recipe = self._document.network.recipe
        return (self.path, recipe.seed) if self.path is not None else (recipe.data, recipe.seed)

    def _document_changed(self, before: Network, after: Network) -> None:
        self.request()

    def set_analysis(self, analysis: Analysis) -> None:
        """Learn how network and data differ."""
        self._analysis = analysis
        self.request()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        if isinstance(event, DataProgress):
            self._progress.setRange(0, event.total)
            self._progress.setValue(event.done)
            self._progress.setFormat(f"{100 * event.done // max(1, event.total)} %")
            far = f"{event.done:,} of {event.total:,}" if event.total else "This may take a moment."
            self._progress.setToolTip(tip(f"{event.what}: {far}"))
            if self.view is None:
                self.show_empty(f"{event.what}…", far)
            return
        self._request = 0
        self._show_busy(False)
        self._problem = ""
        if isinstance(event, DataLooked):
            self.view = event.view
            if self._fetching:  # what was missing is here: the drawing can be trained now
                self._workers.analyze_again()
        elif isinstance(event, DataAbsent):
            self.view, self._problem, self._offer = None, event.message, event.offer
        elif isinstance(event, Failed):
            self.view = None
            self._problem = event.message
        if self.path is None:
            self.viewed.emit(self.view)
        self.flush()

    def _show_busy(self, busy: bool) -> None:
        if busy:
            self.fetch.hide()
        self._progress.setVisible(busy)
        self.cancel.setVisible(busy)

    # ------------------------------------------------------------------ doing

    def use_shown(self) -> None:
        """Make what is shown the document's data."""
        if self.view is None or self.path is None:
            return
        network = self._document.network
        before = network.recipe.data
        split = before.split if before.source == self.view.source else {}
        data = replace(before, source=self.view.source, fields=dict(self.view.fields), split=split)
        self.path = None
        self._document.edit(edit.set_recipe(network, replace(network.recipe, data=data)), "Use other data")
        self._looked = self._wanted()
        self.flush()

    def fit_network(self) -> None:
        """Set shapes and loss as the data need them, in one step of the history.

        A drawing without an Input or Output gets them.
        """
        network = self._document.network
        try:
            changed = diff.apply(network, fitting(self._analysis))
        except (KeyError, ValueError, FileProblem):
            return  # the drawing has changed since; a new analysis is on its way
        if self.view is not None:
            types = {node.type for node in network.nodes.values()}
            if "Input" not in types:
                for number, column in enumerate(self.view.inputs):
                    fields: dict[str, Any] = {"shape": list(column.shape)}
                    if column.dtype != "float32":
                        fields["dtype"] = column.dtype
                    if len(self.view.inputs) > 1:
                        fields["column"] = column.name
                    id = edit.fresh_id(changed, "input")
                    changed = edit.add_node(changed, id, Node("Input", fields), (0, 120 * number))
            if "Output" not in types:
                changed = edit.add_node(changed, edit.fresh_id(changed, "out"), Node("Output"), (480, 0))
        if changed is not network:
            self._document.edit(changed, "Fit the network to the data")

    def _lacks_ends(self) -> bool:
        return not {"Input", "Output"} <= {node.type for node in self._document.network.nodes.values()}

    # ------------------------------------------------------------------ showing

    def refresh(self) -> None:
        """Show the newest view, and ask for another where the document's data have changed."""
        if self._looked != self._wanted() and self.path is None:
            self._rest.start()
        view = self.view
        self.use.setVisible(view is not None and self.path is not None)
        unfit = bool(fitting(self._analysis)) or self._lacks_ends()
        self.fit.setVisible(view is not None and self.path is None and unfit)
        self.fetch.setVisible(self._offer is not None and not self._request)
        if self._offer is not None:
            self.fetch.setText(f"Download {self._offer.title} ({self._offer.size / 1e6:,.0f} MB)…")
        self._doing.setVisible(not all(b.isHidden() for b in (self.use, self.fit, self.fetch)))
        pictured = view is not None and any(s.augmented or s.varied_lines for s in view.samples)
        self.varied.setVisible(pictured)
        if view is None:
            if self._problem == CANCELLED:
                self.show_empty(
                    "Not looked at", "Loading was cancelled. Choose the data again to look at them."
                )
            elif self._offer is not None:
                self.show_empty(f"The {self._offer.title} files are not here yet", self._problem)
            elif self._problem:
                self.show_empty("These data cannot be used", self._problem)
            return
        self._title.setText(view.title)
        self._facts.show_facts(datawords.facts(view))
        self._remarks.setText(self._words(view))
        self._remarks.setVisible(bool(self._remarks.text()))
        self._fill_tabs(view)
        self.show_content()

    def _words(self, view: DataView) -> str:
        said = datawords.remarks(view)
        if self.path is None and changed_since(self._session.run, view):
            said.insert(0, "Warning: These data have changed since the run that is shown.")
        return "\n\n".join(said)

    def _fill_tabs(self, view: DataView) -> None:
        drawn = any(sample.picture or sample.lines for sample in view.samples)
        current = self._tabs.currentWidget()
        if self._unseen or current in self._pages_of_samples:
            current = self.samples if drawn else self.examples
        self._unseen = False
        self.samples.show_samples(view.samples)
        self.balance.show_balance(view.balance)
        if not drawn:
            rows = datawords.sample_rows(view)
            varied = bool(rows) and len(rows[0]) == len(datawords.VARIED_HEADINGS)
            fill(self.examples, datawords.VARIED_HEADINGS if varied else datawords.SAMPLE_HEADINGS, rows)
        if view.columns:
            fill(self.columns, datawords.COLUMN_HEADINGS, datawords.column_rows(view))
        for tab, there in (
            (self.samples, drawn),
            (self.examples, not drawn),
            (self.balance, bool(view.balance)),
            (self.columns, bool(view.columns)),
        ):
            self._tabs.setTabVisible(self._tabs.indexOf(tab), there)
        if self._tabs.isTabVisible(self._tabs.indexOf(current)):
            self._tabs.setCurrentWidget(current)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The shown examples."""
        return ("example", "received", "target"), [] if self.view is None else datawords.sample_rows(
            self.view
        )


def changed_since(run: str | None, view: DataView) -> bool:
    """Whether the run in folder `run` was trained on the same source with other contents."""
    if not run:
        return False
    try:
        told = json.loads(RunFolder(Path(run)).facts.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("data_sha256") not in (None, view.sha256)
