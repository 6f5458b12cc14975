"""Counter-based random numbers: a pure function of a key, for whole arrays of keys at once.

Number ``j`` of key ``(seed, *words)`` never depends on which other numbers are drawn, in which order or by
which thread. The mixing function is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
number generators", figure 15).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morphobench.types import Float64Array

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def uniforms(seed: int, words: NDArray[np.int64], count: int, *, stream: int = 0) -> Float64Array:
    """Draw uniform random numbers.

    Args:
        seed: first part of every key.
        words: int64 (N,), last part of each key.
        count: how many numbers per key.
        stream: part of every key that keeps uses apart.

    Returns:
        float64 (N, count), uniform in (0, 1).
    """
    base = np.array([seed & (2**64 - 1)], dtype=np.uint64)
    base = _mix(_mix(base + _GOLDEN) + np.array([stream], dtype=np.uint64) * _GOLDEN)
    keys = _mix(base ^ _mix(words.astype(np.uint64) * _GOLDEN + _GOLDEN))
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    bits = _mix(keys[:, None] + steps)
    # 53 bits, shifted by half a step: never 0 and never 1, so that normals stay finite.
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(seed: int, words: NDArray[np.int64], count: int, *, stream: int = 0) -> Float64Array:
    """Draw standard normal random numbers, by the inverse of the distribution function.

    Args:
        seed: first part of every key.
        words: int64 (N,), last part of each key.
        count: how many numbers per key.
        stream: part of every key that keeps uses apart.

    Returns:
        float64 (N, count).
    """
    from scipy.special import ndtri

    return np.asarray(ndtri(uniforms(seed, words, count, stream=stream)), dtype=np.float64)
