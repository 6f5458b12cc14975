"""Input of every evaluation task: embeddings, their metadata, and the options of the evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench._util.arrays import rows_not_finite
from morphobench.data.metadata import EMPTY, SPLITS, control_type_values
from morphobench.errors import InputError
from morphobench.options import EvaluationOptions
from morphobench.types import (
    DEFAULT_PROTOCOL,
    PROTOCOLS,
    BoolArray,
    Float32Array,
    Int64Array,
)
from morphobench.types import Protocol as ProtocolId


@dataclass(frozen=True)
class EvaluationInput:
    """Embeddings of images with their metadata, and how to evaluate them.

    Attributes:
        embeddings: float (N, D), finite; kept as contiguous float32.
        metadata: N rows of ``Metadata_`` columns. ``Metadata_Split`` holds train, validation or test;
            ``Metadata_Path`` (or ``path``) is the image's file, where known.
        options: Options of the evaluation; each task uses those that concern it.
        protocol: Protocol id.
        seed: Seed of every random number of the tasks.
        device: Device that the classifiers train on.
        threads: Threads of the UMAP layouts; None: one per available core. No result depends on it.

    Raises:
        InputError: Embeddings that are not a finite floating-point (N, D), metadata of another length, an
            unknown protocol, control type or split.
    """

    embeddings: Float32Array
    metadata: pd.DataFrame
    options: EvaluationOptions = field(default_factory=EvaluationOptions)
    protocol: ProtocolId = DEFAULT_PROTOCOL
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        embeddings = np.asarray(self.embeddings)
        if embeddings.ndim != 2 or embeddings.dtype.kind != "f" or 0 in embeddings.shape:
            raise InputError(
                "embeddings must be floating-point (N, D) with N, D >= 1, "
                f"got {embeddings.dtype} {embeddings.shape}"
            )
        if len(self.metadata) != len(embeddings):
            raise InputError(
                f"metadata must have one row per embedding ({len(embeddings)}), got {len(self.metadata)} rows"
            )
        if self.protocol not in PROTOCOLS:
            raise InputError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {self.protocol!r}")
        bad = rows_not_finite(embeddings)
        if len(bad):
            raise InputError(f"embeddings must be finite, got NaN or infinity in {_name_rows(bad)}")
        if "Metadata_Split" in self.metadata:
            unknown = sorted(set(self.metadata["Metadata_Split"].astype(str)) - set(SPLITS))
            if unknown:
                raise InputError(
                    f"Metadata_Split must hold only {', '.join(SPLITS)}, got {', '.join(unknown)}"
                )
        object.__setattr__(
            self, "embeddings", np.ascontiguousarray(embeddings.astype(np.float32, copy=False))
        )
        metadata = self.metadata.reset_index(drop=True)
        if "Metadata_ControlType" in metadata:
            kinds = control_type_values(metadata["Metadata_ControlType"])
            metadata = metadata.assign(Metadata_ControlType=kinds)
        object.__setattr__(self, "metadata", metadata)

    def column(self, name: str) -> NDArray[np.object_] | None:
        """Column ``Metadata_<name>`` as text.

        Args:
            name: Name without the prefix.

        Returns:
            (N,) text, missing values as ""; None where the column is absent or empty.
        """
        full = f"Metadata_{name}"
        if full not in self.metadata or self.metadata[full].isna().all():
            return None
        values = self.metadata[full]
        return np.asarray(values.astype(object).where(values.notna(), "").astype(str), dtype=object)

    def column_of(self, name: str, rows: Int64Array) -> NDArray[np.object_] | None:
        """Like `column`, for some rows only.

        Args:
            name: Name without the prefix.
            rows: Row numbers (M,).

        Returns:
            (M,) text; None where the column is absent or empty in the whole metadata.
        """
        values = self.column(name)
        return None if values is None else values[rows]

    def labels(self) -> Int64Array:
        """Control type as a number: 0 negative control, 1 treated, -1 unknown; int64 (N,).

        Raises:
            InputError: No control type is known.
        """
        kinds = self.column("ControlType")
        if kinds is None:
            raise InputError("metadata must have a column Metadata_ControlType of negcon and trt, got none")
        return np.where(np.isin(kinds, ("", EMPTY)), -1, np.where(kinds == "negcon", 0, 1)).astype(np.int64)

    def paths(self) -> NDArray[np.object_] | None:
        """File name that each image came from, (N,); None where it is not known."""
        if (paths := self.column("Path")) is not None:
            return paths
        return self.metadata["path"].astype(str).to_numpy(dtype=object) if "path" in self.metadata else None

    def cell_lines(self) -> NDArray[np.object_]:
        """Cell line of each row, (N,); "all" for every row where none is known."""
        lines = self.column("CellLine")
        return np.full(len(self.metadata), "all", dtype=object) if lines is None else lines

    def in_split(self, name: str) -> BoolArray:
        """Rows of one part of the split.

        Args:
            name: "train", "validation" or "test".

        Returns:
            bool (N,).

        Raises:
            InputError: The metadata has no ``Metadata_Split``.
        """
        if "Metadata_Split" not in self.metadata:
            raise InputError(f"metadata must have a column Metadata_Split of {', '.join(SPLITS)}, got none")
        return np.asarray(self.metadata["Metadata_Split"] == name, dtype=bool)

    def reported(self) -> BoolArray:
        """Rows that tasks without training use, bool (N,): test under corrected-1, all under reference-1."""
        if self.protocol == "reference-1":
            return np.ones(len(self.metadata), dtype=bool)
        return self.in_split("test")


def median_and_deviation(values: Iterable[float]) -> tuple[float, float]:
    """Median, and median absolute deviation from it (not scaled).

    Args:
        values: Numbers; those that are not finite are left out.

    Returns:
        NaN for no value. The deviation of a single value is NaN: one unit says nothing about the spread.
    """
    known = np.asarray([value for value in values if np.isfinite(value)], dtype=np.float64)
    if not len(known):
        return float("nan"), float("nan")
    middle = float(np.median(known))
    return middle, float(np.median(np.abs(known - middle))) if len(known) > 1 else float("nan")


def _name_rows(rows: Int64Array) -> str:
    shown = ", ".join(str(row) for row in rows[:5])
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{', ...' if len(rows) > 5 else ''}"
