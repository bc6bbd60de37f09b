"""Sums over layers of which some could not be analysed are never shown as if they were the whole."""

from __future__ import annotations

import pytest

import engine
from engine import edit, edit_blocks
from engine.findings import Analysis
from engine.network import Network
from gui.amounts import at_least, left_out
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui

#: LeNet-5: first convolution and pooling, all that lies before a window that does not fit.
CONV1 = 6 * 25 + 6
CONV1_MACS = 28 * 28 * 6 * 25
BEHIND = ("conv2", "pool2", "flat", "fc1", "fc2", "fc3")


def broken() -> Network:
    """LeNet-5 whose second convolution has a window larger than its input."""
    return edit.set_field(template("lenet5_mnist"), "conv2", "kernel_size", [99, 99])


def unwired() -> Network:
    """A network of which nothing is known: its Input has no shape."""
    return edit.set_field(template("lenet5_mnist"), "image", "shape", [])


@pytest.fixture
def window(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool(), template("lenet5_mnist"))
    yield shown
    close_window(shown)


def show(window, network: Network) -> Analysis:
    window.document.edit(network, "Change")
    analysis = engine.analyze(network)
    window.workers.analysis = analysis
    window.workers.analyzed.emit(analysis)
    return analysis


def figures(window) -> dict[str, str]:
    panel = window.inspector.panel
    return (panel.header if hasattr(panel, "header") else panel.summary).figures.values()


def test_an_analysis_counts_what_it_could_not_look_at():
    analysis = engine.analyze(broken())
    assert analysis.totals["parameters"] == CONV1
    assert analysis.totals["unknown"] == len(BEHIND)
    assert {id for id, report in analysis.nodes.items() if report.unknown} == set(BEHIND)
    assert engine.analyze(template("lenet5_mnist")).totals["unknown"] == 0


def test_words_for_sums():
    assert at_least("1,234", 0) == "1,234"
    assert at_least("1,234", 2) == "≥ 1,234"
    assert at_least("0 B", 1) == "unknown"
    assert "2 layers" in left_out(2)
    assert left_out(0) == ""


def test_the_status_bar_says_at_least(window):
    show(window, template("lenet5_mnist"))
    assert "≥" not in window.status.totals.text()
    show(window, broken())
    assert window.status.totals.text() == f"≥ {CONV1} parameters · ≥ 117.6 k MACs"
    assert f"{len(BEHIND)} layers" in window.status.totals.toolTip()
    show(window, unwired())
    assert window.status.totals.isVisible()
    assert window.status.totals.text() == "Parameters and MACs unknown"


def test_the_summary_of_the_network_says_at_least(window):
    show(window, broken())
    window.selection.set()
    told = figures(window)
    assert (told["Parameters"], told["MACs"]) == (f"≥ {CONV1}", f"≥ {CONV1_MACS:,}")
    assert told["Size of the weights"] == f"≥ {4 * CONV1} B"
    assert told["Activations"].startswith("≥")


def test_the_sum_of_selected_layers_says_at_least_or_unknown(window):
    show(window, broken())
    window.selection.set(("conv1", "pool1"))
    assert figures(window) == {"Parameters": str(CONV1), "MACs": f"{CONV1_MACS:,}"}
    window.selection.set(("conv1", "fc1"))
    assert figures(window) == {"Parameters": f"≥ {CONV1}", "MACs": f"≥ {CONV1_MACS:,}"}
    window.selection.set(("fc1", "fc2"))
    assert figures(window) == {"Parameters": "unknown", "MACs": "unknown"}


def test_a_block_says_at_least_in_panel_and_on_its_card(window):
    whole, use = edit_blocks.make_block(broken(), ("conv1", "pool1", "conv2", "pool2"), "features")
    analysis = show(window, whole)
    assert analysis.nodes[use].unknown == 2
    window.selection.set((use,))
    assert figures(window)["Parameters"] == f"≥ {CONV1}"
    assert figures(window)["MACs"] == f"≥ {CONV1_MACS:,}"
    window.canvas.grab()
    assert window.canvas.drawing.nodes[use].text.parameters == f"≥ {CONV1} par."
