"""Files made from valid ones: strings that have broken programs, and the JSONTestSuite, in every place."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine import storage, templates

DATA = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[3] / "shared" / "data")
FROZEN = Path(__file__).parents[1] / "frozen"


def seeds() -> list[bytes]:
    """Valid files: the templates and the frozen examples."""
    found = [storage.dumps(template.network) for template in templates.templates()]
    return [*found, *(path.read_bytes() for path in sorted(FROZEN.glob("*.layerlab")))]


def small() -> bytes:
    """A valid file with something of each kind, small enough to be spliced everywhere."""
    form = json.loads((FROZEN / "v1.layerlab").read_bytes())
    for id in ("left", "right", "sum"):
        del form["nodes"][id]
    form["nodes"]["stage"]["repeat"] = 1
    chain = ["image", "conv1", "stage", "flat", "fc", "out"]
    form["edges"] = [[a, b] for a, b in itertools.pairwise(chain)]
    del form["blocks"]["Basic"]["nodes"]["norm"]
    form["blocks"]["Basic"]["edges"] = [["begin", "conv"], ["conv", "out.input"]]
    return json.dumps(form).encode()


def naughty() -> list[str]:
    """Strings that have broken programs."""
    path = DATA / "naughty-strings.json"
    strings: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return strings or [
        "",
        "NaN",
        "<b>x</b>",
        "../../etc/passwd",
        "__class__",
        "'; DROP TABLE",
        "\u202e",
        "a" * 9999,
    ]


def suite() -> list[bytes]:
    """The files of the JSONTestSuite."""
    return [path.read_bytes() for path in sorted((DATA / "json-test-suite").glob("*.json"))]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values within `value`."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


def with_new(value: Any, path: tuple[Any, ...], new: Any, as_key: bool = False) -> Any:
    """`value` with `new` at `path`, or as the name of what is at `path`."""
    key, *rest = path
    if isinstance(value, dict):
        if rest:
            return {k: with_new(v, tuple(rest), new, as_key) if k == key else v for k, v in value.items()}
        return {
            (new if as_key and k == key else k): (v if as_key or k != key else new) for k, v in value.items()
        }
    return [
        (with_new(v, tuple(rest), new, as_key) if rest else new) if n == key else v
        for n, v in enumerate(value)
    ]


def with_naughty_strings() -> Iterator[Callable[[], bytes]]:
    """Each naughty string as each value and as each key of a valid file."""
    form = json.loads(small())
    for word in naughty():
        for path in places(form):
            yield lambda path=path, word=word: dumped(with_new(form, path, word))
            if isinstance(path[-1], str):
                yield lambda path=path, word=word: dumped(with_new(form, path, word, as_key=True))


def with_the_suite() -> Iterator[Callable[[], bytes]]:
    """Each file of the JSONTestSuite in place of each token of a valid file."""
    text = small()
    tokens = [match.span() for match in re.finditer(rb'"[^"]*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', text)]
    for piece in suite():
        for start, end in tokens:
            yield lambda start=start, end=end, piece=piece: text[:start] + piece[:100_000] + text[end:]


def dumped(form: Any) -> bytes:
    """A form as a file, be it ever so wrong."""
    return json.dumps(form, ensure_ascii=False).encode("utf-8", "surrogatepass")
