"""Files and folders that the fields of a source name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.problems import DataProblem


def chosen_file(fields: Mapping[str, Any], field: str, what: str) -> Path:
    """The file that `field` names.

    Raises
    ------
    DataProblem
        If none is named, or there is no such file.
    """
    path = _chosen(fields, field, what)
    if path.is_dir():
        raise DataProblem(f"{path}: is a folder. Choose the {what} itself.", field)
    if not path.is_file():
        raise DataProblem(f"{path}: there is no such file. Choose the {what}.", field)
    return path


def chosen_folder(fields: Mapping[str, Any], field: str, what: str) -> Path:
    """The folder that `field` names.

    Raises
    ------
    DataProblem
        If none is named, or there is no such folder.
    """
    path = _chosen(fields, field, what)
    if path.is_file():
        raise DataProblem(f"{path}: is a file. Choose the {what} itself.", field)
    if not path.is_dir():
        raise DataProblem(f"{path}: there is no such folder. Choose the {what}.", field)
    return path


def _chosen(fields: Mapping[str, Any], field: str, what: str) -> Path:
    if not fields.get(field):
        raise DataProblem(f"Nothing is chosen yet: set {field} to the {what}.", field)
    return Path(fields[field]).expanduser()


def stamp(paths: Iterable[Path]) -> tuple[object, ...]:
    """What changes when one of the files does: their paths, sizes and times.

    Raises
    ------
    DataProblem
        If one is not there.
    """
    found: list[object] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError as problem:
            raise unreadable(path, problem) from problem
        found.append((str(path.absolute()), status.st_size, status.st_mtime_ns))
    return tuple(found)


def unreadable(path: Path, problem: OSError) -> DataProblem:
    """The system's refusal in words."""
    return DataProblem(f"{path}: cannot be read: {problem.strerror or problem}.")
