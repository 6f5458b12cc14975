"""Factorial effects against naive means, least squares and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.auc import Scored, roc_auc_draws
from morphobench.report.statistics.effects import (
    Effect,
    complete_paradigms,
    contrasts,
    effects_over_blocks,
    effects_over_groups,
    explained,
)
from morphobench.setups import PARADIGMS, SETTINGS, SETUPS

NAMES = [str(setup) for setup in SETUPS]
AUG = np.asarray([name.split("/")[1].startswith("aug") for name in NAMES])
CROP = np.asarray([name.endswith("multi_crop") for name in NAMES])
PARADIGM = np.asarray([name.split("/")[0] for name in NAMES])


def _values(seed: int, blocks: int, *, crop: float = 0.0, noise: float = 1.0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    paradigm = dict(zip(PARADIGMS, (0.0, 1.0, -1.0, 0.5), strict=True))
    cells = np.asarray([paradigm[p] for p in PARADIGM]) + crop * CROP
    return cells + random.normal(size=(blocks, 1)) + noise * random.normal(size=(blocks, 16))


def _named(found: list[Effect]) -> dict[str, Effect]:
    return {one.name: one for one in found}


def test_effects_are_the_naive_differences_of_means() -> None:
    values = np.random.default_rng(0).normal(size=(4, 16))
    means = values.mean(axis=0)
    found = _named(effects_over_blocks(values, NAMES))
    assert found["multi-crop"].estimate == pytest.approx(means[CROP].mean() - means[~CROP].mean())
    assert found["augmentation"].estimate == pytest.approx(means[AUG].mean() - means[~AUG].mean())
    both = (means[CROP & AUG].mean() - means[~CROP & AUG].mean()) - (
        means[CROP & ~AUG].mean() - means[~CROP & ~AUG].mean()
    )
    assert found["augmentation × multi-crop"].estimate == pytest.approx(both)
    mine = PARADIGM == "unsupervised"
    inside = means[mine & CROP].mean() - means[mine & ~CROP].mean()
    assert found["multi-crop in unsupervised"].estimate == pytest.approx(inside)
    assert found["unsupervised × multi-crop"].estimate == pytest.approx(inside - found["multi-crop"].estimate)
    assert found["unsupervised"].estimate == pytest.approx(means[mine].mean() - means.mean())
    assert len(found) == 27


def test_effects_are_those_of_least_squares_with_sum_coding() -> None:
    values = np.random.default_rng(1).normal(size=(3, 16))
    aug, crop = np.where(AUG, 0.5, -0.5), np.where(CROP, 0.5, -0.5)
    sums = np.stack([(p == PARADIGM) * 1.0 - (PARADIGMS[-1] == PARADIGM) for p in PARADIGMS[:3]], axis=1)
    columns = [
        np.ones(16),
        aug,
        crop,
        aug * crop,
        *sums.T,
        *(sums.T * aug),
        *(sums.T * crop),
        *(sums.T * aug * crop),
    ]
    design = np.tile(np.stack(columns, axis=1), (3, 1))
    fitted = np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
    found = _named(effects_over_blocks(values, NAMES))
    names = ["augmentation", "multi-crop", "augmentation × multi-crop", *PARADIGMS[:3]]
    names += [
        f"{p} × {f}"
        for f in ("augmentation", "multi-crop", "augmentation × multi-crop")
        for p in PARADIGMS[:3]
    ]
    assert [found[name].estimate for name in names] == pytest.approx(fitted[1:].tolist())


def test_the_interval_is_the_paired_t_interval_over_blocks() -> None:
    values = _values(2, 6)
    one = _named(effects_over_blocks(values, NAMES))["multi-crop"]
    theirs = stats.ttest_rel(values[:, CROP].mean(axis=1), values[:, ~CROP].mean(axis=1))
    assert (one.low, one.high) == pytest.approx(theirs.confidence_interval(0.95))
    assert one.p == pytest.approx(theirs.pvalue)
    assert one.units == "6 seeds"


def test_a_planted_multi_crop_effect_is_covered_in_90_of_100_seeds_and_a_null_one_too() -> None:
    planted = null = 0
    for seed in range(100):
        found = _named(effects_over_blocks(_values(seed, 3, crop=0.4), NAMES))
        planted += found["multi-crop"].low <= 0.4 <= found["multi-crop"].high
        null += found["augmentation × multi-crop"].low <= 0 <= found["augmentation × multi-crop"].high
    assert planted >= 90
    assert null >= 90


def test_one_seed_gives_estimates_and_counts_but_no_interval() -> None:
    values = _values(3, 1, crop=1.0, noise=0.01)
    one = _named(effects_over_blocks(values, NAMES))["multi-crop"]
    assert one.estimate == pytest.approx(1.0, abs=0.05)
    assert (one.wins, one.of) == (8, 8)
    assert math.isnan(one.low)
    assert math.isnan(one.p_holm)
    assert one.reason == "1 seed, at least 3 needed"
    down = _named(effects_over_blocks(values, NAMES, direction="down"))["multi-crop"]
    assert (down.wins, down.of) == (0, 8)


def test_holm_corrects_within_a_kind() -> None:
    found = effects_over_blocks(_values(4, 5), NAMES)
    for kind, count in (("main", 2), ("within", 8), ("interaction", 13), ("paradigm", 4)):
        members = [one for one in found if one.kind == kind]
        assert len(members) == count
        smallest = min(members, key=lambda one: one.p)
        assert smallest.p_holm == pytest.approx(min(1.0, count * smallest.p))


def test_incomplete_paradigms_are_left_out_and_order_does_not_matter() -> None:
    values = _values(5, 4)
    some = [f"unsupervised/{setting}" for setting in reversed(SETTINGS)]
    columns = [NAMES.index(name) for name in some]
    extra = [*some, "regularized/aug_one_crop", "mine"]
    found = effects_over_blocks(np.hstack([values[:, columns], values[:, :2]]), extra)
    assert {one.name for one in found} == {"augmentation", "multi-crop", "augmentation × multi-crop"}
    wanted = _named(effects_over_blocks(values, NAMES))["multi-crop in unsupervised"].estimate
    assert _named(found)["multi-crop"].estimate == pytest.approx(wanted)
    assert complete_paradigms(extra) == ("unsupervised",)
    with pytest.raises(InputError, match="all four settings of a paradigm"):
        effects_over_blocks(values[:, :2], NAMES[:2])


def test_contrasts_do_not_see_what_all_setups_share() -> None:
    _, made = contrasts(PARADIGMS)
    assert max(abs(float(one.weights.sum())) for one in made) < 1e-12


def test_explained_sums_to_one_and_finds_the_planted_part() -> None:
    values = _values(6, 3, crop=10.0, noise=0.01)
    shares = explained(values, NAMES)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["multi-crop"] > 0.95
    random = np.random.default_rng(7).normal(size=(1, 16))
    groups = [random[0][mask].mean() for mask in (AUG, ~AUG)]
    wanted = 8 * sum((mean - random.mean()) ** 2 for mean in groups) / np.sum((random - random.mean()) ** 2)
    assert explained(random, NAMES)["augmentation"] == pytest.approx(wanted)
    assert explained(np.ones((1, 16)), NAMES) == {}


def _scored(seed: int, lift: float) -> Scored:
    """Images of 12 plates; multi-crop setups see the drug better by ``lift``; plates shift all setups
    alike."""
    random = np.random.default_rng(seed)
    plates = np.repeat(np.arange(12), 20)
    labels = random.integers(0, 2, len(plates))
    plate_effect = random.normal(0.8, 0.4, size=12)[plates]
    shared = random.normal(size=len(plates))
    scores = np.stack(
        [
            shared + 0.5 * random.normal(size=len(plates)) + labels * (plate_effect + lift * multi)
            for multi in CROP
        ]
    )
    return Scored(scores, labels, plates)


def test_effects_by_plates_find_a_planted_multi_crop_and_cover_a_null_one() -> None:
    planted = _named(
        effects_over_groups(roc_auc_draws([_scored(0, 0.6)], resamples=500), NAMES, unit="plate")
    )
    one = planted["multi-crop"]
    assert one.low > 0
    assert one.p_holm < 0.01
    assert one.units == "12 plates"
    assert one.estimate == pytest.approx(
        np.mean([1 if c else -1 for c in CROP] * roc_auc_draws([_scored(0, 0.6)], resamples=500).estimates)
        * 2
    )
    inside = 0
    for seed in range(100):
        null = effects_over_groups(roc_auc_draws([_scored(seed, 0.0)], resamples=300), NAMES, unit="plate")
        inside += null[0].low <= 0 <= null[0].high
    assert inside >= 90


def test_effects_by_too_few_plates_say_so() -> None:
    part = _scored(0, 0.5)
    few = Scored(part.scores, part.labels, part.groups % 3)
    one = effects_over_groups(roc_auc_draws([few], resamples=300), NAMES, unit="plate")[0]
    assert one.reason == "3 plates, at least 6 needed"
    assert math.isnan(one.low)
    assert math.isnan(one.p)
