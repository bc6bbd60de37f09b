"""Blocks on the canvas: collapse and unpack, go in and out, and a path that says where one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton

from engine import edit_blocks
from engine.network import Network
from gui.canvas import compose
from gui.plain import tip
from gui.theme import SPACE, theme

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: What the palette and the search call a block, so that it is no layer's id.
PREFIX = "block:"


@dataclass(frozen=True)
class BlockEntry:
    """A block of the document as the search shows it: it has what a catalogue entry shows there."""

    id: str
    title: str
    group: str = "Blocks of this network"
    doc: str = "A block of this network: drawn once, used many times."
    keywords: tuple[str, ...] = ("block",)


def entries(network: Network) -> list[BlockEntry]:
    """The document's blocks, for the search."""
    return [BlockEntry(f"{PREFIX}{name}", name) for name in network.blocks]


class Breadcrumb(QFrame):
    """Where one is: the network, and the blocks that were entered. Click to go back up."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.setObjectName("breadcrumb")
        self.setAccessibleName("Path of the blocks that are open")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        self._row.setSpacing(SPACE)
        self.name = QLineEdit(self)
        self.name.setAccessibleName("Name of the block")
        self.name.setToolTip("The block's name. Enter renames it.")
        self.name.setFixedWidth(132)
        self.name.editingFinished.connect(self._rename)
        self.name.installEventFilter(self)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def show_path(self, network: str, blocks: list[str]) -> None:
        """Show a way down; nothing at the top."""
        while (item := self._row.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None and widget is not self.name:
                widget.hide()
                widget.deleteLater()
        for depth, title in enumerate([network, *blocks[:-1]]):
            button = QToolButton(self)
            button.setText(title if len(title) <= 24 else f"{title[:23]}…")
            button.setToolTip(tip(f"Go to {title}" + (" (Alt+Up)" if depth == len(blocks) - 1 else "")))
            button.setAutoRaise(True)
            button.clicked.connect(lambda _, depth=depth: self._canvas.interior.leave_to(depth))
            for widget in (button, QLabel("›", self)):
                self._row.addWidget(widget)
                widget.show()
        if blocks:
            self.name.setText(blocks[-1])
            self.name.setModified(False)
            self._row.addWidget(self.name)
        self.setVisible(bool(blocks))
        self.adjustSize()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Escape forgets a new name; letters are no shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() == Qt.Key.Key_Escape
        ):
            self.name.setText(self._canvas.block or "")
            self.name.setModified(False)
            self._canvas.setFocus()
            return True
        return super().eventFilter(watched, event)

    def _rename(self) -> None:
        if self.name.isModified():
            self.name.setModified(False)
            self._canvas.interior.rename(self.name.text().strip())
            self._canvas.setFocus()

    def _restyle(self) -> None:
        tokens = theme.tokens
        self.setStyleSheet(
            f"QFrame#breadcrumb {{ background: {tokens.surface}; border: 1px solid {tokens.line};"
            " border-radius: 8px; }"
        )


class Interior:
    """What is done with blocks, and which of them are open."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.breadcrumb = Breadcrumb(canvas)
        self.breadcrumb.move(3 * SPACE, 3 * SPACE)
        #: (block, path of the use that was entered), the outermost first.
        self._trail: list[tuple[str, str]] = []

    @property
    def use(self) -> str | None:
        """Path of the use whose inside is shown, as the analysis names its nodes; None at the top."""
        return self._trail[-1][1] if self._trail else None

    def enter(self, id: str) -> None:
        """Show the inside of the block that node `id` uses."""
        network = self.canvas.network
        node = network.graph(self.canvas.block).nodes.get(id)
        if node is None or node.block not in network.blocks:
            self.canvas.refuse("Select a block to open it.")
            return
        path = f"{self.use}.{id}" if self.use else id
        repeated = node.repeat != 1 or f"{path}.0" in self.canvas.analysis.nodes
        self._trail.append((str(node.block), f"{path}.0" if repeated else path))
        self.canvas.selection.show_block(node.block)

    def leave(self) -> None:
        """Go up to the drawing that uses this block."""
        if self._trail:
            self.leave_to(len(self._trail) - 1)
        else:
            self.canvas.refuse("No block is open: this is the whole network.")

    def leave_to(self, depth: int) -> None:
        """Go up so far that `depth` blocks are open; the use that was open is selected."""
        left = self._trail[depth][1].removesuffix(".0")
        del self._trail[depth:]
        self.canvas.selection.show_block(self._trail[-1][0] if self._trail else None)
        id = left.rpartition(".")[2]
        if id in self.canvas.drawing.nodes:
            self.canvas.selection.set((id,))
        self.canvas.setFocus()

    def follow(self) -> None:
        """Another graph is shown, or the document has changed: say where one is."""
        network, block = self.canvas.network, self.canvas.block
        self._trail = [(name, use) for name, use in self._trail if name in network.blocks]
        shown = [name for name, _ in self._trail]
        if block is None:
            self._trail = []
        elif block in shown:
            del self._trail[shown.index(block) + 1 :]
        else:
            used = next(iter(edit_blocks.uses(network, block)), (None, block))
            self._trail = [(block, used[1])]
        self.breadcrumb.show_path(network.name, [name for name, _ in self._trail])

    def collapse(self) -> None:
        """Put the selected layers into a block of their own."""
        canvas = self.canvas
        places = canvas.drawing.positions()
        made: list[str] = []

        def change(network: Network) -> Network:
            number = 1
            while f"Block{number}" in network.blocks:
                number += 1
            written = compose.move(network, {}, places, canvas.block)
            after, id = edit_blocks.make_block(
                written, canvas.selection.nodes, f"Block{number}", block=canvas.block
            )
            made.append(id)
            return after

        if canvas.editor.attempt("Collapse to a block", change):
            canvas.selection.set(made)

    def unpack(self) -> None:
        """Put the insides of the selected block in its place."""
        canvas = self.canvas
        places = canvas.drawing.positions()
        made: list[str] = []

        def change(network: Network) -> Network:
            network = compose.move(network, {}, places, canvas.block)
            for id in canvas.selection.nodes:
                network, ids = compose.unpack(network, id, canvas.block)
                made.extend(ids)
            return network

        if not canvas.selection.nodes:
            canvas.refuse("Select the block to unpack.")
        elif canvas.editor.attempt("Unpack", change):
            canvas.selection.set(made)
            canvas.reveal(made)

    def rename(self, name: str) -> None:
        """Give the open block another name, wherever it is used."""
        old = self.canvas.block
        if old is None or name == old:
            return
        self.canvas.editor.attempt(
            f"Rename {old}", lambda network: edit_blocks.rename_block(network, old, name)
        )
        self.follow()

    def follow_rename(self, before: Network, after: Network) -> None:
        """A block has another name (also again, by undo): what was open stays open under it."""
        gone = [name for name in before.blocks if name not in after.blocks]
        come = [name for name in after.blocks if name not in before.blocks]
        if len(gone) != 1 or len(come) != 1:
            return
        (old,), (new,) = gone, come
        if list(before.blocks[old].nodes) != list(after.blocks[new].nodes):
            return
        self._trail = [(new if name == old else name, use) for name, use in self._trail]
        if self.canvas.block == old:
            self.canvas.selection.show_block(new)
        else:
            self.follow()
