"""Tables as people have them: without names, with decimal commas, or no tables at all."""

import gzip
import pickle
from pathlib import Path

import pytest

from engine.data import describe, load
from engine.data.guess import guess
from engine.data.view import view
from engine.network import Data
from engine.problems import DataProblem


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    "rows",
    [
        ("5.1,3.5,setosa", "4.9,3.0,virginica", "4.7,3.2,setosa"),
        ("5,116,0", "4,85,1", "3,120,0", "2,99,1"),
    ],
)
def test_a_table_whose_first_line_is_an_example_keeps_it(tmp_path, rows):
    found = guess(table(tmp_path / "bare.csv", *rows))
    assert found.data.fields["header"] is False
    assert "no names" in found.reason
    assert sum(describe(found.data).counts.values()) == len(rows)


@pytest.mark.parametrize(
    "names",
    ["country,1990,1991", "sample,400.5,401.0", "country,2.5 m,-1 °C"],
    ids=["years", "waves", "units"],
)
def test_names_with_numbers_in_them_stay_names(tmp_path, names):
    path = table(tmp_path / "named.csv", names, "a,1.5,2", "b,2.5,1", "a,3.5,1", "b,4.5,2")
    found = guess(path)
    assert "header" not in found.data.fields
    assert sum(describe(found.data).counts.values()) == 4
    said = [remark.message for remark in view(found.data).remarks]
    assert any("set header to false" in words for words in said) == ("400.5" in names)


def test_a_column_that_says_the_part_of_a_row_is_spoken_of(tmp_path):
    rows = [f"{n},{'train' if n % 3 else 'Test'},{n % 2}" for n in range(30)]
    data = guess(table(tmp_path / "parts.csv", "x,split,y", *rows)).data
    said = [remark.message for remark in view(data).remarks]
    assert any("'split' says which part" in words and "ignore" in words for words in said)
    ignored = Data("csv", {**data.fields, "ignore": "split"})
    assert not any("'split' says" in remark.message for remark in view(ignored).remarks)


def test_semicolons_part_numbers_with_decimal_commas(tmp_path):
    path = table(tmp_path / "german.csv", "1,5;2,5", "3,1;2,2", "4,4;9,8")
    with pytest.raises(DataProblem, match="column 'column_1' has numbers with a comma, such as '1,5'"):
        describe(Data("csv", {"path": str(path), "header": False}))
    categorical = Data("csv", {"path": str(path), "header": False, "categorical": "column_1,column_2"})
    assert describe(categorical).input_shapes == {"input": (3,)}  # three different texts


def test_a_lone_class_is_told_with_the_file_and_a_way_out(tmp_path):
    path = table(tmp_path / "lone.csv", "x,y", "1,a", "2,a")
    with pytest.raises(DataProblem) as caught:
        describe(Data("csv", {"path": str(path)}))
    assert str(caught.value) == (
        f"{path}: there is the class 'a' only. To tell apart, there must be two at least. "
        "Choose another target, or learn it as a value."
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pickle.dumps([1.5] * 400, protocol=4), "is a pickle"),
        (pickle.dumps([1.5] * 400, protocol=0), "is a pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
        (gzip.compress(b"x,y\n1,2\n"), "is packed with gzip"),
        (bytes(range(1, 256)) * 9, "is no "),
    ],
    ids=["pickle", "old pickle", "hdf5", "gzip", "bytes"],
)
def test_a_file_that_is_no_text_is_called_by_its_name_however_it_is_chosen(tmp_path, data, said):
    path = tmp_path / "data.pkl"
    path.write_bytes(data)
    for ask in (
        lambda: guess(path),
        lambda: describe(Data("csv", {"path": str(path)})),
        lambda: describe(Data("text", {"path": str(path)})),
    ):
        with pytest.raises(DataProblem) as caught:
            ask()
        assert f"{path}: {said}" in str(caught.value)
        assert "byte (" not in str(caught.value)


def test_a_series_without_names_begins_with_its_first_line(tmp_path):
    path = table(tmp_path / "steps.csv", *(f"{step / 2},{step % 3}" for step in range(60)))
    data = Data(
        "series", {"path": str(path), "window": 8, "horizon": 1, "standardise": False}, {"validation": 0.0}
    )
    told = load(data, 0)
    assert told.description.target_names == ("column_1",)
    assert sum(len(split) for split in told.splits.values()) == 52  # windows of 8, and a step behind each
    assert told.splits["train"].inputs["input"][0, 0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["FEA1", "ARROW1", "RIFF", "GIF89", "BZh", "naïve"])
def test_a_table_whose_first_name_looks_like_the_beginning_of_another_file_is_read(tmp_path, name):
    path = table(tmp_path / "named.csv", f"{name},y", "1.5,a", "2.5,b", "3.5,a")
    for data in (Data("csv", {"path": str(path)}), guess(path).data):
        assert sum(describe(data).counts.values()) == 3
