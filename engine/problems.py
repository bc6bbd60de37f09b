"""The exceptions that a user can cause, and their words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FileProblem(Exception):
    """A file that cannot be read as a network: not JSON, truncated, wrong envelope, over a limit.

    The message says what, where and how to mend it, and is fit to be shown as it is.
    """


class NetworkProblem(Exception):
    """A network with errors, asked to run."""


class DataProblem(Exception):
    """Data that cannot be had, or do not fit: a missing folder, a damaged file.

    `field` names the field of the data source that mends it, where there is one.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class DataChanged(UserWarning):
    """The data of a run are not those that it began with."""


class DataMissing(DataProblem):
    """Files of a well-known data set that are not here, and can be fetched: `source` says which."""

    def __init__(self, message: str, field: str | None, source: str) -> None:
        super().__init__(message, field)
        self.source = source


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'stride'?`` when something close is known, else the empty string.

    What begins as `word` does comes first: lenet5 is rather meant for lenet5_mnist than for resnet50.
    """
    by_lower = {name.lower(): name for name in known}
    typed = word.lower()
    longer = [name for name in by_lower if len(typed) >= 3 and name.startswith(typed)]
    close = longer or difflib.get_close_matches(typed, by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""


#: What errors say that have no class of their own: of the processor's allocator, CUDA, and its libraries.
_NO_MEMORY = (
    *("not enough memory", "can't allocate memory", "CUDA error: out of memory"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "HOST_ALLOCATION_FAILED"),
)


def ran_out(problem: BaseException) -> bool:
    """Whether `problem` says that memory ran out, on the processor or a GPU; asks no torch about its own."""
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":
        return True
    return isinstance(problem, RuntimeError) and any(words in str(problem) for words in _NO_MEMORY)
