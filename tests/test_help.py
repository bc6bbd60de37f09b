"""The help's pages: their pictures are there, in both themes, and can be read."""

from __future__ import annotations

import re

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QImage, QTextDocument
from PySide6.QtWidgets import QWidget

from engine import assets
from gui.help import PICTURE, Help, pages

pytestmark = pytest.mark.gui
IMAGE = QTextDocument.ResourceType.ImageResource.value
SHOWN = re.compile(r"!\[([^]]*)\]\(([^)]+)\)")


def pictures() -> list[tuple[str, str]]:
    """(page, picture) of the whole help."""
    return [
        (page.name, path)
        for page in pages()
        for _, path in SHOWN.findall(assets.read_text(f"help/{page.name}"))
    ]


@pytest.mark.parametrize(("page", "picture"), pictures())
def test_every_picture_is_there_in_both_themes_with_words_for_who_cannot_see_it(page: str, picture: str):
    assert picture.endswith("_light.png")
    for look in ("light", "dark"):
        assert assets.path(f"help/{picture.replace('_light', f'_{look}')}").is_file()
    told = {path: words for words, path in SHOWN.findall(assets.read_text(f"help/{page}"))}
    assert told[picture].strip()


def test_pictures_are_never_enlarged_and_made_smaller_for_the_screen_that_shows_them(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    shown = Help(parent)
    for page, picture in pictures():
        shown.show_page(page)
        image = shown.browser.loadResource(IMAGE, QUrl(picture))
        assert isinstance(image, QImage)
        natural = QImage(str(assets.path(f"help/{picture}")))
        width = image.deviceIndependentSize().width()
        assert width == min(natural.width(), PICTURE)
        assert image.width() <= natural.width()
        assert image.width() == natural.width() or image.width() == round(width * shown.devicePixelRatioF())
