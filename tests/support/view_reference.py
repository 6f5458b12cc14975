"""Slow and obvious versions of the views: Pillow, torch and torchvision, one image at a time."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop, functional

from morphobench.augment.params import ViewParams, ViewRecord
from morphobench.types import Float32Array, Int64Array, UInt8Array


def view_of(plane: UInt8Array, record: ViewRecord, *, channel: int, size_px: int) -> torch.Tensor:
    """Make one view of one channel; noise is left out, since torchvision has no equal of it.

    Args:
        plane: uint8 (H, W).
        record: parameters of the view.
        channel: number of the channel, for brightness and contrast.
        size_px: side of the view.

    Returns:
        float32 (1, size_px, size_px).
    """
    image = Image.fromarray(plane)
    window = [int(record[side]) for side in ("top", "left", "height", "width")]
    cropped = functional.resized_crop(image, *window, size=[size_px, size_px])
    view = torch.from_numpy(np.array(cropped)).to(torch.float32).div(255)[None]
    names = record.dtype.names
    if record["flip"]:
        view = functional.hflip(view)
    if "flip_vertical" in names and record["flip_vertical"]:
        view = functional.vflip(view)
    if "quarter_turns" in names:
        view = torch.rot90(view, int(record["quarter_turns"]), dims=(1, 2))
    if record["blur_sigma"] > 0:
        sigma = float(record["blur_sigma"])
        view = functional.gaussian_blur(view, kernel_size=[3, 3], sigma=[sigma, sigma])
    if "brightness" in names:
        view = functional.adjust_brightness(view, float(record["brightness"][channel]))
        view = functional.adjust_contrast(view, float(record["contrast"][channel]))
    return view


def apply(images: UInt8Array, params: ViewParams, *, size_px: int) -> Float32Array:
    """Make what ``MultiCrop.apply`` must return.

    Args:
        images: uint8 (N, H, W) or (N, C, H, W).
        params: (V, N).
        size_px: side of the views.

    Returns:
        float32 (V, N, C, size_px, size_px).
    """
    stack = images if images.ndim == 4 else images[:, None]
    out = np.empty((*params.shape, stack.shape[1], size_px, size_px), np.float32)
    for v, n in np.ndindex(*params.shape):
        for c in range(stack.shape[1]):
            plane = np.ascontiguousarray(stack[n, c])
            out[v, n, c] = view_of(plane, params[v, n], channel=c, size_px=size_px)[0].numpy()
    return out


def apply_pair(
    views: Float32Array, params: ViewParams, *, size_px: int, mean: float = 0.0, deviation: float = 1.0
) -> Float32Array:
    """Make what ``BYOLPair.apply`` must return.

    Args:
        views: float32 (N, C, S, S).
        params: (P, N).
        size_px: side of the views made.
        mean: mean that is subtracted.
        deviation: standard deviation that is divided by.

    Returns:
        float32 (P, N, C, size_px, size_px).
    """
    out = np.empty((*params.shape, views.shape[1], size_px, size_px), np.float32)
    for p, n in np.ndindex(*params.shape):
        record = params[p, n]
        view = torch.from_numpy(views[n])
        if record["flip"]:
            view = functional.hflip(view)
        if record["blur_sigma"] > 0:
            sigma = float(record["blur_sigma"])
            view = functional.gaussian_blur(view, kernel_size=[3, 3], sigma=[sigma, sigma])
        window = [int(record[side]) for side in ("top", "left", "height", "width")]
        view = functional.resized_crop(view, *window, size=[size_px, size_px], antialias=True)
        out[p, n] = ((view - mean) / deviation).numpy()
    return out


def windows(
    height: int,
    width: int,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    count: int,
    seed: int,
) -> Int64Array:
    """Draw crop windows as torchvision's RandomResizedCrop does.

    Args:
        height: height of the image in pixels.
        width: width of the image in pixels.
        scale: share of the image's area, lowest and highest.
        ratio: width / height, lowest and highest.
        count: number of windows.
        seed: seed of torch's generator.

    Returns:
        int64 (count, 4): top, left, height, width.
    """
    image = torch.empty(1, height, width)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        drawn = [RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(count)]
    return np.array(drawn, dtype=np.int64)
