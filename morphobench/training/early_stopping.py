"""When training ends before its last epoch, and the epoch at which it had converged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from morphobench.errors import InputError

Rule: TypeAlias = Callable[[Sequence[float]], bool]
"""From the training losses of the finished epochs, in order: whether to stop now."""


def study_rule(losses: Sequence[float]) -> bool:
    """The published program's rule for BYOL, asked from the third epoch on.

    Stop when the epoch's training loss has grown twice in a row, exceeds the first epoch's, or equals the
    previous one's to 4 decimals (design, protocol reference-1, point 4).
    """
    if len(losses) < 3:
        return False
    before, previous, last = losses[-3:]
    return before < previous < last or last > losses[0] or round(last, 4) == round(previous, 4)


def _never(losses: Sequence[float]) -> bool:  # noqa: ARG001
    return False


RULES: dict[tuple[str, str], Rule] = {("reference-1", "self_supervised"): study_rule}
"""(protocol, paradigm) -> rule; whatever is not named here trains all its epochs."""


def rule_for(protocol: str, paradigm: str, *, early_stopping: str = "protocol") -> Rule:
    """The rule of a paradigm under a protocol; one that never stops where there is none."""
    return _never if early_stopping == "never" else RULES.get((protocol, paradigm), _never)


def convergence_epoch(losses: Sequence[float], *, tolerance: float = 0.01) -> int | None:
    """The first epoch, from 1, whose validation loss is within ``tolerance`` (1 %) of the lowest.

    None without losses, or when none is finite. For a lowest loss below zero the margin is 1 % of its size.
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    if not finite:
        return None
    lowest = min(finite)
    limit = lowest + tolerance * abs(lowest)
    return next(epoch for epoch, loss in enumerate(losses, start=1) if loss <= limit)


@dataclass(frozen=True)
class Plateau:
    """A loss has converged when it has not fallen by a share of ``improvement`` for ``patience`` epochs.

    The share is of the size of the lowest loss that counted so far; the first loss counts. InputError for an
    improvement outside 0 to 1 or a patience below 1.
    """

    improvement: float = 0.01
    patience: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.improvement < 1:
            raise InputError(f"improvement: 0 or more and below 1 wanted, got {self.improvement}")
        if self.patience < 1:
            raise InputError(f"patience: at least 1 wanted, got {self.patience}")

    def epoch(self, losses: Sequence[float]) -> int | None:
        """The epoch (from 1) of the last improvement; None while it may still be followed by another."""
        best, at = math.inf, 0
        for epoch, loss in enumerate(losses, start=1):
            if at == 0 or loss < best - self.improvement * abs(best):
                best, at = loss, epoch
            elif epoch - at >= self.patience:
                return at
        return None
