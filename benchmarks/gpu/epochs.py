"""Epochs of training on a device, feeding included, beside the straightforward loop fed by torchvision."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision import transforms

from benchmarks.gpu.device import CUDA, DEVICE, Sizes, synchronize
from benchmarks.peers.study_views import loader
from benchmarks.plain_training import STEPS
from morphobench.data.store.reader import ImageStore
from morphobench.measure import peak_device_memory
from morphobench.objectives import create
from morphobench.setups import PARADIGMS
from morphobench.training import Callback, TrainingOptions, TrainingState, train

SETTING = "aug_multi_crop"


class _Epochs(Callback):
    """Seconds of each epoch, feeding included, with the device done."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def before_step(self, state: TrainingState) -> None:
        """Begin an epoch's clock."""
        if state.position == 0:
            synchronize()
            self._began = time.perf_counter()

    def epoch(self, state: TrainingState, record: Any) -> None:
        """End it."""
        synchronize()
        self.seconds.append(time.perf_counter() - self._began)


class BusyMeter(Callback):
    """Watches the device for ``steps`` steps: ``share`` of that time in which a kernel or copy runs on it."""

    def __init__(self, steps: int = 64, *, first: int = 8) -> None:
        self.first, self.last, self.share = first, first + steps, float("nan")
        self._seen, self._on = 0, False

    def before_step(self, state: TrainingState) -> None:
        """Begin and end by the number of steps seen."""
        self.count()

    def count(self) -> None:
        """One step is about to be taken."""
        if CUDA and self._seen == self.first:
            synchronize()
            self._profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
            self._profile.__enter__()
            self._began, self._on = time.perf_counter(), True
        if self._on and self._seen == self.last:
            self.finish()
        self._seen += 1

    def finish(self) -> None:
        """Stop watching, where it has not stopped."""
        if not self._on:
            return
        self._on = False
        synchronize()
        wall_us = 1e6 * (time.perf_counter() - self._began)
        self._profile.__exit__(None, None, None)
        events = [e for e in self._profile.events() or [] if "CUDA" in str(e.device_type)]
        self.share = union((e.time_range.start, e.time_range.end) for e in events) / wall_us

    def end(self, state: TrainingState, result: Any) -> None:
        """Training has ended."""
        self.finish()


def union(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals."""
    edges = sorted(edge for start, end in intervals for edge in ((start, 1), (end, -1)))
    open_now, total = 0, 0.0
    for (at, change), (following, _) in pairwise(edges):
        open_now += change
        total += (following - at) if open_now else 0.0
    return total


def our_epochs(
    paradigm: str, precision: Any, store: ImageStore, sizes: Sizes, *callbacks: Callback
) -> list[float]:
    """Seconds of two epochs of ``train``; the first also allocates and chooses kernels."""
    epochs = _Epochs()
    train(
        create(paradigm),
        images=store.images,
        labels=store.labels,
        image_ids=store.image_ids,
        setting=SETTING,
        options=TrainingOptions(epochs=2, batch_size=sizes.batch, device=DEVICE, precision=precision),
        callbacks=[epochs, *callbacks],
    )
    return epochs.seconds


def plain_step(paradigm: str) -> Callable[[tuple[torch.Tensor, ...], torch.Tensor], float]:
    """The straightforward loop's step from our initial weights."""
    named = create(paradigm).named_parameters()
    return STEPS[paradigm]([v.detach().numpy() for n, v in named if not n.startswith("target_")], DEVICE)


PAIR = transforms.Compose(
    [
        transforms.RandomHorizontalFlip(0.5),
        transforms.RandomApply([transforms.GaussianBlur(3, (0.1, 2.0))], p=0.2),
        transforms.RandomResizedCrop(64, scale=(0.08, 1.0), antialias=True),
    ]
)
"""What BYOL's plain loop makes of a view, twice."""


def plain_epoch(paradigm: str, step: Any, batches: Any, meter: BusyMeter | None = None) -> float:
    """Seconds of an epoch of the straightforward loop; its pair of views is drawn once a batch."""
    synchronize()
    start = time.perf_counter()
    for views, labels in batches:
        moved_labels = labels.to(DEVICE)
        for view in views:
            if meter is not None:
                meter.count()
            moved = view.to(DEVICE).clamp_(0, 1)  # torchvision's blur exceeds 1 by a rounding
            inputs = (PAIR(moved), PAIR(moved)) if paradigm == "self_supervised" else (moved,)
            assert np.isfinite(step(inputs, moved_labels))
    synchronize()
    if meter is not None:
        meter.finish()
    return time.perf_counter() - start


def epochs(sizes: Sizes, store: ImageStore, folder: Path, deadline: float) -> list[dict[str, Any]]:
    """Epochs of ours, in each precision, and of the plain loop in turns; after them the device is watched."""
    batches = loader(folder, size_px=64, batch_size=sizes.batch, workers=sizes.workers)
    steps = {paradigm: plain_step(paradigm) for paradigm in PARADIGMS}
    ours: dict[tuple[str, Any], list[float]] = {(p, q): [] for p in PARADIGMS for q in sizes.precisions}
    plain: dict[str, list[float]] = {paradigm: [] for paradigm in PARADIGMS}
    plain_epoch("weakly_supervised", plain_step("weakly_supervised"), batches)  # starts the workers
    for number in range(sizes.epoch_rounds):
        if number and time.monotonic() > deadline:
            break
        for paradigm in PARADIGMS if number % 2 == 0 else PARADIGMS[::-1]:
            plain[paradigm].append(plain_epoch(paradigm, steps[paradigm], batches))
            for precision in sizes.precisions:
                ours[paradigm, precision].append(our_epochs(paradigm, precision, store, sizes)[1])
    rows = []
    for (paradigm, precision), seconds in ours.items():
        meter, peak = BusyMeter(), None
        if CUDA and time.monotonic() < deadline + 60:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            our_epochs(paradigm, precision, store, sizes, meter)
            peak = peak_device_memory(DEVICE)
        pairs = zip(plain[paradigm], seconds, strict=True)
        rows.append(
            {
                "paradigm": paradigm,
                "precision": precision,
                "times_faster_than_plain_loop": statistics.median(theirs / mine for theirs, mine in pairs),
                "images_per_s": sizes.images / statistics.median(seconds),
                "plain_images_per_s": sizes.images / statistics.median(plain[paradigm]),
                "device_busy_share": meter.share,
                "peak_device_memory_bytes": None if peak is None else peak.allocated_bytes - before,
                "rounds": len(seconds),
            }
        )
    for paradigm in PARADIGMS if CUDA else ():
        meter = BusyMeter()
        plain_epoch(paradigm, steps[paradigm], batches, meter)
        for row in rows:
            if row["paradigm"] == paradigm:
                row["plain_device_busy_share"] = meter.share
    return rows
