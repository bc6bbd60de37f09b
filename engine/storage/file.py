"""Networks to and from files."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

import msgspec

from engine.network import FORMAT_VERSION, Network
from engine.problems import FileProblem
from engine.storage import atomic, strict
from engine.storage.form import from_form, to_form

#: The file's usual ending.
SUFFIX = ".layerlab"
#: A larger file is no network. (20,000 nodes are about 8 MB.)
MAX_BYTES = 64 * 1024 * 1024
#: Nodes of the network and all its blocks together.
MAX_NODES = 20_000

#: Lines that hold one value are at most this long; longer ones are broken.
_WIDTH = 110
#: Objects and lists with a line of their own per item however short they are, so that a change to
#: one item changes its own lines; ``*`` stands for any key.
_BROKEN = frozenset(
    {
        (),
        ("nodes",),
        ("edges",),
        ("blocks",),
        ("blocks", "*"),
        ("blocks", "*", "nodes"),
        ("blocks", "*", "edges"),
        ("recipe",),
        ("view",),
        ("view", "positions"),
        ("view", "blocks"),
        ("view", "blocks", "*"),
        ("view", "blocks", "*", "positions"),
    }
)
_inline = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def read(path: str | os.PathLike[str]) -> Network:
    """The network in the file at `path`.

    Raises
    ------
    FileProblem
        If the file cannot be opened, is not JSON, is over a limit or is not shaped like a network.
        What is shaped right but makes no sense is read as it stands, for the analysis to judge.
    """
    where = os.fspath(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise FileProblem(f"{where} is a folder. Give a file such as NAME{SUFFIX}.")
        if not stat.S_ISREG(status.st_mode):
            raise FileProblem(f"{where} is not a regular file.")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileProblem(
            f"There is no file {where}. `layerlab templates` lists networks to start from."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileProblem(f"Cannot read {where}: {reason}.") from None
    return loads(data, where)


def newer(path: str | os.PathLike[str]) -> int | None:
    """The format version of the file at `path` where that is newer than this program's, else None.

    Such a file is readable (its `min_reader` says so), but what is new in it would not survive being
    saved by an older program as its own: a window opens it read-only.
    """
    try:
        with open(path, "rb") as file:
            version = strict.loads(file.read(MAX_BYTES)).get("version")
    except (OSError, FileProblem, AttributeError):
        return None
    return version if isinstance(version, int) and version > FORMAT_VERSION else None


def loads(data: bytes, where: str = "the file") -> Network:
    """The network that `data` holds; `where` names it in messages.

    Raises
    ------
    FileProblem
        As :func:`read`.
    """
    if len(data) > MAX_BYTES:
        raise FileProblem(f"{where} is larger than {MAX_BYTES >> 20} MiB. A network is never so large.")
    try:
        network = from_form(strict.loads(data))
    except FileProblem as problem:
        raise FileProblem(f"{where}: {problem}") from None
    count = len(network.nodes) + sum(len(block.nodes) for block in network.blocks.values())
    if count > MAX_NODES:
        raise FileProblem(f"{where} has {count:,} nodes; the most is {MAX_NODES:,}.")
    return network


def dumps(network: Network) -> bytes:
    """The file that holds `network`: ``loads(dumps(network)) == network``."""
    text = _render(to_form(network), (), 0) + "\n"
    # A text with half a surrogate pair (Qt can make one) is no Unicode; a "?" keeps the rest.
    return text.encode("utf-8", "replace")


def encode(network: Network) -> bytes:
    """As :func:`dumps`, but without line breaks and in a tenth of the time: for messages, not for people."""
    try:
        return msgspec.json.encode(to_form(network))
    except (ValueError, OverflowError, TypeError):  # what only the other writer has a way with
        return dumps(network)


def write(network: Network, path: str | os.PathLike[str]) -> None:
    """Save `network` to `path`, whole or not at all.

    Raises
    ------
    engine.storage.atomic.WriteProblem
        If it cannot be written; a file that was there is as it was.
    """
    atomic.write_bytes(path, dumps(network))


def _render(value: Any, path: tuple[str, ...], indent: int) -> str:
    items = len(value) if isinstance(value, dict | list | tuple) else 0
    if not items:
        return _inline(value)
    # Only the few paths of _BROKEN are followed by key; below them all is alike.
    if path not in _BROKEN:
        line = _inline(value)
        if indent + len(line) <= _WIDTH:
            return line
    margin = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [
            f"{margin}{_inline(key)}: {_render(item, _below(path, key), indent + 2)}"
            for key, item in value.items()
        ]
        opening, closing = "{", "}"
    else:
        parts = [margin + _render(item, _below(path, "*"), indent + 2) for item in value]
        opening, closing = "[", "]"
    return f"{opening}\n" + ",\n".join(parts) + f"\n{' ' * indent}{closing}"


def _below(path: tuple[str, ...], key: str) -> tuple[str, ...]:
    if path in (("blocks",), ("view", "blocks")):
        return (*path, "*")
    return (*path, key)
