"""The part that draws a distribution: initialisation."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine import edit
from engine.catalog import INITIALIZERS, Entry, Initializer
from engine.findings import NodeReport
from engine.host.protocol import Failed, InitPreview
from engine.network import Choice, Network
from engine.storage import form as document_form
from gui.forms import Change, ChoiceEditor, set_state, show_if
from gui.inspector.common import Figures, Segments, text_label
from gui.inspector.plots import Curve, CurvePlot, HistogramPlot
from gui.inspector.preview import Desk, Preview
from gui.inspector.section import Section
from gui.inspector.subject import INITIALISATION, Subject
from gui.inspector.words import count_text, number_text, shape_text
from gui.links import SourceLabel, cited
from gui.unfinished import Drafts


class InitPart(Section):
    """How each parameter gets its first values, with a real draw of them."""

    def __init__(self, subject: Subject, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__("initialisation", "Initialisation", parent)
        self._subject = subject
        self._workers = desk.workers
        self.parameters = Segments("Parameter")
        self.parameters.changed.connect(self.refresh)
        self._editors: dict[str, ChoiceEditor] = {}
        self._chooser = QWidget()
        self._chooser_rows = QVBoxLayout(self._chooser)
        self._chooser_rows.setContentsMargins(0, 0, 0, 0)
        self.plot = HistogramPlot("Histogram of the initial values")
        self.figures = Figures()
        self.spectrum = CurvePlot("Singular values, the largest first")
        show_if(self.spectrum, False)
        self.note = text_label(role="muted")
        self.formula = text_label()
        self.lesson = SourceLabel()
        set_state(self.lesson, "role", "muted")
        for widget in (
            self.parameters,
            self._chooser,
            self.formula,
            self.plot,
            self.note,
            self.figures,
            self.spectrum,
            self.lesson,
        ):
            self.rows.addWidget(widget)
        self._preview = Preview(desk, self._received, self, empty=self._blank)
        self.toggled.connect(self.refresh)

    @property
    def editor(self) -> ChoiceEditor:
        """The editor of the parameter that is shown."""
        name = self.parameters.current
        if name not in self._editors:
            editor = ChoiceEditor(
                INITIALIZERS,
                f"Initialisation of {name}",
                none="",
                drafts=self._subject.drafts(INITIALISATION + name),
            )
            editor.chosen.connect(lambda change, merge, name=name: self._chosen(name, change, merge))
            editor.ended.connect(self._subject.document.end_merge)
            editor.cancelled.connect(self._subject.document.cancel_merge)
            self._editors[name] = editor
            self._chooser_rows.addWidget(editor)
        return self._editors[name]

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()
        for name, editor in self._editors.items():
            editor.set_drafts(self._subject.drafts(INITIALISATION + name))
        self._preview.turn()

    def lead_to(self, drafts: Drafts) -> None:
        """Show the parameter to which `drafts` belong; those of other parts change nothing."""
        for name, editor in self._editors.items():
            if editor.drafts is drafts:
                self.parameters.choose(name)

    def names(self) -> tuple[str, ...]:
        """The parameters that can be initialised, as far as they are there, in each of the nodes."""
        current, *others = reversed(self._subject.ids)
        shared = self._names_of(current)
        for id in others:
            if not shared:
                break
            names = self._names_of(id)
            shared = tuple(name for name in shared if name in names)
        return shared

    def _names_of(self, id: str) -> tuple[str, ...]:
        layer, node = self._subject.layer_of(id), self._subject.nodes[id]
        report = self._subject.report_of(id) or NodeReport()
        declared = layer.parameter_names(node.fields) if layer else ()
        there = [name for name in declared if name in report.parameters] if report.parameters else declared
        if not report.parameters and node.fields.get("bias") is False:
            there = [name for name in declared if name != "bias"]
        return (*there, *(name for name in node.init if name not in there))

    def refresh(self) -> None:
        """Show the scheme of the parameter that is chosen."""
        subject = self._subject
        names = self.names()
        show_if(self, bool(names))
        self.parameters.set_names(names)
        if not names:
            self._preview.forget()
            return
        name = self.parameters.current
        choice = subject.node.init.get(name)
        inherited = self._inherited(name)
        apart = any(self._inherited(name, id) != inherited for id in subject.ids)
        current = self.editor
        for other in self._editors.values():
            show_if(other, other is current)
        standard = INITIALIZERS[inherited.id].title if inherited.id in INITIALIZERS else inherited.id
        own_default = inherited.id == "default" and not inherited.fields
        current.show_choice(
            choice,
            others=subject.others(lambda node: node.init.get(name)),
            none="The network's" if apart else standard if own_default else f"The network's: {standard}",
            unfit=self._unfit,
        )
        mixed = current.mixed or (choice is None and apart)
        effective = choice or inherited
        scheme = INITIALIZERS.get(effective.id)
        self.set_title("Initialisation", "mixed" if mixed else scheme.title if scheme else effective.id)
        self._explain(None if mixed else scheme, choice is None)
        wrong = scheme.check(effective.fields) if scheme else [(effective.id, "is not known.")]
        if mixed:
            self._preview.forget()
            self._clear("No draw: they begin differently.")
        elif wrong:
            self._preview.forget()
            self._clear(f"No draw: {wrong[0][0]} {wrong[0][1]}")
        elif self.open:
            path = subject.path
            self._preview.want(
                self._draw_key(name, effective), lambda: self._workers.preview_init(path, name)
            )

    def _draw_key(self, name: str, effective: Choice) -> object:
        """All that the draw depends on."""
        subject = self._subject
        node = subject.node
        return (
            subject.path,
            name,
            document_form.choice_to_form(effective),
            node.type,
            dict(node.fields),
            subject.report.parameters.get(name),
            [tensor.shape for tensor in subject.inputs],
            subject.document.network.recipe.seed,
            len(subject.ids) > 1,  # of several it is said whose draw it is
        )

    def _inherited(self, name: str, id: str | None = None) -> Choice:
        """What the network's defaults say for a node, the current one or `id`; else torch's own."""
        layer = self._subject.layer if id is None else self._subject.layer_of(id)
        defaults = self._subject.document.network.defaults.get("init", {})
        for place in (layer.group if layer else "", "all"):
            found = defaults.get(place, {}).get(name) if isinstance(defaults, Mapping) else None
            if isinstance(found, Mapping) and isinstance(found.get("scheme"), str):
                return Choice(found["scheme"], dict(found.get("fields", {})))
        return Choice("default")

    def _unfit(self, entry: Entry) -> str | None:
        shape = self._subject.report.parameters.get(self.parameters.current)
        if shape is None or not isinstance(entry, Initializer):
            return None
        if not entry.min_dims <= len(shape) <= entry.max_dims:
            asked = (
                f"{entry.min_dims}"
                if entry.min_dims == entry.max_dims
                else f"at least {entry.min_dims}"
                if len(shape) < entry.min_dims
                else f"at most {entry.max_dims}"
            )
            return f"{entry.title} needs {asked} dimensions; {shape_text(shape)} has {len(shape)}."
        return None

    def _explain(self, scheme: Initializer | None, inherited: bool) -> None:
        self.formula.setText(scheme.formula if scheme else "")
        show_if(self.formula, bool(self.formula.text()))
        lesson = scheme.lesson if scheme else ""
        # What is chosen, the chooser explains.
        said = cited(f"{scheme.doc}\n{lesson}".strip(), scheme.source) if scheme and inherited else lesson
        self.lesson.show_words(said)
        show_if(self.lesson, bool(said))

    def _blank(self) -> None:
        """Wait for a draw; the figures' places are kept, so that nothing jumps."""
        self.plot.set_histogram((), ())
        self.plot.set_message("")
        self.figures.blank()
        self.spectrum.set_curves(())
        self.note.setText("")

    def _clear(self, message: str) -> None:
        self.plot.set_histogram((), ())
        self.plot.set_message(message)
        for widget in (self.figures, self.spectrum, self.note):
            show_if(widget, False)

    def _received(self, event: object) -> None:
        if isinstance(event, Failed):
            self._clear(event.message)
        if not isinstance(event, InitPreview):
            return
        layer = self._subject.layer if self._subject.ids else None
        group = layer.group if layer else "Other"
        if event.lo == event.hi:
            self.plot.set_histogram((), ())
            self.plot.set_message(f"Every value is {number_text(event.lo)}.")
        else:
            self.plot.set_histogram(event.edges, event.counts, event.density, group)
        figures = [
            ("Shape", f"{shape_text(event.shape)}", f"{event.drawn:,} values drawn."),
            ("Mean ± std", f"{number_text(event.mean)} ± {number_text(event.std)}", "Of the values drawn."),
            (
                "Smallest … largest",
                f"{number_text(event.lo)} … {number_text(event.hi)}",
                "Of the values drawn.",
            ),
        ]
        if event.fan_in is not None and event.fan_out is not None:
            tip = "Inputs of one output, and outputs of one input: schemes scale by them."
            figures.append(("Fan in, out", f"{count_text(event.fan_in)},  {count_text(event.fan_out)}", tip))
        if event.zeros is not None and event.zeros[1] > 0:
            low, high = (f"{100 * share:.3g} %" for share in event.zeros)
            told = low if low == high else f"{low} … {high}"
            figures.append(("Zeros per column", told, "Share of a unit's inputs that begin at exactly zero."))
        if event.singular and event.singular[0] > 0:
            low_value, high_value = event.singular[-1], event.singular[0]
            figures.append(
                (
                    "Singular values",
                    f"{number_text(low_value)} … {number_text(high_value)}",
                    "How much the matrix shrinks and stretches; equal for an orthogonal one.",
                )
            )
        self.figures.show_figures(figures)
        show_if(self.figures, True)
        places = range(1, len(event.singular) + 1)
        self.spectrum.set_curves(
            (Curve("singular values", tuple(map(float, places)), event.singular, group, filled=True),)
            if len(event.singular) > 1
            else ()
        )
        show_if(self.spectrum, len(event.singular) > 1)
        note = event.note[:1].upper() + event.note[1:]
        if len(self._subject.ids) > 1:
            note = f"The draw of {self._subject.id}. {note}".rstrip()
        self.note.setText(note)
        show_if(self.note, bool(note))

    def _chosen(self, name: str, change: Change, merge: str) -> None:
        block = self._subject.block

        def apply(network: Network, id: str) -> Network:
            choice = change(edit.node_of(network, id, block).init.get(name))
            return edit.set_init(network, id, name, choice, block=block)

        self._subject.edit(f"Set the initialisation of {name}", apply, merge)
