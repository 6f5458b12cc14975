"""Profiles of wells or treatments with their metadata, made from the embeddings of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.profiles.aggregate import aggregate
from morphobench.evaluation.profiles.correct import harmony, tvn
from morphobench.evaluation.profiles.normalize import mad_robustize, spherize
from morphobench.types import Aggregate, BoolArray, Float32Array, Int64Array, Normalization

LEAST_CONTROLS = 6  # the deviation of fewer is noise, which normalization would spread


@dataclass(frozen=True)
class ProfileTable:
    """Profiles with the metadata of each one's first row.

    Attributes:
        values: float32 (P, D).
        columns: (P,) text by metadata column without its prefix; "" where unknown.
        controls: bool (P,) negative controls.
        reported: bool (P,) profiles of the split that is reported.
    """

    values: Float32Array
    columns: dict[str, NDArray[np.object_]]
    controls: BoolArray
    reported: BoolArray

    def codes(self, *names: str) -> Int64Array:
        """Number the combinations of columns.

        Args:
            *names: Columns.

        Returns:
            int64 (P,); -1 where the last of the columns is unknown.
        """
        keys = pd.MultiIndex.from_arrays([self.columns[name] for name in names])
        codes = np.asarray(pd.factorize(keys)[0], dtype=np.int64)
        return np.where(self.columns[names[-1]] == "", -1, codes)

    def knows(self, name: str) -> bool:
        """Tell whether a column is known of any profile.

        Args:
            name: The column.

        Returns:
            False where it is absent or empty.
        """
        return bool((self.columns[name] != "").any())

    def select(self, rows: BoolArray | Int64Array) -> ProfileTable:
        """Take some of the profiles.

        Args:
            rows: Which, as a mask (P,) or row numbers.

        Returns:
            These profiles.
        """
        return ProfileTable(
            self.values[rows],
            {name: column[rows] for name, column in self.columns.items()},
            self.controls[rows],
            self.reported[rows],
        )

    def consensus(self, *names: str, how: Aggregate = "median") -> ProfileTable:
        """Aggregate the profiles of each combination of columns.

        Args:
            *names: Columns; profiles of which one is unknown are left out.
            how: "median" or "mean", feature by feature.

        Returns:
            One profile per combination.
        """
        codes = self.codes(*names)
        for name in names:
            codes = np.where(self.columns[name] == "", -1, codes)
        if not (codes >= 0).any():
            return self.select(np.zeros(len(codes), dtype=bool))
        values, first = aggregate(self.values, codes, how=how)
        return replace(self.select(first), values=values)

    def by_line(self) -> Iterator[ProfileTable]:
        """Yield the profiles of one cell line after the other.

        Yields:
            Profiles of one cell line.
        """
        for line in np.unique(self.columns["CellLine"]):
            yield self.select(self.columns["CellLine"] == line)


def well_profiles(inputs: EvaluationInput, warnings: list[str], *, how: Aggregate) -> ProfileTable:
    """Aggregate the images of each well.

    Args:
        inputs: Embeddings and metadata.
        warnings: A warning is added where wells are unknown and each image is a profile.
        how: "median" or "mean" of the images, feature by feature.

    Returns:
        One profile per split, cell line, plate, well, compound and concentration.

    Raises:
        InputError: No control type is known.
    """
    labels = inputs.labels()
    count = len(labels)
    blank = np.full(count, "", dtype=object)
    names = ("Plate", "Well", "Compound", "Concentration_uM", "MOA", "Batch", "Split")
    found = {name: inputs.column(name) for name in names}
    columns = {name: blank if column is None else column for name, column in found.items()}
    columns["CellLine"] = inputs.cell_lines()
    if found["Well"] is None:
        warnings.append("profiling: the metadata has no Metadata_Well, so each image is a profile")
        groups = np.arange(count)
    else:
        keys = ("Split", "CellLine", "Plate", "Well", "Compound", "Concentration_uM")
        groups = pd.factorize(pd.MultiIndex.from_arrays([columns[name] for name in keys]))[0]
    groups = np.where(labels < 0, -1, groups).astype(np.int64)
    if (groups < 0).all():
        raise InputError("Metadata_ControlType must be known of at least one row, got none")
    values, first = aggregate(inputs.embeddings, groups, how=how)
    return ProfileTable(
        values,
        {name: column[first] for name, column in columns.items()},
        labels[first] == 0,
        inputs.reported()[first],
    )


def normalize_profiles(
    wells: ProfileTable, normalize: Normalization, warnings: list[str]
) -> tuple[ProfileTable, str]:
    """Normalize profiles to negative controls, or correct them for batch effects.

    Args:
        wells: Well profiles.
        normalize: "mad_robustize" and "spherize" use the finest strata (plate and cell line, cell line, all)
            of which every one has six controls; "tvn" and "harmony" correct plates, see `correct`; "none".
        warnings: A warning is added where there are too few controls for "mad_robustize" or "spherize".

    Returns:
        The normalized profiles, and the strata that were used ("none" where there are none).

    Raises:
        InputError: "tvn" where a plate has fewer than six controls, or "harmony" without its package.
    """
    if normalize == "none":
        return wells, "none"
    if normalize in ("tvn", "harmony"):
        return _correct(wells, normalize)
    for names in (("Plate", "CellLine"), ("CellLine",), ()):
        if not all(wells.knows(name) for name in names):
            continue
        strata = wells.codes(*names) if names else np.zeros(len(wells.values), np.int64)
        controls = np.bincount(strata, weights=wells.controls, minlength=strata.max() + 1)
        if controls[strata].min() >= LEAST_CONTROLS:
            break
    else:
        warnings.append(
            f"profiling: fewer than {LEAST_CONTROLS} control profiles, so profiles are not normalized"
        )
        return wells, "none"
    function = {"mad_robustize": mad_robustize, "spherize": spherize}[normalize]
    values = function(wells.values, wells.controls, strata=strata)
    return replace(wells, values=values), " and ".join(names) or "all"


def _correct(wells: ProfileTable, normalize: str) -> tuple[ProfileTable, str]:
    if not wells.knows("Plate"):
        raise InputError(f"metadata must have a column Metadata_Plate for --normalize {normalize}, got none")
    plates = wells.codes("Plate")
    if normalize == "harmony":
        return replace(wells, values=harmony(wells.values, plates)), "Plate"
    counts = np.bincount(plates, weights=wells.controls)
    if counts.min() < LEAST_CONTROLS:
        few = sorted({str(name) for name in wells.columns["Plate"][counts[plates] < LEAST_CONTROLS]})
        raise InputError(
            f"every plate must have at least {LEAST_CONTROLS} control wells for --normalize tvn, got fewer "
            f"on {len(few)} of {len(counts)} plates: {', '.join(few[:5])}{', ...' if len(few) > 5 else ''}"
        )
    return replace(wells, values=tvn(wells.values, wells.controls, plates)), "Plate"
