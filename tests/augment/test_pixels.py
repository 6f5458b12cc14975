"""The pixels: Pillow's and torchvision's, bit for bit, at any window and size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import PIL
import pytest

from morphobench import _core
from morphobench.augment import PARAMS_DTYPE, BYOLPair, MultiCrop
from tests.support import view_reference

RECENT_PILLOW = int(PIL.__version__.split(".")[0]) >= 13


def random_case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """An image stack (1, C, H, W), a record (1, 1), an output size; small sides are the most frequent."""
    height, width = (int(2 ** rng.uniform(0, 9.001)) for _ in range(2))
    size = int(2 ** rng.uniform(0, 8.001))
    channels = int(rng.integers(1, 9)) if rng.random() < 0.05 else 1
    images = rng.integers(0, 256, (1, channels, height, width), dtype=np.uint8)
    if rng.random() < 0.3:
        images = np.where(images > 127, 255, 0).astype(np.uint8)
    params = np.zeros((1, 1), PARAMS_DTYPE)
    params["height"] = rng.integers(1, height + 1)
    params["width"] = rng.integers(1, width + 1)
    if rng.random() < 0.1:
        params["height"] = min(height, size)
    if rng.random() < 0.1:
        params["width"] = min(width, size)
    params["top"] = rng.integers(0, height - params["height"][0, 0] + 1)
    params["left"] = rng.integers(0, width - params["width"][0, 0] + 1)
    params["flip"] = rng.random() < 0.5
    return images, params, size


def simd_levels() -> Iterator[str]:
    """Every level of this machine, switched to one after the other; then the first one again."""
    info = _core.build_info()
    levels = info["simd_levels"]
    assert isinstance(levels, tuple)
    assert levels[-1] == "scalar"
    try:
        for level in levels:
            _core.use_simd(level)
            yield level
    finally:
        _core.use_simd(str(info["simd"]))


@pytest.mark.skipif(not RECENT_PILLOW, reason="Pillow before 13 takes its passes in another order")
@pytest.mark.parametrize("part", range(4))
def test_views_equal_pillows_bit_for_bit(part: int) -> None:
    """10,000 random cases in all: images to 512 x 512, outputs to 256, 1 to 8 channels; at every level."""
    rng = np.random.default_rng([7, part])
    for case in range(2500):
        images, params, size = random_case(rng)
        theirs = view_reference.apply(images, params, size_px=size)
        for level in simd_levels():
            ours = MultiCrop("no_aug_one_crop", size_px=size, threads=1).apply(images, params)
            assert np.array_equal(ours, theirs), (part, case, level, images.shape, params, size)


@pytest.mark.parametrize("setting", ["no_aug_multi_crop", "aug_multi_crop"])
def test_study_settings_equal_torchvisions_pipeline(setting: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (40, 2, 64, 64), dtype=np.uint8)
    crops = MultiCrop(setting, seed=9)
    params = crops.draw(np.arange(40), 2, images.shape)
    ours, theirs = crops(images, np.arange(40), 2), view_reference.apply(images, params, size_px=64)
    sharp = params["blur_sigma"] == 0
    assert sharp.any()
    assert np.array_equal(ours[sharp], theirs[sharp])
    assert np.abs(ours - theirs).max() <= 1e-6
    assert 0.0 <= ours.min() <= ours.max() <= 1.0


def test_every_pixel_value_is_divided_exactly() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    view = MultiCrop("no_aug_one_crop", size_px=16)(images, [0], 0)
    assert np.array_equal(view.ravel(), np.arange(256, dtype=np.float32) / np.float32(255))


@pytest.mark.parametrize("size", [2, 3, 17, 64])
@pytest.mark.parametrize("sigma", [0.1, 0.37, 1.0, 2.0])
def test_blur_equals_torchvisions(size: int, sigma: float) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, size, size), dtype=np.uint8)
    crops = MultiCrop("no_aug_one_crop", size_px=size)
    params = crops.draw(range(3), 0, images.shape)
    params["blur_sigma"] = sigma
    assert (
        np.abs(crops.apply(images, params) - view_reference.apply(images, params, size_px=size)).max() <= 1e-6
    )


def test_blur_of_a_single_pixel_keeps_it() -> None:
    crops = MultiCrop("no_aug_one_crop", size_px=1)
    params = crops.draw([0], 0, (5, 5))
    params["blur_sigma"] = 1.0
    view = crops.apply(np.full((1, 5, 5), 51, np.uint8), params)
    assert view.item() == pytest.approx(0.2, abs=1e-7)


@pytest.mark.parametrize(
    ("protocol", "mean", "deviation"), [("corrected-1", 0, 1), ("reference-1", 0.449, 0.226)]
)
def test_pairs_equal_torchs(protocol: str, mean: float, deviation: float) -> None:
    views = np.random.default_rng(3).random((24, 2, 64, 64), dtype=np.float32)
    for view in range(4):
        pair = BYOLPair(protocol, seed=view)  # type: ignore[arg-type]
        params = pair.draw(np.arange(24), 0, view)
        theirs = view_reference.apply_pair(views, params, size_px=64, mean=mean, deviation=deviation)
        ours = pair(views, np.arange(24), 0, view)
        assert ours.shape == (2, 24, 2, 64, 64)
        assert np.abs(ours - theirs).max() <= 2e-6 / deviation


def test_pairs_of_other_sizes_equal_torchs() -> None:
    rng = np.random.default_rng(4)
    for size_in, size_out in ((7, 64), (64, 7), (33, 50), (50, 33), (1, 4)):
        views = rng.random((6, 1, size_in, size_in), dtype=np.float32)
        params = np.zeros((2, 6), PARAMS_DTYPE)
        params["height"] = rng.integers(1, size_in + 1, (2, 6))
        params["width"] = rng.integers(1, size_in + 1, (2, 6))
        params["flip"] = rng.random((2, 6)) < 0.5
        ours = BYOLPair(size_px=size_out).apply(views, params)
        assert np.abs(ours - view_reference.apply_pair(views, params, size_px=size_out)).max() <= 2e-6


@pytest.mark.parametrize("threads", [1, 2, 4, 7])
def test_pixels_do_not_depend_on_threads_batch_or_order(threads: int) -> None:
    images = np.random.default_rng(5).integers(0, 256, (53, 40, 64), dtype=np.uint8)
    ids = np.arange(53) + 1000
    whole = MultiCrop("aug_multi_crop", threads=1)(images, ids, 1)
    crops = MultiCrop("aug_multi_crop", threads=threads)
    order = np.random.default_rng(6).permutation(53)
    assert np.array_equal(crops(images, ids, 1), whole)
    assert np.array_equal(crops(images[order], ids[order], 1), whole[:, order])
    assert np.array_equal(crops(images, ids[order], 1, rows=order), whole[:, order])
    pairs = BYOLPair(threads=1)(whole[1], ids, 1, 1)
    assert np.array_equal(BYOLPair(threads=threads)(whole[1], ids, 1, 1), pairs)


def test_memory_map_strided_channels_and_out(tmp_path) -> None:
    images = np.random.default_rng(7).integers(0, 256, (9, 3, 64, 64), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    crops = MultiCrop("aug_multi_crop")
    out = np.empty((5, 9, 3, 64, 64), np.float32)
    assert crops(mapped, range(9), 0, out) is out
    assert np.array_equal(out, crops(images, range(9), 0))
    assert np.array_equal(crops(mapped[:, 1:2], range(9), 0), out[:, :, 1:2])
    assert np.array_equal(crops(images[::-1], range(8, -1, -1), 0), out[:, ::-1])


def test_simd_levels_give_the_same_bytes() -> None:
    rng = np.random.default_rng(8)
    cases = [random_case(rng) for _ in range(300)]
    study = rng.integers(0, 256, (80, 64, 64), dtype=np.uint8)
    unaligned = np.empty(5 * 80 * 64 * 64 + 1, np.float32)[1:].reshape(5, 80, 1, 64, 64)
    results = {}
    for level in simd_levels():
        results[level] = [
            MultiCrop("no_aug_one_crop", size_px=size, threads=1).apply(images, params)
            for images, params, size in cases
        ]
        results[level].append(MultiCrop("aug_multi_crop")(study, range(80), 0))
        results[level].append(MultiCrop("aug_multi_crop")(study, range(80), 0, unaligned).copy())
        results[level].append(MultiCrop("aug_multi_crop")(study[:20], range(20), 0))
        assert np.array_equal(results[level][-3], results[level][-2])
        assert np.array_equal(results[level][-3][:, :20], results[level][-1])
    for level in results:
        for ours, scalar in zip(results[level], results["scalar"], strict=True):
            assert ours.tobytes() == scalar.tobytes()


@pytest.mark.parametrize(("rows", "columns", "size"), [(9000, 30, 7), (30, 9000, 300), (700, 700, 1)])
def test_simd_levels_give_the_same_bytes_where_thousands_of_pixels_shrink(
    rows: int, columns: int, size: int
) -> None:
    rng = np.random.default_rng(9)
    images = np.where(rng.random((2, rows, columns)) < 0.9, 255, 0).astype(np.uint8)
    views = [MultiCrop("no_aug_one_crop", size_px=size)(images, [0, 1], 0) for _ in simd_levels()]
    assert all(np.array_equal(each, views[-1]) for each in views)
    assert 0.8 < views[-1].mean() < 1.0
