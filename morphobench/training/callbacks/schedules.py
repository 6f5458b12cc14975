"""Callbacks that change how training goes: schedules of learning rate and EMA decay, gradient clipping.

Each is a pure function of the step, so that a resumed run continues on the same curve; none knows a paradigm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.options import TrainingOptions
from morphobench.training.callbacks.base import Callback, GradientHook
from morphobench.training.state import TrainingState


def cosine(start: float, end: float, fraction: float) -> float:
    """Follow half a cosine (Loshchilov and Hutter 2017, "SGDR", equation 5).

    Args:
        start: the value at fraction 0.
        end: the value at fraction 1.
        fraction: 0 to 1.

    Returns:
        The value.
    """
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


class LearningRateSchedule(Callback):
    """A linear warm-up to a peak, then constant, or down along a line or half a cosine.

    Sets the rate of every optimizer before each step; the objective's own rate is not used.
    """

    def __init__(
        self,
        *,
        peak: float,
        shape: Literal["constant", "linear", "cosine"] = "cosine",
        warmup_epochs: float = 0.0,
        floor: float = 0.0,
    ) -> None:
        """Take the shape.

        Args:
            peak: the highest learning rate.
            shape: of the curve after the warm-up.
            warmup_epochs: epochs (fractions too) of the warm-up, whose first step has 1 / steps of ``peak``.
            floor: the rate at the end.

        Raises:
            InputError: for numbers out of range or another shape.
        """
        if not peak > 0 or not 0 <= floor <= peak:
            raise InputError(f"learning rates must be 0 <= floor <= peak, peak > 0, got {floor} and {peak}")
        if shape not in ("constant", "linear", "cosine"):
            raise InputError(f"shape must be 'constant', 'linear' or 'cosine', got {shape!r}")
        if not warmup_epochs >= 0:
            raise InputError(f"warmup_epochs must be at least 0, got {warmup_epochs}")
        self._peak, self._shape, self._warmup_epochs, self._floor = peak, shape, warmup_epochs, floor

    def describe(self) -> Mapping[str, Any]:
        """Return all four settings."""
        return {
            "peak": self._peak,
            "shape": self._shape,
            "warmup_epochs": self._warmup_epochs,
            "floor": self._floor,
        }

    def rate(self, step: int, *, steps_per_epoch: int, epochs: int) -> float:
        """Compute the learning rate of a step.

        Args:
            step: optimizer step, from 0.
            steps_per_epoch: optimizer steps in an epoch.
            epochs: of the whole training.

        Returns:
            The rate.
        """
        warmup = round(self._warmup_epochs * steps_per_epoch)
        if step < warmup:
            return self._peak * (step + 1) / warmup
        fraction = (step - warmup) / max(epochs * steps_per_epoch - warmup, 1)
        if self._shape == "constant":
            return self._peak
        if self._shape == "linear":
            return self._peak + (self._floor - self._peak) * fraction
        return cosine(self._peak, self._floor, fraction)

    def before_step(self, state: TrainingState) -> None:
        """Set the rate.

        Args:
            state: of the training.
        """
        rate = self.rate(state.step, steps_per_epoch=state.steps_per_epoch, epochs=state.options.epochs)
        for optimizer in state.objective.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate


class EmaSchedule(Callback):
    """The decay of an exponential moving average, along half a cosine.

    With ``end`` 1 it is BYOL's: 1 - (1 - start) (cos(pi k / K) + 1) / 2 (Grill et al. 2020, section 3.3).
    """

    def __init__(self, *, start: float = 0.996, end: float = 1.0) -> None:
        """Take both ends.

        Args:
            start: the decay of the first step.
            end: the decay after the last.

        Raises:
            InputError: for a decay outside 0 to 1.
        """
        if not (0 <= start <= 1 and 0 <= end <= 1):
            raise InputError(f"ema decay must be 0 to 1, got {start} and {end}")
        self._start, self._end = start, end

    def describe(self) -> Mapping[str, Any]:
        """Return both ends."""
        return {"start": self._start, "end": self._end}

    def start(self, state: TrainingState) -> None:
        """Check that the objective has a moving average.

        Args:
            state: of the training.

        Raises:
            InputError: where its ``ema_decay`` is None.
        """
        if state.objective.ema_decay is None:
            raise InputError(f"EmaSchedule must have an objective with ema_decay, got {state.objective.name}")

    def before_step(self, state: TrainingState) -> None:
        """Set the decay.

        Args:
            state: of the training.
        """
        fraction = state.step / (state.options.epochs * state.steps_per_epoch)
        state.objective.ema_decay = cosine(self._start, self._end, fraction)


class GradientClipping(GradientHook):
    """Bound the joint L2 norm of each optimizer's gradients before its step.

    Where an objective has two optimizers, each one's parameters are clipped by themselves.
    """

    def __init__(self, max_norm: float) -> None:
        """Take the bound.

        Args:
            max_norm: the largest norm.

        Raises:
            InputError: where it is not above 0.
        """
        if not max_norm > 0:
            raise InputError(f"max_norm must be above 0, got {max_norm}")
        self._max_norm = max_norm

    def describe(self) -> Mapping[str, Any]:
        """Return the largest norm."""
        return {"max_norm": self._max_norm}

    def _act(self, parameters: list[Tensor]) -> None:
        torch.nn.utils.clip_grad_norm_(parameters, self._max_norm)


def learning_rate_schedule(options: TrainingOptions) -> list[Callback]:
    """Make the schedule that the options of training ask for.

    Args:
        options: of the training.

    Returns:
        Nothing for a constant rate; for one cycle (Smith and Topin 2018, "Super-convergence") a linear rise
        in the first 30 % of the epochs, then half a cosine down to 0.
    """
    if options.schedule == "constant":
        return []
    return [LearningRateSchedule(peak=options.learning_rate, warmup_epochs=0.3 * options.epochs)]
