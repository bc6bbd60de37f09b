"""Pictures from files, by which nothing is run and no memory filled.

Pillow tells what a file is by how it begins and not by its name, and some of its readers hand what
they find to another program: PostScript in a file called ``x.png`` would be run by Ghostscript.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from engine.problems import DataProblem

#: Formats that Pillow itself decodes, each known by one of the endings that a picture may have.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
#: A picture with more pixels is not read: it takes three bytes a pixel, however small its file is.
MOST_PIXELS = 50_000_000


def open_picture(path: Path) -> Image.Image:
    """The picture at `path`, not yet decoded.

    Raises
    ------
    DataProblem
        If it has too many pixels.
    OSError
        If it cannot be read, or is of none of :data:`FORMATS` (``UnidentifiedImageError``).
    """
    try:
        image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as problem:
        raise _too_large(path, "has far") from problem
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise _too_large(path, f"{image.width:,} × {image.height:,} pixels are")
    return image


def _too_large(path: Path, how: str) -> DataProblem:
    return DataProblem(
        f"{path}: {how} more than the {MOST_PIXELS:,} pixels that are read. Make it smaller, or take it out "
        "of the folder.",
        "folder",
    )
