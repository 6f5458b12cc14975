"""The generator against its authors' published answers, and the independence of the streams built on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from morphobench import _core
from morphobench.augment import BYOLPair, MultiCrop, ViewGroup, ViewSpec

# kat_vectors of Random123 (Salmon et al. 2011), philox4x32 with 10 rounds: counter, key, answer.
KNOWN_ANSWERS = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter: list[int], key: list[int], answer: list[int]) -> None:
    assert _core.philox4x32(counter, key).tolist() == answer


def test_first_draw_follows_from_the_generator_as_documented() -> None:
    """The position of a crop, recomputed from the words at (id, id >> 32, epoch, view and block)."""
    seed, epoch, image_id, view = 2**40 + 7, 3, 2**33 + 5, 3
    params = MultiCrop("no_aug_multi_crop", seed=seed).draw([image_id], epoch, (64, 64))[view, 0]
    counter = [image_id & 0xFFFFFFFF, image_id >> 32, epoch, (view << 16) | 10]
    words = _core.philox4x32(counter, [seed & 0xFFFFFFFF, seed >> 32])
    assert params["top"] == (int(words[0]) * (65 - int(params["height"]))) >> 32
    assert params["left"] == (int(words[1]) * (65 - int(params["width"]))) >> 32


def uniform(words: list[int], i: int) -> float:
    """53 bits of words 2 i and 2 i + 1."""
    return ((words[2 * i] << 32 | words[2 * i + 1]) >> 11) * 2.0**-53


def drawn(
    counter: list[int], key: list[int], size: tuple[int, int], scale: tuple[float, float]
) -> tuple[int, ...]:
    """Top, left, height, width, try by try, in Python's own numbers; the largest in the middle at last."""
    height, width = size
    for number in range(10):
        words = _core.philox4x32([*counter[:3], counter[3] | number], key).tolist()
        area = height * width * (scale[0] + (scale[1] - scale[0]) * uniform(words, 0))
        low, high = math.log(3 / 4), math.log(4 / 3)
        ratio = math.exp(low + (high - low) * uniform(words, 1))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            position = _core.philox4x32([*counter[:3], counter[3] | 10], key).tolist()
            return position[0] * (height - h + 1) >> 32, position[1] * (width - w + 1) >> 32, h, w
    h, w = min(height, round(width * 4 / 3)), min(width, round(height * 4 / 3))
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    ("size", "scale"),
    [((64, 64), (0.25, 0.5)), ((61, 70), (0.5, 1.0)), ((64, 64), (0.9, 1.0)), ((40, 90), (0.8, 1.0))],
)
def test_every_draw_follows_from_the_generator(size: tuple[int, int], scale: tuple[float, float]) -> None:
    """Many at once, whose first tries fit always, mostly, seldom and never."""
    seed, epoch, view = 2**33 + 1, 5, 2
    group = ViewGroup(count=3, scale=scale, flip=0.3, blur=0.4)
    ids = np.arange(-150, 151) * 3**20
    params = MultiCrop(ViewSpec((group,)), seed=seed).draw(ids, epoch, size)[view]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for image_id, record in zip(ids.tolist(), params, strict=True):
        counter = [image_id & 0xFFFFFFFF, image_id >> 32 & 0xFFFFFFFF, epoch, view << 16]
        window = tuple(int(record[side]) for side in ("top", "left", "height", "width"))
        assert window == drawn(counter, key, size, scale)
        words = _core.philox4x32([*counter[:3], counter[3] | 16], key).tolist()
        flip, blur, sigma = (word * 2.0**-32 for word in words[:3])
        assert record["flip"] == (flip < 0.3)
        assert record["blur_sigma"] == np.float32(0.1 + (2.0 - 0.1) * sigma if blur < 0.4 else 0.0)


@pytest.mark.parametrize("threads", [1, 2, 4, 7])
def test_draws_do_not_depend_on_threads_batch_or_order(threads: int) -> None:
    ids = np.arange(203, dtype=np.int64) * 977 - 5
    whole = MultiCrop("aug_multi_crop", seed=11, threads=1).draw(ids, 4, (70, 55))
    crops = MultiCrop("aug_multi_crop", seed=11, threads=threads)
    order = np.random.default_rng(0).permutation(len(ids))
    assert (crops.draw(ids, 4, (70, 55)) == whole).all()
    assert (crops.draw(ids[order], 4, (70, 55)) == whole[:, order]).all()
    assert (crops.draw(ids[17:18], 4, (70, 55)) == whole[:, 17:18]).all()


def test_seed_epoch_image_and_view_each_change_the_draw() -> None:
    def windows(seed: int, epoch: int, first: int) -> np.ndarray:
        params = MultiCrop("no_aug_multi_crop", seed=seed).draw(range(first, first + 50), epoch, (64, 64))
        return np.stack([params[side] for side in ("top", "left", "height", "width")])

    base = windows(0, 0, 0)
    assert (base == windows(0, 0, 0)).all()
    for other in (windows(1, 0, 0), windows(2**32, 0, 0), windows(0, 1, 0), windows(0, 0, 50)):
        assert (base[:, 1:] != other[:, 1:]).any(axis=0).mean() > 0.9
    assert (base[:, 1] != base[:, 2]).any()


def test_pairs_draw_per_image_or_once_per_batch() -> None:
    ids = np.arange(40)
    each = BYOLPair("corrected-1", seed=3).draw(ids, 1, 2)
    once = BYOLPair("reference-1", seed=3).draw(ids, 1, 2)
    assert each.shape == once.shape == (2, 40)
    assert len(np.unique(each["width"] * 1000 + each["left"])) > 40
    assert (once == once[:, :1]).all()
    assert (once[:, 0] == each[:, 0]).all()
    assert (once[0] != once[1]).all()
    assert (BYOLPair(seed=3).draw(ids, 1, 3) != each).any()
    assert BYOLPair("reference-1").draw([], 0, 0).shape == (2, 0)
