"""Images on disk, and a table about them, into an ImageStore."""

from __future__ import annotations

from morphobench.data.ingest.ingest import ingest

__all__ = ["ingest"]
