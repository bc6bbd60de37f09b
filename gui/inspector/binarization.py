"""Binarization in the inspector: estimators, real values on their curves, why a plain sign learns nothing."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine import edit
from engine.catalog import BINARIZERS, Layer
from engine.host.protocol import CurvePreview, Distribution, EstimatorSeen, Failed
from engine.network import Network, Node
from gui.forms import Change, ChoiceEditor, show_if
from gui.inspector.common import Figures, text_label
from gui.inspector.plots import Curve, CurvePlot
from gui.inspector.preview import Desk, Preview
from gui.inspector.section import Section
from gui.inspector.subject import BINARIZATION, Subject
from gui.inspector.words import number_text
from gui.narrow import Button
from gui.plain import tip
from gui.theme import SPACE, theme

#: Milliseconds after which a look at a batch is asked for anew: it loads data and runs the network.
_LONG = 120_000

_PLACES = {"weight": "Weights", "input": "Input"}


class BinarizePart(Section):
    """Whether weights and input are binarized, and by which estimator."""

    def __init__(self, subject: Subject, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__("binarization", "Binarization", parent, open=False)
        self._subject = subject
        self.places = {place: _Estimator(place, subject, desk) for place in _PLACES}
        for estimator in self.places.values():
            self.rows.addWidget(estimator)
        self.whole = Button("With all that it needs…", theme.icon("mdi6.plus-minus-variant"))
        self.whole.setToolTip(
            tip("Binarize this layer, and give it its normalisation, border, recipe: one undo step")
        )
        self.whole.clicked.connect(self._ask)
        theme.changed.connect(self._restyle)
        self.rows.addWidget(self.whole)
        self.toggled.connect(self.refresh)

    def _ask(self) -> None:
        from gui.binarizing import BinarizeDialog  # it brings the canvas's pictures

        subject = self._subject
        BinarizeDialog(subject.document, subject.analysis, subject.ids, subject.block, self.window()).open()

    def _restyle(self) -> None:
        self.whole.setIcon(theme.icon("mdi6.plus-minus-variant"))

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()
        for estimator in self.places.values():
            estimator.turn()

    def refresh(self) -> None:
        """Show the current node's estimators."""
        subject = self._subject
        can = subject.all(_can)
        show_if(self, subject.all(lambda node, layer: _can(node, layer) or bool(node.binarize)))
        for place, estimator in self.places.items():
            show_if(estimator, subject.all(partial(_has, place)))
            estimator.refresh(self.open)
        show_if(self.whole, can)
        chosen = [_PLACES[place].lower() for place in _PLACES if place in subject.node.binarize]
        mixed = any(estimator.choice.mixed for estimator in self.places.values())
        self.set_title("Binarization", "mixed" if mixed else " and ".join(chosen) if chosen else "real")


def _can(node: Node, layer: Layer | None) -> bool:
    return layer is not None and bool(layer.binarizable)


def _has(place: str, node: Node, layer: Layer | None) -> bool:
    return _can(node, layer) or place in node.binarize


class _Estimator(QWidget):
    """One place's estimator: chooser, forward and backward curve with real values, lesson."""

    def __init__(self, place: str, subject: Subject, desk: Desk) -> None:
        super().__init__()
        self._place = place
        self._subject = subject
        self._workers = desk.workers
        self._session = desk.session
        self._open = False
        entries = {id: entry for id, entry in BINARIZERS.items() if place in entry.places}
        self.choice = ChoiceEditor(
            entries,
            f"Binarization of the {place}",
            none="Real: not binarized",
            drafts=subject.drafts(BINARIZATION + place),
        )
        self.choice.chosen.connect(self._chosen)
        self.choice.ended.connect(subject.document.end_merge)
        self.choice.cancelled.connect(subject.document.cancel_merge)
        self.formula = text_label()
        self.forward = CurvePlot(f"Forward values of the {place}")
        self.backward = CurvePlot(f"Gradient factor of the {place}")
        self.figures = Figures()
        self.plain = text_label()
        self.lesson = text_label(role="muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addWidget(text_label(_PLACES[place], "heading"))
        self._shown = (self.formula, self.forward, self.backward, self.figures, self.plain, self.lesson)
        for widget in (self.choice, *self._shown):
            layout.addWidget(widget)
        self._preview = Preview(desk, self._received, self, empty=lambda: self._say(""))
        self._look = Preview(desk, self._looked, self, patience=_LONG)
        self._seen: EstimatorSeen | None = None
        if self._session is not None:
            self._session.observed.connect(self._observed)
            self._session.state_changed.connect(self._observed)

    def turn(self) -> None:
        """Speak of other nodes."""
        self.choice.set_drafts(self._subject.drafts(BINARIZATION + self._place))
        self._preview.turn()
        if self._look.waiting is None:
            self._look.forget()  # what was found is handed on when it is wanted again
        self._seen = None
        self.plain.setText("")

    def refresh(self, open: bool) -> None:
        """Show the node's estimator; `open`: someone looks."""
        self._open = open
        choice = self._subject.node.binarize.get(self._place)
        self.choice.show_choice(
            choice, others=self._subject.others(lambda node: node.binarize.get(self._place))
        )
        entry = BINARIZERS.get(choice.id) if choice and not self.choice.mixed else None
        for widget in self._shown:
            show_if(widget, entry is not None)
        if entry is None or choice is None:
            self._preview.forget()
            self._look.forget()
            self._seen = None
            return
        self.formula.setText(f"forward  {entry.forward}\nbackward  {entry.backward}")
        self.lesson.setText(entry.lesson)
        wrong = entry.check(choice.fields)
        if wrong:
            self._preview.forget()
            self._say(f"No curve: {wrong[0][0]} {wrong[0][1]}")
        elif open:
            fields = dict(choice.fields)
            self._preview.want(
                (choice.id, fields), lambda: self._workers.preview_binarizer(choice.id, fields)
            )
        self._look_on()
        self._tell()

    # ------------------------------------------------------------------ curves

    def _say(self, message: str) -> None:
        for plot in (self.forward, self.backward):
            plot.set_curves(())
            plot.set_message(message)

    def _received(self, event: object) -> None:
        if isinstance(event, Failed):
            self._say(event.message)
        if isinstance(event, CurvePreview):
            sign = [1.0 if x >= 0 else -1.0 for x in event.x]
            nothing = [0.0] * len(event.x)
            self.forward.set_curves(
                (
                    Curve("forward", event.x, event.y, "accent"),
                    Curve("sign", event.x, sign, "muted", dashed=True),
                )
            )
            self.backward.set_curves(
                (
                    Curve("gradient", event.x, event.slope, "validation", filled=True),
                    Curve("of sign itself: 0", event.x, nothing, "muted", dashed=True),
                )
            )

    # ------------------------------------------------------------------ real values

    @property
    def _run(self) -> str | None:
        """The run whose weights are taken: the last one, once it is over."""
        session = self._session
        return session.run if session is not None and session.run and not session.active else None

    def _look_on(self) -> None:
        """Ask for a look at a batch, where someone looks, nothing is wrong, and no run wants the machine."""
        subject, session = self._subject, self._session
        alone = len(subject.ids) == 1  # what one gets says nothing of the others
        asleep = not (self._open and alone) or bool(subject.analysis.errors) or not subject.report.outputs
        if asleep or (session is not None and session.active):
            return
        key = (subject.path, self._place, self._run, subject.meaning)
        if self._look.waiting is None:
            path, run = subject.path, self._run
            self._look.want(key, lambda: self._workers.look_at_estimator(path, self._place, run))

    def _looked(self, event: object) -> None:
        if not self._subject.ids:
            return  # the layer has gone while this was on its way
        if isinstance(event, EstimatorSeen) and (event.node, event.place) == (
            self._subject.path,
            self._place,
        ):
            self._seen = event
        elif isinstance(event, Failed):
            self._seen = None
            self.plain.setText(event.message)
        self._tell()
        self._look_on()  # it may have been edited meanwhile

    def _observed(self, *_: object) -> None:
        if self._open and self.isVisible() and self._subject.ids:
            self._look_on()
            self._tell()

    def _live(self) -> tuple[Distribution, float | None, str] | None:
        """The values of the run that goes on: what they are like, the share masked, and when that was."""
        session, path = self._session, self._subject.path
        newest = session.newest if session is not None and session.active else None
        network = session.network if session is not None else None
        if newest is None or network is None or network.at(path) != self._subject.node:
            return None
        when = f"step {newest.step:,} of the run"
        if self._place == "input":
            got = newest.binary_inputs.get(path)
            return None if got is None else (got.values, got.masked, when)
        layer = self._subject.layer
        for name in layer.binarizable_names(self._subject.node.fields) if layer is not None else ():
            values = newest.weights.get(f"{path}.{name}")
            if values is not None:
                seen = newest.binary_weights.get(f"{path}.{name}")
                return values, None if seen is None else seen.masked, when
        return None

    def _tell(self) -> None:
        """Show where real values fall, and what that does to the gradient."""
        if len(self._subject.ids) > 1:
            for plot in (self.forward, self.backward):
                plot.set_falls((), ())
            show_if(self.figures, False)
            show_if(self.plain, False)
            return
        seen = self._seen
        if seen is not None and (seen.node, seen.place) != (self._subject.path, self._place):
            seen = self._seen = None
        live = self._live()
        name = "latent weights" if self._place == "weight" else "what arrives"
        if live is None and seen is not None:
            live = seen.values, seen.masked, seen.note
        values, masked, when = live if live is not None else (None, None, "")
        edges, counts = ((), ()) if values is None else (_edges(values), values.counts)
        for plot in (self.forward, self.backward):
            plot.set_falls(edges, counts, name, "good")
        rows = []
        if values is not None:
            # A mean that normalisation made zero is zero, whatever rounding left of it.
            mean = values.mean if abs(values.mean) > 1e-6 * values.std else 0.0
            spread = f"{number_text(_rounded(mean))} ± {number_text(_rounded(values.std))}"
            rows.append((name.capitalize(), spread, f"Mean and spread, {when}."))
            rows.append(
                (
                    "Smallest … largest",
                    f"{number_text(_rounded(values.lo))} … {number_text(_rounded(values.hi))}",
                    f"{when.capitalize()}.",
                )
            )
        if masked is not None:
            tip_ = "Share of the gradient that comes and that the estimator does not pass on."
            rows.append(("Gradient masked", f"{masked:.1%}", tip_))
        if seen is not None:
            rows.append(
                ("Gradient behind it", number_text(_rounded(seen.gradient)), "Its norm, on one real batch.")
            )
            rows.append(
                (
                    "… by a plain sign",
                    number_text(_rounded(seen.plain_gradient)),
                    "The same batch with sign's own derivative in the place of every estimator.",
                )
            )
        self.figures.show_figures(rows)
        show_if(self.figures, bool(rows))
        if seen is not None:
            self.plain.setText(_why_not_plain(seen))
        show_if(
            self.plain, bool(self.plain.text()) and self._subject.node.binarize.get(self._place) is not None
        )

    def _chosen(self, change: Change, merge: str) -> None:
        block, place = self._subject.block, self._place

        def apply(network: Network, id: str) -> Network:
            choice = change(edit.node_of(network, id, block).binarize.get(place))
            return edit.set_binarize(network, id, place, choice, block=block)

        self._subject.edit(f"Set the binarization of the {place}", apply, merge)


def _edges(values: Distribution) -> tuple[float, ...]:
    """The edges of a distribution's bins."""
    bins = len(values.counts)
    return tuple(values.lo + (values.hi - values.lo) * place / bins for place in range(bins + 1))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _why_not_plain(seen: EstimatorSeen) -> str:
    """In the network's own numbers: what would learn if the sign's own derivative were taken."""
    left = ", ".join(name.removesuffix(".weight") for name in seen.plain_learning[:4])
    more = len(seen.plain_learning) - 4
    which = f"{left}{f' and {more} more' if more > 0 else ''}" if left else "none"
    return (
        f"Why not a plain sign? Its slope is 0, so nothing behind it learns. On {seen.examples} examples "
        f"({seen.note}), {len(seen.learning)} of {seen.matrices} weight matrices get a gradient; with plain "
        f"signs {len(seen.plain_learning)}: {which}."
    )
