"""The network's own initialisation: set for all layers or a family, inherited, overridden, undone."""

from __future__ import annotations

import pytest
import torch

import engine
from engine import edit
from engine.analysis import analyze
from engine.host.previews import preview_init
from engine.network import Choice, Network, Node
from gui.document import Document
from gui.inspector.defaults import DefaultsPart
from gui.inspector.subject import Subject
from gui.selection import Selection
from tests.networks import chain

pytestmark = pytest.mark.gui

HE = Choice("kaiming_normal", {"nonlinearity": "relu"})


def network() -> Network:
    return chain(
        ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3})),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )


class TestEdit:
    def test_a_layers_own_choice_wins_over_its_familys_and_that_over_all(self) -> None:
        changed = edit.set_default_init(network(), "all", "weight", Choice("zeros"))
        changed = edit.set_default_init(changed, "Linear", "weight", Choice("ones"))
        model = engine.build(changed)
        assert not model.conv.weight.any()
        assert (model.fc.weight == 1).all()
        own = edit.set_init(changed, "fc", "weight", Choice("constant", {"val": 2.0}))
        assert (engine.build(own).fc.weight == 2).all()

    def test_taking_it_back_leaves_the_document_as_it_was(self) -> None:
        changed = edit.set_default_init(network(), "Linear", "weight", HE)
        assert changed != network()
        assert edit.set_default_init(changed, "Linear", "weight", None) == network()


class TestPart:
    @pytest.fixture
    def part(self, qtbot) -> DefaultsPart:
        self.document = Document(network())
        subject = Subject(self.document, Selection(), {})
        subject.analysis = analyze(network())
        view = DefaultsPart(subject)
        qtbot.addWidget(view)
        view.set_open(True)
        view.resize(300, 400)
        view.show()
        view.refresh()
        return view

    def test_it_offers_the_families_that_are_drawn(self, part: DefaultsPart) -> None:
        offered = [part.scope.itemData(i) for i in range(part.scope.count())]
        assert offered == ["all", "Linear", "Convolution"]

    def test_a_choice_is_one_step_of_undo_and_the_editor_follows(self, part: DefaultsPart) -> None:
        part.scope.setCurrentIndex(1)
        part.editors["weight"].chosen.emit(lambda _: HE, "")
        part.refresh()
        assert self.document.network.defaults["init"]["Linear"]["weight"]["scheme"] == "kaiming_normal"
        self.document.undo_stack.undo()
        assert self.document.network == network()


class TestPreview:
    def test_its_singular_values_are_those_of_the_very_weight(self) -> None:
        drawn = edit.set_init(network(), "fc", "weight", Choice("xavier_normal"))
        event = preview_init(1, drawn, "fc", "weight")
        weight = engine.build(drawn, seed=drawn.recipe.seed).fc.weight.detach()
        assert event.singular == pytest.approx(torch.linalg.svdvals(weight.double()).tolist(), rel=1e-5)

    def test_an_orthogonal_draw_has_equal_ones_and_a_sparse_one_its_zeros(self) -> None:
        drawn = edit.set_init(network(), "fc", "weight", Choice("orthogonal", {"gain": 2.0}))
        assert preview_init(1, drawn, "fc", "weight").singular == pytest.approx([2.0] * 10, rel=1e-5)
        sparse = edit.set_init(network(), "fc", "weight", Choice("sparse", {"sparsity": 0.3}))
        # ⌈0.3 · 10 rows⌉ = 3 zeros in each column of 10.
        assert preview_init(1, sparse, "fc", "weight").zeros == (0.3, 0.3)
