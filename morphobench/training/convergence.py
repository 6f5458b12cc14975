"""The epoch at which a training had converged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from morphobench.errors import InputError


def convergence_epoch(losses: Sequence[float], *, tolerance: float = 0.01) -> int | None:
    """Find the first epoch whose validation loss is near the lowest.

    Args:
        losses: of each epoch, in order.
        tolerance: how near, as a share of the lowest loss's size.

    Returns:
        The epoch, from 1; None without losses, or when none is finite.
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    if not finite:
        return None
    lowest = min(finite)
    limit = lowest + tolerance * abs(lowest)
    return next(epoch for epoch, loss in enumerate(losses, start=1) if loss <= limit)


@dataclass(frozen=True)
class Plateau:
    """A loss has converged when it has not fallen by a given share for a number of epochs.

    The share is of the size of the lowest loss that counted so far; the first loss counts.

    Attributes:
        improvement: the share, at least 0 and below 1.
        patience: the number of epochs, at least 1.
    """

    improvement: float = 0.01
    patience: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.improvement < 1:
            raise InputError(f"improvement must be at least 0 and below 1, got {self.improvement}")
        if self.patience < 1:
            raise InputError(f"patience must be at least 1, got {self.patience}")

    def epoch(self, losses: Sequence[float]) -> int | None:
        """Find the epoch of the last improvement.

        Args:
            losses: of each epoch, in order.

        Returns:
            The epoch, from 1; None while it may still be followed by another.
        """
        best, at = math.inf, 0
        for epoch, loss in enumerate(losses, start=1):
            if at == 0 or loss < best - self.improvement * abs(best):
                best, at = loss, epoch
            elif epoch - at >= self.patience:
                return at
        return None
