"""Bad input: a precise ValueError or TypeError, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from morphobench import _core
from morphobench.augment import PARAMS_DTYPE, MultiCrop, PairViews, ViewGroup, ViewSpec
from morphobench.errors import InputError

IMAGES = np.zeros((4, 1, 16, 16), np.uint8)
CROPS = MultiCrop("aug_multi_crop", size_px=8)


def params() -> np.ndarray:
    return CROPS.draw(range(4), 0, IMAGES.shape)


def edited(field: str, value: float) -> np.ndarray:
    changed = params()
    changed[field][2, 1] = value
    return changed


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: MultiCrop("aug"), InputError, "setting.*aug_multi_crop.*'aug'"),
        (lambda: MultiCrop("aug_one_crop", size_px=0), InputError, "size_px"),
        (lambda: MultiCrop("aug_one_crop", seed=-1), InputError, "seed"),
        (lambda: MultiCrop("aug_one_crop", threads=0), InputError, "threads"),
        (lambda: ViewGroup(scale=(0.5, 0.2)), InputError, "scale"),
        (lambda: ViewGroup(scale=(0.5, float("nan"))), InputError, "scale"),
        (lambda: ViewGroup(flip=1.5), InputError, "flip"),
        (lambda: ViewGroup(blur=float("nan")), InputError, "blur"),
        (lambda: ViewGroup(count=0), InputError, "count"),
        (lambda: ViewSpec(()), InputError, "groups"),
        (lambda: PairViews("reference-2"), InputError, "protocol.*reference-1"),  # type: ignore[arg-type]
        (lambda: CROPS.draw([[1]], 0, (8, 8)), InputError, r"image_ids.*\(N,\).*\(1, 1\)"),
        (lambda: CROPS.draw([0.5], 0, (8, 8)), TypeError, "image_ids: integers"),
        (lambda: CROPS.draw([1], -1, (8, 8)), InputError, "epoch"),
        (lambda: CROPS.draw([1], 0, (8,)), InputError, "image_shape"),
        (lambda: CROPS.draw([1], 0, (0, 8)), InputError, "image_shape"),
        (lambda: CROPS.apply(IMAGES.astype(np.int16), params()), TypeError, "images.*uint8.*int16"),
        (lambda: CROPS.apply(IMAGES.tolist(), params()), TypeError, "images"),  # type: ignore[arg-type]
        (lambda: CROPS.apply(IMAGES[0, 0], params()), ValueError, "images.*N, C, H, W"),
        (lambda: CROPS.apply(IMAGES[..., ::-1], params()), ValueError, "images.*contiguous rows"),
        (lambda: CROPS.apply(IMAGES[..., ::2], params()), ValueError, "images.*contiguous rows"),
        (lambda: CROPS.apply(IMAGES[:3], params()), ValueError, r"params.*\(V, 3\).*\(5, 4\)"),
        (lambda: CROPS.apply(IMAGES[:, :, :0], params()), ValueError, "images.*sides"),
        (lambda: CROPS.apply(IMAGES, params()[0]), InputError, "params"),
        (lambda: CROPS.apply(IMAGES, np.zeros((5, 4))), TypeError, "params.*'top'"),
        (lambda: CROPS.apply(IMAGES, edited("top", -1)), ValueError, r"params\[2, 1\].*top -1"),
        (lambda: CROPS.apply(IMAGES, edited("width", 0)), ValueError, r"params\[2, 1\].*width 0"),
        (lambda: CROPS.apply(IMAGES, edited("left", 2**31 - 1)), ValueError, r"params\[2, 1\].*left"),
        (lambda: CROPS.apply(IMAGES, edited("height", 17)), ValueError, r"params\[2, 1\].*height 17"),
        (lambda: CROPS.apply(IMAGES, edited("blur_sigma", np.nan)), ValueError, "blur_sigma.*nan"),
        (lambda: CROPS.apply(IMAGES, edited("blur_sigma", np.inf)), ValueError, "blur_sigma.*inf"),
        (lambda: CROPS.apply(IMAGES, edited("blur_sigma", -1)), ValueError, "blur_sigma"),
        (
            lambda: CROPS.apply(IMAGES, params(), rows=np.array([0, 1, 2, 4])),
            ValueError,
            r"rows\[3\]: 0 to 3",
        ),
        (lambda: CROPS.apply(IMAGES, params(), rows=np.arange(3)), ValueError, "rows"),
        (lambda: CROPS.apply(IMAGES, params(), rows=np.zeros(4)), TypeError, "rows.*int64"),
        (lambda: PairViews().apply(IMAGES, params()), TypeError, "views.*float32"),  # type: ignore[arg-type]
        (lambda: _core.use_simd("mmx"), ValueError, "scalar.*'mmx'"),
    ],
)
def test_bad_input_is_refused_by_name(make: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def bad_outs() -> list[tuple[Any, type[Exception], str]]:
    good = np.empty((5, 4, 1, 8, 8), np.float32)
    frozen = good.copy()
    frozen.flags.writeable = False
    return [
        (good.astype(np.float64), TypeError, "out.*float32.*float64"),
        (good[:4], ValueError, r"out.*\(5, 4, 1, 8, 8\).*\(4, 4, 1, 8, 8\)"),
        (good[:, ::-1], ValueError, "out.*contiguous"),
        (np.empty((5, 4, 1, 9, 9), np.float32), InputError, "out.*8 x 8"),
        (frozen, ValueError, "out.*writeable"),
    ]


@pytest.mark.parametrize(("out", "error", "match"), bad_outs())
def test_bad_out_is_refused_by_name(out: np.ndarray, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        CROPS.apply(IMAGES, params(), out)


def test_out_over_the_images_is_refused() -> None:
    memory = np.zeros(5 * 4 * 64, np.float32)
    images = memory.view(np.uint8)[:1024].reshape(4, 1, 16, 16)
    with pytest.raises(ValueError, match=r"out.*overlapping"):
        CROPS.apply(images, params(), memory.reshape(5, 4, 1, 8, 8))


def test_no_images_give_no_views() -> None:
    empty = CROPS(np.empty((0, 3, 16, 16), np.uint8), [], 0)
    assert empty.shape == (5, 0, 3, 8, 8)
    assert PairViews(size_px=8)(empty[0], [], 0, 0).shape == (2, 0, 3, 8, 8)


def test_any_layout_of_the_records_will_do() -> None:
    packed = np.dtype([(name, PARAMS_DTYPE[name]) for name in reversed(PARAMS_DTYPE.names)])
    other = np.zeros((5, 4), packed)
    for name in packed.names:
        other[name] = params()[name]
    images = np.random.default_rng(0).integers(0, 256, IMAGES.shape, dtype=np.uint8)
    assert np.array_equal(CROPS.apply(images, other), CROPS.apply(images, params()))
