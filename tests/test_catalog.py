"""The catalogue as a whole."""

from __future__ import annotations

import msgspec
import pytest

from engine.catalog import GROUPS, LAYERS, plugins
from tests import torch_coverage


def test_every_class_of_torch_nn_is_a_layer_a_loss_or_left_out_for_a_reason() -> None:
    assert [row.name for row in torch_coverage.rows() if row.place == "MISSING"] == []


def test_there_are_at_least_120_kinds_of_layers_in_groups_that_the_palette_has() -> None:
    assert len(LAYERS) >= 120
    assert {layer.group for layer in LAYERS.values()} <= set(GROUPS)


@pytest.mark.parametrize("id", LAYERS)
def test_a_layer_told_as_data_is_drawn_and_checked_like_itself(id: str) -> None:
    """What the window gets of a plugin's layer, tried on all of ours."""
    layer = LAYERS[id]
    told = msgspec.json.decode(msgspec.json.encode(plugins._described(layer)))
    fields = [plugins._field_of(field) for field in told["fields"]]
    for field, twin in zip(layer.fields, fields, strict=True):
        assert type(twin) is type(field)
        assert twin.required == field.required
        assert msgspec.json.encode(twin.schema()) == msgspec.json.encode(field.schema())
        assert twin.check(twin.initial) == field.check(field.initial)
