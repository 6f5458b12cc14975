"""Around the loop: checkpoints when due, interrupts between steps, and what must be put back afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any

import torch

from morphobench._util.files import remove_abandoned
from morphobench.training.callbacks.base import Callback, MetricsFile
from morphobench.training.checkpoint import format as checkpoint
from morphobench.training.options import EpochRecord, TrainingResult
from morphobench.training.runtime.precision import matrix_products
from morphobench.training.runtime.process_group import AverageGradients
from morphobench.training.runtime.seeding import isolated_torch_generators
from morphobench.training.runtime.signals import Interrupts, deferred_interrupts
from morphobench.training.state import NonFiniteLossError, TrainingState


class Keeper:
    """Restores and writes the one checkpoint of a run, and lets an interrupt through only after a save."""

    def __init__(self, state: TrainingState, interrupts: Interrupts) -> None:
        self._state, self._interrupts = state, interrupts
        folder = state.options.folder
        self._path = None if folder is None else folder / checkpoint.FILE_NAME
        self._identity: Mapping[str, Any] = {}
        self._saved_at, self._saved_step = perf_counter(), 0

    def restore(self, identity: Mapping[str, Any]) -> None:
        """Go on from the checkpoint, where there is one; InputError when its ``identity`` differs."""
        self._identity = identity
        if self._path is not None and self._path.exists():
            tensors, info = checkpoint.read_checkpoint(self._path)
            checkpoint.refuse_other_options(self._path, found=info["identity"], wanted=identity)
            self._state.restore(tensors, info)
            self._saved_step = self._state.step
        self._state.group.wait()  # nobody writes before everybody has read
        if self._path is not None and self._state.group.writes:
            remove_abandoned(self._path)

    def save(self) -> None:
        """Write a checkpoint; NonFiniteLossError, and the one before stays, when it would not be sound."""
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
        """Save when due; the last step of an epoch waits for the epoch's own."""
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
        """Where an interrupt has come: save, then raise it."""
        if self._interrupts.received is not None:
            self.save()
            self._interrupts.raise_received()


class Watchers(Callback):
    """Several callbacks as one, called in their order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def start(self, state: TrainingState) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.start(state)

    def before_step(self, state: TrainingState) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.before_step(state)

    def step(self, state: TrainingState) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.step(state)

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.epoch(state, record)

    def end(self, state: TrainingState, result: TrainingResult) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.end(state, result)

    def close(self, error: BaseException | None) -> None:
        """Pass on, in reverse."""
        for callback in reversed(self._callbacks):
            callback.close(error)


@contextmanager
def session(state: TrainingState, callbacks: Sequence[Callback]) -> Iterator[tuple[Keeper, Watchers]]:
    """The keeper and the callbacks of a run; afterwards threads, generators and signals are as they were."""
    options = state.options
    group = state.group
    own: list[Callback] = [AverageGradients(group)] if group.processes > 1 else []
    if options.folder is not None and group.writes:
        own.append(MetricsFile(options.folder / "metrics.jsonl"))
    watchers = Watchers([*own, *group.watching(callbacks)])
    with ExitStack() as stack:
        if options.threads is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(options.threads)
        stack.enter_context(matrix_products(options.precision, state.device))
        stack.enter_context(isolated_torch_generators(options.seed, state.device))
        interrupts = stack.enter_context(deferred_interrupts())
        try:
            yield Keeper(state, interrupts), watchers
        finally:
            watchers.close(sys.exc_info()[1])
