"""What the statistics say of a run: effects of the factors, setups against the best baseline, ranks; no
I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.auc import Draws, Scored, name_wells_by_plate, roc_auc_draws
from morphobench.evaluation.bootstrap.interval import units_needed
from morphobench.report.columns import Column
from morphobench.report.facts import finite, is_external
from morphobench.report.statistics.comparisons import Comparison, compare, compare_over_groups
from morphobench.report.statistics.effects import (
    Effect,
    complete_paradigms,
    effects_over_blocks,
    effects_over_groups,
    explained,
)
from morphobench.report.statistics.ranks import Ranking, rank
from morphobench.run.record import Record
from morphobench.types import Float64Array

Tables = Mapping[tuple[str, int], pd.DataFrame]
"""Tables of a run by setup and seed."""

AUC = "classification.roc_auc"


@dataclass(frozen=True)
class Findings:
    """Statistics of a run.

    ``effects``: of the factors on each metric, with what their intervals resample; ``against``: every
    setup's ROC AUC against the best baseline's; ``ranking``: by ROC AUC over cell lines; ``shares``: of the
    spread between setups that each factor and interaction explains, by metric. Empty and None where the run
    does not allow them.
    """

    effects: tuple[tuple[Column, tuple[Effect, ...]], ...] = ()
    against: tuple[Comparison, ...] = ()
    against_unit: str = ""
    ranking: Ranking | None = None
    shares: tuple[tuple[Column, dict[str, float]], ...] = ()


def analyse(
    records: Sequence[Record], columns: Sequence[Column], *, predictions: Tables, by_cell_line: Tables
) -> Findings:
    """The statistics of ``records`` for the quality ``columns`` (see :class:`Findings`).

    ``predictions``, ``by_cell_line``: tables of the classification. With predictions, intervals on the ROC
    AUC resample plates, or wells where there are too few plates; all other intervals are over seeds.
    """
    seeds = sorted({record.seed for record in records})
    records = [record for record in records if _on_the_same_images(record, records, len(seeds))]
    setups = list(dict.fromkeys(record.setup for record in records))
    plain = [name for name in setups if not name.startswith("baseline/")]
    auc = next((column for column in columns if column.key == AUC), None)
    joint = joint_draws(setups, seeds, predictions) if auc is not None else None

    effects: list[tuple[Column, tuple[Effect, ...]]] = []
    shares: list[tuple[Column, dict[str, float]]] = []
    factorial = [f"{paradigm}/{setting}" for paradigm, setting in _complete(plain)]
    if auc is not None and joint is not None and factorial:
        draws, unit = joint
        chosen = [setups.index(name) for name in factorial]
        only = Draws(draws.estimates[chosen], draws.drawn[:, chosen], draws.units)
        effects.append((auc, tuple(effects_over_groups(only, factorial, unit=unit))))
    for column in columns if factorial else ():
        values = over_seeds(records, factorial, seeds, column.key)
        values = values[np.isfinite(values).all(axis=1)]
        if len(values) and column.direction != "none" and (found := explained(values, factorial)):
            shares.append((column, found))
        if (
            len(values)
            and column.direction != "none"
            and not (column.key == AUC and effects and len(values) < 3)
        ):
            effects.append(
                (column, tuple(effects_over_blocks(values, factorial, direction=column.direction)))
            )

    against, unit = _against(records, setups, seeds, joint) if auc is not None else ((), "")
    lines = _line_values(plain, seeds, by_cell_line)
    ranking = rank(lines, plain) if len(plain) > 1 and len(lines) > 1 else None
    return Findings(tuple(effects), tuple(against), unit, ranking, tuple(shares))


def joint_draws(setups: Sequence[str], seeds: Sequence[int], predictions: Tables) -> tuple[Draws, str] | None:
    """AUC of all ``setups`` in resamples of the same plates, or wells, with the unit's name.

    None where a setup has no predictions, where setups of a seed did not predict the same images, or where
    neither plates nor wells are known.
    """
    parts: dict[str, list[Scored]] = {"plate": [], "well": []}
    for seed in seeds:
        tables = [predictions.get((setup, seed)) for setup in setups]
        known = [table for table in tables if table is not None and len(table)]
        if len(known) < len(setups) or not all(_same_images(known[0], table) for table in known):
            return None
        labels = known[0]["label"].to_numpy()
        scores = np.stack([table["drug_probability"].to_numpy(dtype=np.float64) for table in known])
        if not np.isfinite(scores).all():
            return None
        for unit, groups in _units(known[0]).items():
            parts[unit].append(Scored(scores, labels, groups))
    found = None
    for unit, scored in parts.items():
        if len(scored) == len(seeds):
            found = roc_auc_draws(scored), unit
            if found[0].units >= units_needed(0.95) and _mostly_defined(found[0]):
                break
    return found


def over_seeds(
    records: Sequence[Record], setups: Sequence[str], seeds: Sequence[int], key: str
) -> Float64Array:
    """The metric ``key`` as (seeds, setups), NaN where it is missing."""
    values = np.full((len(seeds), len(setups)), math.nan)
    for record in records:
        if record.setup in setups:
            values[seeds.index(record.seed), setups.index(record.setup)] = finite(record.metrics.get(key))
    return values


def _against(
    records: Sequence[Record], setups: Sequence[str], seeds: Sequence[int], joint: tuple[Draws, str] | None
) -> tuple[list[Comparison], str]:
    """Every setup's ROC AUC against the best baseline's: over plates or wells where it can be, else over
    seeds.
    """
    values = over_seeds(records, setups, seeds, AUC)
    baselines = [k for k, name in enumerate(setups) if name.startswith("baseline/")]
    means = np.asarray(
        [column[np.isfinite(column)].mean() if np.isfinite(column).any() else -1 for column in values.T]
    )
    if not baselines or len(baselines) == len(setups):
        return [], ""
    best = max(baselines, key=lambda k: means[k])
    kept = [k for k in range(len(setups)) if k not in baselines or k == best]
    names = [setups[k] for k in kept]
    over = compare(values[:, kept], names, reference=setups[best])
    if joint is not None:
        draws, unit = joint
        only = Draws(draws.estimates[kept], draws.drawn[:, kept], draws.units)
        found = compare_over_groups(only, names, reference=setups[best], unit=unit)
        signs = {one.one: one.p_signs for one in over}
        return [replace(one, p_signs=signs[one.one]) for one in found], f"{draws.units} {unit}s"
    return over, f"{len(seeds)} seeds"


def _on_the_same_images(record: Record, records: Sequence[Record], seeds: int) -> bool:
    """Whether it takes part in what is paired by image: all but other people's embeddings of other images,
    or not of every seed.
    """
    if not is_external(record):
        return True
    same = [one for one in records if one.setup == record.setup and one.same_images]
    return len(same) == seeds


def _complete(setups: Sequence[str]) -> list[tuple[str, str]]:
    from morphobench.setups import SETTINGS

    return [(paradigm, setting) for paradigm in complete_paradigms(setups) for setting in SETTINGS]


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


def _mostly_defined(draws: Draws) -> bool:
    return bool(np.isfinite(draws.drawn).mean() > 0.95)


def _line_values(setups: Sequence[str], seeds: Sequence[int], tables: Tables) -> Float64Array:
    """ROC AUC as (cell lines, setups), the mean over seeds; lines that some setup lacks in every seed are
    left out.
    """
    series = []
    for setup in setups:
        found = [tables[setup, seed] for seed in seeds if (setup, seed) in tables]
        if not found:
            return np.empty((0, len(setups)))
        series.append(pd.concat(found).groupby("cell_line")["roc_auc"].mean())
    values = pd.concat(series, axis=1).dropna()
    return np.asarray(values, dtype=np.float64)
