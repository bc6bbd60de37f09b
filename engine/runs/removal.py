"""Taking a run's own files away, and nothing that somebody else has put beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.problems import FileProblem
from engine.runs.folder import RunFolder


def remove(path: Path) -> list[Path]:
    """Remove the run in `path`; returns what is not a run's and was left.

    Raises
    ------
    FileProblem
        If `path` is no run, or one that trains at this moment.
    OSError
        If it cannot be removed.
    """
    run = RunFolder(path)
    if path.is_symlink() or not run.network.is_file():
        raise FileProblem(f"{path}: is no run, so nothing was removed.")
    if run.state() == "running":
        raise FileProblem(f"{path}: is training at this moment. Stop it first.")
    for folder in (run.checkpoints, run.kept(0).parent):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
    # What says that it is a run goes last: a removal that is cut short can be repeated.
    own = (
        run.result,
        run.weights,
        run.best,
        run.start,
        run.metrics,
        run.observations,
        run.facts,
        run.network,
    )
    for file in own:
        file.unlink(missing_ok=True)
    left = sorted(path.iterdir())
    if not left:
        path.rmdir()
    return left
