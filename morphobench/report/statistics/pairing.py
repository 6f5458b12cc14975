"""Paired comparisons of the setups of a run, on the same test images and seeds; no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.auc import Draws, Scored, name_wells_by_plate, roc_auc_draws
from morphobench.evaluation.bootstrap.interval import units_needed
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.comparisons import (
    MIN_INTERVAL_BLOCKS,
    Comparison,
    compare,
    compare_over_groups,
)
from morphobench.run.record import Record
from morphobench.types import Float64Array

Tables = Mapping[tuple[str, int], pd.DataFrame]
"""Tables of a run by setup and seed."""

AUC = "classification.roc_auc"


@dataclass(frozen=True)
class Pairing:
    """What the setups of a run are compared by.

    Attributes:
        setups: names, baselines included, whose images are the same in every seed.
        seeds: the seeds.
        values: (seeds, setups) of each metric, NaN where it is missing.
        draws: ROC AUC of all setups in resamples of the same plates or wells; None where their predictions
            are not of the same images.
        unit: what was resampled: "plate" or "well".
    """

    setups: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Mapping[str, Float64Array]
    draws: Draws | None = None
    unit: str = ""

    @classmethod
    def of(cls, records: Sequence[Record], columns: Sequence[Column], predictions: Tables) -> Pairing:
        """Pair the setups of a run.

        Args:
            records: records of one run.
            columns: metrics to compare.
            predictions: tables "classification.predictions" by setup and seed; without them the ROC AUC is
                compared over seeds, as all other metrics are.

        Returns:
            The pairing. Imported embeddings of other images take no part.
        """
        seeds = sorted({record.seed for record in records})
        records = [record for record in records if _has_the_images(record, records, len(seeds))]
        setups = list(dict.fromkeys(record.setup for record in records))
        values = {column.key: values_over_seeds(records, setups, seeds, column.key) for column in columns}
        joint = joint_draws(setups, seeds, predictions) if AUC in values else None
        draws, unit = joint or (None, "")
        return cls(tuple(setups), tuple(seeds), values, draws, unit)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The baselines among the setups."""
        return tuple(name for name in self.setups if name.startswith("baseline/"))

    def best_baseline(self, column: Column) -> str | None:
        """Name the baseline with the best mean over seeds.

        Args:
            column: the metric.

        Returns:
            Its name; None without a baseline that has the metric, and for a metric without a direction.
        """
        means = {
            name: known.mean()
            for name in self.baselines
            if len(known := _finite(self.values[column.key][:, self.setups.index(name)]))
        }
        if not means or column.direction == "none":
            return None
        return max(means, key=lambda name: means[name] * column.sign)

    def against(
        self, reference: str, column: Column, names: Sequence[str] | None = None
    ) -> tuple[Comparison, ...]:
        """Compare setups with one of them.

        Args:
            reference: the setup or baseline that the others are compared with.
            column: the metric.
            names: the setups to compare (default: all that are no baselines).

        Returns:
            A comparison for each. The ROC AUC is compared over plates or wells where the predictions allow,
            other metrics over seeds; where there are too few, ``reason`` says so.
        """
        chosen = [name for name in self.setups if name not in self.baselines] if names is None else names
        kept = [self.setups.index(name) for name in dict.fromkeys((*chosen, reference))]
        shown = [self.setups[k] for k in kept]
        over = compare(
            self.values[column.key][:, kept],
            shown,
            direction=column.direction,
            reference=reference,
            unit="seed",
        )
        if column.key != AUC or self.draws is None:
            return tuple(over)
        only = Draws(self.draws.estimates[kept], self.draws.drawn[:, kept], self.draws.units)
        signs = {one.one: one.p_signs for one in over}
        found = compare_over_groups(only, shown, reference=reference, unit=self.unit)
        return tuple(replace(one, p_signs=signs[one.one]) for one in found)

    def blocks(self, column: Column) -> str:
        """Say what comparisons of a metric are over.

        Args:
            column: the metric.

        Returns:
            Such as "12 plates" or "3 seeds".
        """
        if column.key == AUC and self.draws is not None:
            return f"{self.draws.units} {self.unit}s"
        return f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"

    def share_first(self, name: str, names: Sequence[str], column: Column) -> float:
        """How often a setup is the best of several.

        Args:
            name: the setup.
            names: the setups that it is one of.
            column: the metric.

        Returns:
            Share of the resamples (ROC AUC), or of the seeds, in which none of the others is better; NaN for
            fewer than three of them, for a metric without a direction, and where there are no others.
        """
        kept = [self.setups.index(one) for one in names if one in self.setups]
        if column.direction == "none" or name not in self.setups or len(kept) < 2:
            return math.nan
        drawn = (
            self.draws.drawn
            if column.key == AUC and self.draws is not None
            else self.values[column.key] * column.sign
        )
        whole = drawn[np.isfinite(drawn[:, kept]).all(axis=1)]
        if len(whole) < MIN_INTERVAL_BLOCKS:
            return math.nan
        return float(np.mean(whole[:, self.setups.index(name)] >= whole[:, kept].max(axis=1)))


def joint_draws(setups: Sequence[str], seeds: Sequence[int], predictions: Tables) -> tuple[Draws, str] | None:
    """Draw the ROC AUC of all setups in resamples of the same plates, or wells where plates are too few.

    Args:
        setups: names of the setups.
        seeds: the seeds.
        predictions: tables "classification.predictions" by setup and seed.

    Returns:
        The draws with the unit's name, from the seeds in which every setup has predictions; None where there
        are none, where setups of a seed did not predict the same images, or where neither plates nor wells
        are known.
    """
    parts: dict[str, list[Scored]] = {"plate": [], "well": []}
    counted = 0
    for seed in seeds:
        tables = [predictions.get((setup, seed)) for setup in setups]
        known = [table for table in tables if table is not None and len(table)]
        if len(known) < len(setups):
            continue  # a run that is not finished: the seeds that are count
        if not all(_same_images(known[0], table) for table in known):
            return None
        labels = known[0]["label"].to_numpy()
        scores = np.stack([table["drug_probability"].to_numpy(dtype=np.float64) for table in known])
        if not np.isfinite(scores).all():
            return None
        counted += 1
        for unit, groups in _units(known[0]).items():
            parts[unit].append(Scored(scores, labels, groups))
    found = None
    for unit, scored in parts.items():
        if scored and len(scored) == counted:
            found = roc_auc_draws(scored), unit
            if found[0].units >= units_needed(0.95) and np.isfinite(found[0].drawn).mean() > 0.95:
                break
    return found


def values_over_seeds(
    records: Sequence[Record], setups: Sequence[str], seeds: Sequence[int], key: str
) -> Float64Array:
    """Collect a metric.

    Args:
        records: the records.
        setups: names of the setups.
        seeds: the seeds.
        key: the metric, "task.metric".

    Returns:
        (seeds, setups), NaN where it is missing.
    """
    values = np.full((len(seeds), len(setups)), math.nan)
    for record in records:
        if record.setup in setups and (value := record.metrics.get(key)) is not None:
            values[seeds.index(record.seed), setups.index(record.setup)] = value
    return values


def _has_the_images(record: Record, records: Sequence[Record], seeds: int) -> bool:
    """Whether it is of the run's images in every seed; only imported embeddings may not be."""
    if not record.is_external:
        return True
    return sum(one.setup == record.setup and one.same_images for one in records) == seeds


def _same_images(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return len(one) == len(other) and bool((one["row"].to_numpy() == other["row"].to_numpy()).all())


def _units(table: pd.DataFrame) -> dict[str, NDArray[np.object_]]:
    """The plate and the well of each image, as far as they are known."""
    plates, wells = (
        table[name].astype(str).to_numpy(dtype=object) if name in table else None
        for name in ("Metadata_Plate", "Metadata_Well")
    )
    units = {"plate": plates, "well": name_wells_by_plate(plates, wells)}
    return {name: groups for name, groups in units.items() if groups is not None}


def _finite(values: Float64Array) -> Float64Array:
    return values[np.isfinite(values)]
