"""The 16 training steps on a device, and each paradigm's step with and without a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.device import CUDA, DEVICE, Sizes, synchronize
from morphobench.augment import BYOLPair, MultiCrop
from morphobench.data.store.reader import ImageStore
from morphobench.measure import interleaved
from morphobench.objectives import create
from morphobench.setups import SETUPS
from morphobench.training.runtime.precision import in_precision, matrix_products


class Steps:
    """The training step of one setup on one batch, each call the next of its views; losses are kept."""

    def __init__(self, setup: Any, precision: Any, store: ImageStore, batch: int) -> None:
        objective = create(setup.paradigm, channels=store.images.shape[1], seed=0)
        objective.to(torch.device(DEVICE))
        ids = store.image_ids[:batch]
        self.precision, self.objective = precision, objective
        self.labels = torch.from_numpy(store.labels[:batch]).to(DEVICE)
        views = MultiCrop(setup.setting, seed=0)(np.ascontiguousarray(store.images[:batch]), ids, 0)
        pairs = BYOLPair(seed=0)
        layout = torch.channels_last if CUDA else torch.contiguous_format
        self.views = [
            tuple(
                torch.from_numpy(np.ascontiguousarray(one)).to(DEVICE, memory_format=layout)
                for one in (pairs(view, ids, 0, number) if objective.pair_views else view[None])
            )
            for number, view in enumerate(views)
        ]
        self.step = in_precision(objective.train_step, precision, torch.device(DEVICE))
        self.taken, self.losses = 0, [torch.zeros(())]

    def __call__(self, count: int) -> None:
        """Take ``count`` steps and wait for the device."""
        with matrix_products(self.precision, torch.device(DEVICE)):
            for _ in range(count):
                self.losses.append(self.step(self.views[self.taken % len(self.views)], self.labels)["loss"])
                self.taken += 1
        synchronize()

    def finite(self) -> bool:
        """Whether every loss so far is a number."""
        return bool(torch.isfinite(torch.stack([loss.float().cpu() for loss in self.losses])).all())


def steps(sizes: Sizes, store: ImageStore) -> Iterator[dict[str, Any]]:
    """The 16 training steps in turns, one set for each precision."""
    for precision in sizes.precisions:
        made = {str(setup): Steps(setup, precision, store, sizes.batch) for setup in SETUPS}
        times = interleaved(
            {name: partial(one, sizes.steps) for name, one in made.items()},
            rounds=sizes.step_rounds,
            warmup=2,
        )
        for name, one in made.items():
            assert one.finite()
            seconds = times.median_ns(name) / sizes.steps / 1e9
            yield {
                "setup": name,
                "precision": precision,
                "step_ms": 1e3 * seconds,
                "step_ms_deviation": times.mad_ns(name) / sizes.steps / 1e6,
                "time_per_view_ns": 1e9 * seconds / sizes.batch,
                "views_per_s": sizes.batch / seconds,
            }


def graphs(sizes: Sizes, store: ImageStore) -> Iterator[dict[str, Any]]:
    """Each paradigm's step with and without a CUDA graph, in turns; the losses of both must agree."""
    if not CUDA:
        return
    for precision in sizes.precisions:
        for setup in (one for one in SETUPS if one.setting == "no_aug_one_crop"):
            eager, captured = (Steps(setup, precision, store, sizes.batch) for _ in range(2))
            row = {"paradigm": setup.paradigm, "precision": precision}
            try:
                replay = capture(captured)
            except (RuntimeError, AssertionError) as error:
                yield {**row, "reason": str(error).splitlines()[0]}
                continue
            eager(captured.taken)
            rivals = {"eager": partial(eager, sizes.steps), "graph": partial(replay, sizes.steps)}
            times = interleaved(rivals, rounds=sizes.step_rounds)
            ends = float(eager.losses[-1]), float(captured.losses[-1])
            assert np.isclose(*ends, rtol=0.05), f"losses {ends[0]:.5g} and {ends[1]:.5g}"
            yield {
                **row,
                "eager_step_ms": times.median_ns("eager") / sizes.steps / 1e6,
                "graph_step_ms": times.median_ns("graph") / sizes.steps / 1e6,
                "times_faster_with_graph": times.ratio("eager", to="graph"),
            }


def capture(steps: Steps) -> Callable[[int], None]:
    """Record ``steps``' step as a CUDA graph; the function that replays it so many times."""
    optimizers: dict[str, torch.optim.Optimizer] = steps.objective.optimizers
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["capturable"] = True  # Adam's count of steps stays on the device
    with matrix_products(steps.precision, torch.device(DEVICE)):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            steps(4)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = steps.step(steps.views[0], steps.labels)["loss"]

    def replay(count: int) -> None:
        for _ in range(count):
            graph.replay()
        steps.losses.append(loss)
        synchronize()

    replay(1)
    steps.taken += 1
    return replay
