"""Data files from strangers: bombs, absurd shapes, devices and pickles are a line each, and cost nothing."""

import gzip
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What reading the file may cost, in bytes.
MOST = 200_000_000
_SCRIPT = """
import json, resource, sys
from engine.data import load
from engine.network import Data
from engine.problems import DataProblem
fields = json.loads(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load(Data(sys.argv[1], fields), 0)
    said = "LOADED"
except DataProblem as problem:
    said = str(problem)
print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def load(source: str, **fields: object) -> tuple[str, int]:
    """What loading says, and how many bytes it took at most; in a process of its own."""
    import json

    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, source, json.dumps(fields)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said, grown = json.loads(done.stdout)
    return said, grown * (1 if sys.platform == "darwin" else 1024)


def _gzip_bomb(folder: Path) -> tuple[str, dict[str, object]]:
    images, labels = folder / "images.gz", folder / "labels.gz"
    size = 20_000
    with gzip.open(images, "wb") as file:
        file.write(bytes([0, 0, 8, 3]) + struct.pack(">III", size, 200, 200))
        for _ in range(size // 100):
            file.write(bytes(100 * 200 * 200))
    with gzip.open(labels, "wb") as file:
        file.write(bytes([0, 0, 8, 1]) + struct.pack(">I", size) + bytes([0, 1]) * (size // 2))
    return "idx", {"images": str(images), "labels": str(labels)}


def _zip_bomb(folder: Path) -> tuple[str, dict[str, object]]:
    head = b"\x93NUMPY\x01\x00"
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 800000), }".ljust(117) + "\n"
    with (
        zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("x.npy", "w") as file,
    ):
        file.write(head + struct.pack("<H", len(text)) + text.encode())
        for _ in range(800):
            file.write(bytes(1_000_000))
    return "numpy", {"path": str(folder / "x.npz")}


def _picture_bomb(folder: Path) -> tuple[str, dict[str, object]]:
    side = 13_000  # 169 million pixels, below what Pillow itself refuses
    packer = zlib.compressobj()
    rows = b"".join([*(packer.compress(bytes(1 + side * 3)) for _ in range(side)), packer.flush()])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    for name in ("cats", "dogs"):
        (folder / name).mkdir()
        for number in range(6):
            (folder / name / f"{number}.png").write_bytes(data)
    return "image_folder", {"folder": str(folder), "size": [8, 8]}


def _million_columns(folder: Path) -> tuple[str, dict[str, object]]:
    path = folder / "wide.csv"
    path.write_text("\n".join(",".join(["1"] * 1_000_000) for _ in range(3)) + "\n")
    return "csv", {"path": str(path), "target": "1"}


def _pickle(folder: Path) -> tuple[str, dict[str, object]]:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {folder / 'ran'}",)

    text = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + "\n"
    path = folder / "x.npy"
    path.write_bytes(
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + pickle.dumps([Evil()])
    )
    return "numpy", {"path": str(path)}


def _device(folder: Path) -> tuple[str, dict[str, object]]:
    return "csv", {"path": "/dev/zero", "target": "x"}


def _huge_array(folder: Path) -> tuple[str, dict[str, object]]:
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 8), }".ljust(117) + "\n"
    path = folder / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(64))
    return "numpy", {"path": str(path)}


@pytest.mark.skipif(sys.platform == "win32", reason="resource is of POSIX")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_zip_bomb, "made to fill the memory"),
        (_pickle, "x.npy"),
        pytest.param(_gzip_bomb, "made to fill the memory", marks=pytest.mark.full),
        pytest.param(_picture_bomb, "pixels are more than", marks=pytest.mark.full),
        pytest.param(_million_columns, "wide.csv", marks=pytest.mark.full),
        pytest.param(_device, "/dev/zero", marks=pytest.mark.full),
        pytest.param(_huge_array, "x.npy", marks=pytest.mark.full),
    ],
)
def test_a_hostile_data_file_is_refused_in_a_line_and_at_no_cost(tmp_path: Path, make, words: str) -> None:
    source, fields = make(tmp_path)
    said, grown = load(source, **fields)
    assert said != "LOADED"
    assert words in said
    assert "\n" not in said
    assert grown < MOST, f"it took {grown / 1e6:.0f} MB"
    assert not (tmp_path / "ran").exists()
