"""The journal, crashes told from open windows, and the local history."""

import errno
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import storage
from engine.network import Network, Node
from engine.problems import FileProblem
from engine.runs import owner
from engine.storage import WriteProblem, atomic, form, history, journal, leftovers, recovery
from engine.storage.recovery import Holder, Safe
from tests.strategies import networks


def _net(number: int) -> Network:
    return Network(f"n{number}", {"fc": Node("Linear", {"out_features": number})})


@given(st.lists(networks(), min_size=2, max_size=5))
@settings(max_examples=60, deadline=None)
def test_whatever_is_edited_comes_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Network]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    book = journal.Journal(folder)
    book.restart(steps[0])
    for before, after in pairwise(steps):
        book.record(before, after)
    book.close(keep=True)
    found = journal.read(folder)
    assert found is not None
    assert found.network == steps[-1]
    assert found.damage == ""


def _text(text: str = "3 x") -> journal.Text:
    return journal.Text("inspector", "training", "lr_multiplier", text, "is no number", ("fc",), "block")


def _read(folder: Path) -> journal.Recovered:
    found = journal.read(folder)
    assert found is not None
    return found


def test_texts_that_say_no_value_come_back_with_the_edits_around_them(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    book.restart(_net(1))
    book.keep(_net(1), (_text(),))
    book.record(_net(1), _net(2))
    found = _read(tmp_path)
    assert (found.network, found.edits, found.texts) == (_net(2), 2, (_text(),))
    book.keep(_net(2), (_text(), _text("half \ud83d")))
    assert [text.text for text in _read(tmp_path).texts] == ["3 x", "half ?"]
    book.keep(_net(2), ())
    found = _read(tmp_path)
    assert (found.network, found.edits, found.texts, found.damage) == (_net(2), 2, (), "")
    book.close()


def test_a_text_alone_is_kept_and_taken_back_leaves_nothing(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    book.keep(_net(1), (_text(),))
    found = _read(tmp_path)
    assert (found.network, found.edits, found.texts) == (_net(1), 0, (_text(),))
    book.keep(_net(1), ())
    assert journal.read(tmp_path) is None
    book.record(_net(1), _net(2))
    book.keep(_net(2), (_text(),))
    book.saved()
    assert journal.read(tmp_path) is None
    book.keep(_net(2), (_text(),))
    assert _read(tmp_path).texts == (_text(),)
    book.close()


def test_a_text_that_could_not_be_written_is_written_when_it_is_kept_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    book = journal.Journal(tmp_path)
    with monkeypatch.context() as context:
        context.setattr(atomic, "write_all", full)
        with pytest.raises(WriteProblem):
            book.keep(_net(1), (_text(),))
    book.keep(_net(1), (_text(),))
    assert _read(tmp_path).texts == (_text(),)
    book.close()


def test_a_journal_that_begins_anew_takes_its_texts_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_EDITS", -1)
    book = journal.Journal(tmp_path)
    book.restart(_net(1))
    book.keep(_net(1), (_text(),))
    for number in range(1, 40):
        book.record(_net(number), _net(number + 1))
    assert book._number > 1
    assert _read(tmp_path).texts == (_text(),)
    book.close()


def test_a_journal_from_before_there_were_texts_is_read(tmp_path: Path) -> None:
    class Whole(msgspec.Struct, frozen=True, tag="whole"):
        form: dict[str, object]
        path: str | None
        edits: int
        at: float

    old = msgspec.msgpack.encode(Whole(form.to_form(_net(1)), None, 3, 5.0))
    new = msgspec.msgpack.encode(journal.Whole(form.to_form(_net(1)), None, 3, 5.0))
    for body in (old, new):
        found = journal._after(None, body)
        assert (found.network, found.edits, found.texts) == (_net(1), 3, ())


def test_an_edit_is_on_the_disk_while_edits_go_on_without_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = 0
    real = os.fsync

    def count(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        real(descriptor)

    monkeypatch.setattr("engine.storage.journal.os.fsync", count)
    monkeypatch.setattr(journal, "SYNC_EVERY", 0.01)
    book = journal.Journal(tmp_path)
    number = 0
    while synced < 5 and number < 100_000:  # a journal that waited for a pause would never sync
        number += 1
        book.record(_net(number - 1), _net(number))
    book.close()
    assert synced >= 5


def test_a_record_cut_off_anywhere_costs_that_record_alone(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    ends = []
    for number in range(1, 5):
        book.record(_net(number - 1), _net(number))
        ends.append((tmp_path / "00000001.journal").stat().st_size)
    book.close(keep=True)
    path = tmp_path / "00000001.journal"
    whole = path.read_bytes()
    for cut in range(ends[0], len(whole)):
        path.write_bytes(whole[:cut])
        found = journal.read(tmp_path)
        assert found is not None
        assert found.network == _net(1 + sum(cut >= end for end in ends[1:]))
        assert bool(found.damage) == (cut not in ends)


def test_after_a_full_disk_the_next_edit_brings_the_whole_network_to_safety(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = journal.Journal(tmp_path)
    book.record(_net(0), _net(1))
    with monkeypatch.context() as patch:

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "no space")

        patch.setattr("engine.storage.atomic.os.write", full)
        with pytest.raises(WriteProblem, match=r"the disk is full\. Free some space"):
            book.record(_net(1), _net(2))
    assert journal.read(tmp_path).network == _net(1)  # type: ignore[union-attr]
    book.record(_net(2), _net(3))
    book.close(keep=True)
    found = journal.read(tmp_path)
    assert found is not None
    assert (found.network, found.edits, found.damage) == (_net(3), 3, "")


def test_a_sync_that_fails_is_told_and_the_next_edit_begins_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    book = journal.Journal(tmp_path, None, lambda problem: told.append(str(problem)))
    with monkeypatch.context() as patch:

        def rotten(descriptor: int) -> None:
            raise OSError(errno.EIO, "i/o error")

        patch.setattr("engine.storage.journal.os.fsync", rotten)
        book.record(_net(0), _net(1))
        book.close(keep=True)
    assert told == ["Edits cannot be kept safe: the disk reports an error. Choose another disk."]
    assert journal.read(tmp_path).network == _net(1)  # type: ignore[union-attr]


def test_a_long_journal_begins_anew_and_the_old_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_EDITS", 2000)
    book = journal.Journal(tmp_path)
    for number in range(1, 200):
        book.record(_net(number - 1), _net(number))
    book.close(keep=True)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 20_000
    found = journal.read(tmp_path)
    assert found is not None
    assert (found.network, found.edits) == (_net(199), 199)


def test_half_a_surrogate_pair_does_not_keep_edits_from_being_recorded(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    book.record(_net(0), msgspec.structs.replace(_net(1), name="a\ud800b"))
    book.record(_net(1), msgspec.structs.replace(_net(2), name="c\ud800d"))
    book.close(keep=True)
    assert journal.read(tmp_path).network.name == "c?d"  # type: ignore[union-attr]


# ---------------------------------------------------------------------------- crash or open window


def test_a_window_that_is_open_is_no_crash_and_one_that_is_gone_is(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from engine.network import Network\n"
        "from engine.storage import recovery\n"
        "book = recovery.Safe(pathlib.Path(sys.argv[1])).begin(pathlib.Path(sys.argv[2]))\n"
        "book.record(Network('before'), Network('after'))\n"
        "print('recorded', flush=True)\n"
        "sys.stdin.read()\n"
    )
    path = tmp_path / "net.layerlab"
    window = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "safe"), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    try:
        assert window.stdout is not None
        assert window.stdout.readline().strip() == b"recorded"
        assert recovery.crashed(tmp_path / "safe") == []
        assert recovery.open_elsewhere(tmp_path / "safe", path)
    finally:
        window.kill()
        window.communicate()
    assert not recovery.open_elsewhere(tmp_path / "safe", path)
    (left,) = recovery.crashed(tmp_path / "safe")
    assert left.found is not None
    assert (left.found.network.name, left.found.path, left.found.edits) == ("after", path, 1)
    left.discard()
    assert recovery.crashed(tmp_path / "safe") == []


def test_a_process_number_that_has_passed_to_another_program_is_no_open_window(tmp_path: Path) -> None:
    safe = Safe(tmp_path)
    book = safe.begin(None)
    book.record(_net(0), _net(1))
    book.close(keep=True)
    old = Holder(owner.Owner(os.getpid(), "another start"), None)
    (safe.folder / "owner.json").write_bytes(msgspec.json.encode(old))
    assert [left.folder for left in recovery.crashed(tmp_path)] == [safe.folder]


def test_a_window_that_closes_leaves_nothing(tmp_path: Path) -> None:
    safe = Safe(tmp_path)
    book = safe.begin(None)
    book.record(_net(0), _net(1))
    book.close()
    safe.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_read_is_said_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "00000001.journal").write_bytes(b"\xff" * 100)
    (left,) = recovery.crashed(tmp_path)
    assert left.found is None
    assert "damaged" in left.problem


def _unfinished(folder: Path, process: int, machine: str | None = None, age: float = 120.0) -> Path:
    path = folder / f".layerlab-{machine or atomic.machine()}-{process}-{process % 10:012}.tmp"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def _gone() -> int:
    """The number of a process that is no more."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_what_a_killed_writer_left_is_swept_up(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from engine.storage import atomic\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "atomic.write_bytes(sys.argv[1], b'new')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    path = tmp_path / "net.layerlab"
    path.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False)
    (left,) = (other for other in tmp_path.iterdir() if other != path)
    leftovers.sweep(tmp_path)
    assert left.exists(), "it is not old yet"
    os.utime(left, (0, 0))
    leftovers.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_what_others_or_living_writers_write_is_never_swept_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = _gone()
    kept = [
        _unfinished(tmp_path, os.getpid()),  # this very process still writes it
        _unfinished(tmp_path, gone, machine="00000000"),  # another machine's, on a network drive
        _unfinished(tmp_path, gone + 1, age=10.0),  # written to a moment ago
        tmp_path / ".layerlab-mine.tmp",
        tmp_path / "layerlab.tmp",
    ]
    for path in kept[3:]:
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    mine = _unfinished(tmp_path, gone)
    if hasattr(os, "getuid"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "getuid", lambda: 12345)  # as if another user looked
            leftovers.sweep(tmp_path)
        assert mine.exists()
    leftovers.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_a_link_that_is_named_like_an_unfinished_file_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"")
    link = tmp_path / f".layerlab-{atomic.machine()}-{_gone()}-{0:012}.tmp"
    link.symlink_to(target)
    os.utime(link, (0, 0), follow_symlinks=False)
    leftovers.sweep(tmp_path)
    assert link.is_symlink()
    assert target.exists()


# ---------------------------------------------------------------------------- history


def test_the_last_twenty_saves_are_kept_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "net.layerlab"
    for number in range(25):
        history.keep(tmp_path / "history", path, storage.dumps(_net(number)))
    history.keep(tmp_path / "history", path, storage.dumps(_net(24)))  # nothing new
    kept = history.saves(tmp_path / "history", path)
    assert [save.read() for save in kept] == [_net(number) for number in range(24, 4, -1)]
    assert history.saves(tmp_path / "history", tmp_path / "other.layerlab") == []


def test_a_file_that_another_program_has_changed_is_told_from_one_that_was_touched(tmp_path: Path) -> None:
    path = tmp_path / "net.layerlab"
    path.write_bytes(b"mine")
    known = history.fingerprint(path)
    assert known is not None
    os.utime(path, (1, 1))
    assert not history.changed(path, known)
    path.write_bytes(b"ours")
    os.utime(path, (1, 1))
    assert history.changed(path, known)
    path.unlink()
    assert not history.changed(path, known)


def test_a_save_in_the_history_that_is_damaged_is_a_message(tmp_path: Path) -> None:
    path = tmp_path / "net.layerlab"
    history.keep(tmp_path / "history", path, b"not a network")
    with pytest.raises(FileProblem, match="not JSON"):
        history.saves(tmp_path / "history", path)[0].read()
