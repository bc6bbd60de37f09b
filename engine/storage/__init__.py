"""Networks on disk: the file format, its limits, and the only writer."""

from engine.storage.atomic import WriteProblem, write_bytes
from engine.storage.file import SUFFIX, dumps, loads, read, write

__all__ = ["SUFFIX", "WriteProblem", "dumps", "loads", "read", "write", "write_bytes"]
