"""Weights as pictures, with their gradients beside them: kernels as images, matrices as heat maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.host.protocol import Excerpt
from gui.narrow import Paragraph, Pick
from gui.panels.bar import Bar
from gui.panels.distributions import owned
from gui.panels.panel import Panel
from gui.panels.pictures import ColorKey, TensorView, values_of
from gui.selection import Selection
from gui.session import Session
from gui.theme import SPACE


class FiltersPanel(Panel):
    """One parameter's values and their gradient, at the step that is looked at."""

    def __init__(self, session: Session, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__("Filters", "mdi6.grid", parent)
        self._session, self._selection = session, selection
        self.chooser = Pick()
        self.chooser.setAccessibleName("Parameter")
        self.weight = TensorView("Weights")
        self.gradient = TensorView("Gradients")
        self._titles = [Paragraph() for _ in range(2)]
        row = QHBoxLayout()
        row.setContentsMargins(2 * SPACE, 0, 2 * SPACE, 2 * SPACE)
        row.setSpacing(2 * SPACE)
        self._keys = [ColorKey() for _ in range(2)]
        views = (self.weight, self.gradient)
        for title, view, key in zip(self._titles, views, self._keys, strict=True):
            title.setProperty("role", "muted")
            title.setMinimumWidth(1)
            column = QVBoxLayout()
            column.addWidget(title)
            column.addWidget(view, 1)
            column.addWidget(key)
            row.addLayout(column, 1)
        whole = QVBoxLayout(self.content)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(Bar(self.chooser, None, self.menu_button()))
        whole.addLayout(row, 1)
        self.chooser.currentIndexChanged.connect(self.request)
        for view in (self.weight, self.gradient):
            view.clicked.connect(self._point)
        for signal in (session.observed, session.state_changed, session.sought, selection.changed):
            signal.connect(self.request)
        self.flush()

    def refresh(self) -> None:
        """Show the newest, or the step that is looked at."""
        seen = self._session.seen()
        if not seen or not seen[-1].weight_excerpts:
            self.show_empty("No filters yet", "Press Train (F5): weights are drawn here as pictures, live.")
            return
        self.show_content()
        known = list(seen[-1].weight_excerpts)
        picked = [name for name in known if owned(name, self._selection.nodes, self._selection.block)]
        self._list(picked or known)
        name = self.chooser.currentText()
        last = seen[-1]
        weight, gradient = last.weight_excerpts.get(name), last.gradient_excerpts.get(name)
        self.weight.show_excerpt(weight)
        self.gradient.show_excerpt(gradient)
        for key, excerpt in zip(self._keys, (weight, gradient), strict=True):
            key.show_scale(None if excerpt is None else excerpt.scale)
        shape = self._session.begun.parameters.get(name, ()) if self._session.begun else ()
        self._titles[0].setText(_told("Weights", weight, shape, last.step))
        self._titles[1].setText(_told("Gradient", gradient, shape, last.step))

    def _point(self) -> None:
        """Show where the parameter's node is on the canvas."""
        path = self.chooser.currentText().split(".")[:-1]
        if path:
            self._selection.point((path[-1] if self._selection.block else path[0]).split("__")[0])

    def _list(self, names: list[str]) -> None:
        if names == [self.chooser.itemText(i) for i in range(self.chooser.count())]:
            return
        before = self.chooser.currentText()
        self.chooser.blockSignals(True)
        self.chooser.clear()
        self.chooser.addItems(names)
        self.chooser.setCurrentIndex(names.index(before) if before in names else 0)
        self.chooser.blockSignals(False)

    def follow_theme(self) -> None:
        """Draw in the theme's colours."""
        for view in (self.weight, self.gradient, *self._keys):
            view.update()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The values that are shown."""
        seen = self._session.seen()
        name = self.chooser.currentText()
        rows: list[Sequence[object]] = []
        for what, of in (("weight", "weight_excerpts"), ("gradient", "gradient_excerpts")):
            excerpt = getattr(seen[-1], of).get(name) if seen else None
            if excerpt is not None:
                rows += [(what, name, i, v) for i, v in enumerate(values_of(excerpt).ravel().tolist())]
        return ("what", "parameter", "index", "value"), rows


def _told(what: str, excerpt: Excerpt | None, shape: Sequence[int], step: int) -> str:
    if excerpt is None:
        return f"{what}: none at step {step:,}"
    part = " × ".join(map(str, excerpt.shape))
    whole = " × ".join(map(str, shape))
    count, of = len(excerpt.values), 1
    for size in shape:
        of *= size
    words = whole if count == of else f"{part} of {whole}"
    return "  ".join(part.replace(" ", "\u00a0") for part in (what, words, f"step {step:,}"))
