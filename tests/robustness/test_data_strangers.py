"""Data from strangers, file by file: what is hostile in them is a line, and nothing of it is run or followed."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from PIL import Image

from engine.data import load
from engine.network import Data
from engine.problems import DataProblem, FileProblem
from tests.robustness.watch import HARM, Watch

#: What makes a source's fields in a folder.
Make = Callable[[Path], dict[str, Any]]

CASES: list[Any] = []


def case(source: str, words: str) -> Callable[[Make], Make]:
    """A hostile file, and what its refusal must say."""

    def add(make: Make) -> Make:
        CASES.append(pytest.param(source, make, words, id=make.__name__.strip("_")))
        return make

    return add


# ---------------------------------------------------------------------------- pictures


def _pictures(folder: Path) -> dict[str, Any]:
    for name in ("cats", "dogs"):
        (folder / name).mkdir()
        for number in range(5):
            Image.new("L", (4, 4), 40 * number).save(folder / name / f"{number}.png")
    return {"folder": str(folder), "size": [4, 4]}


@case("image_folder", "it is no picture")
def _postscript_that_another_program_would_run(folder: Path) -> dict[str, Any]:
    fields = _pictures(folder)
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n(ran) (w) file closefile showpage\n%%EOF\n"
    (folder / "cats" / "9.png").write_bytes(text)
    return fields


@case("image_folder", "it is no picture")
def _a_picture_of_a_format_that_few_readers_have(folder: Path) -> dict[str, Any]:
    fields = _pictures(folder)
    Image.new("L", (4, 4)).save(folder / "cats" / "9.png", format="TIFF")
    return fields


@case("image_folder", "9.png")
def _a_link_to_a_file_that_is_no_picture(folder: Path) -> dict[str, Any]:
    fields = _pictures(folder)
    (folder / "cats" / "9.png").symlink_to("/etc/passwd")
    return fields


@case("image_folder", "is no file")
def _a_link_to_a_device_without_end(folder: Path) -> dict[str, Any]:
    fields = _pictures(folder)
    (folder / "cats" / "9.png").symlink_to("/dev/zero")
    return fields


@case("image_folder", "9.png")
def _links_in_a_circle(folder: Path) -> dict[str, Any]:
    fields = _pictures(folder)
    (folder / "cats" / "9.png").symlink_to(folder / "dogs" / "9.png")
    (folder / "dogs" / "9.png").symlink_to(folder / "cats" / "9.png")
    return fields


@case("image_folder", "has no pictures")
def _a_class_that_is_a_link_to_the_folder_itself(folder: Path) -> dict[str, Any]:
    fields = _pictures(folder)
    (folder / "loop").symlink_to(folder)
    return fields


@case("text", "has no .txt files")
def _a_folder_of_text_that_is_links_to_devices(folder: Path) -> dict[str, Any]:
    (folder / "a.txt").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder)
    return {"path": str(folder)}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("source", ["csv", "parquet", "numpy", "safetensors", "text", "series"])
def test_a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for(tmp_path: Path, source: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataProblem, match="there is no such file"):
        load(Data(source, {"path": str(tmp_path / "pipe")}), 0)


# ---------------------------------------------------------------------------- tables and arrays


@case("parquet", "made to fill the memory")
def _a_table_that_unpacks_to_a_thousand_times_its_size(folder: Path) -> dict[str, Any]:
    one = polars.repeat(1, 20_000_000, dtype=polars.Int8, eager=True)
    polars.DataFrame({"x": one, "y": one}).write_parquet(folder / "x.parquet")
    assert (folder / "x.parquet").stat().st_size < 200_000
    return {"path": str(folder / "x.parquet")}


@case("parquet", "cannot be read as Parquet")
def _a_footer_that_is_longer_than_its_file(folder: Path) -> dict[str, Any]:
    (folder / "x.parquet").write_bytes(b"PAR1" + bytes(200) + b"\xff\xff\xff\x7fPAR1")
    return {"path": str(folder / "x.parquet")}


@case("csv", "not closed")
def _a_quotation_that_never_ends(folder: Path) -> dict[str, Any]:
    (folder / "x.csv").write_text('a,b\n"' + "x" * 2_000_000)
    return {"path": str(folder / "x.csv")}


def _npy(folder: Path, header: str) -> dict[str, Any]:
    text = header.encode() + b"\n"
    (folder / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64))
    return {"path": str(folder / "x.npy"), "targets_path": str(folder / "x.npy")}


@case("numpy", "cannot be read as NumPy arrays")
def _code_where_a_header_has_literals(folder: Path) -> dict[str, Any]:
    ran = str(folder / "ran")
    return _npy(folder, f"{{'descr': __import__('pathlib').Path({ran!r}).touch(), 'shape': (1,)}}")


@case("numpy", "x.npy")
def _a_header_of_brackets_alone(folder: Path) -> dict[str, Any]:
    return _npy(folder, "(" * 5000)


@case("numpy", "x.npy")
def _a_header_that_stands_in_the_air(folder: Path) -> dict[str, Any]:
    return _npy(folder, "  {'descr':\n '<f8'}}")


@case("numpy", "x.npy")
def _python_objects_within_a_record(folder: Path) -> dict[str, Any]:
    return _npy(folder, "{'descr': [('a', '<f8'), ('b', '|O')], 'fortran_order': False, 'shape': (4,)}")


@case("numpy", "x.npy")
def _a_shape_below_nought(folder: Path) -> dict[str, Any]:
    return _npy(folder, "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2)}")


def _zipped(folder: Path, *entries: tuple[str, Any]) -> dict[str, Any]:
    with zipfile.ZipFile(folder / "x.npz", "w") as packed:
        for name, values in entries:
            data = io.BytesIO()
            np.save(data, values)
            packed.writestr(name, data.getvalue())
    return {"path": str(folder / "x.npz")}


@case("numpy", "which array has the targets? There are: ../../x, /etc/y")
def _names_that_lead_out_of_the_archive(folder: Path) -> dict[str, Any]:
    return _zipped(folder, ("../../x.npy", np.ones((8, 3))), ("/etc/y.npy", np.arange(8)))


@case("numpy", "cannot be read")
def _an_archive_that_lies_about_its_sizes(folder: Path) -> dict[str, Any]:
    fields = _zipped(folder, ("x.npy", np.ones((8, 3))), ("y.npy", np.arange(8)))
    data = bytearray((folder / "x.npz").read_bytes())
    entry = data.find(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (5).to_bytes(4, "little")
    (folder / "x.npz").write_bytes(data)
    return fields


# ---------------------------------------------------------------------------- safetensors

_SOUND = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
#: What is wrong in a header -> the header, or its length where that is the lie.
_HEADERS: dict[str, Any] = {
    "its length beyond the file": 1 << 62,
    "a list": [],
    "brackets alone": b"[" * 100_000,
    "a tensor that is text": {"x": "y"},
    "a shape below nought": {"x": {**_SOUND, "shape": [-2, -2]}},
    "a shape beyond all memory": {"x": {**_SOUND, "shape": [1 << 40, 1 << 40], "data_offsets": [0, 1 << 82]}},
    "a shape of text": {"x": {**_SOUND, "shape": "22"}},
    "a shape of truths": {"x": {**_SOUND, "shape": [True, 4]}},
    "a hundred dimensions": {"x": {**_SOUND, "shape": [1] * 100 + [4]}},
    "offsets of fractions": {"x": {**_SOUND, "data_offsets": [0.0, 16.0]}},
    "offsets beyond the file": {"x": {**_SOUND, "data_offsets": [1000, 1016]}},
    "no offsets": {"x": {**_SOUND, "data_offsets": None}},
    "a number that is none": b'{"x": NaN}',
    "a key twice": b'{"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}, "x": 1}',
}


def _safetensors(folder: Path, header: Any) -> Path:
    text = b"{}" if isinstance(header, int) else header
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    length = header if isinstance(header, int) else len(text)
    path = folder / "x.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + text + bytes(16))
    return path


@pytest.mark.parametrize("wrong", _HEADERS)
def test_a_hostile_safetensors_header_is_refused_as_data_and_as_weights(tmp_path: Path, wrong: str) -> None:
    from engine.training import weights

    path = _safetensors(tmp_path, _HEADERS[wrong])
    with pytest.raises(DataProblem, match=r"x\.safetensors") as refused:
        load(Data("safetensors", {"path": str(path)}), 0)
    assert "\n" not in str(refused.value)
    if wrong != "a hundred dimensions":  # torch has tensors of any number; they then fit no layer
        with pytest.raises(FileProblem, match=r"x\.safetensors"):
            weights.load(path)


# ---------------------------------------------------------------------------- all of them


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize(("source", "make", "words"), CASES)
def test_what_is_hostile_in_a_data_file_is_a_line_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, make: Make, words: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    fields = make(tmp_path / "data")
    with Watch() as heard, pytest.raises(DataProblem) as refused:
        load(Data(source, fields), 0)
    said = str(refused.value)
    assert words in said
    assert "\n" not in said
    assert [what for what in heard if what.startswith(HARM)] == []
    assert not (tmp_path / "data" / "ran").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_picture_elsewhere_is_read_as_the_picture_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People keep their pictures once and link to them; nothing but pixels ever comes of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    fields = _pictures(tmp_path / "data")
    Image.new("L", (4, 4), 255).save(tmp_path / "elsewhere.png")
    (tmp_path / "data" / "cats" / "9.png").symlink_to(tmp_path / "elsewhere.png")
    found = load(Data("image_folder", {**fields, "standardise": False}), 0)
    assert sum(len(split) for split in found.splits.values()) == 11
