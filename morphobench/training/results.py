"""What training reports: frozen data without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SHUFFLED = "shuffled"
"""How batches are sampled unless an objective declares otherwise."""


@dataclass(frozen=True)
class MemoryEstimate:
    """What training adds to the process at its peak, in bytes.

    Attributes:
        state_bytes: gradients and Adam's two moments.
        activations_bytes: intermediate results of the images that pass through the networks together.
        views_bytes: the loader's buffers.
        libraries_bytes: what the libraries take besides.
    """

    state_bytes: int
    activations_bytes: int
    views_bytes: int
    libraries_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return self.state_bytes + self.activations_bytes + self.views_bytes + self.libraries_bytes


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch.

    Attributes:
        epoch: its number, from 1.
        step: optimizer steps done since the start of training.
        training: mean of each of the objective's terms over the epoch's steps; ``loss`` among them.
        validation: mean of each term over the validation images, whole-image view; None without them.
        seconds: wall time of loading and steps, without validation and checkpoints.
        validation_seconds: wall time of the validation.
        feed_wait_s: the part of ``seconds`` in which the step waited for views.
        images_per_s: images (not views) per second of ``seconds``.
    """

    epoch: int
    step: int
    training: dict[str, float]
    validation: dict[str, float] | None
    seconds: float
    validation_seconds: float
    feed_wait_s: float
    images_per_s: float

    def describe(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return dict(vars(self))


@dataclass(frozen=True)
class TrainingResult:
    """What training did; the objective itself holds the weights.

    Attributes:
        history: one record per finished epoch.
        time_per_view_ns: median wall time of a training step divided by the batch size, loading and the
            first (warm-up) step excluded.
        time_per_epoch_s: mean of the epochs' ``seconds``.
        feed_wait_s: mean per epoch of the time spent waiting for views.
        views_trained: views that entered an optimizer step, over all epochs.
        convergence_epoch: first epoch (from 1) whose validation loss is within 1 % of the best; None without
            validation images.
        stopped_early: whether the protocol's rule ended training before the last epoch.
        epochs_done: finished epochs.
        resumed_at_step: the step from which this call went on; 0 when it began anew.
        memory_estimate_bytes: what training was expected to add to the process at its peak.
        sampling: how batches were sampled; ``"shuffled"`` is the order that all setups share.
    """

    history: tuple[EpochRecord, ...]
    time_per_view_ns: float
    time_per_epoch_s: float
    feed_wait_s: float
    views_trained: int
    convergence_epoch: int | None
    stopped_early: bool
    epochs_done: int
    resumed_at_step: int
    memory_estimate_bytes: int | None
    sampling: str = SHUFFLED

    def describe(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return {**vars(self), "history": [record.describe() for record in self.history]}
