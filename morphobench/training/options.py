"""What training is asked to do, and what it reports: frozen data without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from morphobench import types
from morphobench.errors import InputError

_COUNTS = ("epochs", "batch_size", "accumulate", "size_px")


@dataclass(frozen=True)
class TrainingOptions:
    """How a setup is trained; the defaults are the study's.

    Attributes:
        epochs: passes over the images.
        pause_after_epoch: leave after this epoch (from 1) although more are wanted; the same call with a
            later one, or None, goes on from the checkpoint. Changes no result.
        batch_size: images in a batch; a batch of V views is V optimizer steps of this many.
        accumulate: batches whose gradients are averaged into one optimizer step. Steps, order and dropped
            images are those of ``accumulate`` times ``batch_size``; but only ``batch_size`` images are in
            the networks together, and in BatchNorm's statistics.
        precision: ``"float32"``, or on CUDA devices ``"tf32"`` or ``"bf16"`` (autocast around each step).
        seed: keys the order of images and the views; the objective has been created with its own.
        size_px: height and width of a view.
        device: where torch trains, such as ``"cpu"`` or ``"cuda:0"``.
        threads: threads of torch and of the views; None leaves torch's number and takes all cores for views.
        checkpoint_dir: folder of ``checkpoint.safetensors`` and ``metrics.jsonl``; training goes on from a
            checkpoint found there. None keeps nothing.
        checkpoint_every_s: seconds between checkpoints within an epoch; None: only at the end of each.
        checkpoint_every_steps: steps between checkpoints within an epoch, counted beside the seconds.
        early_stopping: ``"protocol"`` applies the protocol's rule (reference-1: the study's, for BYOL only);
            ``"never"`` trains every epoch.
        prefetch: whether a thread makes the next batch while one trains. None: with an accelerator only; on a
            CPU both would share the cores, and the step's time would no longer be the step's own.
        check_memory: whether to refuse, before the first step, what the estimate says cannot fit.
        data_id: an identity of the images, such as the store's checksum; a checkpoint of another is refused.
    """

    epochs: int = 50
    batch_size: int = 256
    accumulate: int = 1
    precision: types.Precision = "float32"
    seed: int = 0
    size_px: int = 64
    device: str = "cpu"
    threads: int | None = None
    checkpoint_dir: types.Path | None = None
    checkpoint_every_s: float | None = 60.0
    checkpoint_every_steps: int | None = None
    early_stopping: Literal["protocol", "never"] = "protocol"
    prefetch: bool | None = None
    check_memory: bool = True
    data_id: str | None = None
    pause_after_epoch: int | None = None

    def __post_init__(self) -> None:
        for name in (*_COUNTS, "threads", "checkpoint_every_steps", "pause_after_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}: at least 1 wanted, got {value}")
        if self.seed < 0:
            raise InputError(f"seed: 0 or more wanted, got {self.seed}")
        if self.early_stopping not in ("protocol", "never"):
            raise InputError(f"early_stopping: 'protocol' or 'never' wanted, got {self.early_stopping!r}")

    @property
    def images_per_step(self) -> int:
        """Images of one optimizer step, where there are so many."""
        return self.batch_size * self.accumulate

    @property
    def last_epoch(self) -> int:
        """The epoch, from 1, after which ``train`` returns."""
        return self.epochs if self.pause_after_epoch is None else min(self.epochs, self.pause_after_epoch)

    @property
    def folder(self) -> Path | None:
        """``checkpoint_dir`` as a Path."""
        return None if self.checkpoint_dir is None else Path(self.checkpoint_dir)


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch.

    Attributes:
        epoch: its number, from 1.
        step: optimizer steps done since the start of training.
        training: mean of each of the objective's terms over the epoch's steps; ``loss`` among them.
        validation: mean of each term over the validation images, whole-image view; None without them.
        seconds: wall time of feeding and steps, without validation and checkpoints.
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
        """The fields as plain JSON types."""
        return dict(vars(self))


@dataclass(frozen=True)
class TrainingResult:
    """What training did; the objective itself holds the weights.

    Attributes:
        history: one record per finished epoch.
        time_per_view_ns: median wall time of a training step divided by the batch size, feeding and the
            first (warm-up) step excluded.
        time_per_epoch_s: mean of the epochs' ``seconds``.
        feed_wait_s: mean per epoch of the time spent waiting for views.
        views_trained: views that entered an optimizer step, over all epochs.
        convergence_epoch: first epoch (from 1) whose validation loss is within 1 % of the best; None without
            validation images.
        stopped_early: whether the protocol's rule ended training before the last epoch.
        epochs_done: finished epochs.
        resumed_at_step: the step from which this call went on; 0 when it began anew.
        memory_estimate_bytes: what training was expected to hold beside the libraries and the images.
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

    def describe(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        return {**vars(self), "history": [record.describe() for record in self.history]}
