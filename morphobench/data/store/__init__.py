"""The ImageStore: a folder with one memory-mapped array of images and a table about them."""

from __future__ import annotations

from morphobench.data.store.reader import ImageStore

__all__ = ["ImageStore"]
