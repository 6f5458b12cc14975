"""The loader beside the trainer: how long training waits for views, and its cost beside ready-made ones."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.beside import relative
from morphobench.data.store.reader import ImageStore
from morphobench.measure.timing import interleaved
from morphobench.objectives import create
from morphobench.setups import PARADIGMS
from morphobench.training import Callback, ImageRows, TrainingOptions, TrainingState, train
from morphobench.training.data.images import LabelledImages
from morphobench.training.data.loader import Step, TrainingLoader
from morphobench.training.data.views import make_loader

SETTING = "aug_multi_crop"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
IMAGES, BATCH = (4096, 256) if DEVICE == "cuda" else (32, 16)
LARGEST_WAIT_SHARE = 0.02


@dataclass
class Waits(Callback):
    """Seconds waited for views after the first batch, and seconds of all that, summed over runs."""

    waited_s: float = 0.0
    steps_s: float = 0.0
    steps: int = 0
    _first_s: float = 0.0

    def before_step(self, state: TrainingState) -> None:
        """Keep the wait for the first batch: nothing could be trained while its views were made."""
        if state.position == 0:
            self._first_s = state.feed_wait_s

    def epoch(self, state: TrainingState, record: Any) -> None:
        """Count the epoch without that."""
        self.waited_s += record.feed_wait_s - self._first_s
        self.steps_s += record.seconds - self._first_s
        self.steps += record.step

    @property
    def share(self) -> float:
        """The part of the time that was spent waiting."""
        return self.waited_s / self.steps_s


class Prepared:
    """A loader whose steps were made before: what training would take if views cost nothing."""

    def __init__(self, loader: TrainingLoader) -> None:
        self.steps_per_epoch, self.batch_size = loader.steps_per_epoch, loader.batch_size
        self.images_per_step, self.views = loader.images_per_step, loader.views
        self.view_shape, self.buffer_bytes = loader.view_shape, loader.buffer_bytes
        self.sampling = loader.sampling
        self._steps = [
            Step(tuple(view.clone() for view in step.views), step.batch.map(torch.clone))
            for step in loader.epoch(0)
        ]

    def epoch(self, epoch: int, *, start: int = 0) -> Generator[Step]:
        """The same steps in every epoch."""
        assert (epoch, start) == (0, 0)
        yield from self._steps


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_training_never_waits_for_views(
    paradigm: str, cells: ImageStore, benchmark: BenchmarkFixture
) -> None:
    """An epoch of the real trainer, 5 views an image: fed by the prefetching thread, in line, and ready-made.

    The share is of the time after the first batch in which the loop waited for views. On a CPU, where the
    trainer makes views in line unless asked, the thread competes with the steps for the same cores.
    """
    timed = benchmark.enabled
    images, batch, threads = (IMAGES, BATCH, 2) if timed else (4, 2, 1)
    waits = {"feed": Waits(), "in_line": Waits(), "prepared": Waits()}
    rows = np.arange(images) % len(cells)
    prepared: list[Prepared] = []

    def run(kind: str) -> None:
        options = TrainingOptions(
            epochs=1,
            batch_size=batch,
            device=DEVICE,
            threads=threads,
            prefetch=kind == "feed",
            check_memory=False,
        )

        objective = create(paradigm, seed=0)
        data = LabelledImages(
            ImageRows(cells.images, rows), labels=cells.labels[rows], image_ids=cells.image_ids[rows]
        )
        if kind == "prepared" and not prepared:
            prepared.append(Prepared(make_loader(data, objective, setting=SETTING, options=options)))
        train(
            objective,
            images=data.images,
            labels=data.labels,
            image_ids=data.image_ids,
            setting=SETTING,
            options=options,
            callbacks=[waits[kind]],
            loader=prepared[0] if kind == "prepared" else None,
        )

    run("prepared")  # makes the steps, and is not timed
    benchmark.pedantic(run, ("feed",), rounds=1)
    if timed:
        run("in_line")
    times = interleaved(
        {kind: partial(run, kind) for kind in ("feed", "prepared")},
        rounds=6 if timed else 1,
        warmup=0,
        budget_s=2,
    )
    steps = images // batch * 5
    assert waits["feed"].steps >= 2 * steps
    assert waits["prepared"].waited_s >= 0.0
    if not timed:
        return
    benchmark.extra_info.update(
        paradigm=paradigm,
        setting=SETTING,
        device=DEVICE,
        batch_size=batch,
        steps=steps,
        waited_s=round(waits["feed"].waited_s, 5),
        steps_s=round(waits["feed"].steps_s, 3),
        share_waited=round(waits["feed"].share, 5),
        share_waited_in_line=round(waits["in_line"].share, 5),
        peer="the same steps with views made before",
        **relative(times, ours="feed", peer="prepared"),
    )
    assert waits["feed"].share < LARGEST_WAIT_SHARE
