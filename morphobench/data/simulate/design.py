"""Design of the simulated study: which image shows which cell line, drug, plate and well."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from morphobench.data.metadata import COLUMNS, STUDY_DMSO_WELLS
from morphobench.data.simulate.counter_rng import normals, uniforms
from morphobench.data.simulate.ground_truth import (
    CELL_LINES,
    COMPOUNDS,
    CONTROLS,
    PBS_WELLS,
    TRAITS,
    cell_line_traits,
    effect,
)
from morphobench.data.simulate.render import N_UNIFORMS, Scene, render
from morphobench.types import Float64Array, Int64Array, UInt8Array

_TRAIT_STREAM, _PIXEL_STREAM, _PLATE_STREAM, _WELL_STREAM = 2, 3, 4, 5
_COLUMNS = [*(name for name in COLUMNS if name != "Metadata_Split"), "Metadata_Strength"]
_CONTROL_WELLS = (*STUDY_DMSO_WELLS, *PBS_WELLS)
_DRUG_WELLS = tuple(
    well
    for well in (f"{row}{column}" for row in "CFGJKO" for column in range(3, 23))
    if well not in _CONTROL_WELLS
)


class StudyDesign:
    """What each image shows, as a function of its number; images depend on each other in nothing.

    Args:
        seed: the images and the wells depend on it.
        null: whether no drug has an effect.
        cell_lines: number of cell lines, 1 to 21.
        compounds: number of drugs, 1 to 31.
        plates: number of plates.
    """

    def __init__(self, *, seed: int, null: bool, cell_lines: int, compounds: int, plates: int) -> None:
        self._seed, self._null = seed, null
        self._lines, self._plates = cell_lines, plates
        self._compounds = COMPOUNDS[:compounds]
        self._effects = np.stack([effect(compound) for compound in self._compounds])
        self._line_traits = cell_line_traits()

    def _where(self, ids: Int64Array) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
        """Class (1 drug), plate, cell line and drug (or, for a control, control well) of each image.

        Drugs and controls take turns, plates follow each other, and on a plate two drugs of one mechanism
        come one after the other in the same line. So any first N images are balanced as far as N allows, and
        drugs of one mechanism meet in one cell line even among few images. Each plate begins with a block of
        the two drugs that the study compares.
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

    def images(self, ids: Int64Array) -> UInt8Array:
        """Draw images.

        Args:
            ids: int64 (B,), numbers of the images.

        Returns:
            uint8 (B, 1, 64, 64).
        """
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
        """Describe images.

        Args:
            ids: int64 (B,), numbers of the images.

        Returns:
            One row per image, with the Metadata_ columns of a store.
        """
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
