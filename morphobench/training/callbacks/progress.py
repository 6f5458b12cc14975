"""How far a training is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from time import perf_counter

from rich.console import Console

from morphobench._util.progress import Progress
from morphobench.training.callbacks.base import Callback
from morphobench.training.results import EpochRecord
from morphobench.training.state import TrainingState


class TrainingProgress(Callback):
    """Progress over all steps: a bar with images/s, the epoch's loss and the time left, or plain lines.

    Without a terminal a line is written when training starts, after each epoch, and at most every
    ``interval_s`` seconds within one.
    """

    def __init__(self, console: Console | None = None, *, interval_s: float = 30.0) -> None:
        """Choose where it is shown.

        Args:
            console: default: stderr.
            interval_s: seconds between lines.
        """
        self._console, self._interval_s = console, interval_s
        self._shown: Progress | None = None
        self._began, self._loss = 0.0, ""

    def start(self, state: TrainingState) -> None:
        """Show the bar, or say what is trained.

        Args:
            state: of the training.
        """
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
        """Show the step.

        Args:
            state: of the training.
        """
        if self._shown is None:
            return
        epoch = min(state.epochs_done + 1, state.options.epochs)
        batches = (state.step - state.resumed_at_step) / state.views
        rate = batches * state.images_per_batch / max(perf_counter() - self._began, 1e-9)
        detail = f"epoch {epoch}/{state.options.epochs}, {rate:.0f} images/s{self._loss}"
        self._shown.update(state.step, detail=detail)

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Show the epoch's losses.

        Args:
            state: of the training.
            record: of the epoch.
        """
        self._loss = f", loss {record.training['loss']:.4g}"
        if self._shown is not None and not self._shown.is_bar:
            validation = "" if record.validation is None else f", validation {record.validation['loss']:.4g}"
            self._shown.print(
                f"{state.setup}: epoch {record.epoch}/{state.options.epochs}{self._loss}{validation}, "
                f"{record.images_per_s:.0f} images/s"
            )

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Remove the bar.

        Args:
            error: not used.
        """
        if self._shown is not None:
            self._shown.stop()


def progress(console: Console | None = None) -> Callback:
    """Make the callback that shows progress: a bar on a terminal, plain lines elsewhere.

    Args:
        console: where it is shown; default: stderr.

    Returns:
        The callback.
    """
    return TrainingProgress(console)
