"""The networks to start from. Each is a file in ``assets/networks``; its view holds what it is about."""

from __future__ import annotations

from typing import NamedTuple

from engine import assets
from engine.network import Network
from engine.problems import FileProblem, did_you_mean
from engine.storage import SUFFIX, read


class Template(NamedTuple):
    """A network to start from."""

    #: The file's name without its ending: "lenet5_mnist".
    id: str
    network: Network

    @property
    def title(self) -> str:
        """Its name, for people."""
        return self.network.name

    @property
    def description(self) -> str:
        """What it is, in a sentence or two."""
        return str(self.network.view.get("description", ""))


#: The order of the list: what to begin with comes first.
_ORDER = (
    "digits_mlp",
    "lenet5_mnist",
    "digits_binarized_mlp",
    "residual_digits",
    "resnet18",
    "resnet34",
    "resnet50",
    "mobilenet_v2",
    "vgg16",
)


def templates() -> tuple[Template, ...]:
    """All templates, the simplest first."""
    files = {path.name.removesuffix(SUFFIX): path for path in assets.path("networks").glob(f"*{SUFFIX}")}
    ids = sorted(files, key=lambda id: (_ORDER.index(id) if id in _ORDER else len(_ORDER), id))
    return tuple(Template(id, read(files[id])) for id in ids)


def template(id: str) -> Template:
    """The template called `id`.

    Raises
    ------
    FileProblem
        If there is none; the message suggests a near name.
    """
    known = {found.id: found for found in templates()}
    if id not in known:
        raise FileProblem(
            f"There is no template {id!r}.{did_you_mean(id, known)} `layerlab templates` lists them."
        )
    return known[id]
