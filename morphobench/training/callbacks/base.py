"""What may watch training: the record of each epoch in a file, progress on a terminal or as plain lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console

from morphobench._util.files import write_whole
from morphobench._util.progress import Progress
from morphobench.training.options import EpochRecord, TrainingResult

if TYPE_CHECKING:
    from morphobench.training.state import TrainingState

_log = logging.getLogger("morphobench.training")


class Callback:
    """Called at fixed moments of training; each method does nothing unless a subclass says otherwise.

    A callback that changes what training computes (a schedule, clipping) names its settings in
    :meth:`describe`, so that a checkpoint made with other ones is refused.
    """

    def describe(self) -> Mapping[str, Any]:
        """Settings that change the result, as plain JSON types; empty for those that only watch."""
        return {}

    def start(self, state: TrainingState) -> None:
        """Before the first step, after a checkpoint has been restored."""

    def before_step(self, state: TrainingState) -> None:
        """Before each optimizer step."""

    def step(self, state: TrainingState) -> None:
        """After each optimizer step."""

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """After each epoch and its validation, before the checkpoint that holds its record."""

    def end(self, state: TrainingState, result: TrainingResult) -> None:
        """When training has finished."""

    def close(self, error: BaseException | None) -> None:
        """Last of all, also when training ended with ``error``: release what is held."""


class MetricsFile(Callback):
    """``metrics.jsonl``: one JSON object per line and finished epoch, and one when the loss is not finite.

    Written anew from the history when training goes on from a checkpoint: no epoch stands there twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, state: TrainingState) -> None:
        """Begin the file with the epochs that the checkpoint knows."""
        write_whole(self.path, "".join(self._line(state, record) for record in state.history))

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Append the epoch."""
        self._append(self._line(state, record))

    def close(self, error: BaseException | None) -> None:
        """Append why training failed, where a loss was not finite."""
        terms = getattr(error, "terms", None)
        if error is not None and terms is not None:
            failed = {
                "failed": str(error),
                "epoch": getattr(error, "epoch", None),
                "step": getattr(error, "step", None),
            }
            self._append(_json_line({**failed, "training": terms}))

    def _line(self, state: TrainingState, record: EpochRecord) -> str:
        return _json_line({"setup": state.setup, "protocol": state.objective.protocol, **record.describe()})

    def _append(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)


def _json_line(values: Mapping[str, Any]) -> str:
    def defined(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: defined(item) for key, item in value.items()}
        return None if isinstance(value, float) and not abs(value) < float("inf") else value

    return json.dumps(defined(values), allow_nan=False) + "\n"


class TrainingProgress(Callback):
    """Progress over all steps: a bar with images/s, the epoch's loss and the time left, or plain lines.

    Without a terminal a line is written when training starts, after each epoch, and at most every
    ``interval_s`` seconds within one.

    Args:
        console: where it is shown (default: stderr).
        interval_s: seconds between lines.
    """

    def __init__(self, console: Console | None = None, *, interval_s: float = 30.0) -> None:
        self._console, self._interval_s = console, interval_s
        self._shown: Progress | None = None
        self._began, self._loss = 0.0, ""

    def start(self, state: TrainingState) -> None:
        """Show the bar, or say what is trained."""
        total = state.options.epochs * state.steps_per_epoch
        self._began = perf_counter()
        self._shown = Progress(
            state.setup, total, done=state.step, console=self._console, interval_s=self._interval_s
        )
        self._shown.start()
        if not self._shown.is_bar:
            resumed = f", from step {state.step}" if state.step else ""
            self._shown.print(f"{state.setup}: {state.options.epochs} epochs, {total} steps{resumed}")

    def step(self, state: TrainingState) -> None:
        """Show the step."""
        if self._shown is None:
            return
        epoch = min(state.epochs_done + 1, state.options.epochs)
        rate = _images_per_s(state, perf_counter() - self._began)
        detail = f"epoch {epoch}/{state.options.epochs}, {rate:.0f} images/s{self._loss}"
        self._shown.update(state.step, detail=detail)

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Show the epoch's losses."""
        self._loss = f", loss {record.training['loss']:.4g}"
        if self._shown is not None and not self._shown.is_bar:
            validation = "" if record.validation is None else f", validation {record.validation['loss']:.4g}"
            self._shown.print(
                f"{state.setup}: epoch {record.epoch}/{state.options.epochs}{self._loss}{validation}, "
                f"{record.images_per_s:.0f} images/s"
            )

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Remove the bar."""
        if self._shown is not None:
            self._shown.stop()


def _images_per_s(state: TrainingState, elapsed_s: float) -> float:
    batches = (state.step - state.resumed_at_step) / state.views
    return batches * state.images_per_batch / max(elapsed_s, 1e-9)


def progress(console: Console | None = None) -> Callback:
    """Make the callback that shows progress: a bar on a terminal, plain lines elsewhere.

    Args:
        console: where it is shown (default: stderr).

    Returns:
        The callback.
    """
    return TrainingProgress(console)
