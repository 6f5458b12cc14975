"""Assignment of whole groups (plates, wells) to three parts, as near the wanted sizes as they allow.

A search, because plates differ by a factor of hundreds in size and in their share of controls: several random
starts, each of which already gives every part every class, improved by moves and exchanges of groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morphobench.types import Float64Array, Int64Array

FRACTIONS = (0.7, 0.1, 0.2)
"""Shares of train, validation and test."""

_STARTS = 12
_EXCHANGE_LIMIT = 200
_LACKING = 1e3


def assign_groups(
    codes: Int64Array, strata: NDArray[np.bool_], *, further: NDArray[np.bool_], seed: int
) -> Int64Array:
    """Assign each group to a part.

    The cost is the chi-square distance of each kind's shares from FRACTIONS, summed over kinds (``further``
    together weigh as much as one kind), plus a large constant where a part lacks a kind that it must have.

    Args:
        codes: int64 (N,), group of each image.
        strata: (N, S), S = 1 or 2 kinds of image that every part must have; the caller has checked that it
            can be.
        further: (N, L), kinds of image to spread too.
        seed: seed of the search.

    Returns:
        int64 (G,), part 0, 1 or 2 of each group.
    """
    groups = int(codes.max()) + 1
    generator = np.random.default_rng([seed, 0x73706C69])
    needed = _counts(codes, strata, groups)
    if groups > 4 * _EXCHANGE_LIMIT:
        dealt = _many_small_groups(needed, generator)
        if all((needed[dealt == part].sum(axis=0) > 0).all() for part in range(3)):
            return dealt
        return _start(needed, needed.sum(axis=1) / needed.sum(), generator)
    everything = np.bincount(codes, minlength=groups)[:, None].astype(np.float64)
    columns = [everything, needed, _counts(codes, further, groups)]
    weights = [np.ones(1), np.ones(needed.shape[1]), np.full(further.shape[1], 1 / max(further.shape[1], 1))]
    table = np.concatenate(columns, axis=1)
    table = table / table.sum(axis=0)
    weight = np.concatenate(weights)
    must = np.arange(1, 1 + needed.shape[1])
    best: tuple[float, Int64Array] | None = None
    for _ in range(_STARTS):
        parts = _start(needed, table[:, 0], generator)
        cost = _improve(parts, table, weight, must)
        if best is None or cost < best[0] - 1e-12:
            best = cost, parts
    assert best is not None  # noqa: S101 - the loop runs at least once
    return best[1]


def _counts(codes: Int64Array, kinds: NDArray[np.bool_], groups: int) -> Float64Array:
    """float64 (G, S): how many images of each kind a group holds."""
    columns = [np.bincount(codes[kind], minlength=groups) for kind in kinds.T]
    return np.array(columns, dtype=np.float64).reshape(len(columns), groups).T


def _start(needed: Float64Array, sizes: Float64Array, generator: np.random.Generator) -> Int64Array:
    """A random assignment in which every part has every needed kind."""
    has = needed > 0
    order = generator.permutation(len(needed))
    mixed = [g for g in order if has[g].all()]
    pure = [[g for g in order if has[g, kind] and not has[g].all()] for kind in range(needed.shape[1])]
    parts = np.full(len(needed), -1, dtype=np.int64)
    for part in generator.permutation(3):
        # Pure pairs are used up first only by chance, so that starts differ in more than their order.
        pairs = min(map(len, pure))
        if mixed and (pairs == 0 or generator.random() < len(mixed) / (len(mixed) + pairs)):
            parts[mixed.pop()] = part
        else:
            for kind in pure:
                parts[kind.pop()] = part
    filled = np.array([sizes[parts == part].sum() for part in range(3)])
    rest = [g for g in order if parts[g] < 0]
    for group in sorted(rest, key=lambda g: -sizes[g]):
        part = int(np.argmax(np.array(FRACTIONS) - filled))
        parts[group] = part
        filled[part] += sizes[group]
    return parts


def _cost(sums: Float64Array, weight: Float64Array, must: Int64Array) -> Float64Array:
    """Cost of parts with shares ``sums`` (..., 3, K) of each kind; shape (...)."""
    target = np.array(FRACTIONS)[:, None]
    away = ((sums - target) ** 2 / target).sum(axis=-2) @ weight
    lacking = (sums[..., must] < 1e-12).sum(axis=(-1, -2))
    return np.asarray(away + _LACKING * lacking)


def _improve(parts: Int64Array, table: Float64Array, weight: Float64Array, must: Int64Array) -> float:
    """Move or exchange groups, the best first, until nothing helps; changes ``parts``, returns the cost."""
    groups = len(parts)
    while True:
        sums = np.stack([table[parts == part].sum(axis=0) for part in range(3)])
        current = float(_cost(sums, weight, must))
        best, change = current - 1e-9, None
        for part in range(3):
            moved = np.repeat(sums[None], groups, axis=0)
            moved[np.arange(groups), parts] -= table
            moved[:, part] += table
            costs = np.where(parts == part, np.inf, _cost(moved, weight, must))
            group = int(np.argmin(costs))
            if costs[group] < best:
                best, change = float(costs[group]), [(group, part)]
        if change is None and groups <= _EXCHANGE_LIMIT:
            change = _best_exchange(parts, table, sums, weight, must, best)
        if change is None:
            return current
        for group, part in change:
            parts[group] = part


def _best_exchange(
    parts: Int64Array,
    table: Float64Array,
    sums: Float64Array,
    weight: Float64Array,
    must: Int64Array,
    best: float,
) -> list[tuple[int, int]] | None:
    change = None
    for first, second in ((0, 1), (0, 2), (1, 2)):
        a, b = np.flatnonzero(parts == first), np.flatnonzero(parts == second)
        for group in a:
            difference = table[b] - table[group]
            swapped = np.repeat(sums[None], len(b), axis=0)
            swapped[:, first] += difference
            swapped[:, second] -= difference
            costs = _cost(swapped, weight, must)
            other = int(np.argmin(costs)) if len(b) else 0
            if len(b) and costs[other] < best:
                best, change = float(costs[other]), [(int(group), second), (int(b[other]), first)]
    return change


def _many_small_groups(needed: Float64Array, generator: np.random.Generator) -> Int64Array:
    """With hundreds of groups it is enough to deal each kind of group out by size."""
    has = (needed > 0) @ (1 << np.arange(needed.shape[1]))
    parts = np.empty(len(needed), dtype=np.int64)
    sizes = needed.sum(axis=1)
    for kind in np.unique(has):
        members = np.flatnonzero(has == kind)
        members = members[generator.permutation(len(members))]
        members = members[np.argsort(-sizes[members], kind="stable")]
        # Any ten that follow each other, and hence are about equal in size, go 7 / 1 / 2.
        pattern = np.roll(np.array([0, 0, 2, 0, 0, 1, 0, 2, 0, 0]), generator.integers(10))
        parts[members] = pattern[np.arange(len(members)) % 10]
    return parts
