"""From uint8 images, as stores hold them, to what networks take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morphobench.errors import InputError
from morphobench.types import Float32Array


def as_batch(images: NDArray[Any] | Tensor, *, channels: int) -> NDArray[np.uint8]:
    """``images`` as uint8 (N, C, H, W) without a copy where it has that form; (N, H, W) is one channel.

    TypeError unless uint8; InputError for another rank or number of channels.
    """
    array = images.numpy(force=True) if isinstance(images, Tensor) else images
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise TypeError(f"images: uint8 array wanted, got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] != channels:
        raise InputError(f"images: shape (N, {channels}, H, W) wanted, got {tuple(images.shape)}")
    return array


def map_images(
    function: Callable[[Tensor], Tensor],
    images: NDArray[Any] | Tensor,
    *,
    channels: int,
    batch_size: int,
    device: torch.device | str = "cpu",
) -> Float32Array:
    """``function`` of images / 255 in float32, ``batch_size`` images at a time, without gradients."""
    array = as_batch(images, channels=channels)
    if len(array) == 0:
        raise InputError("images: at least one wanted, got none")
    results: Float32Array | None = None
    with torch.inference_mode():
        for start in range(0, len(array), batch_size):
            # a memory-mapped store is read-only, and torch wants memory it may write to: copy the batch
            batch = torch.from_numpy(np.array(array[start : start + batch_size])).to(device)
            values = function(batch.to(torch.float32).div_(255)).to("cpu", torch.float32).numpy()
            if results is None:
                results = np.empty((len(array), *values.shape[1:]), dtype=np.float32)
            results[start : start + len(values)] = values
    assert results is not None  # noqa: S101  (there is at least one image)
    return results
