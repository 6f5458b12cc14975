"""Callbacks that change how training goes: schedules of learning rate and EMA decay, gradient clipping.

Each is a pure function of the step, so that a resumed run continues on the same curve; none knows a paradigm.
They need of the objective what they steer: ``optimizers``, a mapping of torch optimizers, or ``ema_decay``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.utils.hooks import RemovableHandle

from morphobench.errors import InputError
from morphobench.training.callbacks.base import Callback

if TYPE_CHECKING:
    from morphobench.training.state import TrainingState


def cosine(start: float, end: float, fraction: float) -> float:
    """Half a cosine from ``start`` at fraction 0 to ``end`` at 1 (Loshchilov and Hutter 2017, equation 5)."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


class LearningRateSchedule(Callback):
    """A linear warm-up to ``peak``, then constant, or down to ``floor`` along a line or half a cosine.

    ``warmup_epochs``: epochs (fractions too) of the warm-up, whose first step has 1 / steps of ``peak``.
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
        if not peak > 0 or not 0 <= floor <= peak:
            raise InputError(f"learning rate: 0 <= floor <= peak and peak > 0 wanted, got {floor} and {peak}")
        if shape not in ("constant", "linear", "cosine"):
            raise InputError(f"shape: 'constant', 'linear' or 'cosine' wanted, got {shape!r}")
        if not warmup_epochs >= 0:
            raise InputError(f"warmup_epochs: 0 or more wanted, got {warmup_epochs}")
        self._peak, self._shape, self._warmup_epochs, self._floor = peak, shape, warmup_epochs, floor

    def describe(self) -> Mapping[str, Any]:
        """All four settings."""
        return {
            "peak": self._peak,
            "shape": self._shape,
            "warmup_epochs": self._warmup_epochs,
            "floor": self._floor,
        }

    def rate(self, step: int, *, steps_per_epoch: int, epochs: int) -> float:
        """The learning rate of optimizer step ``step``, counted from 0."""
        warmup = round(self._warmup_epochs * steps_per_epoch)
        if step < warmup:
            return self._peak * (step + 1) / warmup
        fraction = (step - warmup) / max(epochs * steps_per_epoch - warmup, 1)
        if self._shape == "constant":
            return self._peak
        if self._shape == "linear":
            return self._peak + (self._floor - self._peak) * fraction
        return cosine(self._peak, self._floor, fraction)

    def start(self, state: TrainingState) -> None:
        """InputError where the objective has no optimizers to set."""
        optimizers_of(state, type(self).__name__)

    def before_step(self, state: TrainingState) -> None:
        """Set the rate."""
        rate = self.rate(state.step, steps_per_epoch=state.steps_per_epoch, epochs=state.options.epochs)
        for optimizer in optimizers_of(state, type(self).__name__):
            for group in optimizer.param_groups:
                group["lr"] = rate


class EmaSchedule(Callback):
    """The decay of an exponential moving average, along half a cosine from ``start`` to ``end``.

    With ``end`` 1 it is BYOL's: 1 - (1 - start) (cos(pi k / K) + 1) / 2 (Grill et al. 2020, section 3.3).
    """

    def __init__(self, *, start: float = 0.996, end: float = 1.0) -> None:
        if not (0 <= start <= 1 and 0 <= end <= 1):
            raise InputError(f"ema decay: 0 to 1 wanted, got {start} and {end}")
        self._start, self._end = start, end

    def describe(self) -> Mapping[str, Any]:
        """Both ends."""
        return {"start": self._start, "end": self._end}

    def start(self, state: TrainingState) -> None:
        """InputError where the objective has no ``ema_decay``."""
        if not hasattr(state.objective, "ema_decay"):
            raise InputError(f"EmaSchedule: an objective with ema_decay wanted, got {state.objective.name}")

    def before_step(self, state: TrainingState) -> None:
        """Set the decay."""
        fraction = state.step / (state.options.epochs * state.steps_per_epoch)
        state.objective.ema_decay = cosine(self._start, self._end, fraction)  # type: ignore[attr-defined]


class GradientClipping(Callback):
    """Scale the gradients of each optimizer to a joint L2 norm of at most ``max_norm`` before its step.

    Where an objective has two optimizers, each one's parameters are clipped by themselves. The scaling
    happens in a hook that the optimizer calls, after all micro-batches have added their gradients.
    """

    def __init__(self, max_norm: float) -> None:
        if not max_norm > 0:
            raise InputError(f"max_norm: above 0 wanted, got {max_norm}")
        self._max_norm = max_norm
        self._handles: list[RemovableHandle] = []

    def describe(self) -> Mapping[str, Any]:
        """The largest norm."""
        return {"max_norm": self._max_norm}

    def start(self, state: TrainingState) -> None:
        """Hang the hooks; InputError where the objective has no optimizers."""
        for optimizer in optimizers_of(state, type(self).__name__):
            self._handles.append(optimizer.register_step_pre_hook(self._clip))

    def _clip(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self._max_norm)

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def optimizers_of(state: TrainingState, asking: str) -> list[torch.optim.Optimizer]:
    """The objective's optimizers; InputError, naming who asks, where it has no mapping of them."""
    optimizers = getattr(state.objective, "optimizers", None)
    if not isinstance(optimizers, Mapping):
        name = state.objective.name
        raise InputError(f"{asking}: an objective with a mapping of optimizers wanted, got {name}")
    return list(optimizers.values())
