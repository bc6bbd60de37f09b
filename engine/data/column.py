"""A column of examples that stays as it is stored, and becomes what a network receives batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor


class Column:
    """Reads like a float32 tensor ``[examples, *shape]``, and keeps bytes, perhaps on disk.

    Parameters
    ----------
    values
        ``[rows, *shape]``: bytes that are to be scaled, or numbers of any other kind as they are.
        May be mapped from a file, or a view whose rows overlap.
    rows
        Which of them, in order, ``[examples]`` int64.
    scale
        A network receives ``(bytes * scale - mean) / deviation``.
    mean, deviation
        Per channel, ``[channels, 1, …]``; left out where None.
    """

    def __init__(
        self,
        values: Tensor,
        rows: Tensor,
        scale: float = 1.0,
        mean: Tensor | None = None,
        deviation: Tensor | None = None,
    ) -> None:
        self.values, self.rows, self.scale, self.mean, self.deviation = values, rows, scale, mean, deviation
        self.dtype = torch.float32 if values.dtype == torch.uint8 else values.dtype
        self.shape = torch.Size((len(rows), *values.shape[1:]))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the examples as they are stored."""
        return self.shape.numel() * self.values.element_size()

    def dim(self) -> int:
        """Number of dimensions, the examples included."""
        return len(self.shape)

    def __getitem__(self, which: slice | Tensor) -> Tensor:
        return self.take(self.rows[which], chosen=True)

    def take(self, examples: Tensor, out: Tensor | None = None, *, chosen: bool = False) -> Tensor:
        """The examples of these numbers, as a network receives them; `chosen`: these are rows already."""
        rows = examples if chosen else self.rows.index_select(0, examples)
        if self.values.dtype != torch.uint8:
            if out is None:
                return self.values.index_select(0, rows)
            return torch.index_select(self.values, 0, rows, out=out)
        raw = self.values.index_select(0, rows)
        found = raw.to(torch.float32) if out is None else out.copy_(raw)
        if self.scale != 1.0:
            found.mul_(self.scale)
        if self.mean is not None and self.deviation is not None:
            found.sub_(self.mean).div_(self.deviation)
        return found

    def to(self, device: torch.device) -> Column:
        """The same with its values on `device`, without the rows that it does not use."""
        if device == self.values.device:
            return self
        values = self.values.index_select(0, self.rows).to(device)
        rows = torch.arange(len(self.rows), device=device)
        mean, deviation = (None if t is None else t.to(device) for t in (self.mean, self.deviation))
        return Column(values, rows, self.scale, mean, deviation)
