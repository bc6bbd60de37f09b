"""Links from the catalogue to where a thing is documented."""

import re
from urllib.parse import urlparse

import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest

from engine.catalog import INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES
from engine.network import Node
from gui.links import SourceLabel, links
from gui.theme import theme
from tests.test_inspector import NETWORK, Bench, chain

#: These the program has of its own, or knows from papers that are on no arXiv, or from a method without a page.
PAGELESS = {"Input", "Output", "Slice", "depth_scaled_normal", "forget_bias"}
ENTRIES = [
    entry for entries in (LAYERS, INITIALIZERS, LOSSES, OPTIMIZERS, SCHEDULES) for entry in entries.values()
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_every_entry_has_a_page_and_what_torch_names_is_there(entry):
    found = links(entry.source)
    assert bool(found) != (entry.id in PAGELESS), entry.source
    for name, address in found:
        url = urlparse(address)
        assert url.scheme == "https"
        assert url.netloc in ("docs.pytorch.org", "arxiv.org")
        if name.startswith("torch"):
            thing = torch
            for part in name.split(".")[1:]:
                thing = getattr(thing, part)  # what the page is about
            page = re.search(r"generated/(.+)\.html$", url.path)
            assert page or url.path.endswith("/nn.init.html")


@pytest.mark.parametrize(
    ("words", "address"),
    [
        # as PyTorch's documentation has them
        ("torch.nn.Conv2d", "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html"),
        (
            "torch.nn.init.dirac_",
            "https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.dirac_",
        ),
        ("arXiv 1502.01852", "https://arxiv.org/abs/1502.01852"),
        (
            "sklearn.datasets.load_iris",
            "https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_iris.html",
        ),
    ],
)
def test_addresses_are_those_of_the_projects(words, address):
    assert links(f"after {words}; and more") == [(words, address)]


@pytest.mark.gui
def test_words_are_never_markup_and_never_a_link_of_their_own(qtbot):
    label = SourceLabel()
    qtbot.addWidget(label)
    label.show_words('<a href="file:///etc/passwd">torch.add</a> & https://example.org javascript:x')
    assert re.findall(r'href="([^"]+)"', label.text()) == [
        "https://docs.pytorch.org/docs/stable/generated/torch.add.html"
    ]
    assert "&lt;a href=" in label.text()


@pytest.mark.gui
def test_links_take_the_accent_of_the_theme_in_force(qtbot, qapp):
    label = SourceLabel()
    qtbot.addWidget(label)
    label.show_words("torch.add")
    before = theme.tokens.name
    try:
        for choice in ("light", "dark"):
            theme.choose(choice)
            assert f"color: {theme.tokens.accent}" in label.text()
    finally:
        theme.choose(before)


@pytest.mark.gui
def test_a_click_at_the_layers_kind_opens_its_page(qtbot, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    bench = Bench(qtbot, NETWORK)
    header = bench.select("conv1").header
    QTest.mouseClick(header.page, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert opened == ["https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html"]
    assert bench.select("image").header.page.isHidden()


@pytest.mark.gui
@pytest.mark.parametrize("id", sorted({layer.group: id for id, layer in LAYERS.items()}.values()))
def test_the_inspector_links_the_source_of_a_layer_of_every_family(qtbot, id):
    bench = Bench(qtbot, chain(it=Node(id)))
    about = bench.select("it").about
    about.set_open(True)
    assert [address for _, address in links(LAYERS[id].source)] == re.findall(
        r'href="([^"]+)"', about.source.text()
    )
