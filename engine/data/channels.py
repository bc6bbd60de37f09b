"""Standardising pictures per channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.data.pool import Indices, Pool

#: Pictures that are measured, evenly taken from the training examples.
_MEASURED = 2000


def channel_fit(pool: Pool) -> Pool:
    """`pool`, whose bytes ``[N, C, …]`` will be standardised per channel once it is known what trains."""

    def fit(train: Indices) -> Pool:
        chosen = train[:: max(1, len(train) // _MEASURED)]
        values = pool.inputs["input"][chosen].astype(np.float64) * pool.scale
        axes = (0, *range(2, values.ndim))
        mean = values.mean(axes).reshape(-1, *[1] * (values.ndim - 2))
        deviation = values.std(axes).reshape(mean.shape)
        return replace(
            pool,
            fit=None,
            mean=mean.astype(np.float32),
            deviation=np.where(deviation > 0, deviation, 1).astype(np.float32),
        )

    return replace(pool, fit=fit)
