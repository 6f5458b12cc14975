"""Code that is called at fixed moments of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from morphobench.training.results import EpochRecord, TrainingResult
from morphobench.training.state import TrainingState


class Callback:
    """Called at fixed moments of training; each method does nothing unless a subclass says otherwise.

    A callback that changes what training computes (a schedule, clipping) names its settings in
    :meth:`describe`, so that a checkpoint made with other ones is refused.
    """

    def describe(self) -> Mapping[str, Any]:
        """Return settings that change the result, as plain JSON types; empty for those that only watch."""
        return {}

    def start(self, state: TrainingState) -> None:
        """Act before the first step, after a checkpoint has been restored.

        Args:
            state: of the training.
        """

    def before_step(self, state: TrainingState) -> None:
        """Act before each optimizer step.

        Args:
            state: of the training.
        """

    def step(self, state: TrainingState) -> None:
        """Act after each optimizer step.

        Args:
            state: of the training.
        """

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Act after each epoch and its validation, before the checkpoint that holds its record.

        Args:
            state: of the training.
            record: of the epoch.
        """

    def end(self, state: TrainingState, result: TrainingResult) -> None:
        """Act when training has finished.

        Args:
            state: of the training.
            result: what it reports.
        """

    def close(self, error: BaseException | None) -> None:
        """Act last of all, also when training failed: release what is held.

        Args:
            error: what ended training; None when it finished.
        """


class GradientHook(Callback):
    """Base of callbacks that act on the gradients, just before each optimizer's step.

    The optimizers call it, after all micro-batches have added their gradients.
    """

    _handles: Sequence[RemovableHandle] = ()

    def start(self, state: TrainingState) -> None:
        """Register the hooks.

        Args:
            state: of the training.
        """
        self._handles = [
            optimizer.register_step_pre_hook(self._hook) for optimizer in state.objective.optimizers.values()
        ]

    def _hook(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._act([parameter for group in optimizer.param_groups for parameter in group["params"]])

    def _act(self, parameters: list[Tensor]) -> None:
        """Act on the gradients of one optimizer's parameters."""
        raise NotImplementedError

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Remove the hooks.

        Args:
            error: not used.
        """
        for handle in self._handles:
            handle.remove()
        self._handles = ()


class CallbackList(Callback):
    """Several callbacks as one, called in their order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        """Take the callbacks.

        Args:
            callbacks: in the order in which they are called.
        """
        self._callbacks = tuple(callbacks)

    def start(self, state: TrainingState) -> None:
        """Call each one's ``start``.

        Args:
            state: of the training.
        """
        for callback in self._callbacks:
            callback.start(state)

    def before_step(self, state: TrainingState) -> None:
        """Call each one's ``before_step``.

        Args:
            state: of the training.
        """
        for callback in self._callbacks:
            callback.before_step(state)

    def step(self, state: TrainingState) -> None:
        """Call each one's ``step``.

        Args:
            state: of the training.
        """
        for callback in self._callbacks:
            callback.step(state)

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Call each one's ``epoch``.

        Args:
            state: of the training.
            record: of the epoch.
        """
        for callback in self._callbacks:
            callback.epoch(state, record)

    def end(self, state: TrainingState, result: TrainingResult) -> None:
        """Call each one's ``end``.

        Args:
            state: of the training.
            result: what it reports.
        """
        for callback in self._callbacks:
            callback.end(state, result)

    def close(self, error: BaseException | None) -> None:
        """Call each one's ``close``, the last one first.

        Args:
            error: what ended training; None when it finished.
        """
        for callback in reversed(self._callbacks):
            callback.close(error)
