"""Images on disk, and a table about them, into an ImageStore."""

from __future__ import annotations

from morphobench.data.ingest.ingest import ingest, inspect_source, summary
from morphobench.data.ingest.summary import IngestSummary

__all__ = ["IngestSummary", "ingest", "inspect_source", "summary"]
