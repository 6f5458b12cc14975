"""Images on disk, and their metadata, to an ImageStore; and simulated images where there are none."""

from __future__ import annotations

from morphobench.data.simulate import simulate
from morphobench.data.store import ImageStore

__all__ = ["ImageStore", "simulate"]
