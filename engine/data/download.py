"""Fetching well-known data sets, when the user asks for it: checked, gone on with where it broke off.

What has come of a file lies beside it with the ending ``.part``. Only whole files whose SHA-256 is the
known one get their name, so a reader never meets half a file.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from engine.data.folders import user_data_folder
from engine.data.progress import Progress
from engine.dataview import Offer
from engine.problems import DataProblem

_PIECE = 1 << 16
#: Seconds without a byte after which a server is taken for silent.
_PATIENCE = 30.0


class Remote(NamedTuple):
    """A file of a server."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Its name here."""
        return urlsplit(self.url).path.rpartition("/")[2]


class RemoteSet(NamedTuple):
    """The files of a data set."""

    title: str
    files: tuple[Remote, ...]
    #: Where the one file is an archive: which of its files are taken out of it, by their whole name.
    members: str = ""


def _remotes(base: str, files: Mapping[str, tuple[int, str]]) -> tuple[Remote, ...]:
    return tuple(Remote(base + name, size, sha256) for name, (size, sha256) in files.items())


#: Addresses, sizes and hashes as TensorFlow Datasets has them (tensorflow_datasets/url_checksums); MNIST's
#: small files and Fashion-MNIST's agree with torchvision's MD5.
SETS: dict[str, RemoteSet] = {
    "mnist": RemoteSet(
        "MNIST",
        _remotes(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            {
                "train-images-idx3-ubyte.gz": (
                    9912422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                ),
                "train-labels-idx1-ubyte.gz": (
                    28881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                ),
                "t10k-images-idx3-ubyte.gz": (
                    1648877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    4542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            },
        ),
    ),
    "fashion_mnist": RemoteSet(
        "Fashion-MNIST",
        _remotes(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            {
                "train-images-idx3-ubyte.gz": (
                    26421880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                ),
                "train-labels-idx1-ubyte.gz": (
                    29515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                ),
                "t10k-images-idx3-ubyte.gz": (
                    4422102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    5148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            },
        ),
    ),
    "emnist": RemoteSet(
        "EMNIST",
        (
            Remote(
                "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
                561753746,
                "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
            ),
        ),
        r"gzip/emnist-(letters|balanced|digits|mnist|byclass|bymerge)-(train|test)"
        r"-(images-idx3|labels-idx1)-ubyte\.gz",
    ),
}


def target(source: str, fields: Mapping[str, Any]) -> Path:
    """The folder into which `source` is fetched: the chosen one, else the user's."""
    chosen = fields.get("folder")
    return Path(chosen).expanduser() if chosen else user_data_folder() / source


def offer(source: str, fields: Mapping[str, Any]) -> Offer | None:
    """What fetching `source` would bring; None where nothing can be fetched."""
    found = SETS.get(source)
    if found is None:
        return None
    address = urlsplit(found.files[0].url)
    return Offer(
        title=found.title,
        files=len(found.files),
        size=sum(file.size for file in found.files),
        address=f"{address.scheme}://{address.netloc}",
        folder=str(target(source, fields)),
    )


def download(source: str, fields: Mapping[str, Any]) -> None:
    """Fetch the files of `source` that are not there yet.

    Raises
    ------
    DataProblem
        If it cannot be fetched: no network, another file than it should be, no room. What has come so far
        is kept, and the next time goes on from there.
    Cancelled
        If a listener of the progress says so; likewise.
    """
    found = SETS.get(source)
    if found is None:
        raise DataProblem(f"{source} is not fetched from anywhere. {', '.join(SETS)} are.", "source")
    folder = target(source, fields)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if found.members and _is_unpacked(folder, fields):
            return
        missing = [file for file in found.files if not _is_there(folder / file.name, file)]
        _need_disk(folder, missing, twice=bool(found.members))
        for file in missing:
            _fetch(file, folder)
        if found.members:
            _unpack(folder / found.files[0].name, found.members)
    except OSError as problem:
        raise DataProblem(
            f"{folder}: cannot be written: {problem.strerror or problem}. Make room, or choose another "
            "folder.",
            "folder",
        ) from problem


def _is_unpacked(folder: Path, fields: Mapping[str, Any]) -> bool:
    """Whether EMNIST's four files of the chosen part have come out of its archive."""
    return all(
        (folder / f"emnist-{fields['part']}-{which}-{kind}-ubyte.gz").is_file()
        for which in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    )


def _is_there(path: Path, file: Remote) -> bool:
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _need_disk(folder: Path, missing: list[Remote], *, twice: bool) -> None:
    needed = sum(file.size for file in missing) * (2 if twice else 1)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataProblem(
            f"{folder}: {needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free. Make room, or "
            "choose another folder.",
            "folder",
        )


def _fetch(file: Remote, folder: Path) -> None:
    """One file, whole and checked, or its beginning with the ending ``.part``."""
    part = folder / f"{file.name}.part"
    have = part.stat().st_size if part.is_file() else 0
    if have > file.size:
        part.unlink()
        have = 0
    if have < file.size:
        _go_on(file, part, have)
    if part.stat().st_size < file.size:
        raise DataProblem(
            f"{file.url}: broke off after {part.stat().st_size:,} of {file.size:,} bytes. What has come "
            "is kept: download again to go on from there."
        )
    if part.stat().st_size > file.size or _sha256(part) != file.sha256:
        part.unlink()
        raise DataProblem(
            f"{file.url}: what came is not the file that it should be (its SHA-256 differs), so nothing of "
            f"it was kept. Try again later, or put {file.name} into {folder} from elsewhere."
        )
    os.replace(part, folder / file.name)


def _go_on(file: Remote, part: Path, have: int) -> None:
    """Append what is missing of `part`, or write it anew where the server cannot begin in the middle."""
    request = urllib.request.Request(file.url, headers={"User-Agent": "layerlab"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            )
            have = have if goes_on else 0
            progress = Progress(f"Downloading {file.name}", file.size)
            with part.open("ab" if goes_on else "wb") as stream:
                while piece := answer.read(_PIECE):
                    stream.write(piece)
                    have += len(piece)
                    if have > file.size:  # another file; the check says so
                        return
                    progress(have)
    except urllib.error.HTTPError as problem:
        raise DataProblem(
            f"{file.url}: the server says {problem.code} {problem.reason}. Try again later, or put "
            f"{file.name} into {part.parent} from elsewhere."
        ) from problem
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as problem:
        said = getattr(problem, "reason", None) or problem
        raise DataProblem(
            f"{file.url}: cannot be reached ({said}). Are you connected to the network? What has come is "
            f"kept; or put {file.name} into {part.parent} by hand."
        ) from problem


def _unpack(archive: Path, members: str) -> None:
    """The files of `archive` that are wanted, beside it; then it is no longer needed."""
    try:
        with zipfile.ZipFile(archive) as packed:
            wanted = [entry for entry in packed.infolist() if re.fullmatch(members, entry.filename)]
            progress = Progress(f"Unpacking {archive.name}", len(wanted))
            for number, entry in enumerate(wanted, 1):
                name = entry.filename.rpartition("/")[2]
                part = archive.with_name(f"{name}.part")
                try:
                    with packed.open(entry) as source, part.open("wb") as stream:
                        shutil.copyfileobj(source, stream)
                    progress(number)
                except BaseException:
                    with suppress(OSError):
                        part.unlink()
                    raise
                os.replace(part, archive.with_name(name))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as problem:
        raise DataProblem(f"{archive}: cannot be unpacked: {problem}. Remove it and try again.") from problem
    archive.unlink()
