"""Self-test of the compiled kernels: random cases against slow oracles, for every instruction set here.

The oracles are NumPy alone, so that the test runs wherever the views and distances do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench import _core
from morphobench.augment import MultiCrop
from morphobench.evaluation import distances
from morphobench.types import UInt8Array

_COEFFICIENT_BITS = 22  # Pillow's fixed point for 8-bit images
_BLUR_TOLERANCE = 2e-6  # the blur is rounded to float32 in another order
_DISTANCE_TOLERANCE = 2e-5  # relative


@dataclass(frozen=True)
class SelfTest:
    """Result of the self-test.

    Attributes:
        cases: Random cases compared, by instruction set.
        failures: What differed, one sentence each; empty where every case agreed.
    """

    cases: dict[str, int]
    failures: tuple[str, ...]


def self_test(*, seconds: float = 10.0, seed: int = 0) -> SelfTest:
    """Compare views and distances with the oracles for every instruction set of this processor.

    Args:
        seconds: Time to spend, shared equally between the instruction sets; each runs one case at least.
        seed: Seed of the cases.

    Returns:
        How many cases were compared and what differed.
    """
    build = _core.build_info()
    chosen, levels = build["simd"], build["simd_levels"]
    cases: dict[str, int] = {}
    failures: list[str] = []
    try:
        for level in levels:
            _core.use_simd(level)
            rng = np.random.default_rng(seed)
            end = time.monotonic() + seconds / len(levels)
            cases[level] = 0
            while not cases[level] or (time.monotonic() < end and len(failures) < 10):
                for check in (_check_views, _check_distances):
                    failures += (f"{level}: {text}" for text in check(rng))
                cases[level] += 1
    finally:
        _core.use_simd(chosen)
    return SelfTest(cases, tuple(failures))


def _check_views(rng: np.random.Generator) -> list[str]:
    height, width, size_px = (int(value) for value in rng.integers(8, 130, 3))
    images = rng.integers(0, 256, (3, height, width), np.uint8)
    crops = MultiCrop("aug_multi_crop", size_px=size_px, seed=int(rng.integers(1 << 30)), threads=2)
    params = crops.draw(np.arange(3), 0, images.shape)
    views = crops.apply(images, params)
    failures = []
    for view, image in np.ndindex(*params.shape):
        record = params[view, image]
        expected = view_oracle(images[image], record, size_px)
        error = float(np.abs(views[view, image, 0] - expected).max())
        if error > (_BLUR_TOLERANCE if record["blur_sigma"] > 0 else 0):
            failures.append(
                f"view of {height} x {width} pixels by {record} must equal the oracle's, got {error:g} apart"
            )
    return failures


def view_oracle(plane: UInt8Array, record: Any, size_px: int) -> NDArray[np.float32]:
    """Make one view as Pillow and torchvision do it, one step after the other.

    Args:
        plane: uint8 (H, W).
        record: One element of the array that ``MultiCrop.draw`` returns.
        size_px: Side of the view.

    Returns:
        float32 (size_px, size_px) in [0, 1].
    """
    top, left, height, width = (int(record[name]) for name in ("top", "left", "height", "width"))
    crop = plane[top : top + height, left : left + width]
    # Each pass rounds, so their order shows; this is Pillow 13's (docs/augmentation.md).
    if height > size_px and height - size_px > 2 * (width - size_px):
        pixels = _resize_rows(_resize_rows(crop, size_px).T, size_px).T
    else:
        pixels = _resize_rows(_resize_rows(crop.T, size_px).T, size_px)
    view = pixels.astype(np.float32) / np.float32(255)
    if record["flip"]:
        view = view[:, ::-1]
    return _blur(view, float(record["blur_sigma"])) if record["blur_sigma"] > 0 else view


def _resize_rows(plane: UInt8Array, size: int) -> UInt8Array:
    """Resize the first axis as Pillow's bilinear filter does: a triangle as wide as the scale."""
    count = len(plane)
    scale = count / size
    width = max(scale, 1.0)
    out = np.empty((size, plane.shape[1]), np.uint8)
    for row in range(size):
        center = (row + 0.5) * scale
        first, last = max(0, int(center - width + 0.5)), min(count, int(center + width + 0.5))
        weights = np.maximum(0, 1 - np.abs((np.arange(first, last) - center + 0.5) * (1 / width)))
        fixed = np.floor(weights / sum(weights.tolist()) * (1 << _COEFFICIENT_BITS) + 0.5).astype(np.int64)
        total = fixed @ plane[first:last].astype(np.int64) + (1 << (_COEFFICIENT_BITS - 1))
        out[row] = np.clip(total >> _COEFFICIENT_BITS, 0, 255)
    return out


def _blur(view: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    side = np.exp(-0.5 / sigma**2)
    kernel = np.array([side, 1, side]) / (1 + 2 * side)
    padded = np.pad(view.astype(np.float64), 1, mode="reflect")
    size = len(view)
    rows = sum(weight * padded[k : k + size] for k, weight in enumerate(kernel))
    blurred: NDArray[np.float64] = sum(weight * rows[:, k : k + size] for k, weight in enumerate(kernel))
    return blurred.astype(np.float32)


def _check_distances(rng: np.random.Generator) -> list[str]:
    rows, others, features = (int(value) for value in rng.integers(1, 60, 3))
    a, b = (rng.random((count, features + 1), np.float32) for count in (rows, others))
    medians = distances.median_distances(a, b)
    failures = []
    for metric in distances.METRICS:
        expected = distance_oracle(a, b, metric)
        found = distances.pairwise(a, b, metric)
        # Correlation and cosine distances near 0 are differences of numbers near 1.
        apart = float(np.abs(found - expected).max() / max(1.0, float(expected.max())))
        median = abs(medians[metric] - float(np.median(expected))) / max(1.0, float(expected.max()))
        if max(apart, median) > _DISTANCE_TOLERANCE:
            failures.append(
                f"{metric} distance of {rows} x {others} rows of {features + 1} must equal the oracle's, "
                f"got {max(apart, median):g} apart"
            )
    return failures


def distance_oracle(a: NDArray[np.float32], b: NDArray[np.float32], metric: str) -> NDArray[np.float64]:
    """Compute all distances by their definitions, in float64.

    Args:
        a: float32 (N, D).
        b: float32 (M, D).
        metric: A name of ``distances.METRICS``.

    Returns:
        float64 (N, M).
    """
    return np.array(
        [[_DEFINITIONS[metric](x, y) for y in b.astype(np.float64)] for x in a.astype(np.float64)]
    )


def _cosine(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return 1 - float(x @ y / np.sqrt((x @ x) * (y @ y)))


_DEFINITIONS: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], float]] = {
    "euclidean": lambda x, y: float(np.sqrt(((x - y) ** 2).sum())),
    "cosine": _cosine,
    "correlation": lambda x, y: _cosine(x - x.mean(), y - y.mean()),
    "braycurtis": lambda x, y: float(np.abs(x - y).sum() / np.abs(x + y).sum()),
}
