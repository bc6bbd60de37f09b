"""Figures in pages stand between marks, where scripts put them and tests find them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def between(page: Path, mark: str) -> str:
    """What stands between the marks of a page; LookupError without them."""
    found = re.search(rf"<!-- {mark} -->\n(.*?)\n<!-- end -->", page.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise LookupError(f"{page.name} has no marks {mark}")
    return found[1]


def put(page: Path, mark: str, text: str) -> None:
    """Put `text` between the marks of a page."""
    old = f"<!-- {mark} -->\n{between(page, mark)}\n<!-- end -->"
    new = f"<!-- {mark} -->\n{text}\n<!-- end -->"
    page.write_text(page.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
