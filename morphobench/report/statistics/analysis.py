"""Statistics of a run: effects of the factors, setups against baselines, ranks over cell lines; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from morphobench.evaluation.bootstrap.auc import Draws
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.comparisons import MIN_INTERVAL_BLOCKS, Comparison
from morphobench.report.statistics.effects import (
    Effect,
    complete_paradigms,
    effects_over_blocks,
    effects_over_groups,
    explained,
)
from morphobench.report.statistics.pairing import AUC, Pairing, Tables
from morphobench.report.statistics.ranks import Ranking, rank
from morphobench.setups import SETTINGS
from morphobench.types import Float64Array


@dataclass(frozen=True)
class Findings:
    """Statistics of a run; empty and None where the run does not allow them.

    Attributes:
        pairing: what the setups are compared by.
        against: every setup against the best baseline, by metric.
        effects: effects of the factors on each metric.
        ranking: mean ranks by ROC AUC over cell lines.
        shares: share of the spread between setups that each factor and interaction explains, by metric.
    """

    pairing: Pairing
    against: Mapping[str, tuple[Comparison, ...]] = field(default_factory=dict)
    effects: tuple[tuple[Column, tuple[Effect, ...]], ...] = ()
    ranking: Ranking | None = None
    shares: tuple[tuple[Column, dict[str, float]], ...] = ()


def analyse(pairing: Pairing, columns: Sequence[Column], *, by_cell_line: Tables) -> Findings:
    """Compute the statistics of a run.

    Args:
        pairing: what the setups are compared by.
        columns: the quality columns.
        by_cell_line: tables "classification.by_cell_line" by setup and seed.

    Returns:
        The findings. Intervals on the ROC AUC are over plates, or over wells where there are too few plates;
        all others are over seeds.
    """
    columns = [column for column in columns if column.direction != "none"]
    columns.sort(key=lambda column: column.key != AUC)  # what is compared over plates first
    references = {column.key: pairing.best_baseline(column) for column in columns}
    setups = [name for name in pairing.setups if name not in pairing.baselines]
    factorial = [f"{paradigm}/{setting}" for paradigm in complete_paradigms(setups) for setting in SETTINGS]
    lines = _values_by_line(setups, pairing.seeds, by_cell_line)
    return Findings(
        pairing,
        {
            column.key: pairing.against(reference, column)
            for column in columns
            if (reference := references[column.key]) is not None and setups
        },
        tuple(_effects(pairing, columns, factorial)) if factorial else (),
        rank(lines, setups) if len(setups) > 1 and len(lines) > 1 else None,
        tuple(_shares(pairing, columns, factorial)) if factorial else (),
    )


def _effects(
    pairing: Pairing, columns: Sequence[Column], factorial: Sequence[str]
) -> list[tuple[Column, tuple[Effect, ...]]]:
    chosen = [pairing.setups.index(name) for name in factorial]
    found: list[tuple[Column, tuple[Effect, ...]]] = []
    for column in columns:
        if column.key == AUC and pairing.draws is not None:
            draws = pairing.draws
            only = Draws(draws.estimates[chosen], draws.drawn[:, chosen], draws.units)
            found.append((column, tuple(effects_over_groups(only, factorial, unit=pairing.unit))))
        values = _complete(pairing, column, chosen)
        # with few seeds the effects over plates say more, and the same numbers twice would confuse
        if len(values) and not (found and found[-1][0] is column and len(values) < MIN_INTERVAL_BLOCKS):
            over = effects_over_blocks(values, factorial, direction=column.direction)
            found.append((column, tuple(over)))
    return found


def _shares(
    pairing: Pairing, columns: Sequence[Column], factorial: Sequence[str]
) -> list[tuple[Column, dict[str, float]]]:
    chosen = [pairing.setups.index(name) for name in factorial]
    values = {column: _complete(pairing, column, chosen) for column in columns}
    found = {column: explained(each, factorial) for column, each in values.items() if len(each)}
    return [(column, shares) for column, shares in found.items() if shares]


def _complete(pairing: Pairing, column: Column, chosen: Sequence[int]) -> Float64Array:
    """The metric as (seeds, chosen setups), of the seeds that have it for all of them."""
    values = pairing.values[column.key][:, chosen]
    return values[np.isfinite(values).all(axis=1)]


def _values_by_line(setups: Sequence[str], seeds: Sequence[int], tables: Tables) -> Float64Array:
    """ROC AUC as (cell lines, setups), the mean over seeds; only lines that every setup has in some seed."""
    series = []
    for setup in setups:
        found = [
            table
            for seed in seeds
            if (table := tables.get((setup, seed))) is not None and {"cell_line", "roc_auc"} <= {*table}
        ]
        if not found:
            return np.empty((0, len(setups)))
        series.append(pd.concat(found).groupby("cell_line")["roc_auc"].mean())
    if not series:
        return np.empty((0, 0))
    values = pd.concat(series, axis=1).dropna()
    return np.asarray(values, dtype=np.float64)
