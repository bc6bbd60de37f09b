"""The pixels of many pictures in one file, from where they are mapped into memory.

Pictures are decoded once, brought to one size and written one behind another as bytes
``[N, C, H, W]``. The file is found again by the folder, the style and what is told of each picture
by its name, size and time; so a picture that is changed, added or taken away is noticed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.data.folders import user_cache_folder
from engine.data.pictures import open_picture
from engine.data.progress import Progress
from engine.problems import DataProblem

#: Raised when the same pictures would give other pixels.
_VERSION = 1
#: Pictures that are decoded ahead of the one being written.
_AHEAD = 256


class Style(NamedTuple):
    """What every picture is brought to."""

    height: int
    width: int
    channels: int
    fit: str


class Picture(NamedTuple):
    """A file, as it was when it was listed."""

    path: str
    size: int
    time: int

    @classmethod
    def of(cls, root: Path, path: str) -> Picture:
        """The file at `path` in `root`."""
        try:
            status = os.stat(root / path)
        except OSError as problem:
            raise DataProblem(
                f"{root / path}: cannot be read: {problem.strerror}. Mend it, or take it out of the folder.",
                "folder",
            ) from problem
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would be waited for without end
            raise DataProblem(f"{root / path}: is no file. Take it out of the folder.", "folder")
        return cls(path, status.st_size, status.st_mtime_ns)


class Cached(NamedTuple):
    """What :func:`open_cache` gives."""

    #: ``[N, C, H, W]``, mapped from the file.
    pixels: NDArray[np.uint8]
    #: Of the pixels and of which picture they belong to.
    sha256: str


class _Manifest(msgspec.Struct, frozen=True):
    version: int
    #: Of the list of pictures with their sizes and times.
    pictures: str
    count: int
    sha256: str


def open_cache(root: Path, pictures: Sequence[Picture], style: Style) -> Cached:
    """The pixels of `pictures`, decoded first where they are not cached as they are now.

    Raises
    ------
    DataProblem
        If a picture cannot be read; the message names it. Nothing is left of the attempt.
    """
    key = hashlib.sha256(f"{root.resolve()}\0{style}".encode()).hexdigest()[:32]
    folder = user_cache_folder() / "images"
    pixels, about = folder / f"{key}.pixels", folder / f"{key}.json"
    told = hashlib.sha256(msgspec.json.encode(pictures)).hexdigest()
    shape = (len(pictures), style.channels, style.height, style.width)
    manifest = _manifest(about)
    size = int(np.prod(shape, dtype=np.int64))
    fresh = manifest is not None and (manifest.version, manifest.pictures) == (_VERSION, told)
    if manifest is None or not fresh or not pixels.is_file() or pixels.stat().st_size != size:
        manifest = _make(root, pictures, style, told, pixels, about)
    mapped = np.memmap(pixels, np.uint8, "r", shape=shape)
    return Cached(mapped.view(np.ndarray), manifest.sha256)


def _manifest(path: Path) -> _Manifest | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def _make(
    root: Path, pictures: Sequence[Picture], style: Style, told: str, pixels: Path, about: Path
) -> _Manifest:
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix="making-", dir=pixels.parent)
    except OSError as problem:
        raise DataProblem(
            f"{pixels.parent}: the pictures' cache cannot be written: {problem.strerror}. "
            "Make room, or set XDG_CACHE_HOME to another folder."
        ) from problem
    try:
        with os.fdopen(number, "wb", buffering=1 << 20) as file:
            digest = hashlib.sha256(str(style).encode())
            progress = Progress("Reading pictures", len(pictures))
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
                try:
                    for done, (picture, found) in enumerate(_decoded(threads, root, pictures, style), 1):
                        digest.update(picture.path.encode())
                        digest.update(found)
                        file.write(found)
                        progress(done)
                finally:
                    threads.shutdown(cancel_futures=True)
        manifest = _Manifest(_VERSION, told, len(pictures), digest.hexdigest())
        about.unlink(missing_ok=True)  # so that at no moment old words stand beside new pixels
        os.replace(name, pixels)
        _write(about, msgspec.json.encode(manifest))
    except BaseException as problem:
        with suppress(OSError):
            os.unlink(name)
        if isinstance(problem, OSError):
            raise DataProblem(
                f"{pixels.parent}: the pictures' cache cannot be written: {problem.strerror}. "
                "Make room, or set XDG_CACHE_HOME to another folder."
            ) from problem
        raise
    return manifest


def _write(path: Path, data: bytes) -> None:
    from engine.storage.atomic import write_bytes

    write_bytes(path, data)


def _decoded(threads: ThreadPoolExecutor, root: Path, pictures: Sequence[Picture], style: Style):  # type: ignore[no-untyped-def]
    """Each picture with its bytes, in order, a few decoded ahead."""
    waiting = iter(pictures)
    ahead = [(p, threads.submit(decode, root / p.path, style)) for p in islice(waiting, _AHEAD)]
    while ahead:
        picture, future = ahead.pop(0)
        for following in islice(waiting, 1):
            ahead.append((following, threads.submit(decode, root / following.path, style)))
        yield picture, future.result()


def decode(path: Path, style: Style) -> bytes:
    """The picture at `path` as ``[C, H, W]`` bytes.

    Raises
    ------
    DataProblem
        If it cannot be read; the message names it.
    """
    try:
        with open_picture(path) as image:
            image.draft("RGB" if style.channels == 3 else "L", (2 * style.width, 2 * style.height))
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                ground = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(ground, upright.convert("RGBA"))
            plain = _eight_bits(upright).convert("RGB" if style.channels == 3 else "L")
            size = (style.width, style.height)
            if plain.size != size:
                how = Image.Resampling.BILINEAR
                if style.fit == "crop":
                    plain = ImageOps.fit(plain, size, how)
                elif style.fit == "pad":
                    plain = ImageOps.pad(plain, size, how)
                else:
                    plain = plain.resize(size, how)
            values = np.asarray(plain, np.uint8).reshape(style.height, style.width, style.channels)
    except (DataProblem, MemoryError):
        raise
    except Exception as problem:  # what broken pictures make Pillow's many readers raise has no bounds
        said = "it is no picture" if isinstance(problem, UnidentifiedImageError) else str(problem).rstrip(".")
        raise DataProblem(
            f"{path}: cannot be read as a picture: {said}. Mend it, or take it out of the folder.", "folder"
        ) from problem
    return values.transpose(2, 0, 1).tobytes()


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pictures of 16 bits a pixel scaled down, which convert() would clip."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, np.uint32) >> 8).clip(0, 255).astype(np.uint8))
