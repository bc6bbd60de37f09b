"""Tables as people have them: without names, with decimal commas, or no tables at all."""

import gzip
import pickle
from pathlib import Path

import polars
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.data import describe, load
from engine.data.cells import read_csv
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


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        ("id,2019,grade", ["1,5,grade", "2,6,x", "3,7,x"]),
        ("id,nan,grade", ["1,5,grade", "2,6,x", "3,7,x"]),
        ("nan,inf,y", ["1,5,y", "2,6,n", "3,7,n"]),
    ],
    ids=["a text over numbers", "a name that is written as a number", "no other names"],
)
def test_a_text_that_comes_again_below_is_a_name_where_others_can_be_nothing_else(tmp_path, first, rows):
    path = table(tmp_path / "named.csv", first, *rows)
    found = guess(path)
    assert "header" not in found.data.fields
    assert sum(describe(found.data).counts.values()) == 3


@pytest.mark.parametrize(
    "rows",
    [
        ["5,0,a,0", "3,1,b,1", "4,0,c,1"],
        ["\ufeff5.5,1,7", "3.5,2,8", "4.5,1,9"],
        ["", "5.5,1,7", "3.5,2,8", "4.5,1,9"],
    ],
    ids=["a number twice", "byte order mark", "a blank line first"],
)
def test_what_is_guessed_of_the_first_line_can_be_read(tmp_path, rows):
    found = guess(table(tmp_path / "bare.csv", *rows))
    assert found.data.fields["header"] is False
    assert sum(describe(found.data).counts.values()) == 3


def test_numbers_with_a_comma_are_in_nobodys_way_where_their_column_is_not_used(tmp_path):
    rows = [f'"{n},5",{n},{n % 2}' for n in range(60)]
    path = str(table(tmp_path / "prices.csv", "price,x,y", *rows))
    for fields in ({"ignore": "price"}, {"features": "x"}):
        assert describe(Data("csv", {"path": path, **fields})).input_shapes == {"input": (1,)}
    for fields in ({"target": "price"}, {"order_by": "price"}, {}):
        with pytest.raises(DataProblem, match="column 'price' has numbers with a comma"):
            describe(Data("csv", {"path": path, **fields}))

    def series(columns: str) -> Data:
        return Data("series", {"path": path, "columns": columns, "window": 8, "horizon": 1})

    assert describe(series("x")).input_shapes == {"input": (8, 1)}
    with pytest.raises(DataProblem, match="column 'price' has numbers with a comma") as caught:
        describe(series("price"))
    assert "categorical" not in str(caught.value)  # a series has no such field


def test_lines_may_end_as_on_an_old_macintosh(tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes(b"x,y\r1,0\r2,1\r3,0\r")
    assert sum(describe(Data("csv", {"path": str(path)})).counts.values()) == 3


def test_a_parquet_table_is_told_nothing_of_a_first_line(tmp_path):
    path = tmp_path / "waves.parquet"
    polars.DataFrame({"400.5": [1.0, 2, 3, 4], "y": [0, 1, 0, 1]}).write_parquet(path)
    said = [remark.message for remark in view(Data("parquet", {"path": str(path)})).remarks]
    assert not any("header" in words for words in said)


def test_text_with_control_characters_is_text(tmp_path):
    path = table(tmp_path / "marked.csv", "x,y", *(f"{n}\x01,{n % 2}" for n in range(20)))
    assert guess(path).data.source == "csv"


CELL = st.sampled_from(["1", "-3", "1.5", "1e3", "a", "é", "", "NA", "nan", "inf", "2020", "0,5", "true"])


@settings(max_examples=300, deadline=None)
@given(
    width=st.integers(1, 4),
    cells=st.lists(CELL, min_size=4, max_size=24),
    separator=st.sampled_from(";\t"),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_a_guess_judges_the_first_line_as_the_reader_does(tmp_path_factory, width, cells, separator, mark):
    rows = [separator.join(cells[n : n + width]) for n in range(0, len(cells) - width + 1, width)]
    path = table(tmp_path_factory.getbasetemp() / "any.csv", mark + rows[0], *rows[1:])
    named = guess(path).data.fields.get("header", True)
    try:
        read_csv(path, "auto", True, ())
    except DataProblem as problem:
        assume(problem.field == "header")  # else nothing is said of names
        assert not named
    else:
        assert named
