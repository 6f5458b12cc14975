"""Integer codes of the groups that images belong to, from their metadata."""

from __future__ import annotations

import numpy as np
import pandas as pd

from morphobench.types import Int64Array

_COLUMNS = {
    "compound": ("Metadata_Compound",),
    "plate": ("Metadata_Plate",),
    "well": ("Metadata_Plate", "Metadata_Well"),  # a well's name comes again on every plate
}


def group_codes(metadata: pd.DataFrame) -> dict[str, Int64Array]:
    """Number the compounds, plates and wells of images.

    Args:
        metadata: a row per image, N in all, with ``Metadata_Compound``, ``Metadata_Plate`` and
            ``Metadata_Well`` as far as they are known.

    Returns:
        By the names of ``objectives.protocol.GROUPS`` an integer per image, int64 (N,), from 0 in the sorted
        order of the names; -1 where a name is missing. Groups without a column are left out.
    """
    found: dict[str, Int64Array] = {}
    for group, columns in _COLUMNS.items():
        if not set(columns) <= set(metadata.columns):
            continue
        named = metadata[list(columns)]
        codes = named.groupby(list(columns), sort=True, dropna=True).ngroup()
        found[group] = np.asarray(codes.where(named.notna().all(axis=1), -1), dtype=np.int64)
    return found
