"""Batch correction on profiles with planted plate effects."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.profiles.correct import harmony, tvn
from morphobench.types import BoolArray, Float32Array, Int64Array


def plates(*, shift: float) -> tuple[Float32Array, BoolArray, Int64Array, Int64Array]:
    """Four plates of 40 profiles, half of them controls, moved and stretched by plate; two kinds of drug."""
    random = np.random.default_rng(0)
    batches = np.repeat(np.arange(4), 40)
    controls = np.tile(np.arange(40) < 20, 4)
    kinds = np.where(controls, -1, np.tile(np.arange(40) % 2, 4))
    values = random.normal(size=(160, 8))
    values[:, 0] += 4 * (kinds == 0)
    values[:, 1] += 4 * (kinds == 1)
    values = (
        values * (1 + shift * random.uniform(size=(4, 8)))[batches]
        + shift * random.normal(size=(4, 8))[batches] * 5
    )
    return values.astype(np.float32), controls, batches, kinds


def between(values: Float32Array, batches: Int64Array, rows: BoolArray) -> float:
    """Share of the variance of some rows that lies between batches."""
    kept = values[rows]
    means = np.stack([kept[batches[rows] == batch].mean(axis=0) for batch in np.unique(batches)])
    return float(means.var(axis=0).sum() / kept.var(axis=0).sum())


def test_tvn_aligns_plates_and_keeps_drugs_apart() -> None:
    values, controls, batches, kinds = plates(shift=1.0)
    corrected = tvn(values, controls, batches)
    assert between(values, batches, controls) > 0.5
    assert between(corrected, batches, controls) < 1e-6
    centres = np.stack([corrected[kinds == kind].mean(axis=0) for kind in (-1, 0, 1)])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(3, 1)]
    assert gaps.min() > 1


def test_tvn_whitens_the_controls_of_plates_without_effects() -> None:
    values, controls, _, _ = plates(shift=0.0)
    corrected = tvn(values, controls, np.zeros(160, np.int64))
    np.testing.assert_allclose(np.cov(corrected[controls].T), np.eye(8), atol=1e-4)


def test_tvn_refuses_plates_without_controls() -> None:
    values, controls, batches, _ = plates(shift=0.0)
    with pytest.raises(InputError, match="at least 2 in every batch, got 0 in batch 1"):
        tvn(values, controls & (batches != 1), batches)


def test_harmony_mixes_plates_and_keeps_drugs_apart() -> None:
    """Plates moved by about one deviation: Harmony finds no cluster that spans plates much farther apart."""
    pytest.importorskip("harmonypy", reason="harmonypy is not installed (extra: harmony)")
    random = np.random.default_rng(0)
    batches = np.repeat(np.arange(4), 200)
    controls = np.tile(np.arange(200) < 100, 4)
    kinds = np.where(controls, -1, np.tile(np.arange(200) % 2, 4))
    drawn = random.normal(size=(800, 8))
    drawn[:, 0] += 8 * (kinds == 0)
    drawn[:, 1] += 8 * (kinds == 1)
    values = (drawn + random.normal(size=(4, 8))[batches]).astype(np.float32)
    corrected = harmony(values, batches)
    assert corrected.shape == (800, 8)
    assert between(corrected, batches, controls) < 0.25 * between(values, batches, controls)
    everything = np.ones(800, dtype=bool)
    assert between(corrected, kinds + 1, everything) > between(values, kinds + 1, everything)
