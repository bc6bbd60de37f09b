"""First values of parameters: any scheme on any tensor, and a whole network's from one seed.

Every layer draws from a stream of its own, seeded by SHA-256 of (seed, path, parameter), on the
CPU. So changing one layer changes no other's draw, and every device gets the same numbers.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from engine.catalog import INITIALIZERS, Initializer, Settings
from engine.compile.resolve import checked_settings, resolve
from engine.network import Choice
from engine.streams import stream_seed


class Fill(Protocol):
    """Fills a tensor in place and returns it."""

    def __call__(  # noqa: D102
        self, tensor: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor: ...


def initializer(id: str, **fields: Any) -> Fill:
    """A function that fills a tensor as the scheme `id` says.

    Parameters
    ----------
    id
        A scheme of the catalogue, named as in ``torch.nn.init`` without the trailing underscore.
    **fields
        Its fields, by name: ``mode="fan_out"``, ``gain=2.0`` …

    Returns
    -------
    Fill
        ``fill(tensor, generator=None)`` fills `tensor` in place, without autograd, and returns it.
        Without a generator the numbers are those of torch.nn.init under torch's global one; with
        one, everything is drawn from it. It raises ValueError for a tensor that the scheme does
        not fit.

    Raises
    ------
    ValueError
        If there is no such scheme or field, a value is out of range, or the scheme needs the
        whole network.
    """
    entry, settings = checked_settings(INITIALIZERS, "initialiser", id, fields)
    if entry.needs_network:
        raise ValueError(
            f"{id!r} needs the whole network and cannot fill a lone tensor: choose it in a node's `init`."
        )
    if getattr(settings, "gain", None) == "auto":
        raise ValueError(f"{id} › gain: 'auto' follows the network's next activation. Give a number here.")
    return _fill(entry, settings)


def first_draw(choice: Choice) -> Fill:
    """What fills a parameter when a network is built. (LSUV is then rescaled, when training begins.)"""
    return _fill(*checked_settings(INITIALIZERS, "initialiser", choice.id, dict(choice.fields)))


def misfit(entry: Initializer, settings: Settings, shape: tuple[int, ...]) -> str | None:
    """Why the scheme cannot fill a tensor of `shape`, as a sentence; None if it can."""
    count = len(shape)
    if not entry.min_dims <= count <= entry.max_dims:
        if entry.min_dims == entry.max_dims:
            wanted = f"exactly {entry.min_dims}"
        elif count < entry.min_dims:
            wanted = f"at least {entry.min_dims}"
        else:
            wanted = f"at most {entry.max_dims}"
        return f"{entry.id} needs a tensor of {wanted} dimensions, and this one is {list(shape)}."
    return entry.fits(settings, shape)


def _fill(entry: Initializer, settings: Settings) -> Fill:
    call = entry.call(settings)
    function: Callable[..., torch.Tensor] = resolve(call.target)
    takes_generator = "generator" in inspect.signature(function).parameters

    def fill(tensor: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{entry.id} fills a torch.Tensor, not {type(tensor).__name__}.")
        if not tensor.is_floating_point():
            raise ValueError(f"{entry.id} fills a floating-point tensor, and this one is {tensor.dtype}.")
        wrong = misfit(entry, settings, tuple(tensor.shape))
        if wrong:
            raise ValueError(wrong)
        if tensor.numel() == 0:
            return tensor
        with torch.no_grad():
            if entry.id == "orthogonal" and tensor.dtype in (torch.float16, torch.bfloat16):
                # torch's QR decomposition has no half precision on the CPU.
                tensor.copy_(function(tensor.float(), **call.kwargs, generator=generator))
            elif generator is None:
                function(tensor, *call.args, **call.kwargs)
            elif entry.id == "sparse":
                _sparse(tensor, settings, generator)
            elif takes_generator:
                function(tensor, *call.args, **call.kwargs, generator=generator)
            else:
                function(tensor, *call.args, **call.kwargs)
        return tensor

    return fill


def _sparse(tensor: torch.Tensor, settings: Settings, generator: torch.Generator) -> None:
    """``torch.nn.init.sparse_`` with its zero positions from `generator` too (torch takes the global one)."""
    rows, columns = tensor.shape
    zeros = math.ceil(settings.sparsity * rows)
    tensor.normal_(0, settings.std, generator=generator)
    for column in range(columns):
        order = torch.randperm(rows, generator=generator, device=generator.device)
        tensor[order[:zeros].to(tensor.device), column] = 0


# ---------------------------------------------------------------------------- whole networks


@contextmanager
def global_generator_kept() -> Iterator[torch.Generator]:
    """Lend torch's global CPU generator, and put its state back."""
    generator = torch.default_generator
    state = generator.get_state()
    try:
        yield generator
    finally:
        generator.set_state(state)


def initialise(module: torch.nn.Module, path: str, schemes: Mapping[str, Choice], seed: int) -> None:
    """Fill those parameters of one layer for which `schemes` chooses something but the default."""
    parameters = dict(module.named_parameters())
    for parameter, choice in schemes.items():
        if choice.id == "default":
            continue
        tensor = parameters.get(parameter)
        if tensor is None:  # bias=false
            continue
        first_draw(choice)(tensor, torch.Generator().manual_seed(stream_seed(seed, path, parameter)))
