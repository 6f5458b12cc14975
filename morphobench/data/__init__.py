"""Images on disk, and their metadata, to an ImageStore; and simulated images where there are none."""

from __future__ import annotations

from morphobench.data.ingest.ingest import ingest
from morphobench.data.simulate.simulate import simulate
from morphobench.data.splits.split import Split, check_leakage, split
from morphobench.data.splits.subsample import subset
from morphobench.data.store.reader import ImageStore

__all__ = ["ImageStore", "Split", "check_leakage", "ingest", "simulate", "split", "subset"]
