"""Baselines against the plain formulas, and at chance where they must be."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, baselines, evaluate
from morphobench.options import EvaluationOptions
from morphobench.setups import Sweep


def _images(rows, channels=2, size=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (rows, channels, size, size), dtype=np.uint8)


def test_mean_intensity_by_hand():
    images = _images(1030)
    means = baselines.mean_intensity(images)
    assert means.shape == (1030, 2)
    assert means.dtype == np.float32
    assert means[1029, 1] == pytest.approx(sum(images[1029, 1].ravel().tolist()) / 36 / 255)


def test_pca_spans_the_leading_directions():
    """The components of rank-3 images are those of the exact decomposition, up to their sign."""
    generator = np.random.default_rng(0)
    # Directions of clearly different weight: three patterns, strongly, less and least used.
    patterns = generator.normal(size=(3, 36))
    weights = generator.normal(size=(80, 3)) * (20, 10, 4)
    flat = np.clip(128 + weights @ patterns, 0, 255)
    images = flat.reshape(80, 1, 6, 6).astype(np.uint8)
    ours = baselines.pca_pixels(images[:60], images, components=3)
    pixels = images.reshape(80, -1) / 255
    _, _, axes = np.linalg.svd(pixels[:60] - pixels[:60].mean(axis=0), full_matrices=False)
    expected = (pixels - pixels[:60].mean(axis=0)) @ axes[:3].T
    np.testing.assert_allclose(np.abs(ours), np.abs(expected), atol=1e-3)


def test_pca_is_reproducible_and_bounded_by_its_training_images():
    images = _images(40)
    first, second = (baselines.pca_pixels(images[:9], images, seed=1) for _ in range(2))
    assert (first == second).all()
    assert first.shape == (40, 9)
    assert baselines.pca_pixels(images[:9], images[:0]).shape == (0, 9)


def test_what_is_wanted_is_said():
    with pytest.raises(InputError, match="images"):
        baselines.mean_intensity(np.zeros((3, 6, 6), dtype=np.uint8))
    with pytest.raises(TypeError, match="uint8"):
        baselines.mean_intensity(np.zeros((3, 1, 6, 6), dtype=np.float32))
    with pytest.raises(InputError, match="shape"):
        baselines.pca_pixels(_images(4), _images(4, channels=1))
    with pytest.raises(InputError, match="training image"):
        baselines.pca_pixels(_images(0), _images(4))


def test_chance_is_at_chance_and_intensity_is_not(planted):
    _, metadata = planted(per_group=60, controls=240)
    drug = (metadata["Metadata_ControlType"] == "trt").to_numpy()
    images = _images(len(metadata), channels=1) // 2 + 40 * drug[:, None, None, None].astype(np.uint8)
    sweep = Sweep(learning_rates=(0.05,), momenta=(0.9,), weight_decays=(1e-4,), classifier_batch=64)
    areas = [
        evaluate(EvaluationInput(each, metadata, EvaluationOptions(sweep=sweep)), tasks=["classification"])[
            "classification"
        ].metrics["classification.roc_auc"]
        for each in (baselines.chance(len(images)), baselines.mean_intensity(images))
    ]
    assert abs(areas[0] - 0.5) < 0.1
    assert areas[1] > 0.95
