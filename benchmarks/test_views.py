"""Views per second: ours beside the study's pipeline, and beside memset of the same bytes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.beside import relative
from benchmarks.peers import study_views
from morphobench import _core
from morphobench.augment import MultiCrop
from morphobench.data.store.reader import ImageStore
from morphobench.measure.timing import interleaved
from tests.support import view_reference

SIZE_PX, BATCH, THREADS = 64, 256, 2
REPEATS = 20  # of ours and memset in a round: one alone takes milliseconds, and would be timed cold
LEAST_SPEEDUP = 20  # over the study's pipeline; the figures themselves are in extra_info
LEVELS: tuple[str, ...] = tuple(_core.build_info()["simd_levels"])


@contextmanager
def simd(level: str) -> Iterator[None]:
    """The kernels of one level, until the end of the block."""
    before = str(_core.build_info()["simd"])
    _core.use_simd(level)
    try:
        yield
    finally:
        _core.use_simd(before)


@pytest.fixture(scope="module")
def jpeg_folder(cells: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of the store as a folder of JPEG files."""
    folder = tmp_path_factory.mktemp("jpeg")
    study_views.write_folder(cells.images[:, 0], folder)
    return folder


class Epochs:
    """Every image of the store once, in shuffled batches, each into the same ``out``; one call an epoch."""

    def __init__(self, store: ImageStore) -> None:
        self.images, self.ids = store.images, store.image_ids
        self.crops = MultiCrop("aug_multi_crop", size_px=SIZE_PX, threads=THREADS)
        self.out = self.crops(self.images, self.ids[:BATCH], 0, rows=np.arange(BATCH))
        self.views = len(self.images) * self.crops.views
        self.orders = [np.random.default_rng(i).permutation(len(self.images)) for i in range(16)]
        self.epoch = 0

    def __call__(self) -> np.ndarray:
        """The rows of the last batch."""
        self.epoch += 1
        order = self.orders[self.epoch % len(self.orders)]
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            self.crops(self.images, self.ids[rows], self.epoch, self.out, rows=rows)
        return rows

    def at(self, level: str) -> Callable[[], None]:
        """REPEATS epochs with the kernels of ``level``."""

        def run() -> None:
            with simd(level):
                for _ in range(REPEATS):
                    self()

        return run


def test_five_views_of_grey_images(benchmark: BenchmarkFixture, cells: ImageStore, jpeg_folder: Path) -> None:
    """aug_multi_crop, 64 x 64, from a memory map to a filled float32 batch of 256 x 5, through Python.

    memset fills the same bytes as often, with as many threads. The study's pipeline reads its JPEG files with
    as many worker processes. Every SIMD level of this machine is timed, the portable fallback among them.
    """
    ours = Epochs(cells)
    assert len(cells) % BATCH == 0
    rows = benchmark.pedantic(ours, rounds=20, warmup_rounds=2)
    params = ours.crops.draw(cells.image_ids[rows], ours.epoch, cells.images.shape)
    for n in range(0, BATCH, 37):
        theirs = view_reference.apply(cells.images[rows[n : n + 1]], params[:, n : n + 1], size_px=SIZE_PX)
        assert np.abs(ours.out[:, n : n + 1] - theirs).max() <= 1e-6

    peer = study_views.loader(jpeg_folder, size_px=SIZE_PX, batch_size=BATCH, workers=THREADS)

    def study() -> None:
        for views, _ in peer:
            assert len(views) == ours.crops.views

    halves = np.array_split(ours.out.reshape(-1), THREADS)
    with ThreadPoolExecutor(THREADS) as pool:

        def memset() -> None:
            for _ in range(REPEATS * len(cells) // BATCH):
                list(pool.map(lambda half: ctypes.memset(half.ctypes.data, 1, half.nbytes), halves))

        timed = benchmark.enabled
        times = interleaved(
            {"study": study, "memset": memset, **{level: ours.at(level) for level in LEVELS}},
            rounds=9 if timed else 1,
            warmup=1 if timed else 0,
            budget_s=5,
            lead_in=1 if timed else 0,
        )
        memset()
    assert (ours.out.view(np.uint8) == 1).all()

    def per_second(name: str, repeats: int) -> int:
        return round(repeats * ours.views / times.median_ns(name) * 1e9)

    best = str(_core.build_info()["simd"])
    speedups = {level: REPEATS * times.ratio("study", to=level) for level in LEVELS}
    benchmark.extra_info.update(
        views_per_second=per_second(best, REPEATS),
        study_views_per_second=per_second("study", 1),
        memset_views_per_second=per_second("memset", REPEATS),
        times_faster_than_study=round(speedups[best], 1),
        share_of_memset=round(1 / times.ratio(best, to="memset"), 3),
        simd=best,
        threads=THREADS,
        batch=BATCH,
        setting="aug_multi_crop",
        **relative(times, ours=best, peer="study", calls=REPEATS),
    )
    for level in LEVELS:
        benchmark.extra_info[f"{level}_views_per_second"] = per_second(level, REPEATS)
        benchmark.extra_info[f"{level}_times_faster_than_study"] = round(speedups[level], 1)
        benchmark.extra_info[f"{level}_share_of_memset"] = round(1 / times.ratio(level, to="memset"), 3)
    if timed:
        assert speedups[best] >= LEAST_SPEEDUP
