"""Training state: counters, history and (de)serialization for checkpoints."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from time import perf_counter
from typing import Any

import torch

from morphobench.errors import CheckError
from morphobench.objectives import Objective
from morphobench.options import TrainingOptions
from morphobench.training.convergence import convergence_epoch
from morphobench.training.data.loader import Step, StepLoader
from morphobench.training.results import EpochRecord, MemoryEstimate, TrainingResult
from morphobench.training.runtime.process_group import ProcessGroup
from morphobench.training.runtime.seeding import generator_states, restore_generators
from morphobench.training.runtime.step_timer import StepTimer


class NonFiniteLossError(CheckError):
    """The loss, or the weights it made, are NaN or infinite: the setup ends, its last good checkpoint stays.

    Attributes:
        epoch: from 1.
        step: optimizer steps done since the start of training.
        terms: the mean so far of each of the epoch's terms.
    """

    def __init__(self, found: str, state: TrainingState) -> None:
        """Note where training stood.

        Args:
            found: what was not finite, for the message.
            state: of the training.
        """
        self.epoch, self.step, self.terms = state.epochs_done + 1, state.step, state.means()
        super().__init__(
            f"{state.setup}: loss and weights must be finite, got {found} by step {self.step} "
            f"(epoch {self.epoch}). A lower learning rate or gradient clipping may help; "
            "the last good checkpoint is kept"
        )


class TrainingState:
    """The position in the run, the epoch's sums, the history and the times; callbacks read it.

    Attributes:
        objective: what is trained; holds weights, optimizers and all else of its own.
        options: of the training.
        setting: the setting of the views.
        steps_per_epoch: optimizer steps in an epoch.
        images_per_batch: images of one batch, over all processes.
        views: views per image.
        sampling: how batches are sampled.
        position: optimizer steps done in the present epoch.
        history: one record per finished epoch.
        resumed_at_step: the step at which this process took over.
        memory: what training is expected to need.
        group: this process among those that train together.
    """

    def __init__(
        self,
        objective: Objective,
        options: TrainingOptions,
        *,
        setting: str,
        loader: StepLoader,
        group: ProcessGroup | None = None,
    ) -> None:
        """Begin before the first step.

        Args:
            objective: what is trained.
            options: of the training.
            setting: the setting of the views.
            loader: what the steps come from; only its sizes are read.
            group: this process among those that train together; default: alone.
        """
        self.group = group or ProcessGroup()
        self.objective, self.options, self.setting = objective, options, setting
        self.steps_per_epoch, self.views = loader.steps_per_epoch, loader.views
        self.images_per_batch, self.sampling = loader.batch_size, loader.sampling
        self.device = torch.device(options.device)
        self.timer = StepTimer(self.device)
        self.position = 0
        self.history: list[EpochRecord] = []
        self.resumed_at_step = 0
        self.stopped_early = False
        self.memory: MemoryEstimate | None = None
        self.seconds = 0.0
        self.feed_wait_s = 0.0
        self._sums: dict[str, torch.Tensor] = {}

    @property
    def epochs_done(self) -> int:
        """Finished epochs; the present one, counted from 0."""
        return len(self.history)

    @property
    def step(self) -> int:
        """Optimizer steps done since the start of training."""
        return self.epochs_done * self.steps_per_epoch + self.position

    @property
    def setup(self) -> str:
        """``"paradigm/setting"``."""
        return f"{self.objective.name}/{self.setting}"

    def count(self, terms: Mapping[str, torch.Tensor]) -> None:
        """Add a finished step, without reading its terms from the device.

        Args:
            terms: 0-dim tensors by name.
        """
        for name, value in terms.items():
            held = self._sums.get(name)
            value = value.detach().double()
            self._sums[name] = value.clone() if held is None else held.add_(value)
        self.position += 1
        if self.device.type == "cpu":
            self.require_finite()

    def require_finite(self) -> None:
        """Raise NonFiniteLossError when a loss of the present epoch was not finite: a sum keeps that."""
        loss = self._sums.get("loss")
        if loss is not None and not math.isfinite(loss.item()):
            raise NonFiniteLossError(f"a loss of {loss.item():g}", self)

    def means(self) -> dict[str, float]:
        """Return the mean of each term over the present epoch's steps so far."""
        return {name: total.item() / max(self.position, 1) for name, total in self._sums.items()}

    def timed(self, steps: Generator[Step]) -> Generator[Step]:
        """Count the epoch's seconds, and those spent waiting for views.

        Args:
            steps: of an epoch.

        Yields:
            The same steps.
        """
        asked = begun = perf_counter()
        try:
            for step in steps:
                self.feed_wait_s += perf_counter() - asked
                yield step
                now = perf_counter()
                self.seconds += now - begun
                asked = begun = now
        finally:
            steps.close()  # a prefetching loader's thread ends with the epoch, whatever ended it

    def end_epoch(self, validation: dict[str, float] | None, *, validation_seconds: float) -> EpochRecord:
        """Close the epoch: its record joins the history, the sums begin anew.

        Args:
            validation: mean of each term over the validation images; None without them.
            validation_seconds: wall time of the validation.

        Returns:
            The record.
        """
        record = EpochRecord(
            epoch=self.epochs_done + 1,
            step=self.step,
            training=self.group.mean(self.means()),
            validation=validation,
            seconds=self.seconds,
            validation_seconds=validation_seconds,
            feed_wait_s=self.feed_wait_s,
            images_per_s=self.steps_per_epoch // self.views * self.images_per_batch / max(self.seconds, 1e-9),
        )
        self.history.append(record)
        self.position, self.seconds, self.feed_wait_s = 0, 0.0, 0.0
        self._sums = {}
        return record

    def result(self) -> TrainingResult:
        """Return what training reports."""
        epochs = len(self.history)
        validation = [record.validation["loss"] for record in self.history if record.validation is not None]
        return TrainingResult(
            history=tuple(self.history),
            time_per_view_ns=self.timer.median_ns() / self.images_per_batch,
            time_per_epoch_s=sum(record.seconds for record in self.history) / max(epochs, 1),
            feed_wait_s=sum(record.feed_wait_s for record in self.history) / max(epochs, 1),
            views_trained=self.step * self.images_per_batch,
            convergence_epoch=convergence_epoch(validation),
            stopped_early=self.stopped_early,
            epochs_done=epochs,
            resumed_at_step=self.resumed_at_step,
            memory_estimate_bytes=None if self.memory is None else self.memory.total_bytes,
            sampling=self.sampling,
        )

    def save(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return tensors and JSON from which :meth:`restore` continues bit for bit."""
        tensors = {f"objective.{name}": tensor for name, tensor in self.objective.state_dict().items()}
        tensors |= {f"sums.{name}": total for name, total in self._sums.items()}
        tensors |= {f"generator.{name}": state for name, state in generator_states(self.device).items()}
        tensors["step_times_ns"] = torch.tensor(self.timer.read(), dtype=torch.int64)
        info = {
            "position": self.position,
            "step": self.step,
            "seconds": self.seconds,
            "feed_wait_s": self.feed_wait_s,
            "stopped_early": self.stopped_early,
            "history": [record.describe() for record in self.history],
        }
        return tensors, info

    def restore(self, tensors: Mapping[str, torch.Tensor], info: Mapping[str, Any]) -> None:
        """Take over what :meth:`save` returned, objective and generators included.

        Args:
            tensors: by name.
            info: the JSON.
        """
        self.objective.load_state_dict(_under("objective.", tensors))
        self._sums = {name: total.to(self.device) for name, total in _under("sums.", tensors).items()}
        restore_generators(_under("generator.", tensors), self.device)
        self.timer.times_ns = tensors["step_times_ns"].tolist()
        self.history = [EpochRecord(**record) for record in info["history"]]
        self.position, self.stopped_early = info["position"], info["stopped_early"]
        self.seconds, self.feed_wait_s = info["seconds"], info["feed_wait_s"]
        self.resumed_at_step = self.step


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
