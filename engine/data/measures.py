"""Standardising: means and deviations of the training examples, and of them alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.data.pool import Array, Indices, Part, Pool


def spread(values: Array) -> tuple[Array, Array]:
    """Mean and deviation of each column of ``[examples, …]``, NaN left out; a constant has deviation 1."""
    with np.errstate(invalid="ignore"):
        mean = np.nan_to_num(np.nanmean(values, axis=0, dtype=np.float64))
        deviation = np.nan_to_num(np.nanstd(values, axis=0, dtype=np.float64))
    return mean, np.where(deviation > 0, deviation, 1.0)


def standardised(pool: Pool, train: Indices, *, inputs: bool = True, targets: bool = False) -> Pool:
    """`pool` with float columns and value targets at mean 0 and deviation 1 over the examples `train`."""
    test = pool.test
    if inputs:
        new, new_test = dict(pool.inputs), dict(test.inputs) if test is not None else {}
        for name, values in pool.inputs.items():
            if values.dtype == np.float32:
                mean, deviation = spread(values[train])
                new[name] = ((values - mean) / deviation).astype(np.float32)
                if test is not None:
                    new_test[name] = ((test.inputs[name] - mean) / deviation).astype(np.float32)
        pool = replace(pool, inputs=new)
        test = None if test is None else Part(new_test, test.targets)
    if targets:
        mean, deviation = spread(pool.targets[train])
        pool = replace(
            pool,
            targets=((pool.targets - mean) / deviation).astype(np.float32),
            target_scale=(tuple(map(float, mean)), tuple(map(float, deviation))),
        )
        if test is not None:
            test = Part(test.inputs, ((test.targets - mean) / deviation).astype(np.float32))
    return replace(pool, test=test, fit=None)
