"""Blocks in the inspector: expressions in fields, arguments, repeats. By keys and mouse, as a person does."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

import engine
from engine.network import Argument, Block, Network, Node
from tests.test_blocks import expr, row
from tests.test_inspector import Bench, shown_text

pytestmark = pytest.mark.gui

BLOCK = Block(
    {"channels": Argument(default=4)},
    {
        "x": Node("Input"),
        "conv": Node("Conv2d", {"out_channels": expr("channels"), "kernel_size": 3, "padding": 1}),
        "y": Node("Output"),
    },
    row("x", "conv", "y"),
)
STAGE = Block(
    {"depth": Argument(default=2)},
    {"x": Node("Input"), "inner": Node("Block", block="Basic"), "y": Node("Output")},
    row("x", "inner", "y"),
)
NETWORK = Network(
    name="Blocks",
    nodes={"image": Node("Input", {"shape": [4, 8, 8]}), "use": Node("Block", block="Stage"), "out": Node("Output")},
    edges=row("image", "use", "out"),
    blocks={"Basic": BLOCK, "Stage": STAGE},
)  # fmt: skip


@pytest.fixture
def bench(qtbot) -> Bench:
    return Bench(qtbot, NETWORK)


def write(line, text: str) -> None:
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)


def test_an_expression_is_shown_and_typed_behind_an_equals_sign(bench: Bench) -> None:
    bench.selection.show_block("Basic")
    panel = bench.select("conv")
    line = panel.fields.form.editor("out_channels").line
    assert line.text() == "= channels"
    assert "is not a whole number" not in shown_text(panel)
    write(line, "= channels * 2")
    conv = bench.document.network.blocks["Basic"].nodes["conv"]
    assert conv.fields["out_channels"] == {"expr": "channels * 2"}
    assert engine.analyze(bench.document.network).nodes["use.inner"].outputs["y"].shape == (8, 8, 8)
    write(line, "= chanels")
    assert "Did you mean 'channels'" in shown_text(panel)
    write(line, "12")
    assert bench.document.network.blocks["Basic"].nodes["conv"].fields["out_channels"] == 12
    for _ in range(3):
        bench.document.undo_stack.undo()
    assert bench.document.network == NETWORK


def test_an_argument_is_added_named_used_and_taken_away(bench: Bench) -> None:
    bench.selection.show_block("Basic")
    bench.select()
    part = bench.panel.arguments
    assert part.isVisible()
    assert list(part.editors) == ["channels"]
    QTest.mouseClick(part.add, Qt.MouseButton.LeftButton)
    assert list(part.editors) == ["channels", "argument1"]
    write(part.editors["argument1"].name, "stride")
    write(part.editors["stride"].form.editor("default").line, "2")
    assert bench.document.network.blocks["Basic"].arguments["stride"] == Argument(default=2)
    panel = bench.select("conv")
    write(panel.fields.form.editor("stride").line, "= stride")
    assert engine.analyze(bench.document.network).nodes["use.inner"].outputs["y"].shape == (4, 4, 4)
    bench.select()
    part = bench.panel.arguments
    write(part.editors["stride"].name, "2 bad")
    assert "cannot name an argument" in part.trouble.text()
    write(part.editors["channels"].name, "width")
    conv = bench.document.network.blocks["Basic"].nodes["conv"]
    assert conv.fields["out_channels"] == expr("width")
    QTest.mouseClick(part.editors["stride"].remove, Qt.MouseButton.LeftButton)
    assert bench.document.network.blocks["Basic"].nodes["conv"].fields["stride"] == 2


def test_a_block_is_repeated_by_a_number_and_within_a_block_by_an_expression(bench: Bench) -> None:
    panel = bench.select("use")
    write(panel.repeat.form.editor("repeat").line, "3")
    assert bench.document.network.nodes["use"].repeat == 3
    bench.selection.show_block("Stage")
    panel = bench.select("inner")
    write(panel.repeat.form.editor("repeat").line, "= depth + 1")
    inner = bench.document.network.blocks["Stage"].nodes["inner"]
    assert (inner.repeat, inner.repeat_expression) == (1, "depth + 1")
    keys = engine.build(bench.document.network).state_dict()
    assert "use.2.inner.2.conv.weight" in keys
    assert "use.2.inner.3.conv.weight" not in keys
    assert panel.repeat.form.editor("repeat").line.text() == "= depth + 1"
    write(panel.repeat.form.editor("repeat").line, "= depth / 4")
    assert "whole number" in shown_text(panel)


def test_layers_are_not_repeated_and_have_no_arguments(bench: Bench) -> None:
    panel = bench.select("image")
    assert not panel.repeat.isVisible()
    assert not panel.arguments.isVisible()
