"""Stratified subsample of images: fewer of them, with plates, classes and cell lines in proportion."""

from __future__ import annotations

import numpy as np
import pandas as pd

from morphobench._util.integers import check_integer
from morphobench.data.metadata import NEGCON
from morphobench.types import BoolArray, Int64Array

_PER_PLATE = 8
"""With fewer images than this per plate and class, whole plates are left out instead."""


def subset(metadata: pd.DataFrame, *, images: int, seed: int = 0) -> Int64Array:
    """Draw a stratified random sample of images.

    Every plate (well where there is one plate) keeps its share of images and of each control type, at least
    one each; within them cell lines keep theirs. Where ``images`` is too small for that many plates, those
    with most of both classes stay, so that a split by plate remains possible. A given Metadata_Split is kept
    in proportion instead.

    Args:
        metadata: one row per image.
        images: number of images to draw, from 1 on.
        seed: seed of the sample, from 0 on.

    Returns:
        int64 (min(images, N),), sorted positions of the rows.

    Raises:
        InputError: for a number out of range.
    """
    check_integer("images", images, least=1)
    check_integer("seed", seed)
    total = len(metadata)
    if images >= total:
        return np.arange(total, dtype=np.int64)
    generator = np.random.default_rng([int(seed), 0x73756273])
    drug = _is_drug(metadata)
    groups = _groups(metadata)
    candidates = np.arange(total)
    strata = groups * 2 + drug
    if 2 * images < _PER_PLATE * len(np.unique(strata)):
        candidates = _largest_groups(groups, drug, keep=max(3, images // _PER_PLATE))
        candidates = np.flatnonzero(np.isin(groups, candidates))
    names, members = np.unique(strata[candidates], return_inverse=True)
    wanted = _allocate(np.bincount(members), min(images, len(candidates)))
    lines = _codes(metadata, "Metadata_CellLine")
    chosen = []
    for stratum in range(len(names)):
        rows = candidates[members == stratum]
        rows = rows[generator.permutation(len(rows))]
        rows = rows[np.argsort(lines[rows], kind="stable")]
        # Evenly spaced picks from rows ordered by cell line take every line in proportion.
        picks = (np.arange(wanted[stratum]) + generator.random()) * len(rows) / max(wanted[stratum], 1)
        chosen.append(rows[picks.astype(np.int64)])
    taken = np.concatenate(chosen)
    if len(taken) < images:
        rest = np.setdiff1d(np.arange(total), taken)
        taken = np.concatenate([taken, generator.choice(rest, images - len(taken), replace=False)])
    return np.sort(taken).astype(np.int64)


def _codes(metadata: pd.DataFrame, column: str) -> Int64Array:
    if column not in metadata:
        return np.zeros(len(metadata), dtype=np.int64)
    return np.asarray(pd.factorize(metadata[column], sort=True)[0] + 1, dtype=np.int64)


def _is_drug(metadata: pd.DataFrame) -> Int64Array:
    if "Metadata_ControlType" not in metadata:
        return np.zeros(len(metadata), dtype=np.int64)
    return np.asarray(metadata["Metadata_ControlType"] != NEGCON, dtype=np.int64)


def _groups(metadata: pd.DataFrame) -> Int64Array:
    for column in ("Metadata_Split", "Metadata_Plate", "Metadata_Well"):
        codes = _codes(metadata, column)
        if len(np.unique(codes)) > 1:
            return codes
    return np.zeros(len(metadata), dtype=np.int64)


def _largest_groups(groups: Int64Array, drug: Int64Array, *, keep: int) -> Int64Array:
    """The ``keep`` groups with most images of their rarer class, then with most images."""
    counts = np.stack([np.bincount(groups[drug == kind], minlength=groups.max() + 1) for kind in (0, 1)])
    rank = np.lexsort((counts.sum(axis=0), counts.min(axis=0)))[::-1]
    chosen: Int64Array = rank[:keep].astype(np.int64)
    return chosen


def _allocate(sizes: Int64Array, images: int) -> Int64Array:
    """How many of ``images`` each stratum gives: in proportion, at least 1 as long as there are enough."""
    least: BoolArray = np.full(len(sizes), images >= len(sizes))
    exact = sizes * (images / sizes.sum())
    given: Int64Array = np.maximum(np.floor(exact), least).astype(np.int64)
    while given.sum() != images:
        # Give to, or take from, the stratum that is furthest from its exact share.
        off = exact - given
        if given.sum() < images:
            given[int(np.argmax(np.where(given < sizes, off, -np.inf)))] += 1
        else:
            given[int(np.argmin(np.where(given > least, off, np.inf)))] -= 1
    return given
