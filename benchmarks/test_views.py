"""Views per second: ours beside the study's pipeline, and beside memset of the same bytes."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.peers import study_views
from morphobench.augment import MultiCrop, reference
from morphobench.measure.timing import interleaved

IMAGES, SIZE_PX, BATCH, THREADS = 512, 64, 256, 2
REPEATS = 20  # of ours and memset in a round: one alone takes milliseconds, and would be timed cold
LEAST_SPEEDUP = 20  # over the study's pipeline; the figures themselves are in extra_info


def cell_like(count: int, size_px: int) -> np.ndarray:
    """Smooth blobs on a noisy ground, uint8 (count, size_px, size_px), for JPEG sizes like real cells'."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size_px, :size_px] / size_px
    centers = rng.uniform(0.2, 0.8, (2, count, 6, 1, 1))
    blobs = np.exp(-60 * ((x - centers[0]) ** 2 + (y - centers[1]) ** 2)).sum(axis=1)
    noise = rng.normal(0, 6, (count, size_px, size_px))
    return np.clip(30 + 90 * blobs + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """A memory-mapped store of grey images (N, 1, 64, 64)."""
    path = tmp_path_factory.mktemp("store") / "images.npy"
    np.save(path, cell_like(IMAGES, SIZE_PX)[:, None])
    return np.load(path, mmap_mode="r")


@pytest.fixture(scope="module")
def jpeg_folder(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images as a folder of JPEG files."""
    folder = tmp_path_factory.mktemp("jpeg")
    study_views.write_folder(images[:, 0], folder)
    return folder


def epoch_of_views(crops: MultiCrop, images: np.ndarray, out: np.ndarray, *, epoch: int) -> np.ndarray:
    """Every image of the store once, in shuffled batches, into ``out``; returns the last batch's rows."""
    order = np.random.default_rng(epoch).permutation(len(images))
    for start in range(0, len(images), BATCH):
        rows = order[start : start + BATCH]
        crops(images, rows, epoch, out, rows=rows)
    return rows


def test_five_views_of_grey_images(
    benchmark: BenchmarkFixture, images: np.ndarray, jpeg_folder: Path
) -> None:
    """aug_multi_crop, 64 x 64, from a memory map to a filled float32 batch of 256 x 5, through Python."""
    crops = MultiCrop("aug_multi_crop", size_px=SIZE_PX, threads=THREADS)
    out = np.empty((crops.views, BATCH, 1, SIZE_PX, SIZE_PX), np.float32)
    rows = benchmark.pedantic(epoch_of_views, (crops, images, out), {"epoch": 3}, rounds=20, warmup_rounds=2)
    params = crops.draw(rows, 3, images.shape)
    for n in range(0, BATCH, 37):
        theirs = reference.apply(images[rows[n : n + 1]], params[:, n : n + 1], size_px=SIZE_PX)
        assert np.abs(out[:, n : n + 1] - theirs).max() <= 1e-6

    peer = study_views.loader(jpeg_folder, size_px=SIZE_PX, batch_size=BATCH, workers=THREADS)

    def study() -> None:
        for views, _ in peer:
            assert len(views) == crops.views

    def ours() -> None:
        for epoch in range(REPEATS):
            epoch_of_views(crops, images, out, epoch=epoch)

    view_count = IMAGES * crops.views
    memory = np.empty((view_count, SIZE_PX, SIZE_PX), np.float32)
    halves = np.array_split(memory.reshape(-1), THREADS)
    with ThreadPoolExecutor(THREADS) as pool:

        def memset() -> None:
            for _ in range(REPEATS):
                list(pool.map(lambda half: ctypes.memset(half.ctypes.data, 1, half.nbytes), halves))

        timed = benchmark.enabled
        times = interleaved(
            {"study": study, "ours": ours, "memset": memset},
            rounds=9 if timed else 1,
            warmup=2 if timed else 0,
            budget_s=30,
        )
    assert (memory.view(np.uint8) == 1).all()
    speedup = REPEATS * times.ratio("study", to="ours")
    benchmark.extra_info.update(
        views_per_second=round(REPEATS * view_count / times.median_ns("ours") * 1e9),
        study_views_per_second=round(view_count / times.median_ns("study") * 1e9),
        times_faster_than_study=round(speedup, 1),
        share_of_memset=round(1 / times.ratio("ours", to="memset"), 3),
        threads=THREADS,
        batch=BATCH,
        setting="aug_multi_crop",
    )
    if timed:
        assert speedup >= LEAST_SPEEDUP
