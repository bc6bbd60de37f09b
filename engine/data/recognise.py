"""What a file is that is no text, told by how it begins: so that nobody is told of bytes."""

from __future__ import annotations

import codecs

#: How much of the beginning is looked at.
HEAD = 4096
#: Of text in any code, hardly any byte is a control character; of anything else, many are.
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b")
_MOST_CONTROLS = 0.02

_READABLE = "Tables are read from CSV (text in UTF-8) and Parquet, arrays from .npy, .npz and .safetensors."
_TO_CSV = "Save the table as CSV in UTF-8."
#: How a file begins -> what it is, and how to go on.
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet table", "Choose Parquet as the source."),
    (b"\x93NUMPY", "a NumPy array", "Choose NumPy arrays as the source."),
    (b"\x1f\x8b", "packed with gzip", "Unpack it first."),
    (b"BZh", "packed with bzip2", "Unpack it first."),
    (b"\xfd7zXZ", "packed with xz", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "Unpack it first."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first."),
    (b"\xff\xfe", "text in UTF-16", "Save it in UTF-8."),
    (b"\xfe\xff", "text in UTF-16", "Save it in UTF-8."),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Office file", _TO_CSV),
    (b"\x89HDF", "an HDF5 file", _READABLE),
    (b"MATLAB 5.0", "a MATLAB file", _READABLE),
    (b"SQLite format 3", "an SQLite database", _TO_CSV),
    (b"ARROW1", "an Arrow (Feather) file", "Save it as Parquet."),
    (b"FEA1", "a Feather file", "Save it as Parquet."),
    (b"Obj\x01", "an Avro file", _READABLE),
    (b"\x89PNG", "a picture (PNG)", "Pictures come in a folder with a folder for each class."),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Pictures come in a folder with a folder for each class."),
    (b"GIF8", "a picture (GIF)", "Pictures come in a folder with a folder for each class."),
    (b"%PDF", "a PDF", _READABLE),
    (b"RIFF", "a sound, film or picture (RIFF)", _READABLE),
    (b"\x7fELF", "a program", _READABLE),
)
_PICKLE = (
    "a pickle (objects of Python)",
    "It is never opened, as it could run code. In Python, save what it holds with to_parquet, to_csv or "
    "numpy.save.",
)


def what_is(head: bytes) -> tuple[str, str] | None:
    """What a file is that begins so, and how to go on; None: text, or not known.

    Parameters
    ----------
    head
        Its first :data:`HEAD` bytes.
    """
    utf8 = _is_utf8(head)
    binary = b"\0" in head or not utf8
    for begins, kind, remedy in _KINDS:
        # A column may be called FEA1 or RIFF.
        if head.startswith(begins) and (binary or not begins.isascii()):
            return kind, remedy
    if head.startswith(b"PK\x03\x04"):
        return _archive(head)
    if _is_pickle(head):
        return _PICKLE
    if b"\0" in head or (not utf8 and sum(byte in _CONTROLS for byte in head) > _MOST_CONTROLS * len(head)):
        return "no text", _READABLE
    return None


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # its end may be cut
    except UnicodeDecodeError:
        return False
    return True


def _archive(head: bytes) -> tuple[str, str]:
    if b"xl/" in head or b"[Content_Types].xml" in head:
        return "an Excel or Office file", _TO_CSV
    if b"opendocument.spreadsheet" in head:
        return "a spreadsheet (OpenDocument)", _TO_CSV
    if b"data.pkl" in head:
        return "a file of torch.save", _PICKLE[1]
    if b".npy" in head:
        return "a NumPy archive", "Choose NumPy arrays as the source."
    return "a ZIP archive", "Unpack it first."


def _is_pickle(head: bytes) -> bool:
    """Protocols from 2 on begin with their number; that of before with opcodes in ASCII, each on its line."""
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    return head.startswith(
        (b"(dp0\n", b"(lp0\n", b"(ip0\n", b"ccopy_reg", b"cnumpy", b"cpandas", b"c__builtin__")
    )
