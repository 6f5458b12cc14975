"""The record that describes a view, and the call that fills it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from morphobench import _core
from morphobench.augment.spec import ViewGroup, ViewSpec
from morphobench.types import Int64Array

ViewParams: TypeAlias = NDArray[np.void]
"""A structured array (V, N) of PARAMS_DTYPE: how view v of image n is made."""

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
"""Window in pixels of the image; ``flip``: left-right; ``blur_sigma`` in pixels of the view, 0 for none."""


@lru_cache(maxsize=64)
def params_dtype(spec: ViewSpec, *, channels: int) -> np.dtype[np.void]:
    """PARAMS_DTYPE and the further fields that ``spec`` needs.

    ``flip_vertical`` bool; ``quarter_turns`` uint8, counter-clockwise; ``noise_sigma`` float32 and
    ``noise_key`` uint64, of the generator; ``brightness`` and ``contrast`` float32 (channels,), factors.
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


def draw_group(
    group: ViewGroup,
    params: ViewParams,
    image_ids: Int64Array,
    *,
    seed: int,
    epoch: int,
    first_view: int,
    image_shape: tuple[int, int],
    threads: int,
) -> None:
    """Fill ``params`` (group.count, N) with the draws of views first_view, first_view + 1, ..."""
    _core.draw_views(
        params,
        image_ids,
        seed=seed,
        epoch=epoch,
        first_view=first_view,
        height=image_shape[0],
        width=image_shape[1],
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
        threads=threads,
    )
