"""Our views beside other libraries', in the same process and rounds; absent libraries are skipped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.beside import beside
from benchmarks.peers.case import Case
from benchmarks.peers.tensor_views import PEERS
from morphobench.augment import MultiCrop, ViewGroup, ViewSpec
from morphobench.measure.timing import interleaved
from tests.support import view_reference

THREADS = 2
REPEATS = 40  # of ours in a round: one alone takes less than a millisecond
LEAST_S = 0.1  # of theirs in a round: what a call takes depends on what it draws, most where it draws once
STUDY = ((1.0, 1.0), (0.5, 0.75), (0.5, 0.75), (0.25, 0.5), (0.25, 0.5))
CASES = (
    Case("grey_64", 64, 1, 64, 256, STUDY),
    Case("grey_256_to_64", 256, 1, 64, 256, ((0.9, 1.0),), flip=0.0, blur=0.0),
    Case("rgb_256_to_224", 256, 3, 224, 32, ((0.25, 1.0),), flip=0.5, blur=0.0),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("peer", list(PEERS))
def test_views_beside_a_peer(benchmark: BenchmarkFixture, peer: str, case: Case) -> None:
    """Views per second of both, and the median of the ratios within each round."""
    if benchmark.disabled:
        case = replace(case, images=8)
    theirs = PEERS[peer](case)
    shape = (case.images, case.channels, case.image_px, case.image_px)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    groups = tuple(ViewGroup(scale=scale, flip=case.flip, blur=case.blur) for scale in case.scales)
    crops = MultiCrop(ViewSpec(groups), size_px=case.size_px, threads=THREADS)
    ids = np.arange(case.images)
    out = crops(images, ids, 0)

    benchmark.pedantic(crops, (images, ids, 1, out), rounds=5, warmup_rounds=1)
    params = crops.draw(ids[:2], 1, images.shape)
    assert np.abs(out[:, :2] - view_reference.apply(images[:2], params, size_px=case.size_px)).max() <= 1e-6
    started = time.perf_counter()
    views = theirs(images)
    calls = math.ceil(LEAST_S / (time.perf_counter() - started)) if benchmark.enabled else 1
    assert len(views) == len(case.scales)
    for view in views:
        assert view.shape == (case.images, case.channels, case.size_px, case.size_px)
        assert view.dtype == torch.float32
        assert 0.0 <= float(view.min()) <= float(view.max()) <= 1.0 + 1e-6

    def ours() -> None:
        for epoch in range(REPEATS):
            crops(images, ids, epoch, out)

    def with_threads(threads: int) -> Callable[[], object]:
        def run() -> None:
            torch.set_num_threads(threads)
            for _ in range(calls):
                theirs(images)

        return run

    timed = benchmark.enabled
    # torch may be slower with two threads than with one: each view is little work. Its better figure counts.
    peers = {f"with {threads}": with_threads(threads) for threads in (1, THREADS)}
    before = torch.get_num_threads()
    try:
        times = interleaved(
            {**peers, "ours": ours},
            rounds=7 if timed else 1,
            warmup=1 if timed else 0,
            budget_s=2,
            lead_in=1 if timed else 0,  # torch's threads spin on for some milliseconds after its call
        )
    finally:
        torch.set_num_threads(before)
    fastest = min(peers, key=times.median_ns)
    count = case.images * len(case.scales)
    benchmark.extra_info.update(
        case=case.name,
        threads=THREADS,
        views_per_second=round(REPEATS * count / times.median_ns("ours") * 1e9),
        peer_views_per_second=round(calls * count / times.median_ns(fastest) * 1e9),
        **beside(times, ours="ours", peer=fastest, peer_name=peer, calls=REPEATS / calls),
    )
