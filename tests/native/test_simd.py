"""One SIMD level governs every kernel: views, pixels, draws, distances and the network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from morphobench import _core
from morphobench.augment import MultiCrop
from morphobench.augment.spec import ViewGroup, ViewSpec
from morphobench.evaluation import distances
from tests.support.simd import LEVELS, simd

RNG_SEED = 3
EVERYTHING = ViewSpec(
    (
        ViewGroup(
            count=3,
            scale=(0.1, 1.0),
            flip=0.5,
            flip_vertical=0.5,
            quarter_turns=True,
            blur=0.7,
            brightness=0.3,
            contrast=0.3,
            noise=0.7,
        ),
    )
)


def draws() -> NDArray[np.void]:
    """Parameters of 37 images, an odd number of those that are drawn together."""
    return MultiCrop("aug_multi_crop").draw(np.arange(37), 2, (50, 64))


def views() -> NDArray[np.float32]:
    """8-bit views with everything that has a kernel."""
    images = np.random.default_rng(RNG_SEED).integers(0, 256, (6, 2, 40, 50), dtype=np.uint8)
    return MultiCrop(EVERYTHING)(images, range(6), 0)


def deep_views() -> NDArray[np.float32]:
    """16-bit views, resized in float32."""
    images = np.random.default_rng(RNG_SEED).integers(0, 65536, (6, 2, 40, 50), dtype=np.uint16)
    return MultiCrop(EVERYTHING)(images, range(6), 0)


def half_views() -> NDArray[np.float16]:
    """Views cast to 16 bits."""
    images = np.random.default_rng(RNG_SEED).integers(0, 256, (6, 2, 40, 50), dtype=np.uint8)
    return MultiCrop(EVERYTHING, dtype="float16")(images, range(6), 0)


def pooled() -> NDArray[np.float32]:
    """Max-pool, ReLU and its gradient, which hold no sums: the same bits at every level."""
    rng = np.random.default_rng(RNG_SEED)
    images = rng.normal(size=(2, 6, 8, 32)).astype(np.float32)
    out, choice = np.empty((2, 3, 4, 32), np.float32), np.empty((2, 3, 4, 32), np.uint8)
    _core.max_pool_relu_forward(images, out, choice)
    gradient = np.empty_like(images)
    _core.max_pool_relu_backward(out, choice, gradient)
    return np.concatenate([out.ravel(), choice.ravel(), gradient.ravel()])


def convolved() -> NDArray[np.float32]:
    """The first layer and its gradients: sums that a level may fuse."""
    rng = np.random.default_rng(RNG_SEED)
    images, weight, bias = (
        rng.normal(size=shape).astype(np.float32) for shape in ((2, 3, 12, 10), (3, 9, 32), (32,))
    )
    out, choice = np.empty((2, 6, 5, 32), np.float32), np.empty((2, 6, 5, 32), np.uint8)
    _core.conv_pool_stem_forward(images, weight, bias, out, choice)
    gradients = np.empty_like(weight), np.empty_like(bias)
    _core.conv_pool_stem_backward(images, out, choice, *gradients)
    return np.concatenate([each.ravel() for each in (out, *gradients)])


def bray_curtis() -> NDArray[np.float32]:
    """The distance whose sums have a kernel for each level."""
    rng = np.random.default_rng(RNG_SEED)
    a, b = (rng.normal(size=(rows, 77)).astype(np.float32) for rows in (9, 13))
    return distances.pairwise(a, b, "braycurtis")


def at(level: str, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """What ``compute`` gives at ``level``."""
    with simd(level):
        return compute()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("compute", [draws, views, deep_views, half_views, pooled])
def test_levels_give_the_same_bytes(compute: Callable[[], NDArray[Any]], level: str) -> None:
    assert at(level, compute).tobytes() == at("scalar", compute).tobytes()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("compute", [convolved, bray_curtis])
def test_levels_agree_to_rounding(compute: Callable[[], NDArray[Any]], level: str) -> None:
    np.testing.assert_allclose(at(level, compute), at("scalar", compute), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
def test_build_info_names_the_level_of_every_family(level: str) -> None:
    with simd(level):
        info = _core.build_info()
    assert info["simd"] == level
    kernels = info["simd_kernels"]
    assert set(kernels) == {"views", "pixels", "draws", "distances", "network"}
    assert {name: used for name, used in kernels.items() if used != level} in ({}, {"views": "avx2"})


PROGRAM = """
from tests.native.test_simd import bray_curtis, convolved
from morphobench import _core
print(*_core.build_info()["simd_kernels"].values())
print(bray_curtis().tobytes().hex(), convolved().tobytes().hex())
"""


def test_the_environment_variable_governs_every_family() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "MORPHOBENCH_SIMD": "scalar"},
        capture_output=True,
        text=True,
        check=True,
    )
    *families, distance, network = result.stdout.split()
    assert families == ["scalar"] * 5
    # Sums in other lanes, or with fused multiply-adds, differ in their last bits: so the level shows.
    for used, compute in ((distance, bray_curtis), (network, convolved)):
        assert used == at("scalar", compute).tobytes().hex()
        if LEVELS[0] in ("avx2", "avx512"):
            assert used != at(LEVELS[0], compute).tobytes().hex()


def test_an_unknown_level_in_the_environment_is_refused() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from morphobench import _core; _core.build_info()"],
        env={**os.environ, "MORPHOBENCH_SIMD": "mmx"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SIMD level must be one of" in result.stderr
    assert "scalar on this machine, got 'mmx'" in result.stderr
