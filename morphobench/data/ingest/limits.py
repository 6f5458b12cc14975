"""Limits of the images that are read, checked on what a file declares before its pixels are decoded."""

from __future__ import annotations

from morphobench.errors import InputError

MAX_PIXELS = 89_478_485
"""Most pixels of an image: Pillow's own limit against decompression bombs."""

MAX_CHANNELS = 64
MAX_COST_BYTES = 400 * 1024**2
"""Most memory that decoding one image may take, copies included; all images being decoded share it."""


def check_size(height: int, width: int) -> None:
    """Check the number of pixels.

    Args:
        height: height in pixels.
        width: width in pixels.

    Raises:
        InputError: for more than MAX_PIXELS.
    """
    if height * width > MAX_PIXELS:
        raise InputError(f"the image must have at most {MAX_PIXELS} pixels, got {height} x {width}")


def check_cost(cost_bytes: int) -> None:
    """Check the memory that decoding takes.

    Args:
        cost_bytes: estimate from the header.

    Raises:
        InputError: for more than MAX_COST_BYTES.
    """
    if cost_bytes > MAX_COST_BYTES:
        raise InputError(
            f"the image must take at most {MAX_COST_BYTES >> 20} MiB of memory to decode, "
            f"got one that takes {cost_bytes >> 20} MiB"
        )
