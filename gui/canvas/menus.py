"""The canvas's menus."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QMenu

from engine.findings import Repair
from gui.canvas.export import save
from gui.canvas.hands import WIRE_REACH
from gui.canvas.marks import FrameItem, NoteItem
from gui.choosing import ask_save, file_name
from gui.theme import theme

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


def offer_repairs(canvas: Canvas) -> None:
    """A menu of the ways out of what is wrong with the selected nodes."""
    repairs = canvas.editor.repairs()
    canvas.repairs_wanted = not repairs and not canvas.searched
    if canvas.repairs_wanted:
        canvas.message.emit("Trying ways out …")
        return
    if not repairs:
        canvas.refuse("There is nothing here that a repair is known for.")
        return
    menu = QMenu(canvas)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for repair in repairs[:12]:
        entry = menu.addAction(theme.icon("mdi6.lightbulb-on-outline"), repair.text.replace("&", "&&"))
        entry.triggered.connect(partial(_take, canvas, repair))
    place = canvas.viewport().rect().center()
    shown = canvas.drawing.nodes
    chosen = [shown[id] for id in canvas.selection.nodes if id in shown]
    ailing = next((item for item in (*chosen, *shown.values()) if item.mendable), None)
    if ailing is not None:
        canvas.reveal((ailing.id,))
        place = canvas.mapFromScene(ailing.rect.bottomLeft())
    menu.popup(canvas.viewport().mapToGlobal(place))
    menu.setActiveAction(menu.actions()[0])


def _take(canvas: Canvas, repair: Repair, *_: object) -> None:
    canvas.editor.repair(repair)


def export(canvas: Canvas) -> None:
    """Ask for a file, and write the drawing into it."""
    name = f"{file_name(canvas.network.name)}.svg"
    chosen = ask_save(canvas, "Export picture", name, "Pictures (*.svg *.pdf *.png)")
    if chosen is None:
        return
    try:
        save(canvas.drawing, chosen)
    except (OSError, ValueError) as problem:
        canvas.refuse(str(problem))
    else:
        canvas.message.emit(f"The drawing is in {chosen}")


def context_menu(canvas: Canvas, event: QContextMenuEvent) -> None:
    """The actions that fit what lies under the cursor."""
    at = canvas.mapToScene(event.pos())
    drawing, reach = canvas.drawing, WIRE_REACH / canvas.zoom_factor
    mark: FrameItem | NoteItem | None = drawing.caption_at(at)
    item = None if mark else drawing.node_at(at)
    wire = None if mark or item else drawing.wire_at(at, reach)
    if not mark and not item:
        mark = drawing.mark_at(at, reach)
    if mark and wire:
        mark, wire = (mark, None) if mark.before_wires(at, reach) else (None, wire)
    if item is not None and item.id not in canvas.selection.nodes:
        canvas.selection.set((item.id,))
    elif wire is not None:
        canvas.selection.set((), (wire.edge,))
    elif mark is not None and mark.id not in canvas.selection.marks:
        canvas.selection.set((), (), (mark.id,))
    names = "add note frame paste | select_all fit arrange".split()
    if item is not None:
        names = (
            "edit repair add | cut copy duplicate delete | block frame"
            " | select_upstream select_downstream select_path arrange"
        ).split()
    elif wire is not None:
        names = ["straighten", "delete"]
    if item is not None and len(canvas.selection.nodes) == 1 and _is_block(canvas, item.id):
        names = ["enter", "unpack", "|", *names]
    if mark is not None:
        names = "cut copy duplicate delete".split()
        if isinstance(mark, FrameItem):
            names = ["recolor", "|", *names]
    menu = QMenu(canvas)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for name in names:
        if name == "|":
            menu.addSeparator()
        else:
            menu.addAction(canvas.command(name))
    menu.popup(event.globalPos())


def _is_block(canvas: Canvas, id: str) -> bool:
    return canvas.network.graph(canvas.block).nodes[id].block is not None
