"""Baseline embeddings that need no training of an encoder; they go through the same tasks.

A setup that does not beat them has learned nothing useful. The untrained encoder, one more baseline, comes
from `morphobench.models`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from morphobench.errors import InputError
from morphobench.types import Float32Array, UInt8Array

if TYPE_CHECKING:
    from morphobench.training.data.images import ImageArray

_LARGEST_FIT = 4096  # images; enough for the leading components of pixels, and memory stays bounded
_BLOCK = 1024


def mean_intensity(images: ImageArray) -> Float32Array:
    """Compute the mean intensity of each channel.

    Args:
        images: uint8 (N, C, H, W), an array, a memory map or rows of one.

    Returns:
        float32 (N, C) in [0, 1].

    Raises:
        InputError: Another shape.
        TypeError: Another dtype.
    """
    _check(images, "images")
    means = np.empty(images.shape[:2], dtype=np.float32)
    for start in range(0, images.shape[0], _BLOCK):
        part = images[start : start + _BLOCK]
        means[start : start + len(part)] = part.mean(axis=(2, 3), dtype=np.float64) / 255
    return means


def pca_pixels(
    train_images: ImageArray, images: ImageArray, *, components: int = 50, seed: int = 0
) -> Float32Array:
    """Project images on the leading principal components of training pixels.

    Fitted by a randomized singular value decomposition (Halko, Martinsson and Tropp, arXiv:0909.4061) to
    4,096 training images at most.

    Args:
        train_images: uint8 (M, C, H, W) to fit.
        images: uint8 (N, C, H, W) to project.
        components: Number of components; fewer where the training images allow no more.
        seed: Seed of the choice of training images and of the decomposition.

    Returns:
        float32 (N, K).

    Raises:
        InputError: Shapes that do not fit, no training image, or no component.
        TypeError: Another dtype.
    """
    from sklearn.decomposition import PCA

    _check(train_images, "train_images")
    _check(images, "images")
    if train_images.shape[1:] != images.shape[1:]:
        raise InputError(
            f"images must have the training images' shape {train_images.shape[1:]}, got {images.shape[1:]}"
        )
    if components < 1 or not train_images.shape[0]:
        raise InputError(
            f"components must be at least 1, of at least 1 training image, got {components} of "
            f"{train_images.shape[0]}"
        )
    generator = np.random.default_rng(seed)
    rows = generator.permutation(train_images.shape[0])[:_LARGEST_FIT]
    pixels = _pixels(train_images[np.sort(rows)])
    model = PCA(min(components, *pixels.shape), svd_solver="randomized", random_state=seed % 2**32)
    with np.errstate(invalid="ignore"):  # shares of the variance, which nobody reads, where there is none
        model.fit(pixels)
    parts = [
        model.transform(_pixels(images[start : start + _BLOCK]))
        for start in range(0, images.shape[0], _BLOCK)
    ]
    empty = np.empty((0, model.n_components_), dtype=np.float32)
    return np.concatenate([empty, *parts]).astype(np.float32)


def chance(images: int, *, features: int = 16, seed: int = 0) -> Float32Array:
    """Draw embeddings without information: independent normal numbers.

    Args:
        images: Number of images N.
        features: Number of features D.
        seed: Seed.

    Returns:
        float32 (N, D).
    """
    return np.random.default_rng(seed).standard_normal((images, features), dtype=np.float32)


def _pixels(images: UInt8Array) -> Float32Array:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _check(images: ImageArray, name: str) -> None:
    if len(images.shape) != 4:
        raise InputError(f"{name} must have shape (N, C, H, W), got {images.shape}")
    if images.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8, got {images.dtype}")
