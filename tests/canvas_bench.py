"""A canvas on the screen for tests, and hands that know where things are on it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtWidgets import QApplication

from engine import edit
from engine.network import Edge, End, Network
from gui.canvas import Canvas
from gui.document import Document
from gui.selection import Selection


def chain(*types: str, network: Network | None = None) -> Network:
    """Layers wired one after the other, 300 apart."""
    network = network or Network()
    previous = None
    for number, type in enumerate(types):
        id = edit.fresh_id(network, type)
        network = edit.add_node(network, id, edit.new_node(type), (300.0 * number, 0.0))
        if previous is not None:
            network = edit.connect(network, End(previous), End(id))
        previous = id
    return network


class Bench:
    """A canvas on the screen, and hands that know where things are on it."""

    def __init__(self, qtbot, network: Network | None = None) -> None:
        self.selection = Selection()
        self.document = Document(network, selection=self.selection)
        self.canvas = Canvas(self.document, self.selection)
        qtbot.addWidget(self.canvas)
        self.canvas.resize(1280, 800)
        self.canvas.show()
        self.canvas.activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is self.canvas)
        self.canvas.setFocus()
        self.messages: list[str] = []
        self.canvas.message.connect(self.messages.append)
        self.port = self.canvas.viewport()

    @property
    def network(self) -> Network:
        return self.document.network

    @property
    def edges(self) -> set[str]:
        return {str(edge) for edge in self.network.edges}

    def at(self, point: QPointF) -> QPoint:
        return self.canvas.mapFromScene(point)

    def node(self, id: str) -> QPoint:
        """A place on a card that is no port."""
        return self.at(self.canvas.drawing.nodes[id].rect.center())

    def output(self, id: str, index: int = 0) -> QPoint:
        return self.at(self.canvas.drawing.nodes[id].output_point(index))

    def input(self, id: str, index: int = 0) -> QPoint:
        return self.at(self.canvas.drawing.nodes[id].input_point(index))

    def wire(self, source: str, target: str) -> QPoint:
        wire = self.canvas.drawing.wires[Edge(End(source), End(target))]
        return self.at(wire.way.pointAtPercent(0.5))

    def empty(self) -> QPoint:
        """A place with nothing below the drawing."""
        box = self.canvas.drawing.content()
        return self.at(QPointF(box.center().x(), box.bottom() + 120))

    def undo_and_redo(self, before: Network) -> None:
        """One step leads back to `before`, and one forward again."""
        after = self.network
        assert after != before
        self.document.undo_stack.undo()
        assert self.network == before
        self.document.undo_stack.redo()
        assert self.network == after
        self.agrees()

    def agrees(self) -> None:
        """The drawing shows just what the document says."""
        drawing = self.canvas.drawing
        assert list(drawing.nodes) == list(self.network.nodes) or set(drawing.nodes) == set(
            self.network.nodes
        )
        assert set(drawing.wires) == set(self.network.edges)
        places = drawing.positions()
        for id, (x, y) in self.network.positions().items():
            assert places[id] == (x, y)
