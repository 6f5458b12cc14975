"""The record of each epoch in TensorBoard, by the extra ``tensorboard``."""

from __future__ import annotations

from typing import Any

from morphobench import types
from morphobench._util.extras import load_extra
from morphobench.training.callbacks.base import Callback
from morphobench.training.results import EpochRecord
from morphobench.training.state import TrainingState

LOGGED_OPTIONS = ("epochs", "batch_size", "accumulate", "precision", "seed", "device")
"""Options that trackers note with a run."""


def scalars(record: EpochRecord) -> dict[str, float]:
    """Name the numbers of an epoch as trackers show them.

    Args:
        record: the epoch.

    Returns:
        Each term as ``training/TERM`` and ``validation/TERM``, and ``speed/images_per_s``.
    """
    found = {f"training/{name}": value for name, value in record.training.items()}
    found |= {f"validation/{name}": value for name, value in (record.validation or {}).items()}
    return {**found, "speed/images_per_s": record.images_per_s}


class TensorBoard(Callback):
    """Losses and speed of each epoch as scalars in an event file."""

    def __init__(self, folder: types.Path) -> None:
        """Take the folder.

        Args:
            folder: of the event file.

        Raises:
            InputError: where the package tensorboard is absent.
        """
        self._writers = load_extra("torch.utils.tensorboard", extra="tensorboard")
        self._folder = folder
        self._writer: Any = None

    def start(self, state: TrainingState) -> None:
        """Open the event file; what a killed run wrote after its last checkpoint is hidden.

        Args:
            state: of the training.
        """
        purge = state.epochs_done + 1 if state.resumed_at_step else None
        self._writer = self._writers.SummaryWriter(str(self._folder), purge_step=purge)

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:  # noqa: ARG002
        """Write the epoch.

        Args:
            state: not used.
            record: of the epoch.
        """
        for name, value in scalars(record).items():
            self._writer.add_scalar(name, value, record.epoch)

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Close the event file.

        Args:
            error: not used.
        """
        if self._writer is not None:
            self._writer.close()
