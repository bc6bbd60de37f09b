"""The canvas's actions: for menus, shortcuts and the command palette."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence

from gui.canvas import menus
from gui.theme import theme

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: Distance of one nudge, and of one with Shift.
STEP = 8.0
LEAP = 40.0


def make(canvas: Canvas) -> list[QAction]:
    """All actions of `canvas`; their shortcuts work while it has the focus."""
    editor, placing = canvas.editor, canvas.placing
    table: list[tuple[str, str, str, str, Callable[[], object]]] = [
        ("add", "Add layer…", "Tab", "mdi6.plus", canvas.adder.search_here),
        ("cut", "Cut", "Ctrl+X", "mdi6.content-cut", editor.cut),
        ("copy", "Copy", "Ctrl+C", "mdi6.content-copy", editor.copy),
        ("paste", "Paste", "Ctrl+V", "mdi6.content-paste", lambda: editor.paste(canvas.cursor_point())),
        ("duplicate", "Duplicate", "Ctrl+D", "mdi6.content-duplicate", editor.duplicate),
        ("delete", "Delete", "Del", "mdi6.delete-outline", editor.remove_selection),
        (
            "delete_gap",
            "Delete and leave a gap",
            "Shift+Del",
            "mdi6.link-off",
            lambda: editor.remove_selection(heal=False),
        ),
        ("select_all", "Select all", "Ctrl+A", "mdi6.select-all", editor.select_all),
        (
            "select_upstream",
            "Select upstream",
            "Ctrl+Shift+Left",
            "mdi6.arrow-collapse-left",
            lambda: editor.select_along(True),
        ),
        (
            "select_downstream",
            "Select downstream",
            "Ctrl+Shift+Right",
            "mdi6.arrow-collapse-right",
            lambda: editor.select_along(False),
        ),
        (
            "select_path",
            "Select the paths between",
            "Ctrl+Shift+A",
            "mdi6.map-marker-path",
            editor.select_path,
        ),
        ("frame", "Put into a frame", "Ctrl+G", "mdi6.vector-square", editor.add_frame),
        (
            "note",
            "Add a note",
            "Ctrl+Shift+N",
            "mdi6.note-text-outline",
            lambda: editor.add_note(canvas.cursor_point()),
        ),
        ("recolor", "Next frame colour", "Ctrl+Shift+G", "mdi6.palette-outline", editor.recolor),
        ("straighten", "Straighten wire", "Alt+B", "mdi6.vector-line", editor.straighten),
        ("block", "Collapse to a block", "Ctrl+B", "mdi6.package-variant-closed", canvas.interior.collapse),
        ("unpack", "Unpack block", "Ctrl+Shift+B", "mdi6.package-variant", canvas.interior.unpack),
        (
            "enter",
            "Open block",
            "Alt+Down",
            "mdi6.arrow-expand-down",
            lambda: canvas.interior.enter(canvas.selection.current or ""),
        ),
        ("leave", "Leave block", "Alt+Up", "mdi6.arrow-collapse-up", canvas.interior.leave),
        ("arrange", "Arrange automatically", "Ctrl+L", "mdi6.auto-fix", placing.arrange),
        ("fit", "Fit to window", "F", "mdi6.fit-to-screen-outline", canvas.fit),
        (
            "zoom_selection",
            "Zoom to selection",
            "Shift+F",
            "mdi6.magnify-scan",
            lambda: canvas.fit((*canvas.selection.nodes, *canvas.selection.marks) or None),
        ),
        ("zoom_in", "Zoom in", "Ctrl++", "mdi6.magnify-plus-outline", lambda: canvas.glide.zoom(1.25)),
        ("zoom_out", "Zoom out", "Ctrl+-", "mdi6.magnify-minus-outline", lambda: canvas.glide.zoom(0.8)),
        ("zoom_reset", "Actual size", "Ctrl+0", "mdi6.numeric-1-box-outline", canvas.zoom_reset),
        ("minimap", "Overview", "M", "mdi6.map-outline", canvas.toggle_minimap),
        ("align_left", "Align left", "Alt+A", "mdi6.align-horizontal-left", lambda: placing.align("left")),
        (
            "align_centre",
            "Align centres",
            "Alt+C",
            "mdi6.align-horizontal-center",
            lambda: placing.align("centre"),
        ),
        (
            "align_right",
            "Align right",
            "Alt+D",
            "mdi6.align-horizontal-right",
            lambda: placing.align("right"),
        ),
        ("align_top", "Align top", "Alt+W", "mdi6.align-vertical-top", lambda: placing.align("top")),
        (
            "align_middle",
            "Align middles",
            "Alt+M",
            "mdi6.align-vertical-center",
            lambda: placing.align("middle"),
        ),
        (
            "align_bottom",
            "Align bottom",
            "Alt+S",
            "mdi6.align-vertical-bottom",
            lambda: placing.align("bottom"),
        ),
        (
            "distribute_across",
            "Distribute across",
            "Alt+Shift+H",
            "mdi6.distribute-horizontal-center",
            lambda: placing.distribute(0),
        ),
        (
            "distribute_down",
            "Distribute down",
            "Alt+Shift+V",
            "mdi6.distribute-vertical-center",
            lambda: placing.distribute(1),
        ),
        ("walk_left", "Go to what feeds it", "Left", "mdi6.arrow-left", lambda: editor.walk("left")),
        ("walk_right", "Go to what it feeds", "Right", "mdi6.arrow-right", lambda: editor.walk("right")),
        ("walk_up", "Go to the layer above", "Up", "mdi6.arrow-up", lambda: editor.walk("up")),
        ("walk_down", "Go to the layer below", "Down", "mdi6.arrow-down", lambda: editor.walk("down")),
        (
            "export",
            "Picture as SVG, PDF or PNG…",
            "Ctrl+Shift+E",
            "mdi6.image-outline",
            partial(menus.export, canvas),
        ),
        ("repair", "Repair…", "Ctrl+.", "mdi6.lightbulb-on-outline", partial(menus.offer_repairs, canvas)),
        ("edit", "Edit its first field", "Return", "mdi6.pencil-outline", canvas.ask_to_edit),
    ]
    for key, (dx, dy) in {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}.items():
        for modifier, distance in (("Ctrl", STEP), ("Shift", LEAP)):
            table.append(
                (
                    f"nudge_{key.lower()}_{modifier.lower()}",
                    f"Move {key.lower()}" + (" far" if modifier == "Shift" else ""),
                    f"{modifier}+{key}",
                    f"mdi6.arrow-{key.lower()}-thin",
                    partial(placing.nudge, dx * distance, dy * distance),
                )
            )
    return [_action(canvas, *row) for row in table]


def _action(
    canvas: Canvas, name: str, text: str, shortcut: str, icon: str, call: Callable[[], object]
) -> QAction:
    action = QAction(theme.icon(icon), text, canvas)
    action.setObjectName(f"canvas.{name}")
    keys = [QKeySequence(shortcut)]
    if name == "delete":
        keys.append(QKeySequence(Qt.Key.Key_Backspace))
    if name == "zoom_in":
        keys.append(QKeySequence("Ctrl+="))
    action.setShortcuts(keys)
    action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    action.setToolTip(
        f"{text.removesuffix('…')} ({keys[0].toString(QKeySequence.SequenceFormat.NativeText)})"
    )
    action.setData(icon)
    action.triggered.connect(lambda *_: call())
    canvas.addAction(action)
    return action
