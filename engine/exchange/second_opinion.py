"""What torch.export reads from a module, another way than the recorder does, compared with the network."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.exchange.proof import difference, run
from engine.exchange.recording import flat

#: Parameters above which torch.export would take too long for a second opinion.
_MOST_PARAMETERS = 500_000_000


def second_opinion(model: nn.Module, built: nn.Module, batch: Sequence[Tensor]) -> dict[str, Any]:
    """Compare what torch.export reads from `model` with the network `built`, on `batch`.

    Returns
    -------
    dict
        ``exported``: whether torch.export could read the code; ``batch``: whether for every batch size;
        ``largest_difference`` of the outputs, and ``reason`` where it could not.
    """
    if sum(parameter.numel() for parameter in model.parameters()) > _MOST_PARAMETERS:
        return {"exported": False, "reason": "the module is too large"}
    free = tuple({0: torch.export.Dim.DYNAMIC} for _ in batch)
    reason = ""
    for shapes in (free, None):
        try:
            program = _exported(model, batch, shapes)
            with torch.inference_mode():
                result = program(*batch)
        except Exception as error:  # whatever torch.export stumbled over
            reason = reason or (str(error).strip().splitlines() or [type(error).__name__])[0]
            continue
        ours = run(built, batch)
        theirs = dict(zip(ours, [t for t in flat(result) if t is not None], strict=False))
        return {"exported": True, "batch": shapes is not None, "largest_difference": difference(ours, theirs)}
    return {"exported": False, "reason": reason[:200]}


def _exported(model: nn.Module, batch: Sequence[Tensor], shapes: Any) -> Callable[..., Any]:
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A copy of each: tracing may leave marks on tensors.
            given = tuple(tensor.clone() for tensor in batch)
            program = torch.export.export(
                model, given, dynamic_shapes=_by_argument(model, shapes), strict=False
            )
            return program.module()
    finally:
        logging.disable(level)


def _by_argument(model: nn.Module, shapes: Any) -> Any:
    """The shapes as torch.export wants them: of ``*inputs`` as one row."""
    import inspect

    kinds = [p.kind for p in inspect.signature(model.forward).parameters.values()]
    return (shapes,) if shapes is not None and inspect.Parameter.VAR_POSITIONAL in kinds else shapes
