"""Files from strangers: nothing in them may raise, hang, fill the memory or run.

Naughty strings and the JSONTestSuite are spliced into every position of valid files; beyond that
files are mutated at random, guided by what is new: a file that leads to a message or a problem that
none has led to before is mutated further.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
import random
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import engine
from engine import storage, templates
from engine.findings import Analysis
from engine.network import Network
from engine.problems import FileProblem, NetworkProblem
from tests.robustness.promise import Row

DATA = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[3] / "shared" / "data")
FROZEN = Path(__file__).parents[1] / "frozen"
#: Seconds beyond which a file hangs the program.
LONGEST = 1.0
#: Bytes beyond which a file makes the program take too much memory.
MOST = 200e6

_MODEST = 3_000_000
_CODE = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class")
_CODE += ("socket.connect", "socket.bind", "os.remove", "os.rename", "shutil.rmtree", "ctypes.dlopen")


class Watch:
    """Sees, by Python's audit hook, whether anything is run, written or sent."""

    _events: list[str] | None = None
    _installed = False

    def __init__(self) -> None:
        if not Watch._installed:
            Watch._installed = True
            sys.addaudithook(Watch._heard)

    @staticmethod
    def _heard(event: str, arguments: tuple[Any, ...]) -> None:
        heard = Watch._events
        if heard is None:
            return
        if event in _CODE:
            heard.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            heard.append(f"open for writing {arguments[0]!r}")
        elif event == "compile" and arguments[1] not in (None, "<unknown>"):
            heard.append(f"compile {arguments[1]!r}")
        elif event == "exec" and not os.path.exists(arguments[0].co_filename):
            heard.append(f"exec {arguments[0].co_filename!r}")

    def __enter__(self) -> list[str]:
        Watch._events = []
        return Watch._events

    def __exit__(self, *_: object) -> None:
        Watch._events = None


@dataclass
class Tally:
    """What a lot of files did to the program."""

    row: Row
    #: Every kind of answer there was, and so what counts as new.
    seen: set[object] = field(default_factory=set)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def feed(data: bytes, tally: Tally, watch: Watch) -> bool:
    """Let the program have one file; whether it opened it, and with problems of a new kind."""
    before, began = _peak(), time.perf_counter()
    with watch as heard:
        try:
            answer = _answer(data, tally)
            breach = ""
        except Exception:
            answer, breach = "traceback", traceback.format_exc(limit=-3)
    seconds, grown = time.perf_counter() - began, _peak() - before
    if seconds > LONGEST and not breach:  # the machine may have been busy elsewhere: once more
        began = time.process_time()
        _answer(data, Tally(Row("")))
        seconds = min(seconds, time.process_time() - began)
    tally.row.took("slowest", seconds)
    if heard:
        breach = breach or f"ran or wrote: {heard[:3]}"
    if seconds > LONGEST:
        breach = breach or f"took {seconds:.1f} s"
    if grown > MOST:
        breach = breach or f"took {grown / 1e6:.0f} MB"
    tally.row.check(not breach, f"{breach}\n{data[:400]!r}")
    new = answer not in tally.seen
    tally.seen.add(answer)
    return new and isinstance(answer, frozenset)


def _answer(data: bytes, tally: Tally) -> object:
    """What the program makes of a file, as something that can be compared."""
    try:
        network = storage.loads(data)
    except FileProblem as problem:
        tally.row.count("refused")
        message = str(problem)
        assert "\n" not in message, "a message of several lines"
        return re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "#", message)[:80]
    tally.row.count("opened")
    assert storage.loads(storage.dumps(network)) == network, "what is saved does not come back"
    analysis = engine.analyze(network)
    codes = frozenset(
        (problem.severity, problem.code, (problem.field or "").partition(".")[0])
        for problem in analysis.problems
    )
    if not analysis.errors:
        tally.row.count("without errors")
    _print(network, analysis, tally)
    return codes


def _print(network: Network, analysis: Analysis, tally: Tally) -> None:
    """Its code, read and not run: names from the file may be nothing but attributes and strings."""
    try:
        text = engine.source(network)
    except NetworkProblem:
        return
    tally.row.count("printed as code")
    _inspect(ast.parse(text))


#: What printed code may call or name: nothing of it runs anything but torch.
_FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "open",
    "getattr",
    "globals",
    "os",
    "sys",
    "subprocess",
}


def _inspect(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            assert all(name.split(".")[0] in ("torch", "math", "__future__") for name in names), names
        if isinstance(node, ast.Name):
            assert node.id not in _FORBIDDEN, f"printed code names {node.id}"


# ---------------------------------------------------------------------------- what is fed


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


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _places(item, (*path, number))


def _with(value: Any, path: tuple[Any, ...], new: Any, as_key: bool = False) -> Any:
    """`value` with `new` at `path`, or as the name of what is at `path`."""
    key, *rest = path
    if isinstance(value, dict):
        if rest:
            return {k: _with(v, tuple(rest), new, as_key) if k == key else v for k, v in value.items()}
        return {
            (new if as_key and k == key else k): (v if as_key or k != key else new) for k, v in value.items()
        }
    return [
        (_with(v, tuple(rest), new, as_key) if rest else new) if n == key else v for n, v in enumerate(value)
    ]


def with_naughty_strings() -> Iterator[Callable[[], bytes]]:
    """Each naughty string as each value and as each key of a valid file."""
    form = json.loads(small())
    for word in naughty():
        for path in _places(form):
            yield lambda path=path, word=word: _dumped(_with(form, path, word))
            if isinstance(path[-1], str):
                yield lambda path=path, word=word: _dumped(_with(form, path, word, as_key=True))


def with_the_suite() -> Iterator[Callable[[], bytes]]:
    """Each file of the JSONTestSuite in place of each token of a valid file."""
    text = small()
    tokens = [match.span() for match in re.finditer(rb'"[^"]*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', text)]
    for piece in suite():
        for start, end in tokens:
            yield lambda start=start, end=end, piece=piece: text[:start] + piece[:100_000] + text[end:]


def _dumped(form: Any) -> bytes:
    return json.dumps(form, ensure_ascii=False).encode("utf-8", "surrogatepass")


_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 255, 65537, 1 << 20, (1 << 20) + 1, 1 << 31, (1 << 63) - 1, 1 << 70,
    0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), "", "0", "all", [], [[]], {}, [0], [1, 2, 3, 4, 5],
    [1 << 20, 1 << 20], [-1], {"expr": "channels * 2"}, {"expr": "().__class__"}, {"type": "Linear"},
    "torch.nn.Linear", "__init__", "forward", "image", "conv1.weight", "../x", ["image", "image"],
)  # fmt: skip


class Mutator:
    """Makes files from files."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.words = naughty()

    def __call__(self, data: bytes, other: bytes) -> bytes:
        """One mutated file."""
        for _ in range(self.chance.choice((1, 1, 1, 2, 4))):
            data = self._tree(data, other) if self.chance.random() < 0.7 else self._raw(data, other)
        return data

    def _raw(self, data: bytes, other: bytes) -> bytes:
        chance = self.chance
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 2, 8, 64, 512)))
        match chance.randrange(6):
            case 0:
                return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                return data[:at] + data[end:]
            case 2:
                return data[:end] + data[at:end] + data[end:]
            case 3:
                begin = chance.randrange(len(other) + 1)
                return data[:at] + other[begin : begin + end - at] + data[end:]
            case 4:
                return (
                    data[:at]
                    + chance.choice((b"[", b"{", b'"', b"\\", b"-", b"9" * 30, b"\xed\xa0\x80"))
                    + data[at:]
                )
            case _:
                return data[:at]

    def _tree(self, data: bytes, other: bytes) -> bytes:
        chance = self.chance
        try:
            form, source = json.loads(data), json.loads(other)
        except (ValueError, RecursionError):
            return self._raw(data, other)
        places = list(_places(form)) if isinstance(form, dict) else []
        if not places:
            return data
        path = chance.choice(places)
        match chance.randrange(6):
            case 0 | 1:
                new: Any = chance.choice(_VALUES)
            case 2:
                new = chance.choice(self.words)
            case 3:
                return _dumped(_with(form, path, chance.choice(self.words), as_key=True))
            case 4:
                new = _get(form, chance.choice(places))
            case _:
                there = list(_places(source)) if isinstance(source, dict) else []
                new = _get(source, chance.choice(there)) if there else None
        return _dumped(_with(form, path, new))


def _get(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


# ---------------------------------------------------------------------------- measuring


def _warm(watch: Watch) -> None:
    """Let everything be imported that the work imports when it is first needed."""
    tally = Tally(Row(""))
    for data in seeds():
        feed(data, tally, watch)


def _measure_all(row: Row, files: Iterable[Callable[[], bytes]], most: int | None, first: int) -> Row:
    """Feed all of `files`; or `most` of them, those from number `first` in an order of chance."""
    tally, watch = Tally(row), Watch()
    _warm(watch)
    every = list(files)
    random.Random(0).shuffle(every)
    for make in every[first:] if most is None else every[first : first + most]:
        feed(make(), tally, watch)
    row.count("kinds of answer", len(tally.seen))
    return row


def measure_naughty(most: int | None = None, first: int = 0) -> Row:
    """Splice naughty strings into every place."""
    row = Row("Naughty strings as every value and every key of a file")
    return _measure_all(row, with_naughty_strings(), most, first)


def measure_suite(most: int | None = None, first: int = 0) -> Row:
    """Splice the JSONTestSuite into every place; its files may be absent, and then nothing is tried."""
    return _measure_all(
        Row("The JSONTestSuite spliced into every place of a file"), with_the_suite(), most, first
    )


def measure_mutated(count: int, seed: int = 0) -> Row:
    """Feed `count` mutated files."""
    row = Row("Mutated network files")
    tally, watch, mutate = Tally(row), Watch(), Mutator(seed)
    _warm(watch)
    originals, pool = seeds(), seeds()
    for _ in range(count):
        # Half of them from whole files, lest all that is mutated be broken in several ways already.
        data = mutate(
            mutate.chance.choice(mutate.chance.choice((originals, pool))), mutate.chance.choice(pool)
        )
        if feed(data, tally, watch) and len(data) < _MODEST:
            pool.append(data)
    row.count("kinds of answer", len(tally.seen))
    return row
