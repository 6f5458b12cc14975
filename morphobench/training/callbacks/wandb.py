"""The record of each epoch in Weights & Biases, by the extra ``tracking``."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Literal

from morphobench import types
from morphobench._util.extras import load_extra
from morphobench.training.callbacks.base import Callback
from morphobench.training.callbacks.tensorboard import LOGGED_OPTIONS, scalars
from morphobench.training.results import EpochRecord
from morphobench.training.state import TrainingState

Mode = Literal["online", "offline"]


class WeightsAndBiases(Callback):
    """Losses and speed of each epoch in one run of Weights & Biases, which a resumed training continues.

    Args:
        project: name of the project.
        folder: where files are kept until they are sent.
        mode: ``"offline"`` sends nothing (``wandb sync`` does it later), ``"online"`` sends at once.

    Raises:
        InputError: wandb is not installed.
    """

    def __init__(
        self, project: str = "morphobench", *, folder: types.Path = ".", mode: Mode = "offline"
    ) -> None:
        self._wandb = load_extra("wandb", extra="tracking")
        self._project, self._folder, self._mode = project, folder, mode
        self._run: Any = None

    def start(self, state: TrainingState) -> None:
        """Begin the run, or continue the one that a resumed training began.

        Args:
            state: of the training.
        """
        options = state.options
        identity = sha256(f"{state.setup} {options.seed} {options.data_id}".encode()).hexdigest()[:16]
        self._run = self._wandb.init(
            project=self._project,
            dir=str(self._folder),
            mode=self._mode,
            id=identity,
            resume="allow",
            name=state.setup,
            config={name: value for name, value in vars(options).items() if name in LOGGED_OPTIONS},
        )

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:  # noqa: ARG002
        """Log the epoch.

        Args:
            state: not used.
            record: of the epoch.
        """
        self._run.log(scalars(record), step=record.epoch)

    def close(self, error: BaseException | None) -> None:
        """End the run: finished, or failed.

        Args:
            error: what ended training; None when it finished.
        """
        if self._run is not None:
            self._run.finish(exit_code=0 if error is None else 1)
