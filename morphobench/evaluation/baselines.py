"""Embeddings that no encoder learned. A setup that does not beat them has learned nothing that helps.

They go through the same tasks as others. The untrained encoder is one more, which ``models`` makes.
"""

from __future__ import annotations

import numpy as np

from morphobench.errors import InputError
from morphobench.types import Float32Array, UInt8Array

_LARGEST_FIT = 4096  # images: the leading components of pixels need no more, and memory stays bounded
_BLOCK = 1024


def mean_intensity(images: UInt8Array) -> Float32Array:
    """The mean of each channel, in [0, 1]; uint8 (N, C, H, W) -> float32 (N, C)."""
    _check(images, "images")
    means = np.empty(images.shape[:2], dtype=np.float32)
    for start in range(0, len(images), _BLOCK):
        part = images[start : start + _BLOCK]
        means[start : start + len(part)] = part.mean(axis=(2, 3), dtype=np.float64) / 255
    return means


def pca_pixels(
    train_images: UInt8Array, images: UInt8Array, *, components: int = 50, seed: int = 0
) -> Float32Array:
    """The leading principal components of pixels; uint8 (N, C, H, W) -> float32 (N, K).

    Fitted to ``train_images`` (M, C, H, W), to 4,096 of them drawn by ``seed`` where there are more, by a
    randomized singular value decomposition (Halko, Martinsson and Tropp, arXiv:0909.4061). K is
    ``components``, or as many as the training images allow.
    """
    from sklearn.decomposition import PCA

    _check(train_images, "train_images")
    _check(images, "images")
    if train_images.shape[1:] != images.shape[1:]:
        raise InputError(
            f"images: of the training images' shape {train_images.shape[1:]} wanted, got {images.shape[1:]}"
        )
    if components < 1 or not len(train_images):
        raise InputError(
            f"components: at least 1, of at least 1 training image, wanted, got {components} of "
            f"{len(train_images)}"
        )
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(train_images))[:_LARGEST_FIT]
    pixels = _pixels(train_images[np.sort(rows)])
    model = PCA(min(components, *pixels.shape), svd_solver="randomized", random_state=seed).fit(pixels)
    parts = [
        model.transform(_pixels(images[start : start + _BLOCK])) for start in range(0, len(images), _BLOCK)
    ]
    empty = np.empty((0, model.n_components_), dtype=np.float32)
    return np.concatenate([empty, *parts]).astype(np.float32)


def chance(images: int, *, features: int = 16, seed: int = 0) -> Float32Array:
    """Embeddings that say nothing: ``images`` rows of independent normal numbers; float32 (N, D)."""
    return np.random.default_rng(seed).standard_normal((images, features), dtype=np.float32)


def _pixels(images: UInt8Array) -> Float32Array:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _check(images: UInt8Array, name: str) -> None:
    if images.ndim != 4:
        raise InputError(f"{name}: (N, C, H, W) wanted, got {images.shape}")
    if images.dtype != np.uint8:
        raise TypeError(f"{name}: uint8 wanted, got {images.dtype}")
