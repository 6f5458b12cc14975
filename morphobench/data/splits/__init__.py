"""Train, validation and test parts that share no plate or well, and smaller samples of a store."""

from __future__ import annotations

from morphobench.data.splits.split import Split, check_leakage, split
from morphobench.data.splits.subsample import subset

__all__ = ["Split", "check_leakage", "split", "subset"]
