"""The generator against its authors' published answers, and the independence of the streams built on it."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench import _core
from morphobench.augment import MultiCrop, PairViews

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
    each = PairViews("corrected-1", seed=3).draw(ids, 1, 2)
    once = PairViews("reference-1", seed=3).draw(ids, 1, 2)
    assert each.shape == once.shape == (2, 40)
    assert len(np.unique(each["width"] * 1000 + each["left"])) > 40
    assert (once == once[:, :1]).all()
    assert (once[:, 0] == each[:, 0]).all()
    assert (once[0] != once[1]).all()
    assert (PairViews(seed=3).draw(ids, 1, 3) != each).any()
    assert PairViews("reference-1").draw([], 0, 0).shape == (2, 0)
