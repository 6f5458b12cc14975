"""Images on disk, and their metadata, to an ImageStore; and simulated images where there are none."""

from __future__ import annotations

from morphobench.data.ingest import ingest
from morphobench.data.simulate import simulate
from morphobench.data.splits import Split, check_leakage, split
from morphobench.data.store import ImageStore
from morphobench.data.subset import subset

__all__ = ["ImageStore", "Split", "check_leakage", "ingest", "simulate", "split", "subset"]
