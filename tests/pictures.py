"""Pictures of window, canvas and inspector in every state, light and dark: ``python -m tests.pictures [FOLDER]``.

They go to ``assets/pictures``, where README and help show them. Small PNGs: 256 colours at most.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication

import engine
from engine import edit, edit_blocks, edit_view
from engine.findings import Analysis
from engine.network import Edge, End, Network
from gui.canvas import Canvas, Mark
from gui.document import Document
from gui.selection import Selection
from gui.theme import theme
from tests import gui_helpers as hands
from tests import inspector_pictures, window_pictures

FOLDER = Path(__file__).parents[1] / "assets" / "pictures"
NETWORKS = Path(__file__).parents[1] / "assets" / "networks"
SIZE = (1000, 560)
#: A picture of the README may not be larger, in bytes.
LIMIT = 200_000

States = dict[str, Callable[[], Canvas]]


def lenet() -> Network:
    """The network that most pictures show."""
    return engine.load(NETWORKS / "lenet5_mnist.layerlab")


def canvas_of(network: Network, zoom: float | None = None) -> Canvas:
    """A canvas that shows `network` analysed."""
    canvas = Canvas(Document(network), Selection())
    canvas.resize(*SIZE)
    canvas.show()
    canvas.activateWindow()
    canvas.setFocus()
    canvas.set_analysis(engine.analyze(network))
    canvas.fit()
    if zoom is not None:
        canvas.zoom(zoom / canvas.zoom_factor)
        canvas.centerOn(canvas.drawing.content().center())
    QApplication.processEvents()
    return canvas


def centre(canvas: Canvas, id: str) -> QPoint:
    """Where a card is seen."""
    return canvas.mapFromScene(canvas.drawing.nodes[id].rect.center())


def empty() -> Canvas:
    """Nothing yet."""
    return canvas_of(Network())


def network() -> Canvas:
    """A network with its shapes."""
    return canvas_of(lenet())


def search() -> Canvas:
    """A layer said in words."""
    canvas = canvas_of(lenet())
    canvas.selection.set(("pool1",))
    canvas.adder.search_here()
    canvas.adder.popup.search.setText("conv2d 16 5x5 pad 2 relu")
    return canvas


def connect() -> Canvas:
    """A wire on its way; what does not take it is dimmed."""
    canvas = canvas_of(lenet())
    start = canvas.mapFromScene(canvas.drawing.nodes["pool1"].output_point(0))
    hands.drag(canvas.viewport(), start, centre(canvas, "flat") + QPoint(-20, -60), drop=False)
    return canvas


def guides() -> Canvas:
    """A card attracted by its neighbours' line."""
    canvas = canvas_of(lenet())
    start = centre(canvas, "out")
    hands.drag(canvas.viewport(), start, start + QPoint(190, 2), drop=False)
    return canvas


def problem() -> Canvas:
    """A mistake, and its ways out."""
    network = edit.set_field(lenet(), "conv2", "kernel_size", [31, 31])
    canvas = canvas_of(network)
    canvas.selection.set(("conv2",))
    return canvas


def wrong() -> Canvas:
    """A wire that does not fit says so before it is let go."""
    loose = edit.add_node(lenet(), "conv3", edit.new_node("Conv2d"), (800.0, 384.0))
    canvas = canvas_of(loose)
    canvas.trial.wanted.connect(lambda tried: canvas.trial.show(engine.analyze(tried)))
    start = canvas.mapFromScene(canvas.drawing.nodes["flat"].output_point(0))
    end = canvas.mapFromScene(canvas.drawing.nodes["conv3"].input_point(0))
    hands.drag(canvas.viewport(), start, end, drop=False)
    return canvas


def ranks() -> Canvas:
    """A video, an image, a matrix, a vector and a number are seen to be different tensors."""
    places: dict[str, tuple[float, float]] = {
        "clip": (0, 0),
        "conv": (250, 0),
        "frame": (500, 0),
        "conv2": (750, 0),
        "line": (1000, 0),
    }
    places |= {"row": (0, 190), "fc": (250, 190), "mean": (500, 190), "out": (750, 190)}
    types = ("Input", "Conv3d", "Select", "Conv2d", "Select", "Select", "Linear", "Mean", "Output")
    network, ids = Network(), list(places)
    for id, type in zip(ids, types, strict=True):
        network = edit.add_node(network, id, edit.new_node(type), places[id])
    for id, name, value in (("clip", "shape", [3, 8, 32, 32]), ("frame", "dim", 2), ("line", "dim", 2)):
        network = edit.set_field(network, id, name, value)
    network = edit.set_field(edit.set_field(network, "row", "dim", 1), "mean", "dim", [-1])
    for before, after in pairwise(ids):
        network = edit.connect(network, End(before), End(after))
    canvas = canvas_of(network)
    known = engine.analyze(network)  # of what the recipe's data would say of it, nothing is shown here
    canvas.set_analysis(Analysis(known.nodes, (), known.totals))
    return canvas


def hover() -> Canvas:
    """The pointer over a port: what it carries."""
    canvas = canvas_of(lenet())
    item = canvas.drawing.nodes["pool1"]
    hands.move(canvas.viewport(), canvas.mapFromScene(item.output_point(0)))
    return canvas


def selected() -> Canvas:
    """Layers in a rubber band."""
    canvas = canvas_of(lenet())
    first = canvas.drawing.nodes["conv1"].rect.topLeft() - QPointF(24, 24)
    last = canvas.drawing.nodes["conv2"].rect.center()
    hands.drag(canvas.viewport(), canvas.mapFromScene(first), canvas.mapFromScene(last), drop=False)
    return canvas


def drop() -> Canvas:
    """A wire let go over empty ground: the layers that take what it carries."""
    canvas = canvas_of(lenet())
    start = canvas.mapFromScene(canvas.drawing.nodes["conv2"].output_point(0))
    hands.drag(canvas.viewport(), start, centre(canvas, "out") + QPoint(200, 0))
    return canvas


def repair() -> Canvas:
    """The bulb on a card: ways out."""
    canvas = problem()
    canvas.command("repair").trigger()
    return canvas


def minimap() -> Canvas:
    """Near, with the overview."""
    canvas = canvas_of(engine.load(NETWORKS / "resnet18.layerlab"), 1.0)
    canvas.centerOn(canvas.drawing.nodes["conv1"].rect.center() + QPointF(300, 160))
    canvas.show_minimap()
    return canvas


def marks() -> Canvas:
    """A frame, a note and a wire that is led."""
    network, _ = edit_view.add_mark(lenet(), edit_view.Frame((-32, -64, 976, 208), "Features", "teal"))
    text = "## Head\nThree **linear** layers:\n- ReLU between\n- logits at the end"
    network, _ = edit_view.add_mark(network, edit_view.Note((560, 376, 280, 112), text))
    network = edit_view.set_bends(network, {Edge(End("flat"), End("fc1")): [(456, 300)]})
    return canvas_of(network)


def block() -> Canvas:
    """The inside of a block, and the way to it."""
    made, id = edit_blocks.make_block(lenet(), ["conv1", "pool1", "conv2", "pool2"], "Features")
    canvas = canvas_of(made)
    canvas.interior.enter(id)
    canvas.set_analysis(engine.analyze(made))
    return canvas


def training() -> Canvas:
    """A measure over the cards."""
    canvas = canvas_of(lenet())
    shares = {"conv1": 0.04, "conv2": 0.11, "fc1": 0.46, "fc2": 0.83}
    colors = ("#2E9E5B", "#8AA12E", "#D08A1D", "#C2262E")
    canvas.set_overlay(
        {
            id: Mark(color, f"{share:.0%} dead", tuple(share * (0.3 + 0.07 * n) for n in range(11)))
            for (id, share), color in zip(shares.items(), colors, strict=True)
        }
    )
    return canvas


def far() -> Canvas:
    """A thousand layers, from far away: stages are named, what is selected and what is wrong is seen."""
    from tests.benchmarks.canvas import network_of

    network = edit.set_field(network_of(1000), "image", "shape", [64, 64, 64])
    network = edit.set_field(network, "conv2d_707", "kernel_size", [99, 99])
    ids, places = list(network.nodes), network.positions()
    for title, color, first, last in (
        ("First stage", "blue", 1, 240),
        ("Second stage", "teal", 320, 560),
        ("Third stage", "orange", 640, 880),
    ):
        xs, ys = zip(*(places[id] for id in ids[first:last]), strict=True)
        rect = (min(xs) - 32, min(ys) - 64, max(xs) - min(xs) + 232, max(ys) - min(ys) + 240)
        network, _ = edit_view.add_mark(network, edit_view.Frame(rect, title, color))
    canvas = canvas_of(network)
    known = engine.analyze(network)  # of what the recipe's data would say of it, nothing is shown here
    there = tuple(problem for problem in known.problems if problem.node == "conv2d_707")
    canvas.set_analysis(Analysis(known.nodes, there, known.totals))
    canvas.selection.set(ids[401:446])
    return canvas


STATES: States = {
    shown.__name__: shown
    for shown in (
        empty,
        network,
        ranks,
        hover,
        selected,
        search,
        connect,
        wrong,
        drop,
        guides,
        problem,
        repair,
        marks,
        block,
        minimap,
        training,
        far,
    )
}


def seen(canvas: Canvas) -> QImage:
    """The canvas, with the menu over it where one is open."""
    image = canvas.grab().toImage()
    menu = QApplication.activePopupWidget()
    if menu is not None:
        painter = QPainter(image)
        painter.drawPixmap(canvas.mapFromGlobal(menu.pos()), menu.grab())
        painter.end()
        menu.close()
    return image


def save(image: QImage, path: Path) -> None:
    """Write a small PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = image.convertToFormat(QImage.Format.Format_RGB888)
    if not small.save(str(path)):
        raise OSError(f"{path} cannot be written")
    if path.stat().st_size > LIMIT:
        image.convertToFormat(QImage.Format.Format_Indexed8, Qt.ImageConversionFlag.DiffuseDither).save(
            str(path)
        )


def main() -> int:
    """Draw all states in both themes."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    for name in ("light", "dark"):
        theme.install(application, name)
        theme.choose(name)
        for state, draw in STATES.items():
            canvas = draw()
            canvas.drawing.router.finish()
            canvas.sharpen()
            QApplication.processEvents()
            save(seen(canvas), folder / f"canvas_{state}_{name}.png")
            canvas.hands.cancel()
            canvas.adder.popup.dismiss()
            canvas.close()
            canvas.deleteLater()
            QApplication.processEvents()
        for state, image in inspector_pictures.draw():
            save(image, folder / f"inspector_{state}_{name}.png")
        for state, image in window_pictures.draw():
            save(image, folder / f"window_{state}_{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
