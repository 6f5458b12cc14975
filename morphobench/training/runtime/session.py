"""What surrounds the loop: checkpoints, callbacks, threads, generators and signals."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch

from morphobench.training.callbacks.base import Callback, CallbackList
from morphobench.training.callbacks.first_step import FirstStepCheck
from morphobench.training.callbacks.gradient_averaging import AverageGradients
from morphobench.training.callbacks.metrics_file import MetricsFile
from morphobench.training.checkpoint.manager import CheckpointManager
from morphobench.training.runtime.precision import matrix_products
from morphobench.training.runtime.process_group import ProcessGroup
from morphobench.training.runtime.seeding import isolated_torch_generators
from morphobench.training.runtime.signals import deferred_interrupts
from morphobench.training.state import TrainingState


def active_callbacks(group: ProcessGroup, callbacks: Sequence[Callback]) -> list[Callback]:
    """Choose the callbacks that act in this process.

    Args:
        group: this process among those that train together.
        callbacks: those of the caller.

    Returns:
        All in the first process; in the others those that change the result.
    """
    return [callback for callback in callbacks if group.writes or callback.describe()]


@contextmanager
def session(
    state: TrainingState, callbacks: Sequence[Callback]
) -> Iterator[tuple[CheckpointManager, CallbackList]]:
    """Prepare a training; afterwards threads, generators and signal handlers are as they were.

    Args:
        state: of the training.
        callbacks: those of the caller.

    Yields:
        The manager of checkpoints, and all callbacks as one.
    """
    options, group = state.options, state.group
    own: list[Callback] = [AverageGradients(group)] if group.processes > 1 else []
    own.append(FirstStepCheck())
    if options.folder is not None and group.writes:
        own.append(MetricsFile(options.folder / "metrics.jsonl"))
    together = CallbackList([*own, *active_callbacks(group, callbacks)])
    with ExitStack() as stack:
        if options.threads is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(options.threads)
        stack.enter_context(matrix_products(options.precision, state.device))
        stack.enter_context(isolated_torch_generators(options.seed, state.device))
        interrupts = stack.enter_context(deferred_interrupts())
        try:
            yield CheckpointManager(state, interrupts), together
        finally:
            together.close(sys.exc_info()[1])
