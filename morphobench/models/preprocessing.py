"""From uint8 images, as stores hold them, to what networks take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morphobench._util.arrays import empty_array
from morphobench.errors import InputError
from morphobench.types import Float32Array


def as_batch(images: NDArray[Any] | Tensor, *, channels: int) -> NDArray[np.uint8]:
    """Give images four axes, without a copy where they have them.

    Args:
        images: uint8 (N, C, H, W), or (N, H, W) for one channel.
        channels: C.

    Returns:
        uint8 (N, C, H, W).

    Raises:
        TypeError: for another dtype.
        InputError: for another rank or number of channels.
    """
    array = images.numpy(force=True) if isinstance(images, Tensor) else images
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"images must be a uint8 array, got {got}")
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] != channels:
        raise InputError(f"images must have shape (N, {channels}, H, W), got {tuple(images.shape)}")
    return array


def float_batches(
    images: Any, *, batch_size: int = 256, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Yield images / 255 in float32, a batch at a time.

    Args:
        images: uint8 (N, C, H, W): an array, a memory map, or anything with such slices.
        batch_size: B.
        device: where the batches are put.

    Yields:
        float32 (B, C, H, W) in [0, 1], in order; the last one may be smaller.
    """
    target = torch.device(device)
    for start in range(0, images.shape[0], batch_size):
        # slices, in order, suit a memory map; the copy may be written to, which torch wants of an array
        batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(target)
        pixels = batch.to(torch.float32).div_(255)
        # on a CPU the encoder's own kernels choose the layout
        yield pixels if target.type == "cpu" else pixels.contiguous(memory_format=torch.channels_last)


def map_images(
    function: Callable[[Tensor], Tensor],
    images: Any,
    *,
    batch_size: int,
    device: torch.device | str = "cpu",
    folder: Path | None = None,
) -> Float32Array:
    """Apply a function to images / 255 in float32, a batch at a time, without gradients.

    Args:
        function: maps float32 (B, C, H, W) in [0, 1] to (B, ...).
        images: uint8 (N, C, H, W) with N > 0: an array, a memory map, or anything with such slices.
        batch_size: B.
        device: where the function computes.
        folder: where a result larger than 256 MB lies, as a file without a name; None: in memory.

    Returns:
        float32 (N, ...) on the host.
    """
    results: Float32Array | None = None
    start = 0
    with torch.inference_mode():
        for pixels in float_batches(images, batch_size=batch_size, device=device):
            values = function(pixels).to("cpu", torch.float32).numpy()
            if results is None:
                results = empty_array((images.shape[0], *values.shape[1:]), folder=folder)
            results[start : start + len(values)] = values
            start += len(values)
    if results is None:
        raise InputError("images must hold at least one image, got none")
    return results
