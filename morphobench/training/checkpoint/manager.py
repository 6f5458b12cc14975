"""When the checkpoint of a run is written and read, and when an interrupt may end the run."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from morphobench._util.files import remove_abandoned
from morphobench.errors import InputError
from morphobench.training.checkpoint import format as checkpoint
from morphobench.training.runtime.signals import Interrupts
from morphobench.training.state import NonFiniteLossError, TrainingState


class CheckpointManager:
    """Restores and writes the one checkpoint of a run, and lets an interrupt through only after a save."""

    def __init__(self, state: TrainingState, interrupts: Interrupts) -> None:
        """Take a training that has not begun.

        Args:
            state: of the training.
            interrupts: where a received signal is noted.
        """
        self._state, self._interrupts = state, interrupts
        folder = state.options.folder
        self._path = None if folder is None else folder / checkpoint.FILE_NAME
        self._identity: Mapping[str, Any] = {}
        self._saved_at, self._saved_step = perf_counter(), 0

    def restore(self, identity: Mapping[str, Any]) -> None:
        """Go on from the checkpoint, where there is one.

        Args:
            identity: what the checkpoint's run must share with this one.

        Raises:
            InputError: for a checkpoint of another run, naming what differs.
        """
        self._identity = identity
        if self._path is not None and self._path.exists():
            tensors, info = checkpoint.read_checkpoint(self._path)
            checkpoint.refuse_other_options(self._path, found=info["identity"], expected=identity)
            try:
                self._state.restore(tensors, info)
            except (InputError, KeyError) as error:
                raise InputError(
                    f"{self._path} must hold the whole state of training, got: {error}"
                ) from error
            self._saved_step = self._state.step
        self._state.group.wait()  # nobody writes before everybody has read
        if self._path is not None and self._state.group.writes:
            remove_abandoned(self._path)

    def save(self) -> None:
        """Write a checkpoint; the one before stays when this one would not be sound.

        Raises:
            NonFiniteLossError: when a loss or a weight is not finite.
        """
        if self._path is None or not self._state.group.writes:
            return
        self._state.require_finite()
        tensors, info = self._state.save()
        broken = checkpoint.non_finite(tensors)
        if broken is not None:
            raise NonFiniteLossError(f"NaN or infinities in {broken.removeprefix('objective.')}", self._state)
        checkpoint.write_checkpoint(self._path, tensors, {**info, "identity": self._identity})
        self._saved_at, self._saved_step = perf_counter(), self._state.step

    def after_step(self) -> None:
        """Save when due; the last step of an epoch waits for the epoch's own checkpoint."""
        options, state = self._state.options, self._state
        due = (
            options.checkpoint_every_s is not None
            and perf_counter() - self._saved_at >= options.checkpoint_every_s
        ) or (
            options.checkpoint_every_steps is not None
            and state.step - self._saved_step >= options.checkpoint_every_steps
        )
        if due and state.position < state.steps_per_epoch:
            began = perf_counter()
            self.save()
            state.seconds -= perf_counter() - began  # writing is no part of the epoch's time
        self.stop_if_asked()

    def after_epoch(self) -> None:
        """Save, then let an interrupt through."""
        self.save()
        self._interrupts.raise_received()

    def stop_if_asked(self) -> None:
        """Save and raise, where an interrupt was received."""
        if self._interrupts.received is not None:
            self.save()
            self._interrupts.raise_received()
