"""Profiles with planted groups."""

from __future__ import annotations

import numpy as np

from morphobench.types import Float32Array, Int64Array


def planted_profiles(
    groups: Int64Array, *, strength: float, features: int = 20, seed: int = 0
) -> Float32Array:
    """Profiles (N, D) of unit variance about a centre for each group, ``strength`` from the origin."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((groups.max() + 1, features)) * strength
    return (generator.standard_normal((len(groups), features)) + centres[groups]).astype(np.float32)
