"""A plate as laboratories store it: one TIFF per site and channel, a LoadData table and a plate map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

CHANNELS = ("DNA", "ER", "RNA", "AGP", "Mito")
RANDOM = np.random.default_rng(0)
PIXELS: NDArray[np.uint16] = RANDOM.integers(0, 20_000, (12, 5, 40, 40), dtype=np.uint16)


def write_plate(folder: Path, *, plates: Sequence[str] = ("BR00116991",), enlarged: int = 1) -> Path:
    """12 sites x 5 channels of single-channel TIFFs a plate, with their LoadData table and plate map."""
    root = folder / "plates"
    rows = []
    for plate, number in product(plates, range(12)):
        images = root / plate / "Images"
        images.mkdir(parents=True, exist_ok=True)
        # each plate has pixels of its own
        sites = np.roll(PIXELS[number], plates.index(plate), axis=-1).repeat(enlarged, 1).repeat(enlarged, 2)
        well, site = f"{'ABC'[number // 4]}0{1 + number // 2 % 2}", 1 + number % 2
        cells: dict[str, Any] = {
            "Metadata_Plate": plate,
            "Metadata_Well": well,
            "Metadata_Site": site,
            "Series": 0,
        }
        for channel, name in enumerate(CHANNELS):
            file = f"r0{1 + number // 4}c0{1 + number // 2 % 2}f0{site}p01-ch{channel + 1}sk1fk1fl1.tiff"
            tifffile.imwrite(images / file, sites[channel])
            cells |= {
                f"FileName_Orig{name}": file,
                f"PathName_Orig{name}": f"/home/ubuntu/bucket/plates/{plate}/Images/",
                f"FileName_Illum{name}": f"illum{name}.npy",
            }
        rows.append(cells)
    pd.DataFrame(rows).to_csv(root / "load_data.csv", index=False)
    (root / "platemap").mkdir()
    wells = [f"{row}0{column}" for row in "ABC" for column in (1, 2)]
    pd.DataFrame(
        {
            "plate_map_name": "JUMP-Target-1",
            "well_position": wells,
            "broad_sample": [None, "BRD-1", "BRD-2", None, "BRD-3", "BRD-4"],
            "pert_iname": ["DMSO", "taxol", "etoposide", "DMSO", "mystery", "ring"],
            "pert_type": ["control", "trt", "trt", "control", "control", "trt"],
            "control_type": ["negcon", None, None, "negcon", "poscon_cp", None],
        }
    ).to_csv(root / "platemap" / "JUMP-Target-1.txt", index=False, sep="\t")
    pd.DataFrame({"Assay_Plate_Barcode": plates, "Plate_Map_Name": "JUMP-Target-1"}).to_csv(
        root / "barcode_platemap.csv", index=False
    )
    return root


def scaled(pixels: NDArray[np.uint16]) -> NDArray[np.float64]:
    return np.asarray(np.clip(np.rint(pixels * (255 / 20_000)), 0, 255))


OPTIONS: dict[str, Any] = {"value_range": (0, 20_000), "size_px": 40}
