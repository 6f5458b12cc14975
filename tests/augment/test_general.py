"""Beyond the study's settings: groups of any size, orientation, jitter, noise, normalization, types."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from scipy import stats

from morphobench.augment import SPECS, MultiCrop, ViewGroup, ViewSpec
from morphobench.errors import InputError
from tests.support import view_reference

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 3, 50, 40), dtype=np.uint8)
EVERYTHING = ViewGroup(
    count=3,
    scale=(0.2, 0.9),
    flip=0.5,
    flip_vertical=0.5,
    quarter_turns=True,
    blur=0.5,
    brightness=0.4,
    contrast=1.2,
)


def test_every_operation_equals_torchvisions() -> None:
    crops = MultiCrop(ViewSpec((EVERYTHING,)), size_px=33)
    params = crops.draw(range(12), 1, IMAGES.shape)
    assert set(params["quarter_turns"].ravel()) == {0, 1, 2, 3}
    assert 0 < params["flip_vertical"].mean() < 1
    assert params["brightness"].shape == (3, 12, 3)
    assert 0.6 <= params["brightness"].min() < 0.8 < 1.2 < params["brightness"].max() <= 1.4
    assert 0.0 <= params["contrast"].min() < 0.5 < 1.5 < params["contrast"].max() <= 2.2
    theirs = view_reference.apply(IMAGES, params, size_px=33)
    assert np.abs(crops.apply(IMAGES, params) - theirs).max() <= 2e-6


def test_orientation_is_exact() -> None:
    group = ViewGroup(count=4, scale=(0.2, 0.9), flip=0.5, flip_vertical=0.5, quarter_turns=True)
    crops = MultiCrop(ViewSpec((group,)), size_px=50)
    params = crops.draw(range(12), 0, IMAGES.shape)
    assert np.array_equal(crops.apply(IMAGES, params), view_reference.apply(IMAGES, params, size_px=50))


def test_what_a_spec_adds_does_not_change_what_it_had() -> None:
    plain = ViewGroup(count=3, scale=(0.2, 0.9), flip=0.5, blur=0.5)
    ours = MultiCrop(ViewSpec((plain,))).draw(range(12), 1, (3, 50, 40))
    more = MultiCrop(ViewSpec((EVERYTHING,))).draw(range(12), 1, (3, 50, 40))
    assert ours.dtype.names is not None
    for name in ours.dtype.names:
        assert np.array_equal(ours[name], more[name])


def test_noise_is_normal_keyed_by_image_and_independent_of_threads() -> None:
    spec = ViewSpec((ViewGroup(noise=1.0, noise_sigma=(0.1, 0.1)),))
    grey = np.full((6, 2, 64, 64), 128, np.uint8)
    crops = MultiCrop(spec, threads=1)
    params = crops.draw(range(6), 0, grey.shape)
    noise = (crops.apply(grey, params)[0] - np.float32(128 / 255)) / 0.1
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    planes = noise.reshape(12, -1)
    assert np.abs(np.corrcoef(planes) - np.eye(12)).max() < 0.08
    later = MultiCrop(spec, threads=4)(grey[3:], range(3, 6), 0)
    assert np.array_equal(later, crops(grey, range(6), 0)[:, 3:])


def test_sizes_may_differ_between_groups() -> None:
    spec = ViewSpec((ViewGroup(count=2, scale=(0.4, 1.0), size_px=48), ViewGroup(count=3, scale=(0.1, 0.4))))
    crops = MultiCrop(spec, size_px=16, seed=2)
    large, small = crops(IMAGES, range(12), 5)
    assert [large.shape, small.shape] == crops.shapes(12, 3) == [(2, 12, 3, 48, 48), (3, 12, 3, 16, 16)]
    params = crops.draw(range(12), 5, IMAGES.shape)
    assert np.array_equal(large, view_reference.apply(IMAGES, params[:2], size_px=48))
    assert np.array_equal(small, view_reference.apply(IMAGES, params[2:], size_px=16))
    outs = tuple(np.empty_like(each) for each in (large, small))
    assert crops(IMAGES, range(12), 5, outs)[1] is outs[1]
    assert np.array_equal(outs[1], small)
    with pytest.raises(InputError, match="out must be 2 arrays"):
        crops(IMAGES, range(12), 5, outs[:1])


def test_normalization_is_torchvisions() -> None:
    mean, deviation = (0.1, 0.5, 0.9), (0.2, 0.3, 2.0)
    spec = ViewSpec((ViewGroup(),), mean=mean, deviation=deviation)
    plain = torch.from_numpy(MultiCrop("no_aug_one_crop")(IMAGES, range(12), 0))
    theirs = (plain - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None]
    assert np.array_equal(MultiCrop(spec)(IMAGES, range(12), 0), theirs.numpy())
    with pytest.raises(ValueError, match=r"mean and deviation.*2 channels"):
        MultiCrop(spec)(IMAGES[:, :2], range(12), 0)


def test_types_of_views_are_the_rounded_float32() -> None:
    spec = ViewSpec((EVERYTHING,), mean=(0.5,) * 3, deviation=(1e-5, 1e-3, 0.25))
    wide = MultiCrop(spec, size_px=24)(IMAGES, range(12), 0)
    half = MultiCrop(spec, size_px=24, dtype="float16")(IMAGES, range(12), 0)
    brain = MultiCrop(spec, size_px=24, dtype="bfloat16")(IMAGES, range(12), 0)
    assert half.dtype == np.float16
    with np.errstate(over="ignore"):
        assert np.array_equal(half, wide.astype(np.float16))
    theirs = torch.from_numpy(wide).to(torch.bfloat16).view(torch.uint16).numpy()
    assert np.array_equal(brain, theirs)
    tiny = MultiCrop(ViewSpec((ViewGroup(),), (0.0,), (3e5,)), dtype="float16")(IMAGES[:, :1], range(12), 0)
    wide = MultiCrop(ViewSpec((ViewGroup(),), (0.0,), (3e5,)))(IMAGES[:, :1], range(12), 0)
    assert np.array_equal(tiny, wide.astype(np.float16))


def test_uint8_views_are_pillows_pixels() -> None:
    crops = MultiCrop("no_aug_multi_crop", dtype="uint8")
    params = crops.draw(range(12), 0, IMAGES.shape)
    theirs = view_reference.apply(IMAGES, params, size_px=64)
    ours = crops.apply(IMAGES, params)
    assert ours.dtype == np.uint8
    assert np.array_equal(ours / np.float32(255), theirs)


def test_16_bit_images_are_resized_as_torch_does() -> None:
    images = np.random.default_rng(1).integers(0, 65536, (10, 2, 40, 30), dtype=np.uint16)
    group = ViewGroup(count=2, scale=(0.1, 0.9), flip=0.5, flip_vertical=0.5, quarter_turns=True)
    crops = MultiCrop(ViewSpec((group,)), size_px=24)
    params = crops.draw(range(10), 0, images.shape)
    ours = crops.apply(images, params)
    for v, n in np.ndindex(2, 10):
        record = params[v, n]
        rows = slice(record["top"], record["top"] + record["height"])
        columns = slice(record["left"], record["left"] + record["width"])
        window = torch.from_numpy(images[n, :, rows, columns].astype(np.float32) / np.float32(65535))
        view = torch.nn.functional.interpolate(window[None], (24, 24), mode="bilinear", antialias=True)[0]
        view = torch.flip(view, [d for d, f in ((2, "flip"), (1, "flip_vertical")) if record[f]])
        view = torch.rot90(view, int(record["quarter_turns"]), dims=(1, 2))
        assert np.abs(ours[v, n] - view.numpy()).max() <= 2e-6


def test_specs_can_be_saved_and_read_back() -> None:
    spec = ViewSpec((EVERYTHING, ViewGroup(size_px=96)), mean=(0.5,), deviation=(0.25,))
    assert ViewSpec.from_description(json.loads(json.dumps(spec.describe()))) == spec
    short = {"groups": [{"count": 2, "scale": [0.4, 1]}]}
    assert ViewSpec.from_description(short) == ViewSpec((ViewGroup(count=2, scale=(0.4, 1.0)),))


@pytest.mark.parametrize(
    "description",
    [
        {"groups": [{"turns": 3}], "mean": [], "deviation": []},
        {"groups": [5]},
        {"groups": 5},
        {"groups": [{}], "sizes": []},
        {"groups": [{"scale": [0.5, "x"]}]},
        {},
        [],
        None,
    ],
)
def test_what_describes_no_spec_is_refused(description: object) -> None:
    with pytest.raises(InputError, match="description"):
        ViewSpec.from_description(description)  # type: ignore[arg-type]


def test_specs_are_values() -> None:
    """Frozen, equal and hashable however their numbers were given; ``repr`` can be evaluated."""
    spec = ViewSpec((EVERYTHING, ViewGroup(size_px=96)), mean=(0.5,), deviation=(0.25,))
    same = ViewSpec(
        [replace(EVERYTHING, scale=[np.float64(0.2), 0.9], count=np.int64(3)), ViewGroup(size_px=96)],  # type: ignore[arg-type]
        [np.float32(0.5)],  # type: ignore[arg-type]
        [0.25],  # type: ignore[arg-type]
    )
    assert spec == same
    assert len({spec, same, SPECS["aug_one_crop"]}) == 2
    assert eval(repr(spec)) == spec
    assert json.dumps(same.describe()) == json.dumps(spec.describe())
    with pytest.raises(FrozenInstanceError):
        spec.mean = ()  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        EVERYTHING.flip = 0.0  # type: ignore[misc]


def test_specs_print_what_they_do() -> None:
    assert str(SPECS["aug_multi_crop"]).splitlines() == [
        "5 views of each image",
        "  1 x: whole image, flip 0.5, blur 0.2 (sigma 0.1..2 px)",
        "  2 x: area 0.5..0.75, flip 0.5, blur 0.2 (sigma 0.1..2 px)",
        "  2 x: area 0.25..0.5, flip 0.5, blur 0.2 (sigma 0.1..2 px)",
    ]
    assert repr(ViewGroup(count=2, flip=0.5)) == "ViewGroup(count=2, flip=0.5)"
    everything = ViewSpec((replace(EVERYTHING, size_px=96, noise=0.5, ratio=(0.5, 2)),), (0.4,), (0.2,))
    assert str(everything) == (
        "3 views of each image\n  3 x of 96 px: area 0.2..0.9, ratio 0.5..2, flip 0.5, vertical flip 0.5, "
        "quarter turns, blur 0.5 (sigma 0.1..2 px), brightness 0.4, contrast 1.2, noise 0.5 (sigma 0..0.05)\n"
        "  normalized: mean 0.4, deviation 0.2"
    )


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ViewGroup(brightness=-0.1), "brightness"),
        (lambda: ViewGroup(noise_sigma=(0.2, 0.1)), "noise_sigma"),
        (lambda: ViewGroup(size_px=0), "size_px"),
        (lambda: ViewSpec((ViewGroup(),), mean=(0.5,)), "mean and deviation"),
        (lambda: ViewSpec((ViewGroup(),), (0.5,), (0.0,)), "deviation"),
        (lambda: ViewSpec((ViewGroup(),), (float("nan"),), (1.0,)), "mean"),
        (lambda: MultiCrop("aug_one_crop", dtype="float64"), "dtype.*bfloat16"),
        (lambda: MultiCrop(ViewSpec((ViewGroup(),), (0.5,), (1.0,)), dtype="uint8"), "dtype"),
    ],
)
def test_bad_specs_are_refused(make, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [("quarter_turns", 4, "quarter_turns"), ("brightness", np.nan, "brightness"), ("contrast", -1, "contr")],
)
def test_bad_draws_are_refused(field: str, value: float, match: str) -> None:
    crops = MultiCrop(ViewSpec((EVERYTHING,)), size_px=8)
    params = crops.draw(range(12), 0, IMAGES.shape)
    params[field][1, 2] = value
    with pytest.raises(ValueError, match=rf"params\[1, 2\].*{match}"):
        crops.apply(IMAGES, params)
    with pytest.raises(ValueError, match=r"3 channels|2 channels"):
        crops.apply(IMAGES[:, :2], crops.draw(range(12), 0, IMAGES.shape))
