"""The default data: a simulated study of drug-treated cells in which every task has a known right answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from morphobench._util.cpu import available_cores
from morphobench.data.metadata import COLUMNS
from morphobench.data.simulate.counter_rng import normals, uniforms
from morphobench.data.simulate.ground_truth import (
    CELL_LINES,
    COMPOUNDS,
    CONTROLS,
    DMSO_WELLS,
    PBS_WELLS,
    TRAITS,
    cell_line_traits,
    effect,
)
from morphobench.data.simulate.render import N_UNIFORMS, SIZE_PX, Scene, render
from morphobench.data.store.reader import ImageStore
from morphobench.data.store.writer import StoreWriter, existing_store
from morphobench.errors import InputError
from morphobench.types import Float64Array, Int64Array, UInt8Array
from morphobench.types import Path as PathLike

SIMULATION_VERSION = 1
"""Raised when the pictures of one seed change; one of a store's options, so that old stores are refused."""

_TRAIT_STREAM, _PIXEL_STREAM, _PLATE_STREAM, _WELL_STREAM = 2, 3, 4, 5
_BATCH = 64
_COLUMNS = [*(name for name in COLUMNS if name != "Metadata_Split"), "Metadata_Strength"]
_CONTROL_WELLS = (*DMSO_WELLS, *PBS_WELLS)
_DRUG_WELLS = tuple(
    well
    for well in (f"{row}{column}" for row in "CFGJKO" for column in range(3, 23))
    if well not in _CONTROL_WELLS
)


def simulate(
    destination: PathLike,
    *,
    images: int,
    seed: int = 0,
    null: bool = False,
    cell_lines: int = 21,
    compounds: int = 31,
    plates: int = 10,
    fresh: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageStore:
    """Make a store of ``images`` cell-like grey pictures, uint8 (N, 1, 64, 64), of the study's design.

    21 cell lines under 31 drugs and 2 controls (DMSO, PBS) on 10 plates; every plate holds every line, as
    many controls as drugs, and (from about 13,000 images on) every drug. Drugs change shape and texture by
    planted amounts, graded from weak to strong; 13 pairs of drugs share a mechanism (``Metadata_MOA``) and
    _check(
        images=images,
        seed=seed,
        cell_lines=cell_lines,
        compounds=compounds,
        plates=plates,
        threads=threads,
    )
    design and metadata but no effect of any drug. ``cell_lines``, ``compounds``, ``plates``: fewer or more.

    Picture i depends on ``seed``, i and the options, not on ``images`` or ``threads`` (None: every core).
    A store made with the same options is returned as it is; with others it is refused, naming them, unless
    ``fresh``. ``progress(done, total)`` is called as pictures are written. InputError for bad arguments.
    """
    _check(
        images=images, seed=seed, cell_lines=cell_lines, compounds=compounds, plates=plates, threads=threads
    )
    options = {
        "images": images,
        "seed": seed,
        "null": bool(null),
        "cell_lines": cell_lines,
        "compounds": compounds,
        "plates": plates,
        "simulation_version": SIMULATION_VERSION,
    }
    made = existing_store(destination, created_by="simulate", options=options, fresh=fresh)
    if made is not None:
        return made
    design = _Design(seed=seed, null=null, cell_lines=cell_lines, compounds=compounds, plates=plates)
    manifest = {"created_by": "simulate", "options": options, "planted": _planted(compounds, null=null)}
    batches = [
        np.arange(start, min(start + _BATCH, images), dtype=np.int64) for start in range(0, images, _BATCH)
    ]
    workers = threads or available_cores()
    with (
        StoreWriter(destination, image_shape=(1, SIZE_PX, SIZE_PX), manifest=manifest, fresh=fresh) as writer,
        ThreadPoolExecutor(workers) as pool,
    ):
        # A window of batches in flight bounds the memory whatever the number of images.
        window = 4 * workers
        done = 0
        for first in range(0, len(batches), window):
            for pixels in pool.map(design.pictures, batches[first : first + window]):
                writer.append(pixels)
                done += len(pixels)
                if progress is not None:
                    progress(done, images)
        return writer.finish(design.metadata(np.arange(images, dtype=np.int64)))


def _check(**arguments: int | None) -> None:
    limits = {
        "images": (1, 2**40),
        "seed": (0, 2**63 - 1),
        "cell_lines": (1, len(CELL_LINES)),
        "compounds": (1, len(COMPOUNDS)),
        "plates": (1, 999),
        "threads": (1, 4096),
    }
    for name, value in arguments.items():
        if value is None and name == "threads":
            continue
        low, high = limits[name]
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise InputError(f"{name} must be a whole number {low} to {high}, got {value!r}")


def _planted(compounds: int, *, null: bool) -> dict[str, dict[str, object]]:
    return {
        compound.name: {"moa": compound.moa, "strength": 0.0 if null else compound.strength}
        for compound in COMPOUNDS[:compounds]
    }


class _Design:
    """Which picture shows what, as functions of the picture's number."""

    def __init__(self, *, seed: int, null: bool, cell_lines: int, compounds: int, plates: int) -> None:
        self._seed, self._null = seed, null
        self._lines, self._plates = cell_lines, plates
        self._compounds = COMPOUNDS[:compounds]
        self._effects = np.stack([effect(compound) for compound in self._compounds])
        self._line_traits = cell_line_traits()

    def _where(self, ids: Int64Array) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
        """Class (1 drug), plate, cell line and drug (or, for a control, control well) of each picture.

        Drugs and controls take turns, plates follow each other, and on a plate two drugs of one mechanism
        come one after the other in the same line. So any first N pictures are balanced as far as N allows,
        and alike drugs meet in one cell line even when there are few pictures. Each plate begins with a block
        of the pair that the study compares.
        """
        drug = ids % 2
        plate = ids // 2 % self._plates
        turn = ids // 2 // self._plates
        block = turn // 2 - 1
        line = (block + 2 * plate) % self._lines
        pairs = -(-len(self._compounds) // 2)
        # Without the last term only every gcd-th combination of line and pair would ever occur.
        pair = (block + 3 * plate + block // math.lcm(self._lines, pairs)) % pairs
        pair = np.where(block < 0, 0, pair)
        compound = np.minimum(2 * pair + turn % 2, len(self._compounds) - 1)
        well = (turn + plate + turn // math.lcm(2 * self._lines, len(_CONTROL_WELLS))) % len(_CONTROL_WELLS)
        return drug, plate, line, np.where(drug == 1, compound, well)

    def pictures(self, ids: Int64Array) -> UInt8Array:
        """uint8 (B, 1, 64, 64)."""
        drug, plate, line, which = self._where(ids)
        chance = normals(self._seed, ids, len(TRAITS), stream=_TRAIT_STREAM)
        traits = self._line_traits[line] + 0.7 * chance
        if not self._null:
            treated = drug == 1
            traits[treated] += self._effects[which[treated]]
        numbers = uniforms(self._seed, ids, N_UNIFORMS, stream=_PIXEL_STREAM)
        return render(traits, self._scene(plate), numbers)[:, None]

    def _scene(self, plate: Int64Array) -> Scene:
        z = normals(self._seed, plate, 5, stream=_PLATE_STREAM)
        return Scene(
            gain=np.exp(0.12 * z[:, 0]),
            background=0.055 * np.exp(0.25 * z[:, 1]),
            slope=0.016 * np.exp(0.4 * z[:, 2]),
            slope_angle=np.pi * z[:, 3],
            noise=0.05 * np.exp(0.2 * z[:, 4]),
        )

    def metadata(self, ids: Int64Array) -> pd.DataFrame:
        """One row a picture."""
        drug, plate, line, which = self._where(ids)
        chance: Float64Array = uniforms(self._seed, ids, 2, stream=_WELL_STREAM)
        rows = []
        for i, treated, p, c, w, (u, v) in zip(ids, drug, plate, line, which, chance, strict=True):
            if treated:
                compound = self._compounds[w]
                name, moa, strength = compound.name, compound.moa, 0.0 if self._null else compound.strength
                well = _DRUG_WELLS[2 * w + int(2 * u)]
            else:
                well = _CONTROL_WELLS[w]
                name, moa, strength = CONTROLS[well in PBS_WELLS], "negative control", 0.0
            cell, plate_name = CELL_LINES[c], f"P{p + 1:02d}"
            rows.append(
                (
                    f"{cell}_sim_{plate_name}_{well}_{name}_{i:07d}_2026_1_1.png",
                    plate_name,
                    well,
                    f"s{1 + int(4 * v)}",
                    cell,
                    name,
                    1.0 if treated else 0.0,
                    moa,
                    "trt" if treated else "negcon",
                    strength,
                )
            )
        return pd.DataFrame(rows, columns=_COLUMNS)
