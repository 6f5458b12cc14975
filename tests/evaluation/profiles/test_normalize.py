"""Normalization to controls against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.profiles import mad_robustize, spherize


def rows(count: int, features: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, features), dtype=np.float32)


def test_controls_have_median_0_and_mad_1_on_every_plate() -> None:
    profiles, plates = rows(60) * 7 + 3, np.repeat([0, 1], 30)
    profiles[30:] += 100
    controls = np.arange(60) % 3 == 0
    normal = mad_robustize(profiles, controls, strata=plates)
    for plate in (0, 1):
        base = normal[(plates == plate) & controls]
        np.testing.assert_allclose(np.median(base, axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(np.median(np.abs(base), axis=0) * 1.4826, 1, rtol=1e-4)


def test_features_without_deviation_do_not_explode() -> None:
    profiles = rows(20, 3)
    controls = np.arange(20) < 10
    profiles[:10, 0] = 5
    profiles[:10, 1] = [0] * 9 + [1]
    normal = mad_robustize(profiles, controls)
    np.testing.assert_allclose(normal[:, 0], profiles[:, 0] - 5, rtol=1e-6)
    assert normal[9, 1] == pytest.approx(1 / 0.3, rel=1e-5)


@pytest.mark.parametrize("features", [4, 60])
def test_spherizing_is_zca_of_the_controls(features: int) -> None:
    profiles = rows(50, features) @ rows(features, features, seed=1)
    controls = np.arange(50) < 30
    whitened = spherize(profiles, controls, regularization=0.1)
    base = profiles[controls].astype(np.float64)
    covariance = np.cov(base.T)
    ridge = 0.1 * np.trace(covariance) / features
    values, vectors = np.linalg.eigh(covariance + ridge * np.eye(features))
    expected = (profiles - base.mean(axis=0)) @ (vectors / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(whitened, expected, rtol=1e-4, atol=1e-4)


def test_spherized_controls_are_uncorrelated() -> None:
    profiles = rows(400, 4) @ rows(4, 4, seed=1)
    controls = np.ones(400, bool)
    covariance = np.cov(spherize(profiles, controls, regularization=1e-6).T)
    np.testing.assert_allclose(covariance, np.eye(4), atol=1e-3)


def test_normalization_refuses_strata_without_controls() -> None:
    profiles, plates = rows(6), np.repeat([3, 8], 3)
    controls = plates == 3
    for normalize in (mad_robustize, spherize):
        with pytest.raises(InputError, match="at least 2 in every stratum, got 0 in stratum 8"):
            normalize(profiles, controls, strata=plates)
    with pytest.raises(InputError, match="regularization must be above 0"):
        spherize(profiles, np.ones(6, bool), regularization=0)
    with pytest.raises(InputError, match="two different profiles"):
        spherize(np.ones((6, 2), np.float32), np.ones(6, bool))
    with pytest.raises(InputError, match=r"controls and strata must have shape \(6,\)"):
        mad_robustize(profiles, controls[:2])
