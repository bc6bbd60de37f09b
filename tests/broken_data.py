"""Broken inputs for every source, and what must be said of each. :mod:`tests.test_data_broken` runs them all.

A new source of the catalogue is refused by that test until it has a real file in
:mod:`tests.real_data` and five broken ones here.
"""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars
from PIL import Image

from engine.data import bundled
from engine.data.idx_sets import FILES
from tests.real_data import EMNIST, HEAD, ROWS, idx_bytes

Mend = Callable[[bytes], bytes]


class Broken(NamedTuple):
    """One way in which data can be wrong."""

    #: What is said of it.
    said: str
    #: Breaks the good files in a folder.
    break_it: Callable[[Path], object] = lambda folder: None
    #: Fields and split beside those of the good files.
    fields: Mapping[str, Any] = {}
    split: Mapping[str, Any] = {}


def change(name: str, how: Mend) -> Callable[[Path], object]:
    """Rewrite the bytes of a file."""
    return lambda folder: (folder / name).write_bytes(how((folder / name).read_bytes()))


def packed(how: Mend) -> Mend:
    """As `how`, within gzip."""
    return lambda data: gzip.compress(how(gzip.decompress(data)))


def remove(name: str) -> Callable[[Path], object]:
    """Take a file away."""
    return lambda folder: (folder / name).unlink()


def lines(*rows: str) -> Callable[[Path], object]:
    """Another CSV table."""
    return lambda folder: (folder / "a.csv").write_text("\n".join(rows) + "\n", "utf-8")


def frame(**columns: Sequence[Any]) -> Callable[[Path], object]:
    """Another Parquet table."""
    return lambda folder: polars.DataFrame(columns).write_parquet(folder / "a.parquet")


def arrays(**found: np.ndarray) -> Callable[[Path], object]:
    """Other arrays."""
    return lambda folder: np.savez(folder / "a.npz", **found)


def header(text: str, body: bytes = b"") -> Callable[[Path], object]:
    """Another safetensors file."""
    raw = text.encode()
    return lambda folder: (folder / "a.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + body)


def _bundled(source: str) -> list[Broken]:
    name = bundled.SETS[source].file
    wrap = packed if name.endswith(".gz") else lambda how: how

    def cell(value: str) -> Mend:
        """The last number of the last row becomes `value`."""

        def mend(data: bytes) -> bytes:
            text = data.decode("ascii").rstrip()
            mark = "," if "," in text else " "
            return (text[: text.rindex(mark) + 1] + value + "\n").encode()

        return mend

    def first_rows(data: bytes) -> bytes:
        return b"\n".join(data.splitlines()[:20]) + b"\n"

    found = [
        Broken("cannot be read", remove(name)),
        Broken("cannot be read", change(name, lambda data: b"\x89PNG\0\xff\xff" + data[:40])),
        Broken("cannot be read", change(name, wrap(cell("often")))),
        Broken("a value that is no number", change(name, wrap(cell("nan")))),
        Broken("examples instead of", change(name, wrap(first_rows))),
        Broken("brings no split of its own", split={"kind": "given"}),
    ]
    if name.endswith(".gz"):
        found.append(Broken("cannot be read", change(name, lambda data: data[: len(data) // 2])))
    if source == "diabetes":
        found.append(Broken("examples instead of", change("diabetes_target.csv.gz", packed(first_rows))))
    else:
        found.append(Broken("has the class 99", change(name, wrap(cell("99")))))
    if source != "digits":
        found.append(Broken("Did you mean 'standardise'?", fields={"standardse": True}))
    return found


def _drawn(**of_its_own: tuple[Any, str]) -> list[Broken]:
    """What can be wrong with a set that is drawn: its settings, and how it is parted."""
    return [
        Broken("from 10 to", fields={"examples": 3}),
        Broken("Did you mean 'examples'?", fields={"exampels": 20}),
        Broken("out of range", fields={"seed": -1}),
        Broken("too few to be parted so", fields={"examples": 10}, split={"validation": 0.99}),
        Broken("is no kind of split. Did you mean 'random'?", split={"kind": "randm"}),
        *(Broken(said, fields={name: value}) for name, (value, said) in of_its_own.items()),
    ]


def _cut_gzip(data: bytes) -> bytes:
    """A gzip file without its end."""
    return (data if data.startswith(b"\x1f\x8b") else gzip.compress(data))[:-20]


def _four(names: Sequence[str], wrap: Callable[[Mend], Mend], side: int) -> list[Broken]:
    """What can be wrong with four IDX files."""
    images, labels, tests, _ = names
    return [
        Broken(labels.removesuffix(".gz"), remove(labels)),
        Broken("89 50 4e 47 instead of", change(images, wrap(lambda data: b"\x89PNG" + data[4:]))),
        Broken("begins with nothing", change(images, wrap(lambda data: b""))),
        Broken("ends inside its header", change(images, wrap(lambda data: data[:9]))),
        Broken("but holds only", change(images, wrap(lambda data: data[:-7]))),
        Broken("but holds more", change(labels, wrap(lambda data: data + b"\0"))),
        Broken("which cannot be", change(images, wrap(lambda data: data[:4] + b"\xff" * 12 + data[16:]))),
        Broken("damaged or cut short", change(images, _cut_gzip)),
        Broken("images but", change(images, wrap(lambda data: idx_bytes(np.zeros((7, side, 5), np.uint8))))),
        Broken(
            "has the label 200",
            change(labels, wrap(lambda data: idx_bytes(np.full(data[7], 200, np.uint8)))),
        ),
        Broken(
            "do not belong together",
            change(tests, wrap(lambda data: idx_bytes(np.zeros((data[7], 3, 9), np.uint8)))),
        ),
        Broken("test examples of its own", split={"test": 0.1}),
    ]


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("/tmp/never",))


def _object_array(folder: Path) -> None:
    np.savez(folder / "a.npz", x=np.array([_Evil()], dtype=object), y=np.zeros(1), allow_pickle=True)


def _flip(folder: Path) -> None:
    """Damage packed bytes in the middle of an archive."""
    path = folder / "a.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    path.write_bytes(data)


def _damage_pages(folder: Path) -> None:
    """Damage values, and leave the beginning and the end by which a Parquet file is known."""
    path = folder / "a.parquet"
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(data)


def _picture_of(side: int) -> Callable[[Path], object]:
    """A picture of one colour: large, in a small file."""
    return lambda folder: Image.new("1", (side, side)).save(folder / "dark" / "00.png")


def _pipe(folder: Path) -> None:
    (folder / "dark" / "00.png").unlink()
    os.mkfifo(folder / "dark" / "00.png")


def _dangling(folder: Path) -> None:
    (folder / "dark" / "00.png").unlink()
    (folder / "dark" / "00.png").symlink_to("/nowhere/at all")


def _loop(folder: Path) -> None:
    (folder / "dark" / "00.png").unlink()
    (folder / "dark" / "00.png").symlink_to("00.png")


def _to_text(folder: Path) -> None:
    (folder / "dark" / "00.png").unlink()
    (folder / "dark" / "00.png").symlink_to("/etc/hostname")


def _one_class(folder: Path) -> None:
    for path in (folder / "dark").iterdir():
        path.unlink()
    (folder / "dark").rmdir()


_WIDE = ",".join(f"c{number}" for number in range(1_000_000))
_TENSOR = '{"x":{"dtype":"%s","shape":%s,"data_offsets":[0,16]},"y":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}}'


#: Source -> its broken inputs.
def _pickled(folder: Path) -> None:
    (folder / "a.csv").write_bytes(pickle.dumps({"age": [1.5, 2.5], "city": ["Rome", "Oslo"]}))


def _zipped(name: str) -> Callable[[Path], None]:
    def break_it(folder: Path) -> None:
        with zipfile.ZipFile(folder / "a.csv", "w") as archive:
            archive.writestr(name, "x")

    return break_it


BROKEN: dict[str, list[Broken]] = {
    **{name: _bundled(name) for name in bundled.SETS},
    "moons": _drawn(noise=(-1, "out of range")),
    "circles": _drawn(factor=(1, "out of range")),
    "spirals": _drawn(arms=(1, "out of range"), turns=("many", "is not a number")),
    "xor": _drawn(noise=(float("nan"), "not a number")),
    "blobs": _drawn(classes=(101, "out of range")),
    "curve": _drawn(function=("sin", "Did you mean 'sine'?")),
    "random": _drawn(classes=(1, "out of range"), shape=([70_000, 70_000], "numbers, and at most")),
    "mnist": _four(FILES, lambda how: how, 4),
    "fashion_mnist": _four(FILES, lambda how: how, 4),
    "emnist": [
        *_four(EMNIST, packed, 4),
        Broken("emnist-balanced-train-images", fields={"part": "balanced"}),
        Broken("has the label 0", change(EMNIST[1], packed(lambda data: data[:8] + b"\0" * 52))),
    ],
    "idx": [
        Broken("not an IDX file", change("a-images.idx3-ubyte", lambda data: b"\x89PNG" + data[4:])),
        Broken("ends inside its header", change("a-images.idx3-ubyte", lambda data: data[:9])),
        Broken("holds only 1,197", change("a-images.idx3-ubyte", lambda data: data[:-3])),
        Broken(
            "40 images but", change("a-labels.idx1-ubyte", lambda data: data[:4] + b"\0\0\0\x27" + data[8:-1])
        ),
        Broken("holds more", change("a-labels.idx1-ubyte", lambda data: data + b"\0")),
        Broken(
            "the class '0' only",
            change("a-labels.idx1-ubyte", lambda data: idx_bytes(np.zeros(40, np.uint8))),
        ),
        Broken("there is no such file", remove("a-labels.idx1-ubyte")),
        Broken("come together", fields={"test_images": "b-images.idx3-ubyte"}),
        Broken(
            "made to fill the memory",
            change(
                "a-images.idx3-ubyte",
                lambda data: gzip.compress(data[:4] + struct.pack(">3I", 1 << 12, 1 << 9, 1 << 9)),
            ),
        ),
    ],
    "cifar": [
        Broken("data_batch_3.bin missing", remove("data_batch_3.bin")),
        Broken(
            "no whole number of records of 3,073",
            lambda folder: os.truncate(folder / "data_batch_1.bin", 5000),
        ),
        Broken("has 0 bytes", lambda folder: os.truncate(folder / "test_batch.bin", 0)),
        Broken("record 1 has the label 42", change("data_batch_2.bin", lambda data: b"\x2a" * 3073)),
        Broken("train.bin, test.bin missing", fields={"version": "100"}),
        Broken("one of 10, 100, 100 coarse", fields={"version": "20"}),
        Broken("test examples of its own", split={"test": 0.5}),
    ],
    "image_folder": [
        Broken("00.png: cannot be read as a picture", change("dark/00.png", lambda data: b"no picture")),
        Broken("01.jpg: cannot be read as a picture", change("dark/01.jpg", lambda data: data[:200])),
        Broken("00.png: cannot be read as a picture", change("dark/00.png", lambda data: b"")),
        Broken("02.webp: cannot be read as a picture", change("dark/02.webp", lambda data: data[:60])),
        Broken("00.png: cannot be read as a picture", _to_text),
        Broken("00.png: 8,000 × 8,000 pixels are more than", _picture_of(8000)),
        Broken("00.png: has far more than the 50,000,000 pixels", _picture_of(14_000)),
        Broken("00.png: is no file", _pipe),
        Broken("00.png: cannot be read: No such file", _dangling),
        Broken("00.png: cannot be read: Too many levels of symbolic links", _loop),
        Broken("empty: has no pictures", lambda folder: (folder / "empty").mkdir()),
        Broken("the class 'bright' only", _one_class),
        Broken("beside train there is bright", lambda folder: (folder / "train").mkdir()),
        Broken("there is no such folder", fields={"folder": "/nowhere/at all"}),
        Broken("is a file", fields={"folder": __file__}),
    ],
    "csv": [
        Broken("line 5 has 3 cells and the first has 4", lines(HEAD, *ROWS[:3], "1,Rome,3", *ROWS)),
        Broken("line 5 has 5 cells", lines(HEAD, *ROWS[:3], '1,"a, b",3,4,5', *ROWS)),
        Broken("row 17, column 'age': 'x7' is no number", lines(HEAD, *ROWS[:16], "x7,Rome,3,yes", *ROWS)),
        Broken("no column 'incme'. Did you mean 'income'?", fields={"target": "incme"}),
        Broken("no column 'cty'. Did you mean 'city'?", fields={"features": "age, cty"}),
        Broken(
            "row 6, column 'city' is empty", lines(HEAD, *ROWS[:5], "1,,3,yes"), fields={"missing": "refuse"}
        ),
        Broken("is empty", change("a.csv", lambda data: b"")),
        Broken("no rows below them", lines(HEAD)),
        Broken("two columns are called 'age'", lines("age,age,x,y", *ROWS)),
        Broken("column 2 has no name", lines("age,,x,y", *ROWS)),
        Broken("the first line is all numbers", lines("1,2,3,4", "1,2,3,5")),
        Broken("the first line is all numbers", lines("0,0,5,1", "0,1,2,0")),
        Broken("has the number 0.2 twice", lines("5.1,0.2,0.2,setosa", "4.9,0.1,0.3,virginica")),
        Broken(
            "looks like an example (5.1, 3.5, 0.2, setosa …) and not like names of columns. Set header to false",
            lines("5.1,3.5,0.2,setosa", "4.9,3.0,?,virginica", "4.7,3.2,0.3,setosa"),
        ),
        Broken("column 'a' has numbers with a comma, such as '1,5'", lines("a;b", "1,5;x", "2;y", "3,25;x")),
        Broken(
            "column 'column_1' has numbers with a comma, such as '1,5'",
            lines("1,5;2,5", "3,1;2,2", "4,4;9,8"),
            fields={"header": False},
        ),
        Broken(
            "column 'b' has numbers with a comma, such as '1.234,5'",
            lines("a\tb", "x\t1.234,5", "y\t-2,5e3", "x\t"),
        ),
        Broken("is a pickle (objects of Python), and no CSV. It is never opened", _pickled),
        Broken("is packed with gzip, and no CSV. Unpack it", change("a.csv", gzip.compress)),
        Broken("is an Excel or Office file, and no CSV", _zipped("[Content_Types].xml")),
        Broken("is a file of torch.save, and no CSV", _zipped("archive/data.pkl")),
        Broken("is text in UTF-16, and no CSV", change("a.csv", lambda data: data.decode().encode("utf-16"))),
        Broken(
            "is a Parquet table, and no CSV. Choose Parquet",
            change("a.csv", lambda data: b"PAR1\x15\0" + data),
        ),
        Broken(
            "is no text. Tables are read from CSV", change("a.csv", lambda data: bytes(range(1, 256)) * 9)
        ),
        Broken("a quoted cell is not closed", lines(HEAD, '1,"Rome,3,yes')),
        Broken("bytes of zero", lines(HEAD, "1,\0,3,4")),
        Broken(
            "line 3 has a byte (0xff) that is not UTF-8",
            change("a.csv", lambda data: b"x,y\n1,a\n2,b\xff\n"),
        ),
        Broken("the class 'no' only", lines(HEAD, *[row[: row.rindex(",")] + ",no" for row in ROWS])),
        Broken("holds text such as 'Rome'", fields={"target": "city", "learn": "value"}),
        Broken("is to be learned, and a feature too", fields={"features": "buys"}),
        Broken("no column is left for the network to see", fields={"ignore": "age,city,income"}),
        Broken("has 1,000,000 columns", lines(_WIDE, _WIDE)),
        Broken("is a folder", fields={"path": str(Path(__file__).parent)}),
    ],
    "parquet": [
        Broken("cannot be read as Parquet", change("a.parquet", lambda data: data[:100])),
        Broken("cannot be read as Parquet", change("a.parquet", lambda data: b"")),
        Broken("cannot be read as Parquet", change("a.parquet", lambda data: b"size,price\n1,2\n")),
        Broken("cannot be read as Parquet", _damage_pages),
        Broken("holds List", frame(a=[[1], [2]], b=[1.5, 2.5])),
        Broken("has no rows", frame(a=[], b=[])),
        Broken("there is no such file", remove("a.parquet")),
        Broken("Did you mean 'price'?", fields={"target": "prize"}),
        Broken("row 2, column 'a' is infinite", frame(a=[1.0, float("inf")], b=[1.5, 2.5])),
        Broken("the class 'x' only", frame(a=[1.0, 2.0], b=["x", "x"])),
    ],
    "numpy": [
        Broken("holds Python objects", _object_array),
        Broken("'x' has 5 examples and 'y' has 4", arrays(x=np.zeros((5, 2)), y=np.arange(4))),
        Broken("which array has the targets?", arrays(a=np.zeros((5, 2)), b=np.zeros(5), c=np.zeros(5))),
        Broken("no array 'z'", fields={"targets": "z"}),
        Broken("example 0 has a value that is no finite", arrays(x=np.full((5, 2), np.nan), y=np.arange(5))),
        Broken("no numbers", arrays(x=np.array(["a", "b"]), y=np.arange(2))),
        Broken("Target 2 is -1", arrays(x=np.zeros((5, 2)), y=np.array([0, 1, -1, 0, 1]))),
        Broken(
            "class numbers are whole",
            arrays(x=np.zeros((5, 2)), y=np.array([0.5, 1, 1, 0, 1])),
            fields={"learn": "class"},
        ),
        Broken(
            "'x_test' has 3 examples and 'y_test' has 2",
            arrays(
                x_train=np.zeros((4, 2)), y_train=np.arange(4), x_test=np.zeros((3, 2)), y_test=np.arange(2)
            ),
        ),
        Broken(
            "do not belong together",
            arrays(
                x_train=np.zeros((4, 2)), y_train=np.arange(4), x_test=np.zeros((2, 3)), y_test=np.arange(2)
            ),
        ),
        Broken("has no examples", arrays(x=np.zeros((0, 2)), y=np.zeros(0))),
        Broken("the class '0' only", arrays(x=np.zeros((5, 2)), y=np.zeros(5, int))),
        Broken("cannot be read as NumPy arrays", change("a.npz", lambda data: data[:-30])),
        Broken("cannot be read as NumPy arrays", _flip),
        Broken("it is not in NumPy's format", change("a.npz", lambda data: b"some text")),
        Broken(
            "seems made to fill the memory",
            lambda folder: np.savez_compressed(
                folder / "a.npz", x=np.zeros((150, 1_000_000), np.uint8), y=np.arange(150)
            ),
        ),
    ],
    "safetensors": [
        Broken("cut short", change("a.safetensors", lambda data: b"")),
        Broken("its header would have", change("a.safetensors", lambda data: b"\xff" * 40)),
        Broken("broken safetensors header", header("[]")),
        Broken("broken safetensors header", header("{not json")),
        Broken("broken safetensors header", header("[" * 100_000)),
        Broken("broken safetensors header", header(_TENSOR % ("F32", "[-2, -2]"), b"\0" * 16)),
        Broken("do not fit its bytes", header(_TENSOR % ("F32", "[9, 9]"), b"\0" * 16)),
        Broken("is cut short: 'x' ends at byte", header(_TENSOR % ("F32", "[4, 1]"), b"\0" * 8)),
        Broken("is of BF16", header(_TENSOR % ("BF16", "[8, 1]"), b"\0" * 16)),
        Broken("no array 'z'", fields={"inputs": "z"}),
    ],
    "text": [
        Broken("has 0 characters, too few", change("a.txt", lambda data: b"")),
        Broken("has 5 characters, too few for windows of 16", change("a.txt", lambda data: b"short")),
        Broken("repeats 'a' only", change("a.txt", lambda data: b"a" * 500)),
        Broken("bytes of zero", change("a.txt", lambda data: b"text\0" * 100)),
        Broken(
            "line 1 has a byte (0xe9) that is not UTF-8", change("a.txt", lambda data: b"caf\xe9\n" * 100)
        ),
        Broken("out of range", fields={"length": 0}),
        Broken("there is no such file", remove("a.txt")),
        Broken("are no classes", split={"kind": "stratified"}),
    ],
    "series": [
        Broken("has 10 steps, too few for windows of 32", lines("t,a,b", *(f"{t},{t},1" for t in range(10)))),
        Broken(
            "row 8, column 'a' is empty",
            lines("t,a,b", *(f"{t},{'' if t == 7 else t},1" for t in range(90))),
        ),
        Broken(
            "no column is of numbers",
            lines("t,a", *(f"x,y{t}" for t in range(90))),
            fields={"columns": None},
        ),
        Broken("has no column 'c'", fields={"target": "c"}),
        Broken("holds text such as 'y0': no series", lines("t,a,b", *(f"{t},y{t},1" for t in range(90)))),
        Broken("too few for windows", fields={"horizon": 80}),
        Broken("line 3 has 2 cells", lines("t,a,b", "1,2,3", "4,5", "6,7,8")),
        Broken("row 3, column 'a': '2,5' is no number", lines("t;a;b", *(["1;2;3"] * 2), "1;2,5;3", "4;5;6")),
    ],
}
