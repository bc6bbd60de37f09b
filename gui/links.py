"""Where a source that the catalogue names can be read: pages of PyTorch and scikit-learn, papers."""

from __future__ import annotations

import html
import re

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from gui.narrow import Paragraph
from gui.plain import breakable
from gui.theme import theme

_TORCH = "https://docs.pytorch.org/docs/stable"
_SKLEARN = "https://scikit-learn.org/stable/modules/generated"
_PAPER = "https://arxiv.org/abs"
_NAMES = re.compile(
    r"arXiv[ :](?P<paper>\d{4}\.\d{4,5})"
    r"|\b(?P<scheme>torch\.nn\.init(?:\.[a-z_]+)?)\b"
    r"|\b(?P<torch>torch(?:\.\w+)+)\b"
    r"|\b(?P<sklearn>sklearn\.datasets\.\w+)\b"
)
#: Names whose page bears another name than they do.
_ELSEWHERE = {
    "torch.nn.Parameter": "torch.nn.parameter.Parameter",
    "torch.nn.Linear.reset_parameters": "torch.nn.Linear",
    "torch.nn.Module.register_buffer": "torch.nn.Module",
}


def links(text: str) -> list[tuple[str, str]]:
    """What `text` names that has a page of its own: ``(name as written, address)``, in order."""
    return [(found.group(), _address(found)) for found in _NAMES.finditer(text) if _address(found)]


def cited(words: str, source: str) -> str:
    """`words` of the catalogue, and behind them where they come from, unless that is this program."""
    said = words.replace("`", "")
    return f"{said}\nSource: {source}." if source and source != "layerlab" else said


def _address(found: re.Match[str]) -> str:
    if paper := found["paper"]:
        return f"{_PAPER}/{paper}"
    if scheme := found["scheme"]:
        return f"{_TORCH}/nn.init.html" + ("" if scheme == "torch.nn.init" else f"#{scheme}")
    if name := found["torch"]:
        if name.split(".")[-1].startswith("__"):
            return ""
        return f"{_TORCH}/generated/{_ELSEWHERE.get(name, name)}.html"
    return f"{_SKLEARN}/{found['sklearn']}.html"


class SourceLabel(Paragraph):
    """Words in which what has a page is a link to it, for the mouse and for the keyboard.

    Only the addresses above are ever linked: nothing that a file says becomes one.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.words = ""
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.setOpenExternalLinks(True)
        theme.changed.connect(self._dress)

    def show_words(self, words: str) -> None:
        """Show `words`, linked."""
        if words != self.words:
            self.words = words
            self._dress()

    def _dress(self) -> None:
        color, parts, place = theme.tokens.accent, [], 0
        for found in _NAMES.finditer(self.words):
            parts.append(_plain(self.words[place : found.start()]))
            shown, address = _plain(found.group()), _address(found)
            link = f'<a href="{html.escape(address)}" style="color: {color}">{shown}</a>'
            parts.append(link if address else shown)
            place = found.end()
        parts.append(_plain(self.words[place:]))
        self.setText("".join(parts))
        named = links(self.words)
        self.setToolTip("\n".join(address for _, address in named))
        self.setAccessibleName(self.words)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if named else Qt.FocusPolicy.NoFocus)


def _plain(words: str) -> str:
    return html.escape(breakable(words)).replace("\n", "<br>")
