"""Nothing is selected: the network as a whole, a wire, or what to do first."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine import edit, ports
from engine.findings import NodeReport
from engine.network import Edge
from gui.amounts import at_least, left_out
from gui.forms import show_if
from gui.inspector.common import Figures, text_label
from gui.inspector.defaults import DefaultsPart
from gui.inspector.header import NameEdit
from gui.inspector.subject import Subject
from gui.inspector.words import count_text, shape_text
from gui.theme import SPACE

_DTYPE_BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2}
_FIRST = (
    "Drag an Input from the palette onto the canvas: it says what one example looks like.",
    "Add layers and draw wires from output to input. The shapes appear on the wires.",
    "End with an Output, choose data and loss in the recipe, and press Train.",
)


class Summary(QWidget):
    """The panel of the empty selection."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._subject = subject
        self.name = NameEdit("Name of the network")
        self.name.setToolTip("The network's name. Enter renames it.")
        self.name.editingFinished.connect(self._rename)
        self.kind = text_label(role="muted")
        self.figures = Figures()
        self.hint = text_label(role="muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.name)
        layout.addWidget(self.kind)
        layout.addSpacing(2 * SPACE)
        layout.addWidget(self.figures)
        layout.addSpacing(2 * SPACE)
        layout.addWidget(self.hint)
        layout.addSpacing(2 * SPACE)
        self.defaults = DefaultsPart(subject)
        layout.addWidget(self.defaults)
        layout.addStretch(1)

    def turn(self) -> None:
        """Speak of something else."""
        self.name.setModified(False)
        self.defaults.turn()

    def refresh(self) -> None:
        """Show what document and analysis say now."""
        subject = self._subject
        wires = [
            edge
            for edge in subject.selection.edges
            if edge in subject.document.network.graph(subject.block).edges
        ]
        self.name.setReadOnly(bool(wires))
        if wires:
            self._show_wires(wires)
            show_if(self.defaults, False)
        else:
            self._show_network()
            self.defaults.refresh()

    def _show_network(self) -> None:
        network, analysis = self._subject.document.network, self._subject.analysis
        self.name.show_name(network.name)
        layers, wires = len(network.nodes), len(network.edges)
        self.kind.setText(
            f"{layers} layer{'s' * (layers != 1)}, {wires} wire{'s' * (wires != 1)}"
            if layers
            else "An empty network"
        )
        figures = []
        totals, unknown = analysis.totals, analysis.totals.get("unknown", 0)
        lacking = left_out(unknown)
        names = {
            "parameters": ("Parameters", "Numbers to learn."),
            "macs": ("MACs", "Multiply–accumulate operations for one example, forward."),
        }
        for key, (name, tip) in names.items():
            if key in totals:
                said = at_least(count_text(totals[key]), unknown)
                figures.append((name, said, f"{at_least(f'{totals[key]:,}', unknown)}. {tip}{lacking}"))
        if "parameters" in totals:
            said = at_least(bytes_text(4 * totals["parameters"]), unknown)
            figures.append(("Size of the weights", said, f"The weights as 32-bit numbers.{lacking}"))
        if "activation_bytes" in totals:
            said = at_least(bytes_text(totals["activation_bytes"]), unknown)
            figures.append(("Activations", said, f"Bytes of all outputs for one example.{lacking}"))
        errors = len(analysis.errors)
        # An analysis of the drawing before this one says nothing of it.
        if layers and not network.nodes.keys() & analysis.nodes.keys() and not analysis.problems:
            figures = [("Problems", "being looked for …", "The engine is at it.")]
        elif layers:
            others = len(analysis.problems) - errors
            said = f"{errors} error{'s' * (errors != 1)}" if errors else "none" if not others else ""
            said += (", " if errors and others else "") + (f"{others} to look at" if others else "")
            figures.append(
                ("Problems", said, "Each is listed in the problems panel and marked on its layer.")
            )
        self.figures.show_figures(figures if layers else [])
        if layers:
            self.hint.setText(
                "Select a layer to set its fields, activation, initialisation and binarization."
            )
        else:
            self.hint.setText(
                "\n".join(f"{number}.  {step}\n" for number, step in enumerate(_FIRST, 1)).strip()
            )

    def _show_wires(self, wires: list[Edge]) -> None:
        wire = wires[-1]
        self.name.show_name(f"{wire}" if len(wires) == 1 else f"{len(wires)} wires")
        self.kind.setText("Wire")
        nodes = self._subject.nodes
        source = nodes.get(wire.source.node)
        outs = ports.output_ports(self._subject.document.network, source) if source else ()
        report = self._subject.analysis.nodes.get(wire.source.node, NodeReport())
        tensor = report.outputs.get(ports.named(wire.source, outs) or "")
        self.hint.setText("Delete takes the wire away; Shift and a drag bring an end elsewhere.")
        if tensor is None or len(wires) > 1:
            self.figures.show_figures([("Shape", "not known yet", "")] if len(wires) == 1 else [])
            return
        elements = 1
        for size in tensor.shape:
            elements *= size
        self.figures.show_figures(
            [
                ("Shape", shape_text(tensor.shape), "Of one example, the batch left out."),
                ("Numbers", count_text(elements), f"{elements:,} per example."),
                ("Kind", tensor.dtype, "Kind of numbers."),
                ("Memory", bytes_text(elements * _DTYPE_BYTES.get(tensor.dtype, 1)), "Per example."),
            ]
        )

    def _rename(self) -> None:
        if self.name.isModified() and not self.name.isReadOnly():
            name = self.name.text().strip()
            self.name.setModified(False)
            document = self._subject.document
            if name:
                document.edit(edit.set_name(document.network, name), "Rename the network")
            self.name.show_name(document.network.name)


def bytes_text(count: int) -> str:
    """``1.5 KiB``."""
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"
