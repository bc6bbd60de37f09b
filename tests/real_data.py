"""A small real file, or folder, in the format of every source; each maker gives the source's fields."""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars
from PIL import Image
from safetensors.numpy import save_file

from engine.data import bundled
from engine.data.idx_sets import FILES

Fields = dict[str, Any]

#: The training and test files of EMNIST's part "letters".
EMNIST = tuple(
    f"emnist-letters-{part}-{kind}-ubyte.gz"
    for part in ("train", "test")
    for kind in ("images-idx3", "labels-idx1")
)
#: A table with a line of names: numbers, names, and a class to learn.
HEAD = "age,city,income,buys"
ROWS = tuple(
    f"{20 + i % 40},{('Rome', 'Oslo')[i % 2]},{1000 + 3 * i},{('no', 'yes')[i % 3 == 0]}" for i in range(60)
)


def idx_bytes(array: np.ndarray) -> bytes:
    """`array` as an IDX file of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def pixels(*shape: int) -> np.ndarray:
    """Bytes of chance, always the same."""
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def scikit_learn(source: str, folder: Path) -> Fields:
    """The files that scikit-learn brings, copied."""
    names = [bundled.SETS[source].file, *(["diabetes_target.csv.gz"] if source == "diabetes" else [])]
    for name in names:
        shutil.copyfile(bundled.folder() / name, folder / name)
    return {}


def four_idx_files(folder: Path) -> Fields:
    """120 training and 20 test pictures of 4 × 5 pixels, as MNIST and Fashion-MNIST have them."""
    for (images, labels), count in ((FILES[:2], 120), (FILES[2:], 20)):
        (folder / images).write_bytes(idx_bytes(pixels(count, 4, 5)))
        (folder / labels).write_bytes(idx_bytes(np.arange(count, dtype=np.uint8) % 10))
    return {"folder": str(folder)}


def emnist(folder: Path) -> Fields:
    """52 training and 26 test letters, packed; their classes count from 1."""
    for (images, labels), count in ((EMNIST[:2], 52), (EMNIST[2:], 26)):
        (folder / images).write_bytes(gzip.compress(idx_bytes(pixels(count, 4, 4))))
        (folder / labels).write_bytes(gzip.compress(idx_bytes(np.arange(count, dtype=np.uint8) % 26 + 1)))
    return {"folder": str(folder)}


def idx(folder: Path) -> Fields:
    """40 pictures of 5 × 6 pixels in four classes."""
    (folder / "a-images.idx3-ubyte").write_bytes(idx_bytes(pixels(40, 5, 6)))
    (folder / "a-labels.idx1-ubyte").write_bytes(idx_bytes(np.arange(40, dtype=np.uint8) % 4))
    return {"images": str(folder / "a-images.idx3-ubyte"), "labels": str(folder / "a-labels.idx1-ubyte")}


def cifar(folder: Path) -> Fields:
    """CIFAR-10's six files with 20 and 10 records each."""
    for name, count in (*((f"data_batch_{n}.bin", 20) for n in range(1, 6)), ("test_batch.bin", 10)):
        table = pixels(count, 3073)
        table[:, 0] = np.arange(count) % 10
        (folder / name).write_bytes(table.tobytes())
    return {"folder": str(folder)}


def image_folder(folder: Path) -> Fields:
    """Two classes of three formats: bright and dark pictures of 12 × 10 pixels."""
    random = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 20)):
        (folder / name).mkdir(exist_ok=True)
        for number, suffix in enumerate(("png", "jpg", "webp") * 4):
            values = (level + random.integers(0, 30, (12, 10, 3))).astype(np.uint8)
            Image.fromarray(values).save(folder / name / f"{number:02}.{suffix}")
    return {"folder": str(folder)}


def csv(folder: Path) -> Fields:
    """:data:`HEAD` and :data:`ROWS`."""
    (folder / "a.csv").write_text("\n".join([HEAD, *ROWS]) + "\n", "utf-8")
    return {"path": str(folder / "a.csv")}


def parquet(folder: Path) -> Fields:
    """Numbers with gaps, names, truths, and a value to learn."""
    frame = polars.DataFrame(
        {
            "size": [1.5, None, 3.0, 4.0] * 10,
            "colour": ["red", "blue", None, "red"] * 10,
            "old": [True, False, True, None] * 10,
            "price": [float(i) + 0.5 for i in range(40)],
        }
    )
    frame.write_parquet(folder / "a.parquet")
    return {"path": str(folder / "a.parquet")}


def numpy(folder: Path) -> Fields:
    """30 examples of 5 dimensions, bytes, and their classes."""
    np.savez_compressed(folder / "a.npz", x=pixels(30, 3, 4, 8, 6), y=np.arange(30) % 3)
    return {"path": str(folder / "a.npz")}


def safetensors(folder: Path) -> Fields:
    """20 examples of four numbers, and their classes."""
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    save_file({"x": x, "y": np.arange(20) % 2}, folder / "a.safetensors")
    return {"path": str(folder / "a.safetensors")}


def text(folder: Path) -> Fields:
    """A few hundred characters."""
    (folder / "a.txt").write_text("hello world, this is a text. " * 8)
    return {"path": str(folder / "a.txt"), "length": 16}


def series(folder: Path) -> Fields:
    """100 steps of two columns."""
    lines = ["time,a,b", *(f"{t},{t * 2},{t * t}" for t in range(100))]
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return {"path": str(folder / "a.csv"), "columns": "a,b"}


BUNDLED = ("digits", "iris", "wine", "breast_cancer", "diabetes")
#: Sources that are drawn, and read no file.
WITHOUT_FILES = ("moons", "circles", "spirals", "xor", "blobs", "curve", "random")
#: Source -> what writes a good file of its format into a folder.
MAKERS: dict[str, Callable[[Path], Fields]] = {
    **{name: partial(scikit_learn, name) for name in BUNDLED},
    "mnist": four_idx_files,
    "fashion_mnist": four_idx_files,
    "emnist": emnist,
    "idx": idx,
    "cifar": cifar,
    "image_folder": image_folder,
    "csv": csv,
    "parquet": parquet,
    "numpy": numpy,
    "safetensors": safetensors,
    "text": text,
    "series": series,
}
