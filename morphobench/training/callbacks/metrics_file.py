"""The record of each epoch in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from morphobench._util.files import write_whole
from morphobench._util.json import to_json
from morphobench.training.callbacks.base import Callback
from morphobench.training.results import EpochRecord
from morphobench.training.state import NonFiniteLossError, TrainingState


class MetricsFile(Callback):
    """``metrics.jsonl``: one JSON object per line and finished epoch, and one when the loss is not finite.

    Written anew from the history when training goes on from a checkpoint: no epoch stands there twice.
    """

    def __init__(self, path: Path) -> None:
        """Take the file's place.

        Args:
            path: of the file; its folder is made where it is absent.
        """
        self.path = path

    def start(self, state: TrainingState) -> None:
        """Begin the file with the epochs that the checkpoint knows.

        Args:
            state: of the training.
        """
        write_whole(self.path, "".join(self._line(state, record) for record in state.history))

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Append the epoch.

        Args:
            state: of the training.
            record: of the epoch.
        """
        self._append(self._line(state, record))

    def close(self, error: BaseException | None) -> None:
        """Append why training failed, where a loss was not finite.

        Args:
            error: what ended training.
        """
        if isinstance(error, NonFiniteLossError):
            failed = {"failed": str(error), "epoch": error.epoch, "step": error.step}
            self._append(_json_line({**failed, "training": error.terms}))

    def _line(self, state: TrainingState, record: EpochRecord) -> str:
        return _json_line({"setup": state.setup, "protocol": state.objective.protocol, **record.describe()})

    def _append(self, line: str) -> None:
        # appended, not replaced: a long run's file would be written anew in every epoch
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)


def _json_line(values: Mapping[str, Any]) -> str:
    return to_json(values) + "\n"
