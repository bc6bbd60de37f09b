"""The only writer: the new file, or exactly the old one."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.storage import WriteProblem, write_bytes
from engine.storage.atomic import write_chunks


def test_a_new_file_holds_the_bytes_and_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "new", b"data")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"data"
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_an_old_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"before")
    path.chmod(0o604)
    write_bytes(path, b"after")
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
def test_a_symbolic_link_stays_one_and_its_target_is_written(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    target.write_bytes(b"before")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_bytes(link, b"after")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"


class _Disk:
    """Makes one call of the operating system fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(f"engine.storage.atomic.os.{call}", fail)


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("fsync", errno.ENOSPC, "the disk is full"),
        ("fsync", errno.EIO, "the disk reports an error"),
        ("open", errno.EROFS, "read-only"),
        ("open", errno.EACCES, "may not write there"),
        ("replace", errno.EPERM, "may not write there"),
        ("fsync", errno.EDQUOT, "quota"),
    ],
)
def test_when_the_disk_refuses_the_old_file_is_whole_and_nothing_lies_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, words: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with monkeypatch.context() as patch:
        _Disk(patch, call, code)
        with pytest.raises(WriteProblem, match=words) as caught:
            write_bytes(path, b"after")
    assert caught.value.errno == code
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_disk_that_is_really_full_is_told_as_such() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space") as caught:
        full.write(b"x")
    from engine.storage.atomic import _REASONS

    assert "disk is full" in _REASONS[caught.value.errno or 0]


def test_an_interruption_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def interrupted() -> Iterator[bytes]:
        yield b"half of "
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_chunks(path, interrupted())
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("none/file", "folder does not exist"), ("folder", "is a folder"), ("x" * 300, "name is too long")],
)
def test_a_place_that_takes_no_file_is_a_message(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteProblem, match=words):
        write_bytes(tmp_path / name, b"data")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_file_that_its_owner_protected_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "protected"
    path.write_bytes(b"keep")
    path.chmod(0o400)
    # root may write anything, so the question is answered here as for anyone else
    monkeypatch.setattr("engine.storage.atomic.os.access", lambda file, how: not how & os.W_OK)
    with pytest.raises(WriteProblem, match="may not write"):
        write_bytes(path, b"lost")
    assert path.read_bytes() == b"keep"


def test_a_write_that_goes_in_small_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [bytes([i]) * 1000 for i in range(50)]
    write_chunks(tmp_path / "file", parts)
    assert (tmp_path / "file").read_bytes() == b"".join(parts)
