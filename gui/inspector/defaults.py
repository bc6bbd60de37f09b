"""How layers begin that say nothing of their own: for the whole network, or one family of layers."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine import edit
from engine.catalog import GROUPS, INITIALIZERS, LAYERS
from engine.network import Choice
from gui.forms import Change, ChoiceEditor, Chooser, show_if
from gui.inspector.common import text_label
from gui.inspector.section import Section
from gui.inspector.subject import Subject
from gui.unfinished import Drafts

_PARAMETERS = ("weight", "bias")


class DefaultsPart(Section):
    """The network's own initialisation of weights and biases, which a layer's choice overrides."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__("defaults", "Initialisation of all layers", parent, open=False)
        self._subject = subject
        self.scope = Chooser()
        self.scope.setAccessibleName("Layers that begin so")
        self.scope.addItem("All layers", "all")
        self.scope.currentIndexChanged.connect(lambda _: self._scope_changed())
        self.rows.addWidget(
            text_label("A layer's own choice comes before its family's, that before all's.", "muted")
        )
        self.rows.addWidget(self.scope)
        self.editors: dict[str, ChoiceEditor] = {}
        for parameter in _PARAMETERS:
            holder = QWidget()
            column = QVBoxLayout(holder)
            column.setContentsMargins(0, 0, 0, 0)
            column.addWidget(text_label(parameter, "heading"))
            editor = ChoiceEditor(INITIALIZERS, f"Initialisation of every {parameter}", none="As torch does")
            editor.set_drafts(self._drafts(parameter))
            editor.chosen.connect(lambda change, merge, name=parameter: self._chosen(name, change, merge))
            editor.ended.connect(subject.document.end_merge)
            column.addWidget(editor)
            self.rows.addWidget(holder)
            self.editors[parameter] = editor

    def _drafts(self, parameter: str) -> Drafts:
        scope = self.scope.currentText().lower()
        return self._subject.drafts_of_all(f"initialisation of every {parameter}, {scope}")

    def _scope_changed(self) -> None:
        self.turn()
        self.refresh()

    def turn(self) -> None:
        """Speak of another scope, or of another document."""
        for parameter, editor in self.editors.items():
            editor.set_drafts(self._drafts(parameter))

    def lead_to(self, part: str) -> None:
        """Choose the scope of which a part of the panel speaks, in the words of its drafts."""
        scopes = [self.scope.itemText(i) for i in range(self.scope.count())]
        meant = part.rpartition(", ")[2]
        self.scope.setCurrentIndex(next((i for i, s in enumerate(scopes) if s.lower() == meant), 0))

    def refresh(self) -> None:
        """Show what the document says."""
        network = self._subject.document.network
        present = {LAYERS[node.type].group for node in network.nodes.values() if node.type in LAYERS}
        families = [
            group
            for group in GROUPS
            if group in present
            and any(layer.group == group and layer.parameters for layer in LAYERS.values())
        ]
        show_if(self, bool(families))
        self._offer(families)
        init = network.defaults.get("init", {})
        scoped = init.get(self.scope.currentData(), {}) if isinstance(init, Mapping) else {}
        chosen = 0
        for parameter, editor in self.editors.items():
            form = scoped.get(parameter) if isinstance(scoped, Mapping) else None
            known = isinstance(form, Mapping) and isinstance(form.get("scheme"), str)
            editor.show_choice(
                Choice(form["scheme"], dict(form.get("fields", {}))) if known and form else None
            )
            chosen += known
        self.set_title("Initialisation of all layers", f"{len(init)} set" if init else "as torch does")

    def _offer(self, families: list[str]) -> None:
        wanted = ["all", *families]
        if wanted == [self.scope.itemData(i) for i in range(self.scope.count())]:
            return
        current = self.scope.currentData()
        blocked = self.scope.blockSignals(True)
        self.scope.clear()
        for scope in wanted:
            self.scope.addItem("All layers" if scope == "all" else scope, scope)
        self.scope.setCurrentIndex(max(0, self.scope.findData(current)))
        self.scope.blockSignals(blocked)

    def _chosen(self, parameter: str, change: Change, merge: str) -> None:
        document, scope = self._subject.document, self.scope.currentData()
        choice = change(self.editors[parameter].choice)
        after = edit.set_default_init(document.network, scope, parameter, choice)
        where = "all layers" if scope == "all" else f"all of {scope.lower()}"
        document.edit(after, f"Initialise every {parameter} of {where}", merge or None)
