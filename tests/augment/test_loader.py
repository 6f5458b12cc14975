"""The feed: the same views as MultiCrop's, in order, made ahead but not too far, and a clean end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from morphobench.augment import MultiCrop, ViewGroup, ViewLoader, ViewSpec
from morphobench.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 2, 24, 24), dtype=np.uint8)
IDS = np.arange(50) * 7
CROPS = MultiCrop("aug_multi_crop", size_px=16, threads=1)


def batches(size: int = 16) -> list[np.ndarray]:
    order = np.random.default_rng(1).permutation(50)
    return [order[start : start + size] for start in range(0, 50, size)]


def feed_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "morphobench-views"]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_batches_are_multi_crops_in_order(depth: int) -> None:
    seen = 0
    with ViewLoader(CROPS, IMAGES, IDS, batches(), epoch=3, depth=depth) as feed:
        for batch, rows in zip(feed, batches(), strict=True):
            assert np.array_equal(batch.rows, rows)
            assert np.array_equal(batch.views, CROPS(IMAGES[rows], IDS[rows], 3))
            assert batch.tensor is None
            seen += 1
    assert seen == 4
    assert not feed_threads()


def test_tensor_shares_the_memory_of_the_views() -> None:
    with ViewLoader(CROPS, IMAGES, IDS, batches(), epoch=0, device="cpu") as feed:
        pointers = set()
        for batch in feed:
            assert isinstance(batch.tensor, torch.Tensor)
            assert batch.tensor.data_ptr() == batch.views.ctypes.data
            assert np.array_equal(batch.tensor.numpy(), batch.views)
            pointers.add(batch.tensor.data_ptr())
    assert len(pointers) == 2


def test_thread_stops_ahead_when_the_buffers_are_full() -> None:
    taken = []
    third = threading.Event()

    def counted() -> Iterator[np.ndarray]:
        for number in range(10):
            taken.append(number)
            if number == 2:
                third.set()
            yield np.arange(4)

    with ViewLoader(CROPS, IMAGES, IDS, counted(), epoch=0, depth=2) as feed:
        next(feed)
        assert len(taken) <= 2  # one held, one ready
        next(feed)
        assert third.wait(timeout=20)
        assert len(taken) == 3
    assert not feed_threads()


def test_errors_of_the_batches_reach_the_consumer_in_their_place() -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.arange(4)
        raise OSError("the disk is gone")

    with ViewLoader(CROPS, IMAGES, IDS, broken(), epoch=0) as feed:
        assert len(next(feed).rows) == 4
        with pytest.raises(OSError, match="the disk is gone"):
            next(feed)
        assert list(feed) == []
    assert not feed_threads()


@pytest.mark.parametrize("rows", [[50], [-1], list(range(20)), [0.5], [[1]], [True], [[1], [1, 2]]])
def test_bad_rows_are_refused(rows: list[int]) -> None:
    feed = ViewLoader(CROPS, IMAGES, IDS, [np.arange(4), rows], epoch=0)  # type: ignore[list-item]
    next(feed)
    with pytest.raises(InputError, match="batches"):
        next(feed)
    assert not feed_threads()


def leave_early(feed: ViewLoader) -> None:
    with feed:
        next(feed)
        raise KeyboardInterrupt


def test_leaving_early_ends_the_thread() -> None:
    feed = ViewLoader(CROPS, IMAGES, IDS, batches(4), epoch=0)
    with pytest.raises(KeyboardInterrupt):
        leave_early(feed)
    assert not feed_threads()
    assert list(feed) == []
    feed.close()


def test_a_short_last_batch_is_contiguous_and_allocates_nothing_further() -> None:
    addresses = set()
    with ViewLoader(CROPS, IMAGES, IDS, batches(16), epoch=0, device="cpu") as feed:
        for batch in feed:
            assert batch.views.shape[1] == len(batch.rows)
            assert batch.views.flags.c_contiguous
            assert batch.tensor.is_contiguous()
            addresses.add(batch.views.ctypes.data)
    assert len(addresses) == 2


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "uint8"])
def test_views_of_two_sizes_and_any_type(dtype: str) -> None:
    spec = ViewSpec((ViewGroup(count=2, size_px=20), ViewGroup(count=3, scale=(0.2, 0.5))))
    crops = MultiCrop(spec, size_px=8, dtype=dtype, threads=1)
    with ViewLoader(crops, IMAGES, IDS, batches(20), epoch=1, device="cpu") as feed:
        for batch, rows in zip(feed, batches(20), strict=True):
            wanted = crops(IMAGES[rows], IDS[rows], 1)
            for ours, tensor, whole in zip(batch.views, batch.tensor, wanted, strict=True):
                assert np.array_equal(ours, whole)
                assert tensor.dtype == getattr(torch, dtype)
                assert tensor.data_ptr() == ours.ctypes.data
                assert np.array_equal(tensor.view(torch.uint8).numpy(), ours.view(np.uint8))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"image_ids": IDS[:5]}, InputError, "image_ids must have one entry for each of 50 images, got 5"),
        ({"depth": 0}, InputError, "depth must be a whole number in 1..64, got 0"),
        ({"epoch": -1}, InputError, "epoch"),
        ({"crops": "aug_one_crop"}, TypeError, "crops must be a MultiCrop, got str"),
        ({"images": IMAGES.astype(np.float32)}, TypeError, "images must have dtype uint8 or uint16.*float32"),
        ({"images": IMAGES[0, 0]}, InputError, "images must have shape"),
        ({"batches": 3}, TypeError, "batches must be arrays of rows, got int"),
        ({"device": "gpu"}, InputError, "device must be one that torch knows, got 'gpu'"),
    ],
)
def test_bad_arguments_are_refused(change: dict[str, object], error: type[Exception], match: str) -> None:
    arguments = {"crops": CROPS, "images": IMAGES, "image_ids": IDS, "batches": batches(), "epoch": 0}
    with pytest.raises(error, match=match):
        ViewLoader(**{**arguments, **change})  # type: ignore[arg-type]
    assert not feed_threads()
