"""Bad input: a precise ValueError or TypeError, never a crash."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from morphobench import _core
from morphobench.augment import PARAMS_DTYPE, BYOLPair, MultiCrop, ViewGroup, ViewSpec
from morphobench.augment.spec import LIMITS
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
        (lambda: ViewGroup(count=True), InputError, "count.*True"),
        (lambda: ViewGroup(count=1.0), InputError, "count.*1.0"),  # type: ignore[arg-type]
        (lambda: ViewGroup(flip=True), InputError, "flip.*True"),
        (lambda: ViewGroup(flip="0.5"), InputError, "flip.*'0.5'"),  # type: ignore[arg-type]
        (lambda: ViewGroup(scale=0.5), InputError, r"scale must be a pair.*0.5"),  # type: ignore[arg-type]
        (lambda: ViewGroup(scale=(0.1, 0.2, 0.3)), InputError, "scale must be a pair"),  # type: ignore[arg-type]
        (lambda: ViewGroup(ratio="ab"), InputError, "ratio.*'a'"),  # type: ignore[arg-type]
        (lambda: ViewGroup(quarter_turns=2), InputError, "quarter_turns"),  # type: ignore[arg-type]
        (lambda: ViewGroup(blur_sigma_px=(0.0, 1.0)), InputError, "blur_sigma_px"),
        (lambda: ViewGroup(contrast=float("inf")), InputError, "contrast"),
        (lambda: ViewSpec(()), InputError, "groups"),
        (lambda: ViewSpec(ViewGroup()), InputError, "groups must be a tuple"),  # type: ignore[arg-type]
        (lambda: ViewSpec((ViewGroup(), "aug")), InputError, r"groups\[1\]"),  # type: ignore[arg-type]
        (lambda: ViewSpec((ViewGroup(),), mean=0.5), InputError, "mean must be a tuple"),  # type: ignore[arg-type]
        (lambda: ViewSpec((ViewGroup(count=30_000),) * 2), InputError, "groups.*32767.*60000"),
        (lambda: MultiCrop(["aug_one_crop"]), InputError, "setting"),  # type: ignore[arg-type]
        (lambda: MultiCrop("aug_one_crop", dtype=np.float32), InputError, "dtype"),  # type: ignore[arg-type]
        (lambda: MultiCrop("aug_one_crop", threads=2**40), InputError, "threads"),
        (lambda: MultiCrop("aug_one_crop", seed=0.5), InputError, "seed"),  # type: ignore[arg-type]
        (lambda: BYOLPair(size_px=0), InputError, "size_px"),
        (lambda: BYOLPair("reference-2"), InputError, "protocol.*reference-1"),  # type: ignore[arg-type]
        (lambda: CROPS.draw([[1]], 0, (8, 8)), InputError, r"image_ids.*\(N,\).*\(1, 1\)"),
        (lambda: CROPS.draw([0.5], 0, (8, 8)), TypeError, "image_ids must be integers"),
        (lambda: CROPS.draw([[1], [1, 2]], 0, (8, 8)), InputError, "image_ids"),
        (lambda: CROPS.draw([2**63], 0, (8, 8)), InputError, r"image_ids must be integers below 2\*\*63"),
        (lambda: CROPS.draw([2**70], 0, (8, 8)), TypeError, "image_ids"),
        (lambda: CROPS.draw([1], -1, (8, 8)), InputError, "epoch"),
        (lambda: CROPS.draw([1], 0, 8), InputError, "image_shape"),  # type: ignore[arg-type]
        (lambda: CROPS.draw([1], 0, (8, 8.0)), InputError, "image_shape"),  # type: ignore[arg-type]
        (lambda: CROPS.draw([1], 0, (-1, 8, 8)), InputError, "image_shape"),
        (lambda: CROPS.draw([1], 0, (8, 70_000)), InputError, "image_shape"),
        (lambda: CROPS(None, [1], 0), TypeError, "images must be a NumPy array"),  # type: ignore[arg-type]
        (lambda: CROPS(np.zeros((2, 40, 40, 3), np.uint8), [0, 1], 0), InputError, "channels last"),
        (lambda: CROPS(torch.zeros(2, 1, 40, 40), [0, 1], 0), TypeError, "got Tensor: images.numpy"),  # type: ignore[arg-type]
        (lambda: CROPS(IMAGES[0, 0], [1], 0), InputError, r"images must have shape \(N, H, W\)"),
        (
            lambda: CROPS(IMAGES, range(3), 0),
            InputError,
            "image_ids must have one entry for each of 4 images, got 3",
        ),
        (
            lambda: CROPS(IMAGES, [1], 0, rows=np.zeros((1, 1), np.int64)),
            InputError,
            r"rows must have shape \(N,\)",
        ),
        (lambda: ViewSpec((ViewGroup(),), (1e300,), (1.0,)), InputError, "mean must hold finite"),
        (lambda: ViewSpec((ViewGroup(),), (0.0,), (1e-300,)), InputError, "deviation"),
        (
            lambda: CROPS(IMAGES.astype(">u2"), range(4), 0),
            TypeError,
            "images must have dtype uint8 or uint16.*>u2",
        ),
        (lambda: CROPS.apply(IMAGES, None), TypeError, "params.*NoneType"),  # type: ignore[arg-type]
        (lambda: CROPS.apply(IMAGES, params(), rows=[0, 1]), TypeError, "rows.*list"),  # type: ignore[arg-type]
        (lambda: CROPS.apply(IMAGES, params(), []), TypeError, "out.*list"),
        (lambda: BYOLPair().apply(None, params()), TypeError, "views.*NoneType"),  # type: ignore[arg-type]
        (lambda: BYOLPair().apply(IMAGES[0] / 2, params()), InputError, r"views.*\(1, 16, 16\)"),
        (lambda: BYOLPair().apply(np.zeros((4, 1, 8, 8), np.float32), None), TypeError, "params"),  # type: ignore[arg-type]
        (lambda: BYOLPair().draw([0], 0, 1 << 14), InputError, "view"),
        (lambda: CROPS.draw([1], 0, (8,)), InputError, "image_shape"),
        (lambda: CROPS.draw([1], 0, (0, 8)), InputError, "image_shape"),
        (lambda: CROPS.apply(IMAGES.astype(np.int16), params()), TypeError, "images.*uint8.*int16"),  # type: ignore[arg-type]
        (lambda: CROPS.apply(IMAGES.tolist(), params()), TypeError, "images"),
        (lambda: CROPS.apply(IMAGES[0, 0], params()), ValueError, "images.*N, C, H, W"),
        (lambda: CROPS.apply(IMAGES[..., ::-1], params()), ValueError, "images.*contiguous rows"),
        (lambda: CROPS.apply(IMAGES[..., ::2], params()), ValueError, "images.*contiguous rows"),
        (lambda: CROPS.apply(IMAGES[:3], params()), ValueError, r"params.*\(V, 3\).*\(5, 4\)"),
        (lambda: CROPS.apply(IMAGES[:, :, :0], params()), ValueError, "images.*sides"),
        (lambda: CROPS.apply(IMAGES, params()[0]), InputError, "params"),
        (lambda: CROPS.apply(IMAGES, np.zeros((5, 4))), TypeError, "params.*'top'"),  # type: ignore[arg-type]
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
            r"rows\[3\] must be 0 to 3, got 4",
        ),
        (lambda: CROPS.apply(IMAGES, params(), rows=np.arange(3)), ValueError, "rows"),
        (lambda: CROPS.apply(IMAGES, params(), rows=np.zeros(4)), TypeError, "rows.*int64"),  # type: ignore[arg-type]
        (lambda: BYOLPair().apply(IMAGES, params()), TypeError, "views.*float32"),  # type: ignore[arg-type]
        (lambda: _core.use_simd("mmx"), ValueError, "scalar.*'mmx'"),
        (
            lambda: CROPS.apply(unaligned(IMAGES.astype(np.uint16)), params()),
            ValueError,
            "images.*aligned to 2",
        ),
    ],
)
def test_bad_input_is_refused_by_name(make: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


LAW: dict[str, Any] = {
    "scale": (0.5, 1.0),
    "ratio": (0.75, 1.25),
    "flip": 0.5,
    "blur": 0.2,
    "sigma": (0.1, 2.0),
    "flip_vertical": 0.0,
    "quarter_turns": False,
    "noise": 0.0,
    "noise_sigma": (0.0, 0.1),
    "brightness": 0.0,
    "contrast": 0.0,
}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"scale": (0.0, 1.0)}, "scale"),
        ({"scale": (0.5, np.nan)}, "scale"),
        ({"ratio": (2.0, 1.0)}, "ratio"),
        ({"flip": 1.5}, "flip"),
        ({"sigma": (0.0, 1.0)}, "sigma"),
        ({"noise_sigma": (0.0, 1e9)}, "noise_sigma"),
        ({"contrast": -1.0}, "contrast"),
        ({"count": 65_537}, "count must .* at most 65536, got 65537"),
    ],
)
def test_laws_out_of_range_are_refused_by_the_extension_too(changed: dict[str, Any], match: str) -> None:
    distributions = _core.ViewDistributions()
    arguments = {"count": 2, **LAW, **changed}
    with pytest.raises(ValueError, match=match):
        distributions.add(arguments.pop("count"), **arguments)
    distributions.add(2, **LAW)
    records, ids = np.zeros((2, 4), PARAMS_DTYPE), np.arange(4)
    place = {"seed": 0, "epoch": 0, "first_view": 0, "height": 8, "width": 8, "threads": 1}
    distributions.draw(records, ids, **place)
    assert (records["height"] > 0).all()
    for argument, value in (("first_view", 65_535), ("height", 0), ("width", 65_536), ("threads", 0)):
        with pytest.raises(ValueError, match=argument):
            distributions.draw(records, ids, **{**place, argument: value})
    for wrong, error, name in (
        ((np.zeros((3, 4), PARAMS_DTYPE), ids), ValueError, r"params must have shape \(2, N\)"),
        ((records, np.arange(5)), ValueError, "image_ids"),
        ((records, ids.astype(np.int32)), TypeError, "image_ids"),
        ((np.zeros((2, 4)), ids), TypeError, "params.*'top'"),
    ):
        with pytest.raises(error, match=name):
            distributions.draw(*wrong, **place)  # type: ignore[arg-type]


def unaligned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy of ``array`` one byte past where its numbers may lie."""
    buffer = np.empty(array.nbytes + 1, np.uint8)
    view = np.frombuffer(buffer, array.dtype, offset=1).reshape(array.shape)
    view[...] = array
    return view


def bad_outs() -> list[tuple[Any, type[Exception], str]]:
    good = np.zeros((5, 4, 1, 8, 8), np.float32)
    frozen = good.copy()
    frozen.flags.writeable = False
    return [
        (good.astype(np.float64), TypeError, "out.*float32.*float64"),
        (good[:4], ValueError, r"out.*\(5, 4, 1, 8, 8\).*\(4, 4, 1, 8, 8\)"),
        (good[:, ::-1], ValueError, "out.*contiguous"),
        (np.empty((5, 4, 1, 9, 9), np.float32), InputError, "out.*8 x 8"),
        (frozen, ValueError, "out.*writeable"),
        (unaligned(good), ValueError, "out must be aligned to 4 bytes"),
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


def test_outs_over_each_other_are_refused() -> None:
    crops = MultiCrop(ViewSpec((ViewGroup(size_px=8), ViewGroup(size_px=16))))
    memory = np.zeros(4 * 320, np.float32)
    apart = memory[:256].reshape(1, 4, 1, 8, 8), memory[256:].reshape(1, 4, 1, 16, 16)
    assert crops(IMAGES, range(4), 0, apart)[0] is apart[0]
    with pytest.raises(InputError, match="out must be arrays that do not overlap"):
        crops(IMAGES, range(4), 0, (apart[0], memory[:1024].reshape(1, 4, 1, 16, 16)))
    with pytest.raises(InputError, match="out must be 2 arrays, one for each group, got ndarray"):
        crops(IMAGES, range(4), 0, memory)


def test_no_images_give_no_views() -> None:
    empty = CROPS(np.empty((0, 3, 16, 16), np.uint8), [], 0)
    assert empty.shape == (5, 0, 3, 8, 8)
    assert BYOLPair(size_px=8)(empty[0], [], 0, 0).shape == (2, 0, 3, 8, 8)


def test_a_copy_draws_and_makes_the_same_views() -> None:
    images = np.random.default_rng(0).integers(0, 256, IMAGES.shape, dtype=np.uint8)
    for other in (copy.deepcopy(CROPS), pickle.loads(pickle.dumps(CROPS))):
        assert repr(other) == repr(CROPS)
        assert np.array_equal(other(images, range(4), 3), CROPS(images, range(4), 3))


def test_arrays_side_by_side_do_not_overlap() -> None:
    """Neither where they touch nor where strides run backwards."""
    memory = np.zeros(1024 + 5 * 4 * 64 * 4, np.uint8)
    out = memory[1024:].view(np.float32).reshape(5, 4, 1, 8, 8)
    images = memory[:1024].reshape(4, 1, 16, 16)
    assert CROPS.apply(images[::-1], params(), out) is out
    with pytest.raises(ValueError, match=r"out.*overlapping"):
        CROPS.apply(memory[1:1025].reshape(4, 1, 16, 16)[::-1], params(), out)


def test_any_layout_of_the_records_will_do() -> None:
    packed = np.dtype([(name, PARAMS_DTYPE[name]) for name in reversed(PARAMS_DTYPE.names or ())])
    other = np.zeros((5, 4), packed)
    for name in packed.names or ():
        other[name] = params()[name]
    images = np.random.default_rng(0).integers(0, 256, IMAGES.shape, dtype=np.uint8)
    assert np.array_equal(CROPS.apply(images, other), CROPS.apply(images, params()))


@pytest.mark.parametrize("name", LIMITS)
def test_the_extension_has_the_same_limits(name: str) -> None:
    low, high = LIMITS[name]
    argument = {"blur_sigma_px": "sigma"}.get(name, name)
    pair = isinstance(getattr(ViewGroup(), name), tuple)

    def made(value: float) -> Any:
        return (value, value) if pair else value

    def add(value: float) -> None:
        plain: dict[str, Any] = {
            "scale": (1.0, 1.0),
            "ratio": (1.0, 1.0),
            "flip": 0.0,
            "blur": 0.0,
            "sigma": (1.0, 1.0),
            "flip_vertical": 0.0,
            "quarter_turns": False,
            "noise": 0.0,
            "noise_sigma": (0.0, 0.0),
            "brightness": 0.0,
            "contrast": 0.0,
        }
        _core.ViewDistributions().add(1, **{**plain, argument: made(value)})

    for value in (low, high):
        add(value)
        ViewGroup(**{name: made(value)})
    for value in (low - 1e-12 if low < 1 else low - 1, high * (1 + 1e-9)):
        with pytest.raises(ValueError, match=argument):
            add(value)
        with pytest.raises(InputError, match=name):
            ViewGroup(**{name: made(value)})
