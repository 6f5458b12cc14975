"""Batches: order, dropped remainder, shards, resumption within an epoch, prefetching."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.training.data.images import ImageRows, LabelledImages
from morphobench.training.data.loader import TrainingLoader


class TaggedViews:
    """Views that say whose they are: every pixel is id + epoch / 10 + view / 100."""

    views = 3

    def __call__(
        self, images: NDArray[Any], image_ids: NDArray[Any], epoch: int, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        assert out is not None
        tags = image_ids[None, :] + epoch / 10 + np.arange(self.views)[:, None] / 100
        out[...] = tags[:, :, None, None, None]
        return out


class TaggedPairs:
    """Further views that say what the whole batch was: one draw, its first id, for all."""

    def draw(self, image_ids: NDArray[Any], epoch: int, view: int) -> NDArray[Any]:
        return np.tile(image_ids[0] * 1000.0 + view, (2, len(image_ids))) + np.array([[0], [0.5]])

    def apply(
        self, views: NDArray[Any], params: NDArray[Any], out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        assert out is not None
        out[...] = views + params[:, :, None, None, None]
        return out


def make(
    data: dict[str, Any], *, batch_size: int = 8, pairs: bool = False, seed: int = 0, **further: Any
) -> TrainingLoader:
    return TrainingLoader(
        LabelledImages(**data),
        multi_crop=TaggedViews(),
        pair_views=TaggedPairs() if pairs else None,
        batch_size=batch_size,
        size_px=2,
        seed=seed,
        **further,
    )


def listed(feed: TrainingLoader, epoch: int, start: int = 0) -> list[tuple[list[torch.Tensor], torch.Tensor]]:
    return [
        ([view.clone() for view in step.views], step.batch.labels.clone())
        for step in feed.epoch(epoch, start=start)
    ]


def same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(
        torch.equal(mine[1], theirs[1]) and all(map(torch.equal, mine[0], theirs[0]))
        for mine, theirs in zip(left, right, strict=True)
    )


def test_each_view_of_each_batch_is_a_step(data: dict[str, Any]) -> None:
    feed = make(data)
    assert (feed.batches, feed.views, feed.steps_per_epoch) == (2, 3, 6)
    steps = listed(feed, 4)
    rows = feed.rows(4)
    assert rows.shape == (2, 8)
    assert len(np.unique(rows)) == 16  # no image twice in an epoch; six are left out
    for number, (views, labels) in enumerate(steps):
        batch, view = divmod(number, 3)
        expected = data["image_ids"][rows[batch]] + 0.4 + view / 100
        np.testing.assert_allclose(views[0][:, 0, 0, 0].numpy(), expected, rtol=1e-6)
        np.testing.assert_array_equal(labels.numpy(), data["labels"][rows[batch]])
    assert len(steps) == 6


def test_a_single_incomplete_batch_is_kept(data: dict[str, Any]) -> None:
    feed = make(data, batch_size=256)
    assert (feed.batches, feed.batch_size, feed.steps_per_epoch) == (1, 22, 3)
    assert np.sort(feed.rows(0)[0]).tolist() == list(range(22))


def test_images_left_out_change_with_the_epoch(data: dict[str, Any]) -> None:
    feed = make(data)
    assert len({tuple(np.sort(feed.rows(epoch).ravel())) for epoch in range(5)}) == 5


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("prefetch", [False, True])
def test_start_skips_steps_and_nothing_else(data: dict[str, Any], pairs: bool, prefetch: bool) -> None:
    feed = make(data, pairs=pairs, prefetch=prefetch)
    whole = listed(feed, 1)
    for start in range(feed.steps_per_epoch + 1):
        assert same(listed(feed, 1, start), whole[start:])


@pytest.mark.parametrize("pairs", [False, True])
def test_prefetching_changes_nothing(data: dict[str, Any], pairs: bool) -> None:
    plain, ahead = (make(data, batch_size=4, pairs=pairs, prefetch=prefetch) for prefetch in (False, True))
    for epoch in range(3):
        assert same(listed(plain, epoch), listed(ahead, epoch))


@pytest.mark.parametrize("pairs", [False, True])
def test_shards_are_the_parts_of_the_batch(data: dict[str, Any], pairs: bool) -> None:
    whole = listed(make(data, pairs=pairs), 2)
    parts = [listed(make(data, pairs=pairs, shard=(rank, 2)), 2) for rank in range(2)]
    joined = [
        (
            [torch.cat(views) for views in zip(first[0], second[0], strict=True)],
            torch.cat([first[1], second[1]]),
        )
        for first, second in zip(*parts, strict=True)
    ]
    assert same(joined, whole)


def test_batch_that_processes_cannot_share_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a multiple of 3 processes, got 8"):
        make(data, shard=(0, 3))


def test_buffers_are_reused(data: dict[str, Any]) -> None:
    addresses = {step.views[0].data_ptr() for epoch in range(3) for step in make_once(data).epoch(epoch)}
    assert len(addresses) == 3  # one buffer of three views, whatever the number of batches and epochs


_feeds: dict[int, TrainingLoader] = {}


def make_once(data: dict[str, Any]) -> TrainingLoader:
    return _feeds.setdefault(id(data), make(data))


def test_thread_ends_with_its_user(data: dict[str, Any]) -> None:
    before = threading.active_count()
    steps = make(data, batch_size=2, prefetch=True).epoch(0)
    next(steps)
    assert threading.active_count() == before + 1
    steps.close()
    assert threading.active_count() == before


def test_rows_are_a_view_of_the_images(data: dict[str, Any]) -> None:
    rows = np.array([5, 2, 9])
    chosen = ImageRows(data["images"], rows)
    assert (chosen.shape, len(chosen)) == ((3, 1, 8, 8), 3)
    assert chosen.dtype == np.dtype(np.uint8)
    np.testing.assert_array_equal(chosen[np.array([2, 0])], data["images"][[9, 5]])
    np.testing.assert_array_equal(chosen[0:2], data["images"][[5, 2]])
    with pytest.raises(InputError, match="rows must be 0 to 21, got 0 to 22"):
        ImageRows(data["images"], np.array([0, 22]))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.zeros((22, 1, 8, 8), np.float32)}, TypeError, "images must be uint8, got float32"),
        ({"images": np.zeros((22, 8, 8), np.uint8)}, InputError, r"images must have shape \(N, C, H, W\)"),
        ({"images": np.zeros((0, 1, 8, 8), np.uint8)}, InputError, "without empty axes"),
        ({"labels": np.zeros(22)}, TypeError, "labels must be integers, got float64"),
        ({"labels": np.zeros(21, np.int64)}, InputError, r"labels must have shape \(22,\)"),
        ({"image_ids": np.zeros((22, 1), np.int64)}, InputError, r"image_ids must have shape \(22,\)"),
    ],
)
def test_unfit_arguments_are_refused(
    data: dict[str, Any], change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LabelledImages(**{**data, **change})
