"""Texts in fields that say no value: kept as they were typed, though the document cannot hold them.

Nothing that is saved or trained has them, so they are told where that matters. The journal has them beside
the network, so that a crash does not cost them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from PySide6.QtCore import QObject, Signal

from engine.storage.journal import Text


class Draft(NamedTuple):
    """A text that says no value, and why not."""

    text: str
    trouble: str


#: Drafts by the name of their field.
Drafts = dict[str, Draft]


class _Typing(QObject):
    """Tells that a draft has come, changed or gone."""

    changed = Signal()


typing = _Typing()


@dataclass(frozen=True)
class Unfinished:
    """A draft, told where nobody sees its field."""

    #: The field: ``conv1 › kernel_size``.
    where: str
    draft: Draft
    #: Lead there, with the keyboard.
    show: Callable[[], object]

    def __str__(self) -> str:
        why = self.draft.trouble or f"{self.draft.text!r} waits for Enter."
        return f"{self.where} does not count yet: {why}"


def unfinished(
    where: str, drafts: Mapping[str, Draft], show: Callable[[str], object]
) -> tuple[Unfinished, ...]:
    """What is unfinished in a part of a panel; `show` leads to a field by its name."""

    def text(name: str, draft: Draft) -> Unfinished:
        return Unfinished(f"{where} › {name}", draft, lambda: show(name))

    return tuple(text(name, draft) for name, draft in drafts.items())


def summed(texts: Sequence[Unfinished]) -> str:
    """One line about all of them; "": there are none."""
    if not texts:
        return ""
    more = len(texts) - 1
    return str(texts[0]) + (f" And {more} more field{'s' * (more > 1)}." if more else "")


class Fields(Protocol):
    """A panel that has fields."""

    @property
    def unfinished(self) -> tuple[Unfinished, ...]:
        """Its texts that say no value."""

    @property
    def texts(self) -> tuple[Text, ...]:
        """The same as they are kept."""

    def restore(self, texts: Sequence[Text]) -> None:
        """Put texts into their fields again, as they were marked."""


class UnfinishedTexts:
    """The texts of all panels that have fields.

    Parameters
    ----------
    reveal
        Brings a panel to the front, by its name.
    """

    def __init__(self, reveal: Callable[[str], object]) -> None:
        self._reveal = reveal
        self._panels: dict[str, Fields] = {}

    def watch(self, panel: str, fields: Fields) -> None:
        """Ask the panel of that name, too."""
        self._panels[panel] = fields

    def __call__(self) -> tuple[Unfinished, ...]:
        """All that there are now."""
        return tuple(self._of(panel, text) for panel, of in self._panels.items() for text in of.unfinished)

    @property
    def kept(self) -> tuple[Text, ...]:
        """All that there are now, as they are kept through a crash."""
        return tuple(text for of in self._panels.values() for text in of.texts)

    def restore(self, texts: Sequence[Text]) -> None:
        """Put these into their fields again."""
        for panel, of in self._panels.items():
            of.restore([text for text in texts if text.panel == panel])

    def _of(self, panel: str, text: Unfinished) -> Unfinished:
        def show() -> None:
            self._reveal(panel)
            text.show()

        return replace(text, show=show)
