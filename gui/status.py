"""The status bar: messages on the left, the state of the network on the right."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QStatusBar, QToolButton

from engine.findings import Analysis
from gui.amounts import at_least, left_out
from gui.theme import theme
from gui.workers import Workers


def count(number: int) -> str:
    """``1,234``, ``61.7 k``, ``1.2 M``, ``3.4 G``."""
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= scale:
            return f"{number / (1e3 if unit == 'k' else scale):.1f} {unit}"
    return f"{number:,}"


class Status(QStatusBar):
    """Messages, problems, totals, and whether the engine is there."""

    #: The user asked for the list of problems.
    problems_chosen = Signal()

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self.problems = QToolButton(autoRaise=True)
        self.problems.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.problems.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.problems.clicked.connect(self.problems_chosen)
        self.totals = QLabel()
        self.totals.setProperty("role", "muted")
        self.totals.setAccessibleName("Size of the network")
        self.engine = QLabel("Engine starting…")
        self.engine.setProperty("role", "muted")
        self.engine.setAccessibleName("State of the engine")
        for widget in (self.problems, self.totals, self.engine):
            self.addPermanentWidget(widget)
        self._analysis = Analysis()
        self._known = False
        workers.welcomed.connect(lambda welcome: self._welcome(f"PyTorch {welcome.torch.split('+')[0]}"))
        theme.changed.connect(self._show)
        self._show()

    def _welcome(self, text: str) -> None:
        self.engine.setText(text)

    def show_analysis(self, analysis: Analysis) -> None:
        """Show the counts of a new analysis."""
        self._analysis, self._known = analysis, True
        self._show()

    def _show(self) -> None:
        errors = len(self._analysis.errors)
        warnings = sum(problem.severity == "warning" for problem in self._analysis.problems)
        if errors:
            text, icon, color = _plural(errors, "error"), "mdi6.close-circle", "error"
        elif warnings:
            text, icon, color = _plural(warnings, "warning"), "mdi6.alert", "warning"
        else:
            text, icon, color = "No problems", "mdi6.check-circle-outline", "good"
        self.problems.setVisible(self._known)
        self.problems.setText(text)
        self.problems.setAccessibleName(text)
        self.problems.setToolTip("Show the problems")
        self.problems.setIcon(theme.icon(icon, color))
        totals = self._analysis.totals
        parameters, macs, unknown = (totals.get(name, 0) for name in ("parameters", "macs", "unknown"))
        self.totals.setVisible(bool(parameters or unknown))
        self.totals.setText(
            f"{at_least(count(parameters), unknown)} parameters · {at_least(count(macs), unknown)} MACs"
            if parameters or macs
            else "Parameters and MACs unknown"
        )
        self.totals.setToolTip(
            f"{at_least(f'{parameters:,}', unknown)} parameters; {at_least(f'{macs:,}', unknown)} "
            f"multiply–accumulate operations for one example.{left_out(unknown)}"
        )


def _plural(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"
