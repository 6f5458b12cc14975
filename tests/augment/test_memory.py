"""What a call costs in memory: with ``out``, nothing that grows with the batch, and no copy of the images."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from morphobench.augment import BYOLPair, MultiCrop, ViewGroup, ViewSpec
from morphobench.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SIDE = 8
FEW, MANY = 4, 8192
SWAV = ViewSpec((ViewGroup(count=2, size_px=7, flip=0.5, brightness=0.2), ViewGroup(count=6, size_px=5)))


def peak_of(call: Callable[[int], object], *, calls: int = 5) -> int:
    """The most bytes that Python and NumPy held at once beyond what they held before; the least of rounds.

    The least, because what the interpreter itself allocates (caches, lists of free objects) comes and goes.
    """
    call(0)
    peaks = []
    gc.collect()
    gc.freeze()  # what the other tests of this process have left is not looked through in each round
    tracemalloc.start()
    try:
        for number in range(8):
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for epoch in range(calls):
                call(number * calls + epoch)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    return min(peaks)


def whole(spec: str | ViewSpec, count: int) -> Callable[[int], object]:
    """Draws and views of ``count`` images."""
    images = np.zeros((count, 1, SIDE, SIDE), np.uint8)
    ids = np.arange(count)
    crops = MultiCrop(spec, size_px=SIDE, threads=1)
    outs = tuple(np.empty(shape, np.float32) for shape in crops.shapes(count, 1))
    out = outs if len(outs) > 1 else outs[0]
    return lambda epoch: crops(images, ids, epoch, out, rows=ids)


def pairs(count: int) -> Callable[[int], object]:
    """The pairs of ``count`` views."""
    views = np.zeros((count, 1, SIDE, SIDE), np.float32)
    maker = BYOLPair(size_px=SIDE, threads=1)
    params = maker.draw(np.arange(count), 0, 0)
    out = np.empty((2, count, 1, SIDE, SIDE), np.float32)
    return lambda epoch: maker.apply(views, params, out)


@pytest.mark.parametrize(
    "make",
    [lambda n: whole("aug_multi_crop", n), lambda n: whole(SWAV, n), pairs],
    ids=["aug_multi_crop", "two sizes", "pairs"],
)
def test_a_call_with_out_allocates_nothing_that_grows_with_the_batch(
    make: Callable[[int], Callable[[int], object]],
) -> None:
    """Less than a byte an image more for 8,192 images than for 4; an array of one number each would show."""
    assert peak_of(make(MANY)) < peak_of(make(FEW)) + MANY


def test_without_out_the_measure_sees_the_views() -> None:
    """The test above can fail."""
    images, crops = np.zeros((MANY, 1, SIDE, SIDE), np.uint8), MultiCrop("aug_one_crop", size_px=SIDE)
    assert peak_of(lambda epoch: crops(images, range(MANY), epoch)) > MANY * SIDE * SIDE * 4


PROGRAM = """
    import numpy as np
    from morphobench.augment import MultiCrop, ViewGroup, ViewSpec
    from morphobench.measure import current_host_memory_bytes, peak_host_memory_bytes, reset_peak_host_memory

    count, side, size = {count}, {side}, {size}
    images = np.full((count, 1, side, side), 7, np.uint8)
    group = ViewGroup(count=2, scale=(0.3, 0.9), flip=0.5, flip_vertical=0.5, quarter_turns=True, blur=0.5)
    crops = MultiCrop(ViewSpec((group,)), size_px=size, threads=2)
    out = np.full(crops.shapes(count, 1)[0], 1, np.float32)
    warm = MultiCrop(ViewSpec((group,)), size_px=8, threads=2)
    warm(images[:2, :, :8, :8], range(2), 0)
    before = current_host_memory_bytes()
    reset_peak_host_memory()
    for epoch in range({first}):
        crops(images, range(count), epoch, out)
    early = peak_host_memory_bytes()
    for epoch in range({first}, {last}):
        crops(images, range(count), epoch, out)
    print(early - before, peak_host_memory_bytes() - early)
"""


def memory_of(**sizes: int) -> tuple[int, int]:
    """Bytes resident beyond images and ``out``: at the peak of the first calls, and added by the later."""
    program = textwrap.dedent(PROGRAM.format(**sizes))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    first, later = map(int, done.stdout.split())
    return first, later


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("side", "size"), [(3000, 256), (3000, 2000), (500, 2000)], ids=["shrinking", "both", "enlarging"]
)
def test_a_thread_holds_at_most_a_few_images(side: int, size: int) -> None:
    first, _ = memory_of(count=6, side=side, size=size, first=2, last=2)
    largest = max(side * side, 4 * size * size)  # bytes of an image, or of a view
    assert first < 2 * 3 * largest


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_calls() -> None:
    _, later = memory_of(count=64, side=64, size=64, first=50, last=2000)
    assert later < 64 * 64 * 64  # 1,950 calls; one image kept by each would be 30 times this


def test_views_that_no_memory_holds_are_refused() -> None:
    images = np.zeros((9999, 1, 8, 8), np.uint8)
    with pytest.raises(
        InputError, match=r"size_px must give views that fit in memory, got an array of \(1, 9999"
    ):
        MultiCrop("aug_one_crop", size_px=60_000)(images, range(9999), 0)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_views_begin_at_a_line_of_the_cache(dtype: str, count: int) -> None:
    crops = MultiCrop(SWAV, dtype=dtype)
    for group in crops(np.zeros((count, 2, SIDE, SIDE), np.uint8), range(count), 0):
        assert count == 0 or group.ctypes.data % 64 == 0
        assert group.shape[1] == count
        assert group.dtype == dtype
        assert group.flags.c_contiguous
