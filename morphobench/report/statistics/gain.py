"""Learning gain: trained minus the same encoder untrained, paired by plate, compound or seed; no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from morphobench.evaluation.bootstrap.resampling import RESAMPLES, Units
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.comparisons import holm, p_of_draws
from morphobench.report.statistics.pairing import AUC, Pairing, Tables
from morphobench.run.record import Record
from morphobench.types import Direction, Float64Array

UNTRAINED = "baseline/untrained_encoder"


@dataclass(frozen=True)
class QueryTable:
    """A table with a score per query, from which a metric's gain is paired.

    Attributes:
        name: The table, such as "profiling.nsc".
        unit: What is resampled, and the column that holds it: "compound" or "mechanism".
        score: Column of the score; "" where a query is correct if ``predicted`` is its label.
        label: Column of the label, for tables of predictions.
        macro: Whether every unit counts alike, however many queries it has.
        without_top: Whether the most frequent compound is left out.
    """

    name: str
    unit: str
    score: str = ""
    label: str = ""
    macro: bool = False
    without_top: bool = False

    @property
    def column(self) -> str:
        """Column of the unit that is resampled."""
        if self.name.startswith("restrictions."):
            return "Metadata_Label"
        return {"compound": "Metadata_Compound", "mechanism": "Metadata_MOA"}[self.unit]


QUERY_TABLES: Mapping[str, QueryTable] = {
    "profiling.replicate_map": QueryTable("profiling.replicates", "compound", score="mean_average_precision"),
    "profiling.moa_map": QueryTable("profiling.mechanisms", "mechanism", score="mean_average_precision"),
    "profiling.knn_accuracy": QueryTable("profiling.knn", "compound", label="Metadata_Compound"),
    "profiling.nsc_accuracy": QueryTable("profiling.nsc", "mechanism", label="Metadata_MOA"),
    "profiling.nscb_accuracy": QueryTable("profiling.nscb", "mechanism", label="Metadata_MOA"),
    **{
        f"restrictions.{name}{suffix}": QueryTable(
            f"restrictions.{name}",
            "mechanism" if name.startswith("moa") else "compound",
            score="score",
            # Average precision is a mean over compounds as it is, shares of queries are pooled.
            macro=suffix == "_macro" or (name.startswith("map") and suffix != "_pooled"),
            without_top=suffix == "_without_top",
        )
        for name in (
            *(f"{kind}_{apart}" for kind in ("map", "knn") for apart in ("nsw", "nsp", "nsb")),
            "moa_nsc",
            "moa_nscb",
        )
        for suffix in ("", "_pooled" if name.startswith("map") else "_macro", "_without_top")
    },
}
"""Metrics whose gain is paired by compound or mechanism, and the tables that hold their queries."""


@dataclass(frozen=True)
class Gain:
    """What training has changed.

    Attributes:
        setup: The trained setup.
        untrained: The baseline of the same encoder.
        metric: Key of the metric.
        direction: Which way of the metric is better.
        difference: Trained minus untrained.
        low: Lower bound of its 95 % interval; NaN where there is none.
        high: Upper bound.
        p_holm: p-value, corrected by Holm over all setups of the metric.
        units: Number of plates, wells, compounds or seeds that were paired.
        unit: What they are.
        reason: Why there is no interval; "" where there is one.
    """

    setup: str
    untrained: str
    metric: str
    direction: Direction
    difference: float
    low: float
    high: float
    p_holm: float
    units: int
    unit: str
    reason: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    @property
    def has_learned(self) -> bool:
        """Whether training has made the metric better, and the interval excludes zero."""
        return self.low > 0 if self.direction == "up" else self.direction == "down" and self.high < 0


def learning_gains(
    records: Sequence[Record],
    pairing: Pairing,
    columns: Sequence[Column],
    tables: Mapping[str, Tables] | None = None,
) -> tuple[Gain, ...]:
    """Compare every setup with the same encoder untrained.

    ROC AUC is paired by plate or well where predictions allow. Metrics of `QUERY_TABLES` are paired by
    compound or mechanism where their tables are given: the mean difference over queries, with compounds (or
    mechanisms) resampled over all seeds together. Other metrics are paired by seed.

    Args:
        records: Records of one run.
        pairing: The setups' values by seed, and AUC in joint resamples.
        columns: Metrics to compare; those without a direction are left out.
        tables: Tables of queries by name ("profiling.nsc", ...), each by setup and seed.

    Returns:
        A gain for each metric and setup; none where the untrained encoder was not run.
    """
    encoders = {record.setup: record.encoder for record in records}
    found = []
    for column in columns:
        if column.direction == "none" or column.is_cost:
            continue
        mine = []
        for setup in pairing.setups:
            reference = _untrained(pairing, encoders.get(setup))
            if reference is None or setup.startswith(("baseline/", "external/")):
                continue
            query = QUERY_TABLES.get(column.key)
            known = (tables or {}).get(query.name, {}) if query is not None else {}
            gain = None
            if query is not None and known:
                gain = _paired_by_query(setup, reference, column, query, known)
            mine.append(gain or _paired_by_seed_or_plate(setup, reference, column, pairing))
        corrected = holm([one.p_holm for one in mine])
        found += [replace(one, p_holm=float(p)) for one, p in zip(mine, corrected, strict=True)]
    return tuple(found)


def _untrained(pairing: Pairing, encoder: str | None) -> str | None:
    """The untrained baseline of an encoder."""
    for name in (f"{UNTRAINED}@{encoder}", UNTRAINED):
        if name in pairing.setups:
            return name
    return None


def _paired_by_seed_or_plate(setup: str, reference: str, column: Column, pairing: Pairing) -> Gain:
    (one,) = pairing.against(reference, column, [setup])
    over_groups = column.key == AUC and pairing.draws is not None
    return Gain(
        setup,
        reference,
        column.key,
        column.direction,
        one.difference,
        one.low,
        one.high,
        p_holm=one.p,  # corrected once all setups of the metric are known
        units=one.blocks,
        unit=pairing.unit if over_groups else "seed",
        reason=one.reason,
    )


def _paired_by_query(
    setup: str, reference: str, column: Column, query: QueryTable, tables: Tables
) -> Gain | None:
    parts = []
    for (name, seed), table in tables.items():
        other = tables.get((reference, seed))
        if name != setup or other is None or query.column not in table:
            continue
        keys = [key for key in table if str(key).startswith("Metadata_") and key in other]
        trained, untrained = (each.assign(value=_scores(each, query)) for each in (table, other))
        both = trained[[*keys, "value"]].merge(untrained[[*keys, "value"]], on=keys, suffixes=("", "_other"))
        parts.append(pd.DataFrame({"unit": both[query.column], "gain": both["value"] - both["value_other"]}))
        if query.without_top:
            top = both["Metadata_Compound"].value_counts().index[:1]
            parts[-1] = parts[-1][~both["Metadata_Compound"].isin(top).to_numpy()]
    paired = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"unit": [], "gain": []})
    if paired.empty:
        return None
    if query.macro:
        paired = paired.groupby("unit").mean().reset_index()
    gains: Float64Array = paired["gain"].to_numpy(np.float64)
    units = Units.of(paired["unit"].astype(str).to_numpy(dtype=object), query.unit)
    weights = units.weights(seed=0, resamples=RESAMPLES)
    drawn = (weights @ units.sums(gains)) / np.maximum(weights @ units.sums(np.ones(len(gains))), 1)
    one = units.from_draws(float(gains.mean()), drawn)
    p = p_of_draws(one.estimate, drawn, units.count) if one else math.nan
    return Gain(
        setup,
        reference,
        column.key,
        column.direction,
        one.estimate,
        one.low,
        one.high,
        p_holm=p,  # corrected once all setups of the metric are known
        units=units.count,
        unit=query.unit,
        reason=str(one.reason or ""),
    )


def _scores(table: pd.DataFrame, query: QueryTable) -> Float64Array:
    if query.score:
        return np.asarray(table[query.score], dtype=np.float64)
    right = table["predicted"].astype(str) == table[query.label].astype(str)
    return np.asarray(right, dtype=np.float64)
