"""A copied piece is JSON text: it comes back from a mail, quoted and among other words."""

from __future__ import annotations

import json

import pytest

from engine import edit
from tests.networks import alone


def piece() -> str:
    """What the canvas puts on the clipboard: a copied piece, indented."""
    network = alone("Conv2d")
    return json.dumps(edit.copy(network, list(network.nodes)), indent=2)


@pytest.mark.parametrize(
    "mail",
    [
        lambda text: text,
        lambda text: f"Hello,\n\nhere is my network:\n\n{text}\n\nRegards\n",
        lambda text: "On Friday you wrote:\n" + "\n".join(f"> {line}" for line in text.splitlines()),
        lambda text: "\n".join(f">> > {line}" for line in text.splitlines()),
        lambda text: text.replace("\n", "\r\n").replace("  ", "\u00a0\u00a0"),
    ],
    ids=["as it is", "among words", "quoted", "quoted thrice", "with other spaces and line ends"],
)
def test_a_piece_comes_back_from_a_mail(mail) -> None:
    text = piece()
    assert edit.fragment_from_text(mail(text)) == json.loads(text)


@pytest.mark.parametrize("text", ["", "Hello", "{", "} {", "a {b} c", "> {\n> ]", "{" * 200_000])
def test_what_is_no_piece_is_none(text: str) -> None:
    assert edit.fragment_from_text(text) is None
