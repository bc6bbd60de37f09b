"""Broken data of every source: one clear line for each, nothing left behind, and the next good file is read."""

import contextlib
import json
import os
import shutil
from pathlib import Path
from random import Random

import pytest

from engine import cli
from engine.catalog import SOURCES
from engine.data import bundled, dataset, describe, load
from engine.network import Data
from engine.problems import DataProblem
from tests.broken_data import BROKEN, Broken
from tests.real_data import BUNDLED, MAKERS, WITHOUT_FILES

#: Damages that each source's files suffer, one at a time.
DAMAGES = 25
CASES = [
    pytest.param(source, case, id=f"{source}-{number}-{case.said[:30]}")
    for source, cases in BROKEN.items()
    for number, case in enumerate(cases)
]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, tuple[Path, dict]]:
    """A folder with good files for each source, and its fields."""
    found = {}
    for source, make in MAKERS.items():
        folder = tmp_path_factory.mktemp(source)
        found[source] = folder, make(folder)
    return found


@pytest.fixture
def place(good, tmp_path, monkeypatch):
    """Puts a source's good files into a folder of the test's own, and gives that and the fields."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))

    def put(source: str) -> tuple[Path, dict]:
        folder = tmp_path / "data"
        if source in WITHOUT_FILES:
            folder.mkdir()
            return folder, {}
        home, fields = good[source]
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(home, folder)
        if source in BUNDLED:
            monkeypatch.setattr(bundled, "folder", lambda: folder)
        moved = {k: v.replace(str(home), str(folder)) if isinstance(v, str) else v for k, v in fields.items()}
        return folder, moved

    return put


def tree(folder: Path) -> dict[str, object]:
    """All that lies in a folder, files with their contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else path.is_symlink()
        for path in folder.rglob("*")
    }


def open_files() -> set[tuple[str, str]]:
    """What this process holds open: descriptor and what it leads to. Linux only; elsewhere empty."""
    held = set()
    for descriptor in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # that of this very listing
            held.add((descriptor, os.readlink(f"/proc/self/fd/{descriptor}")))
    return held


def test_every_source_has_a_real_file_and_at_least_five_broken_ones():
    """Whoever adds a source to the catalogue adds these too."""
    assert set(MAKERS) | set(WITHOUT_FILES) == set(SOURCES)
    lacking = {source: len(BROKEN.get(source, ())) for source in SOURCES if len(BROKEN.get(source, ())) < 5}
    assert lacking == {}
    assert set(BROKEN) <= set(SOURCES)


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_the_real_file_is_read_and_described_alike(source, place):
    _, fields = place(source)
    data = Data(source, fields)
    told, loaded = describe(data), load(data, 0)
    assert {k: v for k, v in told.counts.items() if v} == {k: len(s) for k, s in loaded.splits.items()}
    for split in loaded.splits.values():
        assert {name: tuple(v.shape[1:]) for name, v in split.inputs.items()} == told.input_shapes


@pytest.mark.parametrize(("source", "case"), CASES)
def test_what_is_broken_is_said_and_nothing_is_left(source: str, case: Broken, place, tmp_path):
    folder, fields = place(source)
    case.break_it(folder)
    data = Data(source, {**fields, **case.fields}, dict(case.split))
    before, held, kept = tree(folder), open_files(), dataset._kept
    with pytest.raises(DataProblem) as caught:
        load(data, 0)
    said = str(caught.value)
    assert case.said in said
    assert len(said) < 500, "a line or two"
    assert "\n" not in said
    if case.break_it is not Broken._field_defaults["break_it"]:
        assert source in BUNDLED or str(folder) in said or "only" in said or "Target" in said or "'x'" in said
    assert tree(folder) == before, "the user's files are as they were"
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [], "no part is left"
    del caught
    # What an earlier test held may have been closed meanwhile.
    assert open_files() <= held, "no file stays open"
    assert dataset._kept is kept, "nothing is kept in memory"
    with pytest.raises(DataProblem):  # nor does it pass the next time
        load(data, 0)
    _, mended = place(source) if source not in WITHOUT_FILES else (folder, {})
    assert len(load(Data(source, mended), 0).splits["train"]) > 0, "good files are read as if nothing was"


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_the_command_line_says_the_same_and_exits_2(source, place, capsys):
    folder, fields = place(source)
    case = BROKEN[source][0]
    case.break_it(folder)
    settings = {**fields, **case.fields}
    chosen = [f"--set={name}={value}" for name, value in settings.items() if value is not None]
    assert cli.main(["data", source, *chosen, "--json"]) == 2
    told = capsys.readouterr()
    assert case.said in told.err
    assert case.said in json.loads(told.out)["error"]
    assert "Traceback" not in told.err
    assert len(told.err.strip().splitlines()) <= 2


@pytest.mark.parametrize("source", sorted(MAKERS))
def test_no_damage_to_a_file_is_answered_with_anything_but_a_sentence(source, place):
    """Bits turned, ends cut off, pieces doubled or made zero: it is read, or refused in words."""
    random = Random(f"damage {source}")
    folder, fields = place(source)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    whole = {path: path.read_bytes() for path in files}
    said: list[str] = []
    for _ in range(DAMAGES):
        path = random.choice(files)
        data = bytearray(whole[path])
        at, long = random.randrange(len(data)), random.choice((1, 4, 60))
        match random.randrange(5):
            case 0:
                data[at] ^= 1 << random.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = data[at : at + long]
            case 3:
                data[at : at + long] = bytes(len(data[at : at + long]))
            case 4:
                data[at : at + long] = random.randbytes(len(data[at : at + long]))
        path.write_bytes(data)
        try:
            load(Data(source, fields), 0)
        except DataProblem as problem:
            said.append(str(problem))
        finally:
            path.write_bytes(whole[path])
    assert [words for words in said if "\n" in words or len(words) > 600] == []
