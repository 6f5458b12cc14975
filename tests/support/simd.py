"""The SIMD levels of this machine, and switching between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from morphobench import _core

LEVELS = _core.build_info()["simd_levels"]
"""Best first; the last is always scalar."""


@contextmanager
def simd(level: str) -> Iterator[None]:
    """The kernels of one level, until the end of the block."""
    before = _core.build_info()["simd"]
    _core.use_simd(level)
    try:
        yield
    finally:
        _core.use_simd(before)
