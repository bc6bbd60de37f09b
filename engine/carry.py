"""What of trained weights goes over into an edited drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.catalog import LAYERS
from engine.defaults import scheme_of
from engine.network import Network
from engine.problems import FileProblem
from engine.runs import RunFolder
from engine.storage import file


def drawn_anew(trained: Network, drawn: Network, parameters: Mapping[str, Sequence[int]]) -> frozenset[str]:
    """Parameters of both networks whose initialisation is another in `drawn`.

    Who changes how a weight is drawn wants it drawn: with the trained values the change would do nothing.

    Parameters
    ----------
    parameters
        Name (``"conv1.weight"``, ``"layer1.0.conv1.weight"``) -> shape.
    """
    found = set()
    for name, shape in parameters.items():
        path, own = _split(trained, name)
        node, now = trained.at(path), drawn.at(path)
        if node is None or now is None or node.type != now.type or node.type not in LAYERS:
            continue  # name and shape tell
        if scheme_of(trained, node, own, len(shape)) != scheme_of(drawn, now, own, len(shape)):
            found.add(name)
    return frozenset(found)


def _split(network: Network, name: str) -> tuple[str, str]:
    """The path of a parameter's node, and its name there, which may have dots of its own."""
    words = name.split(".")
    for cut in range(len(words) - 1, 0, -1):
        if network.at(".".join(words[:cut])) is not None:
            return ".".join(words[:cut]), ".".join(words[cut:])
    return "", name


def trained_in(weights: Path) -> Network | None:
    """The network that the run of a weights file trained; None where it is no run's file."""
    for folder in (RunFolder(weights.parent), RunFolder(weights.parent.parent)):
        ours = (folder.weights, folder.best, folder.start, folder.kept(0).parent / weights.name)
        if weights in ours and folder.network.is_file():
            try:
                return file.read(folder.network)
            except (FileProblem, OSError):
                return None
    return None
