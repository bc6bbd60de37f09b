"""Ids of nodes: what may be one, measured against torch and Python themselves."""

from __future__ import annotations

import keyword

import pytest
import torch

from engine.network import MODULE_ATTRIBUTES, End, identifier_problem


def test_no_public_attribute_of_a_torch_module_may_be_an_id() -> None:
    torchs = {name for name in dir(torch.nn.Module()) if not name.startswith("_")}
    assert torchs - MODULE_ATTRIBUTES == set()


@pytest.mark.parametrize("name", ["conv1", "a", "Layer_2", "x" * 64])
def test_a_plain_name_is_an_id(name: str) -> None:
    assert identifier_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a-b", "a.b", "é", "_a", "a__b", "x" * 65, "a\n", "forward", "torch", "self", *keyword.kwlist]
)  # fmt: skip
def test_a_name_that_would_break_a_module_is_refused_with_a_reason(name: str) -> None:
    problem = identifier_problem(name)
    assert problem is not None
    assert repr(name) in problem


@pytest.mark.parametrize(("text", "end"), [("conv1", End("conv1")), ("split.0", End("split", "0"))])
def test_an_end_of_a_wire_reads_back_as_written(text: str, end: End) -> None:
    assert End.parse(text) == end
    assert str(end) == text
