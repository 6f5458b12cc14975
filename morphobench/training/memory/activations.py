"""Memory of an objective's intermediate results, from the tensors alive in steps of a few images."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from morphobench.objectives import Batch, Objective
from morphobench.objectives.protocol import GROUPS

_reference: Any = StorageWeakRef  # untyped in torch

SCRATCH = 1.6
"""Memory for each byte that passes through on a CPU: convolutions' own buffers, and freed memory that the C
library keeps. As measured for the four paradigms (tests/training/memory/test_estimate.py)."""


@dataclass(frozen=True)
class ActivationMemory:
    """Bytes of a step beside weights, gradients and moments, as a function of its images.

    Attributes:
        fixed: whatever the images.
        each_thread: gradients that each thread sums by itself.
        kept: of each image of the batch until its end.
        passing: of each image while its micro-batch passes through.
        part: images of a micro-batch; None: the whole batch passes at once.
        threads: micro-batches that pass at a time.
    """

    fixed: float
    each_thread: float
    kept: float
    passing: float
    part: int | None
    threads: int

    def bytes_of(self, images: int) -> int:
        """Compute what a step takes.

        Args:
            images: of the step.

        Returns:
            Bytes.
        """
        part = images if self.part is None else min(self.part, images)
        threads = min(self.threads, -(-images // part))
        passing = SCRATCH * self.passing * part * threads
        return round(self.fixed + self.each_thread * threads + self.kept * images + passing)


def measure_activations(
    objective: Objective, *, view_shape: tuple[int, ...], device: torch.device
) -> ActivationMemory | None:
    """Measure a copy of an objective.

    Steps of 2 and 4 images at once tell what passes through, 8 and 16 images in parts of 2 what is kept.

    Args:
        objective: what is trained; it is left as it was.
        view_shape: (C, S, S).
        device: where it trains.

    Returns:
        What it takes; None where it cannot be copied or takes no steps of two images.
    """
    part = largest_part(objective)

    def alive(images: int, micro_batch: int) -> float:
        probe = copy.deepcopy(objective)
        probe.micro_batch = micro_batch
        return _alive(probe, images, view_shape=view_shape, device=device)

    try:
        with _one_thread():
            gradients = float(sum(one.nbytes for one in objective.trained()))
            two, four = alive(2, 2), alive(4, 4)
            once = max(0.0, (four - two) / 2)
            eight, sixteen = (alive(8, 2), alive(16, 2)) if part else (0.0, 0.0)
    except (RuntimeError, TypeError, ValueError):
        return None
    kept = min(once, max(0.0, (sixteen - eight) / 8))
    return ActivationMemory(
        fixed=max(0.0, two - 2 * once - gradients),
        each_thread=max(0.0, eight - two - 6 * kept),
        kept=kept,
        passing=once - kept,
        part=part,
        threads=torch.get_num_threads() if device.type == "cpu" else 1,
    )


def largest_part(objective: Objective) -> int | None:
    """Find the size of an objective's micro-batches.

    Args:
        objective: what is trained.

    Returns:
        Images of a micro-batch; None where every batch passes whole.
    """
    for images in (1 << 8, 1 << 20):  # few images first: a million are a long list of small parts
        largest = max(part.stop - part.start for part in objective.parts(images))
        if largest < images:
            return int(largest)
    return None


def _alive(objective: Objective, images: int, *, view_shape: tuple[int, ...], device: torch.device) -> float:
    """The most bytes of tensors made within one ``accumulate`` that were alive together."""
    views = tuple(
        torch.full((images, *view_shape), 0.5, device=device) for _ in range(1 + objective.pair_views)
    )
    batch = probe_batch(images, device=device)
    known = [*views, batch.labels, *(one for _, one in objective.named_parameters())]
    with _LiveBytes(known) as live:
        objective.accumulate(views, batch)
    return float(live.most)


def probe_batch(images: int, *, device: torch.device) -> Batch:
    """Make labels and groups for a step that only measures memory.

    Args:
        images: of the step.
        device: where it computes.

    Returns:
        Both labels in turn, and two images in each group.
    """
    numbers = torch.arange(images, device=device)
    return Batch(numbers % 2, dict.fromkeys(GROUPS, numbers // 2))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Parts one after the other in this thread, where they are counted; generators as they were."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that tensors returned by operations held at a time, ``known`` tensors apart."""

    def __init__(self, known: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known = {one.untyped_storage().data_ptr() for one in known}
        self._alive: dict[int, tuple[Any, int]] = {}
        self._bytes = 0
        """Of all tensors in ``_alive``, of which some may be gone."""
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in self._known:
                    _, before = self._alive.get(storage._cdata, (None, 0))
                    self._alive[storage._cdata] = _reference(storage), storage.nbytes()
                    self._bytes += storage.nbytes() - before
        if self._bytes > self.most:  # else no need to look which tensors are gone
            self._alive = {key: one for key, one in self._alive.items() if not one[0].expired()}
            self._bytes = sum(size for _, size in self._alive.values())
            self.most = max(self.most, self._bytes)
        return result
