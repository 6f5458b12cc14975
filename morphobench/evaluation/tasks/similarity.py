"""Similarity task: distance of compounds expected to be alike, against their distance from controls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.data.metadata import STUDY_DMSO_WELLS
from morphobench.errors import InputError
from morphobench.evaluation import distances
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.bootstrap.resampling import Units, plates_or_wells
from morphobench.evaluation.bootstrap.similarity import LinePair, median_draws, over_lines, over_units
from morphobench.evaluation.inputs import EvaluationInput, median_and_deviation
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.types import BoolArray, Float64Array, Int64Array

STUDY_PAIR = ("Methotrexate", "Pemetrexed")
STUDY_IMAGES_PER_WELL = 10


def _infos(metric: str) -> dict[str, MetricInfo]:
    prefix = "" if metric == "euclidean" else f"{metric}_"
    of = f"{metric} distance"
    return {
        f"{prefix}d": MetricInfo(
            "up", 0.0, "", f"how much closer pairs expected to be alike are than controls, by {of}"
        ),
        f"{prefix}d_deviation": MetricInfo("none", None, "", f"median absolute deviation of {prefix}d"),
        f"{prefix}distance": MetricInfo(
            "none",
            None,
            metric,
            f"median {of} of pairs expected to be alike; depends on the scale of the embedding",
        ),
        f"{prefix}inverse_distance": MetricInfo(
            "up",
            None,
            f"1/{metric}",
            f"1 / median {of}; comparable only between embeddings of the same scale",
        ),
        f"{prefix}inverse_distance_deviation": MetricInfo(
            "none", None, f"1/{metric}", f"median absolute deviation of {prefix}inverse_distance"
        ),
    }


_METRICS = {name: info for metric in distances.METRICS for name, info in _infos(metric).items()}
_METRICS["pairs"] = MetricInfo("none", None, "pairs", "pairs of compounds compared, in any cell line")
_METRICS["cell_lines"] = MetricInfo("none", None, "cell lines", "cell lines with such a pair and controls")


@register("similarity", metrics=_METRICS)
def similarity(inputs: EvaluationInput) -> TaskResult:
    """Compare compounds expected to be alike: distance D, and d = (D_hat - D) / D_hat against controls.

    ``inputs.options.pairs`` names the pairs; by default the study's (Methotrexate, Pemetrexed), and under
    corrected-1, where the data lacks it, all pairs of compounds that share ``Metadata_MOA``. Per cell line g
    and pair, over all cross pairs of images: D_g is the median distance of the two compounds, A_g and B_g
    those of each to controls.

    reference-1 (its fact 5): controls are the last 10 images by file name of each of the study's DMSO wells
    in the cell line; D = median_g D_g; D_hat = (median_g A_g + median_g B_g) / 2; the deviation of d is 0.
    corrected-1: the test split; all negative controls of the cell line; d_g = (D_hat_g - D_g) / D_hat_g with
    D_hat_g = (A_g + B_g) / 2, its median over the pairs of a cell line, then median and median absolute
    deviation over cell lines (over pairs where there is one cell line). Both: 1/D with deviation median_g
    |1/D_g - 1/D|.

    Args:
        inputs: Embeddings and metadata.

    Returns:
        Metrics by each distance, intervals, and the table "pairs".

    Raises:
        InputError: A named pair has a compound that is nowhere in the data.
    """
    compounds, labels = inputs.column("Compound"), inputs.labels()
    if compounds is None:
        return undefined("similarity", "similarity: the metadata has no Metadata_Compound")
    warnings: list[str] = []
    pairs = _pairs(inputs, compounds, labels)
    measured = list(_measure(inputs, compounds, labels, pairs, warnings))
    records = [record for one in measured for record in one.records]
    if not records:
        which = "of " + " / ".join(pairs[0]) if len(pairs) == 1 else "of compounds expected to be alike"
        return undefined(
            "similarity", f"similarity: no cell line holds a pair {which} beside controls", *warnings
        )
    table = pd.DataFrame.from_records(records)
    summarize = _reference if inputs.protocol == "reference-1" else _corrected
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    resampler = _Resampler(inputs, compounds, measured)
    for metric in distances.METRICS:
        prefix = "similarity." if metric == "euclidean" else f"similarity.{metric}_"
        summary = summarize(table[table["metric"] == metric])
        metrics.update({f"{prefix}{name}": value for name, value in summary.items()})
        found = resampler.intervals(
            metric, {name: summary[name] for name in ("d", "distance", "inverse_distance")}
        )
        intervals.update({f"{prefix}{name}": one for name, one in found.items()})
    metrics["similarity.pairs"] = float(len(table[["compound_a", "compound_b"]].drop_duplicates()))
    metrics["similarity.cell_lines"] = float(table["cell_line"].nunique())
    if not np.isfinite(metrics["similarity.inverse_distance"]):
        warnings.append("similarity: the images of pairs have identical embeddings, so 1/D is undefined")
    elif lost := [name for name in distances.METRICS[1:] if not np.isfinite(metrics[f"similarity.{name}_d"])]:
        warnings.append(f"similarity: {', '.join(lost)} distance is undefined on these embeddings")
    return TaskResult(metrics, {"pairs": table}, tuple(warnings), intervals)


def pairs_sharing(compounds: Iterable[str], mechanisms: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pair the compounds that have a mechanism in common.

    Args:
        compounds: Compound of each image.
        mechanisms: Mechanism of each image; "" is none.

    Returns:
        All pairs of different compounds, sorted.
    """
    members: dict[str, set[str]] = {}
    for compound, mechanism in zip(compounds, mechanisms, strict=True):
        if compound and mechanism:
            members.setdefault(mechanism, set()).add(compound)
    return tuple(sorted({pair for group in members.values() for pair in combinations(sorted(group), 2)}))


def _pairs(
    inputs: EvaluationInput, compounds: NDArray[np.object_], labels: Int64Array
) -> tuple[tuple[str, str], ...]:
    drugs = {str(name).casefold(): str(name) for name in compounds[labels == 1]}
    if inputs.options.pairs is not None:
        missing = [name for pair in inputs.options.pairs for name in pair if name.casefold() not in drugs]
        if missing:
            raise InputError(f"pairs must name compounds of the data, got {', '.join(missing)}")
        return tuple((drugs[a.casefold()], drugs[b.casefold()]) for a, b in inputs.options.pairs)
    study = tuple(drugs.get(name.casefold(), name) for name in STUDY_PAIR)
    mechanisms = inputs.column("MOA")
    present = all(name.casefold() in drugs for name in STUDY_PAIR)
    if present or inputs.protocol == "reference-1" or mechanisms is None:
        return ((study[0], study[1]),)
    return pairs_sharing(compounds[labels == 1], mechanisms[labels == 1])


@dataclass(frozen=True)
class _Measured:
    """A pair of compounds in a cell line: rows of both and of controls, and one record per metric."""

    line: str
    rows: tuple[Int64Array, Int64Array, Int64Array]
    records: list[dict[str, object]]


def _measure(
    inputs: EvaluationInput,
    compounds: NDArray[np.object_],
    labels: Int64Array,
    pairs: tuple[tuple[str, str], ...],
    warnings: list[str],
) -> Iterator[_Measured]:
    """Measure every pair in every cell line that has controls."""
    reported, lines = inputs.reported(), inputs.cell_lines()
    controls_of = _study_controls(inputs, reported & (labels == 0), warnings)
    for line in sorted(set(lines)):
        here = reported & (lines == line)
        controls = np.flatnonzero(here & controls_of)
        rows = {
            name: np.flatnonzero(here & (labels == 1) & (compounds == name))
            for name in {x for pair in pairs for x in pair}
        }
        known = [pair for pair in pairs if len(rows[pair[0]]) and len(rows[pair[1]])]
        if not len(controls) or not known:
            continue
        # Each compound is compared with the controls once, however many pairs it is in.
        to_controls = {
            name: _medians(inputs, rows[name], controls, warnings)
            for name in {x for pair in known for x in pair}
        }
        for a, b in known:
            between = _medians(inputs, rows[a], rows[b], warnings)
            records: list[dict[str, object]] = [
                {
                    "cell_line": line,
                    "compound_a": a,
                    "compound_b": b,
                    "metric": metric,
                    "images_a": len(rows[a]),
                    "images_b": len(rows[b]),
                    "control_images": len(controls),
                    "distance": between[metric],
                    "control_distance_a": to_controls[a][metric],
                    "control_distance_b": to_controls[b][metric],
                    "d": _relative((to_controls[a][metric] + to_controls[b][metric]) / 2, between[metric]),
                }
                for metric in distances.METRICS
            ]
            yield _Measured(line, (rows[a], rows[b], controls), records)


class _Resampler:
    """Intervals over plates, else wells of each compound, else cell lines."""

    def __init__(
        self, inputs: EvaluationInput, compounds: NDArray[np.object_], measured: list[_Measured]
    ) -> None:
        self.inputs, self.measured = inputs, measured
        self.reference = inputs.protocol == "reference-1"
        used = np.unique(np.concatenate([rows for one in measured for rows in one.rows]))
        self.units = plates_or_wells(
            inputs.column_of("Plate", used), inputs.column_of("Well", used), strata=compounds[used]
        )
        self.place = np.full(len(compounds), -1, dtype=np.int64)
        if isinstance(self.units, Units):
            self.place[used] = self.units.code
            self.weights = self.units.weights(seed=inputs.seed)

    def intervals(self, metric: str, estimates: dict[str, float]) -> dict[str, Interval]:
        """Intervals of d, distance and inverse_distance by ``metric``."""
        names = sorted({one.line for one in self.measured})
        number = distances.METRICS.index(metric)
        exact, drawn = [], []
        seen: dict[tuple[int, int], Float64Array] = {}
        for one in self.measured:
            record, line = one.records[number], names.index(one.line)
            found = [
                np.asarray(record[name], dtype=np.float64)
                for name in ("distance", "control_distance_a", "control_distance_b")
            ]
            exact.append(LinePair(line, *found))
            if isinstance(self.units, Units) and all(np.isfinite(found)):
                a, b, controls = one.rows
                moved = [
                    self._drawn(x, y, metric, float(value), seen)
                    for (x, y), value in zip(((a, b), (a, controls), (b, controls)), found, strict=True)
                ]
                drawn.append(LinePair(line, *moved))
        if isinstance(self.units, Units) and drawn:
            return over_units(estimates, drawn, self.units, reference=self.reference)
        why = self.units if isinstance(self.units, Reason) else Reason("undefined_statistic")
        return over_lines(estimates, exact, reference=self.reference, seed=self.inputs.seed, why=why)

    def _drawn(
        self,
        a: Int64Array,
        b: Int64Array,
        metric: str,
        exact: float,
        seen: dict[tuple[int, int], Float64Array],
    ) -> Float64Array:
        """Medians in the resamples, shifted by the difference of the binned and the exact median."""
        key = int(a[0]), int(b[0])  # rows of two compounds, or of one and the controls, in one cell line
        if key not in seen:
            x, y = self.inputs.embeddings[a], self.inputs.embeddings[b]
            once = np.vstack([np.ones((1, self.weights.shape[1])), self.weights])
            found = median_draws(x, y, metric, self.place[a], self.place[b], once)
            seen[key] = found[1:] + (exact - found[0])
        return seen[key]


def _medians(inputs: EvaluationInput, a: Int64Array, b: Int64Array, warnings: list[str]) -> dict[str, float]:
    left, right = inputs.embeddings[a], inputs.embeddings[b]
    try:
        return distances.median_distances(left, right)
    except InputError:  # one metric may be undefined where others are not (correlation of one feature)
        medians: dict[str, float] = {}
    for metric in distances.METRICS:
        try:
            medians[metric] = distances.median_distances(left, right, metrics=(metric,))[metric]
        except InputError as error:
            medians[metric] = float("nan")
            start = f"similarity: {metric} distance is undefined"
            if not any(known.startswith(start) for known in warnings):
                warnings.append(f"{start}: {error}")
    return medians


def _study_controls(inputs: EvaluationInput, controls: BoolArray, warnings: list[str]) -> BoolArray:
    """Controls that the protocol compares with: all, or the study's selection."""
    if inputs.protocol != "reference-1":
        return controls
    wells = inputs.column("Well")
    if wells is None:
        warnings.append("similarity: no Metadata_Well, so all controls are used, not the study's DMSO wells")
        return controls
    short = np.asarray([_short_well(well) for well in wells], dtype=object)
    chosen = controls & np.isin(short, STUDY_DMSO_WELLS)
    if not chosen.any():
        warnings.append(
            "similarity: the data has none of the study's DMSO wells, so every control well is used"
        )
        chosen = controls
    paths = inputs.paths()
    if paths is None:
        warnings.append("similarity: no Metadata_Path, so images are ordered by row, not by file name")
    names = ["" for _ in controls] if paths is None else [PurePath(path).name for path in paths]
    lines = inputs.cell_lines()
    groups: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(chosen):
        groups.setdefault((lines[row], short[row]), []).append(int(row))
    last = np.zeros(len(controls), dtype=bool)
    for rows in groups.values():
        last[sorted(rows, key=lambda row: names[row])[-STUDY_IMAGES_PER_WELL:]] = True
    return last


def _short_well(well: str) -> str:
    """Well name without zero padding: M08 is the study's M8."""
    found = re.fullmatch(r"([A-Za-z]+)0*(\d+)", well)
    return f"{found[1].upper()}{found[2]}" if found else well


def _reference(table: pd.DataFrame) -> dict[str, float]:
    distance = float(table["distance"].median())
    controls = (table["control_distance_a"].median() + table["control_distance_b"].median()) / 2
    d = _relative(float(controls), distance)
    return {
        "d": d,
        "d_deviation": d * 0,  # as published; NaN where d is
        "distance": distance,
        **_inverse(distance, table["distance"], least=1),
    }


def _corrected(table: pd.DataFrame) -> dict[str, float]:
    by_line = table.groupby("cell_line")[["distance", "d"]].median()
    units = by_line if len(by_line) > 1 else table
    d, d_deviation = median_and_deviation(units["d"])
    distance = float(by_line["distance"].median())
    return {
        "d": d,
        "d_deviation": d_deviation,
        "distance": distance,
        **_inverse(distance, units["distance"], least=2),
    }


def _inverse(distance: float, units: pd.Series[float], *, least: int) -> dict[str, float]:
    if not distance > 0:
        return {"inverse_distance": float("nan"), "inverse_distance_deviation": float("nan")}
    known = units[units > 0]
    spread = float(np.median(np.abs(1 / known - 1 / distance))) if len(known) >= least else float("nan")
    return {"inverse_distance": 1 / distance, "inverse_distance_deviation": spread}


def _relative(controls: float, distance: float) -> float:
    return (controls - distance) / controls if controls > 0 else float("nan")
