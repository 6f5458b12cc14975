"""Points of the classifier's hyper-parameter grid, and class weights; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from morphobench.setups import Sweep
from morphobench.types import Float64Array, Int64Array


@dataclass(frozen=True)
class GridPoint:
    """Settings of stochastic gradient descent with momentum."""

    learning_rate: float
    momentum: float
    weight_decay: float


def grid_points(sweep: Sweep) -> list[GridPoint]:
    """List the points of the sweep's grid.

    Args:
        sweep: Learning rates, momenta and weight decays.

    Returns:
        Every combination, the learning rate outermost.
    """
    return [GridPoint(*each) for each in product(sweep.learning_rates, sweep.momenta, sweep.weight_decays)]


def class_weights(labels: Int64Array) -> Float64Array:
    """Weight both classes so that their sums are equal.

    Args:
        labels: (N,) of 0 and 1.

    Returns:
        N / (2 N_class) of both classes.
    """
    counts: Float64Array = np.bincount(labels, minlength=2).astype(np.float64)
    return len(labels) / (2 * counts)
