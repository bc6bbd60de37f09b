"""Examples in the order of an epoch, batch by batch, from memory.

Batches are slices. What they are slices of is gathered some megabytes at a time, in the epoch's
order: one call for many batches, and still warm in the cache when they are used. Where the pieces
begin depends on nothing but sizes, so a run that is resumed in the middle of an epoch sees the
same slices at the same alignment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from engine.data import Column
from engine.streams import stream_seed

#: Bytes gathered at once, and batches: fits the second-level cache of most processors.
_PIECE_BYTES, _MOST_BATCHES = 4 * 1024 * 1024, 64
#: The same on a GPU, which has no such cache to keep warm and wants few calls.
_PIECE_BYTES_GPU, _MOST_BATCHES_GPU = 64 * 1024 * 1024, 512

Batch = tuple[Tensor, ...]


def batch_sizes(examples: int, batch_size: int, *, at_least: int = 1) -> tuple[int, int]:
    """How many batches an epoch has, and the size of the last.

    A last batch of fewer than `at_least` examples is merged into the one before: batch
    normalisation cannot train on one value, nor can three processes share two examples.
    """
    count = math.ceil(examples / batch_size)
    last = examples - (count - 1) * batch_size
    if last < at_least and count > 1:
        return count - 1, batch_size + last
    return count, last


class Feed:
    """Feeds one split's columns, side by side, to a training loop.

    Parameters
    ----------
    columns
        Of the same length, ``[examples, …]``: tensors, or columns that are kept as they are stored.
    batch_size
        Examples in a batch.
    seed
        The order of epoch ``e`` comes from the stream ``(seed, "shuffle", e)``.
    device
        Where batches are wanted. Columns are kept there if they fit into half of its free memory.
    at_least
        See :func:`batch_sizes`.
    vary
        Gets each batch with its epoch and number, and gives what is trained on instead.

    Attributes
    ----------
    steps
        Batches of an epoch.
    resident
        Whether the columns lie on the device.
    lasting
        Whether batches stay as they are when the next piece is asked for; else their memory is used again.
    """

    def __init__(
        self,
        columns: Sequence[Tensor | Column],
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        at_least: int = 1,
        vary: Callable[[Batch, int, int], Batch] | None = None,
    ) -> None:
        self._vary = vary
        self._examples = len(columns[0])
        self._batch_size = min(batch_size, self._examples)
        self._seed = seed
        self._device = device
        self.steps, self._last = batch_sizes(self._examples, self._batch_size, at_least=at_least)
        total = sum(column.nbytes for column in columns)
        self.lasting = device.type != "cpu"
        self.resident = device.type == "cpu" or total < torch.cuda.mem_get_info(device)[0] // 2
        # One tensor may serve as two columns (as target and as label): it is moved and gathered once.
        distinct = {id(column): column for column in columns}
        self._which = [list(distinct).index(id(column)) for column in columns]
        self._columns = [c.to(device) if self.resident else c for c in distinct.values()]
        per_batch = max(1, self._batch_size * total // self._examples)
        size, most = (_PIECE_BYTES_GPU, _MOST_BATCHES_GPU) if self.lasting else (_PIECE_BYTES, _MOST_BATCHES)
        self._per_piece = min(max(1, size // per_batch), most)
        self._buffers: list[Tensor] = []

    def order(self, epoch: int) -> Tensor:
        """The examples' order in `epoch`, ``[examples]`` int64."""
        generator = torch.Generator().manual_seed(stream_seed(self._seed, "shuffle", epoch))
        return torch.randperm(self._examples, generator=generator)

    def pieces(self, epoch: int, first: int = 0) -> Iterator[Iterator[Batch]]:
        """The batches of `epoch` from number `first` on, in pieces.

        The batches of a piece are valid until the next piece is asked for, and longer if :attr:`lasting`.
        """
        order = self.order(epoch)
        if self.resident:
            order = order.to(self._device)
        for piece in range(first // self._per_piece, math.ceil(self.steps / self._per_piece)):
            start = piece * self._per_piece
            stop = min(start + self._per_piece, self.steps)
            sizes = [self._batch_size] * (stop - start)
            if stop == self.steps:
                sizes[-1] = self._last
            begin = start * self._batch_size
            gathered = [
                self._gather(number, order[begin : begin + sum(sizes)]).split_with_sizes(sizes)
                for number in range(len(self._columns))
            ]
            batches: Iterator[Batch] = zip(*[gathered[which] for which in self._which], strict=True)
            for _ in range(start, first):
                next(batches)
            yield batches if self._vary is None else self._varied(batches, epoch, max(start, first))

    def _varied(self, batches: Iterator[Batch], epoch: int, first: int) -> Iterator[Batch]:
        assert self._vary is not None
        for number, batch in enumerate(batches, first):
            yield self._vary(batch, epoch, number)

    def _gather(self, number: int, chosen: Tensor) -> Tensor:
        column = self._columns[number]
        if self._device.type != "cpu":
            if self.resident:
                return _take(column, chosen)
            # Pinned memory that is let go of is used again only when the copy from it is over.
            pinned = torch.empty((len(chosen), *column.shape[1:]), dtype=column.dtype, pin_memory=True)
            _take(column, chosen, pinned)
            return pinned.to(self._device, non_blocking=True)
        if not self._buffers:
            room = self._per_piece * self._batch_size + self._last
            self._buffers = [torch.empty((room, *c.shape[1:]), dtype=c.dtype) for c in self._columns]
        return _take(column, chosen, self._buffers[number][: len(chosen)])


def _take(column: Tensor | Column, chosen: Tensor, out: Tensor | None = None) -> Tensor:
    if isinstance(column, Column):
        return column.take(chosen, out)
    return column.index_select(0, chosen) if out is None else torch.index_select(column, 0, chosen, out=out)
