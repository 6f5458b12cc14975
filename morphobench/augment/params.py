"""Parameters of views: the structured array that describes them, and the distribution they are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from morphobench import _core
from morphobench.augment.spec import ViewGroup, ViewSpec

ViewParams: TypeAlias = NDArray[np.void]
"""Structured array (V, N) of PARAMS_DTYPE: how view v of image n is made."""

ViewRecord: TypeAlias = Any
"""One element of ViewParams: ``record["top"]`` and so on."""

PARAMS_DTYPE = np.dtype(
    [
        ("top", np.int32),
        ("left", np.int32),
        ("height", np.int32),
        ("width", np.int32),
        ("flip", np.bool_),
        ("blur_sigma", np.float32),
    ],
    align=True,
)
"""Crop window in pixels of the image; flip left-right; sigma of the blur in pixels of the view, 0: none."""


@lru_cache(maxsize=64)
def params_dtype(spec: ViewSpec, *, channels: int) -> np.dtype[np.void]:
    """Dtype of the parameters of a spec: PARAMS_DTYPE and the further fields that it needs.

    The further fields are ``flip_vertical`` (bool), ``quarter_turns`` (uint8, counter-clockwise),
    ``noise_sigma`` (float32) with ``noise_key`` (uint64, of the generator), and ``brightness`` and
    ``contrast`` (float32 (channels,), factors).

    Args:
        spec: the views.
        channels: number of channels of the images.

    Returns:
        The structured dtype.
    """
    fields: list[Any] = [(name, PARAMS_DTYPE[name]) for name in PARAMS_DTYPE.names or ()]
    if any(group.flip_vertical for group in spec.groups):
        fields.append(("flip_vertical", np.bool_))
    if any(group.quarter_turns for group in spec.groups):
        fields.append(("quarter_turns", np.uint8))
    if any(group.noise for group in spec.groups):
        fields += [("noise_sigma", np.float32), ("noise_key", np.uint64)]
    if any(group.brightness or group.contrast for group in spec.groups):
        fields += [("brightness", np.float32, (channels,)), ("contrast", np.float32, (channels,))]
    return np.dtype(fields, align=True)


def view_distribution(groups: Sequence[ViewGroup]) -> _core.ViewDistributions:
    """Make the sampler of the parameters of views.

    Args:
        groups: groups of views, drawn one after the other.

    Returns:
        The sampler; its ``draw`` fills an array of parameters.
    """
    laws = _core.ViewDistributions()
    for group in groups:
        laws.add(
            group.count,
            scale=group.scale,
            ratio=group.ratio,
            flip=group.flip,
            blur=group.blur,
            sigma=group.blur_sigma_px,
            flip_vertical=group.flip_vertical,
            quarter_turns=group.quarter_turns,
            noise=group.noise,
            noise_sigma=group.noise_sigma,
            brightness=group.brightness,
            contrast=group.contrast,
        )
    return laws
