"""Intervals of similarity's d, D and 1/D: medians over pairs of images when plates or wells are resampled.

All distances between two sets of images are counted once, by pair of units and bin of distance. The weighted
median of a resample is then read from the counts: no distance is computed twice, and none is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from morphobench.evaluation import distances
from morphobench.evaluation.bootstrap.interval import Interval, no_interval, units_needed
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.bootstrap.resampling import RESAMPLES, Units, median_defined
from morphobench.types import Float32Array, Float64Array, Int64Array

_BINS = 128
_SAMPLE = 1 << 16
_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True)
class LinePair:
    """Median distances of a pair of compounds in one cell line, by one metric.

    Attributes:
        line: Number of the cell line.
        distance: Median distance of the two compounds; a scalar array, or (R,) in resamples.
        control_a: Median distance of the first compound to controls, likewise.
        control_b: Median distance of the second compound to controls, likewise.
    """

    line: int
    distance: Float64Array
    control_a: Float64Array
    control_b: Float64Array


def median_draws(
    a: Float32Array,
    b: Float32Array,
    metric: str,
    units_a: Int64Array,
    units_b: Int64Array,
    weights: Float64Array,
) -> Float64Array:
    """Median distance over all pairs of rows in each resample.

    A pair counts as often as its two units were drawn together. Medians are interpolated between the edges
    of 128 bins, which are narrow about the median.

    Args:
        a: (N, D) embeddings.
        b: (M, D) embeddings.
        metric: One of `distances.METRICS`.
        units_a: (N,) unit of each row: columns of ``weights``.
        units_b: (M,) likewise.
        weights: (R, G) how often each unit was drawn.

    Returns:
        (R,); NaN where nothing was drawn or a distance is undefined.
    """
    own_a, code_a = np.unique(units_a, return_inverse=True)
    own_b, code_b = np.unique(units_b, return_inverse=True)
    small = len(a) * len(b) <= _SAMPLE
    once = distances.pairwise(a, b, metric) if small else None
    edges = _edges(_sample(a, b, metric) if once is None else once)
    if edges is None:
        return np.full(len(weights), np.nan)
    counts = np.zeros((len(own_b), len(own_a), len(edges)))
    flat = counts.reshape(-1)
    for top, block in distances.pairwise_blocks(a, b, metric) if once is None else [(0, once)]:
        place = np.searchsorted(edges, block)  # the first edge that the distance does not exceed
        np.minimum(place, len(edges) - 1, out=place)
        cell = (code_b[None, :] * len(own_a) + code_a[top : top + len(block), None]) * len(edges) + place
        flat += np.bincount(cell.ravel(), minlength=len(flat))
    drawn = np.empty(len(weights))
    step = max(1, _CHUNK_VALUES // (len(own_a) * len(edges)))
    by_b = counts.reshape(len(own_b), -1)
    for start in range(0, len(weights), step):
        part = weights[start : start + step]
        over_b = (part[:, own_b] @ by_b).reshape(len(part), len(own_a), len(edges))
        drawn[start : start + step] = _read(np.einsum("ra,rak->rk", part[:, own_a], over_b), edges)
    return drawn


def relative(distance: Float64Array, control_a: Float64Array, control_b: Float64Array) -> Float64Array:
    """Relative distance d = (D_hat - D) / D_hat with D_hat = (A + B) / 2.

    Args:
        distance: D, distance of two compounds.
        control_a: A, distance of the first to controls.
        control_b: B, distance of the second to controls.

    Returns:
        d; NaN where D_hat is 0.
    """
    controls = np.asarray((control_a + control_b) / 2, dtype=np.float64)
    found: Float64Array = np.divide(
        controls - distance, controls, out=np.full(controls.shape, np.nan), where=controls > 0
    )
    return found


def summarize(pairs: Sequence[LinePair], *, reference: bool) -> dict[str, Float64Array]:
    """Compute d, distance and inverse distance in each resample, by the protocol's rule (see `similarity`).

    Args:
        pairs: Medians of each cell line and pair of compounds, (R,) each.
        reference: Use the rule of reference-1, else that of corrected-1.

    Returns:
        (R,) by name.
    """
    if reference:
        distance, a, b = (
            median_defined(np.stack([getattr(pair, name) for pair in pairs], axis=-1))
            for name in ("distance", "control_a", "control_b")
        )
        d = relative(distance, a, b)
    else:
        lines = sorted({pair.line for pair in pairs})
        by_line = [[pair for pair in pairs if pair.line == line] for line in lines]
        d, distance = (
            median_defined(
                np.stack(
                    [median_defined(np.stack([of(p) for p in line], axis=-1)) for line in by_line], axis=-1
                )
            )
            for of in (lambda p: relative(p.distance, p.control_a, p.control_b), lambda p: p.distance)
        )
    inverse = np.divide(1.0, distance, out=np.full(np.shape(distance), np.nan), where=distance > 0)
    return {"d": d, "distance": distance, "inverse_distance": inverse}


def over_units(
    estimates: dict[str, float], pairs: Sequence[LinePair], units: Units, *, reference: bool
) -> dict[str, Interval]:
    """Intervals over plates or wells.

    Args:
        estimates: d, distance and inverse distance on the data.
        pairs: Medians of each cell line and pair in the resamples.
        units: The units that were resampled.
        reference: Use the rule of reference-1.

    Returns:
        95 % interval by name.
    """
    drawn = summarize(pairs, reference=reference)
    return {name: units.from_draws(estimates[name], values) for name, values in drawn.items()}


def over_lines(
    estimates: dict[str, float], pairs: Sequence[LinePair], *, reference: bool, seed: int, why: Reason
) -> dict[str, Interval]:
    """Intervals over cell lines, the medians of each being fixed.

    Args:
        estimates: d, distance and inverse distance on the data.
        pairs: Medians of each cell line and pair, scalar arrays.
        reference: Use the rule of reference-1.
        seed: Seed of the resamples.
        why: Why neither plates nor wells were resampled.

    Returns:
        95 % interval by name; where there are too few cell lines, the reason.
    """
    lines = sorted({pair.line for pair in pairs})
    needed = units_needed(0.95)
    if len(lines) < needed:
        reason = why.join(Reason.too_few("cell line", len(lines), needed))
        return {name: no_interval(value, reason) for name, value in estimates.items()}
    units = Units.of(lines, "cell line")
    chosen = np.random.default_rng([seed, 0x6C696E65]).integers(len(lines), size=(RESAMPLES, len(lines)))
    place = {line: number for number, line in enumerate(lines)}
    values = _by_line(pairs, place)
    drawn: dict[str, Float64Array] = {}
    if reference:
        distance, a, b = (median_defined(values[name][chosen]) for name in ("distance", "a", "b"))
        drawn["d"] = relative(distance, a, b)
    else:
        distance = median_defined(values["distance"][chosen])
        drawn["d"] = median_defined(values["d"][chosen])
    drawn["distance"] = distance
    drawn["inverse_distance"] = np.divide(1, distance, out=np.full(len(distance), np.nan), where=distance > 0)
    return {name: units.from_draws(estimates[name], drawn[name]) for name in drawn}


def _by_line(pairs: Sequence[LinePair], place: dict[int, int]) -> dict[str, Float64Array]:
    """Median over the pairs of each cell line, (lines,)."""
    take: dict[str, Callable[[LinePair], Float64Array]] = {
        "distance": lambda p: p.distance,
        "a": lambda p: p.control_a,
        "b": lambda p: p.control_b,
        "d": lambda p: relative(p.distance, p.control_a, p.control_b),
    }
    found = {name: np.empty(len(place)) for name in take}
    for line, number in place.items():
        mine = [pair for pair in pairs if pair.line == line]
        for name, of in take.items():
            found[name][number] = median_defined(np.asarray([float(of(pair)) for pair in mine]))
    return found


def _sample(a: Float32Array, b: Float32Array, metric: str) -> Float32Array:
    """Distances of some rows of each."""
    random = np.random.default_rng(0)
    rows = [np.sort(random.permutation(len(side))[: int(_SAMPLE**0.5)]) for side in (a, b)]
    return distances.pairwise(a[rows[0]], b[rows[1]], metric)


def _edges(found: Float32Array) -> Float64Array | None:
    """Ascending upper edges of bins: narrow where the medians of resamples may lie."""
    sample = found.ravel().astype(np.float64)
    if not np.isfinite(sample).all():
        return None
    inner = np.quantile(sample, np.linspace(0.02, 0.98, _BINS - 2))
    return np.unique(np.concatenate([[sample.min()], inner, [sample.max()]]))


def _read(counts: Float64Array, edges: Float64Array) -> Float64Array:
    """The medians of weighted counts (R, K) in bins with upper ``edges`` (K,), linear within a bin."""
    up_to = np.cumsum(counts, axis=1)
    half = up_to[:, -1] / 2
    place = np.minimum((up_to < half[:, None]).sum(axis=1), len(edges) - 1)
    rows = np.arange(len(counts))
    inside, before = counts[rows, place], up_to[rows, place] - counts[rows, place]
    low = np.where(place > 0, edges[np.maximum(place - 1, 0)], edges[0])
    share = np.divide(half - before, inside, out=np.zeros(len(counts)), where=inside > 0)
    found: Float64Array = np.where(half > 0, low + share * (edges[place] - low), np.nan)
    return found
