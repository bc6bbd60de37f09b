"""Fetching well-known sets from a server on this computer: asked for, checked, gone on with, and clear when it fails."""

import gzip
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from engine import cli
from engine.data import Cancelled, download, load, progress, watched
from engine.data.download import SETS, Remote, RemoteSet
from engine.data.idx_sets import FILES
from engine.host.protocol import DataAbsent, DataLooked, DataProgress, Failed, LookAtData
from engine.host.work import Work
from engine.network import Data, Network, Recipe
from engine.problems import DataMissing, DataProblem
from engine.storage import dumps
from tests import real_data


class Handler(BaseHTTPRequestHandler):
    """Serves bytes by name; remembers what it was asked, and can be told to fail."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []
    #: Bytes after which an answer breaks off.
    breaks_after: int | None = None
    ranges = True
    status = 200

    def do_GET(self) -> None:
        name, wanted = self.path.lstrip("/"), self.headers.get("Range")
        type(self).asked.append((name, wanted))
        if self.status != 200 or name not in self.files:
            self.send_error(self.status if self.status != 200 else 404)
            return
        body, start = self.files[name], 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        rest = body[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest if self.breaks_after is None else rest[: self.breaks_after])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[type[Handler]]:
    """A server with MNIST's and EMNIST's files, small, from where they are fetched in this test."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("LAYERLAB_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(progress, "_PACE", 0.0)
    made = tmp_path / "made"
    made.mkdir()
    real_data.four_idx_files(made)
    handler = type("Own", (Handler,), {"files": {}, "asked": []})
    handler.files = {f"{name}.gz": gzip.compress((made / name).read_bytes()) for name in FILES}
    real_data.emnist(made)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in real_data.EMNIST:
            archive.write(made / name, f"gzip/{name}")
        archive.writestr("../outside.gz", "no")
        archive.writestr("gzip/emnist-letters-mapping.txt", "1 65 97")
    handler.files["gzip.zip"] = packed.getvalue()
    served = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    base = f"http://127.0.0.1:{served.server_port}/"

    def remote(name: str) -> Remote:
        body = handler.files[name]
        return Remote(base + name, len(body), hashlib.sha256(body).hexdigest())

    for source in ("mnist", "fashion_mnist"):
        monkeypatch.setitem(
            SETS, source, RemoteSet(SETS[source].title, tuple(remote(f"{name}.gz") for name in FILES))
        )
    monkeypatch.setitem(SETS, "emnist", RemoteSet("EMNIST", (remote("gzip.zip"),), SETS["emnist"].members))
    yield handler
    served.shutdown()
    served.server_close()
    thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def home(tmp_path: Path, source: str = "mnist") -> Path:
    return download.target(source, {})


# ---------------------------------------------------------------------------- what is known


def test_addresses_sizes_and_hashes_are_complete():
    """The hashes that can be had here are compared with real files in the next test."""
    for source, found in SETS.items():
        for file in found.files:
            assert len(file.sha256) == 64
            assert int(file.sha256, 16) > 0
            assert file.size > 1000
            assert file.url.startswith(("https://", "http://fashion-mnist."))
        assert len(found.files) == (1 if source == "emnist" else 4)


def test_the_hashes_are_those_of_real_files():
    from tests.five_kinds import shared_data

    folder = shared_data() / "mnist"
    if not folder.is_dir():
        pytest.skip("the real MNIST files are not here: set LAYERLAB_DATA")
    known = {file.name: file for file in SETS["mnist"].files}
    same = [
        path.name
        for path in folder.glob("*.gz")
        if path.stat().st_size == known[path.name].size  # else packed by another program
        and hashlib.sha256(path.read_bytes()).hexdigest() == known[path.name].sha256
    ]
    assert len(same) >= 3


# ---------------------------------------------------------------------------- asking


def test_nothing_is_fetched_unless_it_is_asked_for_and_the_message_says_how(server, capsys):
    with pytest.raises(DataMissing) as caught:
        load(Data("mnist"), 0)
    assert caught.value.source == "mnist"
    assert "download them: `layerlab data mnist --download`" in str(caught.value)
    assert cli.main(["data", "mnist"]) == 2
    assert "--download" in capsys.readouterr().err
    assert server.asked == []


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist", "emnist"])
def test_the_command_fetches_what_is_missing_and_shows_it(server, source, capsys, tmp_path):
    assert cli.main(["data", source, "--download", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["source"] == source
    assert sum(told["counts"].values()) == (78 if source == "emnist" else 140)
    wanted = real_data.EMNIST if source == "emnist" else [f"{name}.gz" for name in FILES]
    assert names(home(tmp_path, source)) == sorted(wanted)
    assert not list(tmp_path.rglob("outside*"))
    asked = list(server.asked)
    assert cli.main(["data", source, "--download", "--json"]) == 0
    capsys.readouterr()
    assert server.asked == asked, "what is here is not fetched again"
    assert cli.main(["data", source]) == 0


def test_a_chosen_folder_gets_the_files(server, tmp_path, capsys):
    folder = tmp_path / "mine"
    assert cli.main(["data", "mnist", "--set", f"folder={folder}", "--download"]) == 0
    assert len(names(folder)) == 4


def test_what_cannot_be_fetched_is_said(capsys):
    assert cli.main(["data", "digits", "--download"]) == 2
    assert "digits is not fetched from anywhere. mnist, fashion_mnist, emnist are." in capsys.readouterr().err


# ---------------------------------------------------------------------------- when it goes wrong


def test_what_broke_off_is_gone_on_with(server, tmp_path):
    server.breaks_after = 100
    with pytest.raises(DataProblem, match=r"broke off after 100 of|cannot be reached"):
        download.download("mnist", {})
    (part,) = names(home(tmp_path))
    assert part == f"{FILES[0]}.gz.part"
    server.breaks_after = None
    server.asked.clear()
    download.download("mnist", {})
    assert server.asked[0] == (f"{FILES[0]}.gz", "bytes=100-")
    assert names(home(tmp_path)) == sorted(f"{name}.gz" for name in FILES)
    assert (home(tmp_path) / f"{FILES[0]}.gz").read_bytes() == server.files[f"{FILES[0]}.gz"]


def test_a_server_that_cannot_begin_in_the_middle_sends_it_anew(server, tmp_path):
    home(tmp_path).mkdir(parents=True)
    (home(tmp_path) / f"{FILES[0]}.gz.part").write_bytes(b"\0" * 50)
    server.ranges = False
    download.download("mnist", {})
    assert (home(tmp_path) / f"{FILES[0]}.gz").read_bytes() == server.files[f"{FILES[0]}.gz"]


@pytest.mark.parametrize(
    "other", [lambda body: body[:-1] + bytes([body[-1] ^ 1]), lambda body: body + b"\0" * 70_000]
)
def test_another_file_than_it_should_be_is_not_kept(server, tmp_path, other):
    name = f"{FILES[0]}.gz"
    server.files[name] = other(server.files[name])
    with pytest.raises(DataProblem, match="is not the file that it should be"):
        download.download("mnist", {})
    assert names(home(tmp_path)) == []


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_that_refuses_is_quoted(server, status, tmp_path, capsys):
    server.status = status
    assert cli.main(["data", "mnist", "--download"]) == 2
    told = capsys.readouterr().err
    assert f"the server says {status}" in told
    assert len(told.strip().splitlines()) <= 2
    assert names(home(tmp_path)) == []


def test_without_a_network_it_says_so_and_what_else_can_be_done(server, tmp_path, monkeypatch, capsys):
    here = tuple(file._replace(url="http://127.0.0.1:9/" + file.name) for file in SETS["mnist"].files)
    monkeypatch.setitem(SETS, "mnist", RemoteSet("MNIST", here))
    assert cli.main(["data", "mnist", "--download"]) == 2
    told = capsys.readouterr().err
    assert "Are you connected to the network?" in told
    assert f"put {FILES[0]}.gz into {home(tmp_path)} by hand" in told
    assert "Traceback" not in told


def test_too_little_room_is_said_before_anything_is_asked(server, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DataProblem, match="MB are needed and 0 MB are free"):
        download.download("mnist", {})
    assert server.asked == []


def test_it_is_called_off_in_the_middle_and_gone_on_with_later(server, tmp_path):
    heard: list[str] = []

    def stop(what: str, done: int, total: int) -> None:
        heard.append(what)
        if len(heard) == 2:
            raise Cancelled

    with pytest.raises(Cancelled), watched(stop):
        download.download("mnist", {})
    assert heard[0] == f"Downloading {FILES[0]}.gz"
    download.download("mnist", {})
    assert names(home(tmp_path)) == sorted(f"{name}.gz" for name in FILES)


# ---------------------------------------------------------------------------- the host


def test_the_host_offers_and_fetches_when_it_is_told_to(server, tmp_path):
    work, events = Work(threads=1), []
    document = dumps(Network(recipe=Recipe(data=Data("mnist"))))
    work.answer(LookAtData(1, document), events.append)
    absent = events[-1]
    assert isinstance(absent, DataAbsent)
    assert (absent.offer.files, absent.offer.folder) == (4, str(home(tmp_path)))
    assert absent.offer.size == sum(file.size for file in SETS["mnist"].files)
    assert server.asked == []
    work.answer(LookAtData(2, document, download=True), events.append)
    assert any(isinstance(e, DataProgress) and e.what.startswith("Downloading") for e in events)
    assert isinstance(events[-1], DataLooked)
    server.status = 503
    work.answer(LookAtData(3, document), events.append)
    assert isinstance(events[-1], DataLooked), "it needs no network any more"


def test_the_host_says_what_went_wrong(server):
    from engine.host.server import explain

    server.status = 500
    work, document = Work(threads=1), dumps(Network(recipe=Recipe(data=Data("mnist"))))
    with pytest.raises(DataProblem) as caught:
        work.answer(LookAtData(1, document, download=True), lambda event: None)
    assert "the server says 500" in Failed(1, explain(caught.value)).message
