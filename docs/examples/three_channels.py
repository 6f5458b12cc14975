"""Writes simulated cells in three colours, to try what takes RGB: ``python three_channels.py FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from morphobench import simulate

COUNT = 8


def main(folder: str) -> None:
    """COUNT PNG files: the cell in red, its smooth body in green, its bright parts in blue."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        cells = simulate(Path(scratch) / "store", images=COUNT, seed=0).images[:, 0] / 255
    for number, cell in enumerate(cells):
        channels = (cell, np.sqrt(gaussian_filter(cell, 2)) - 0.2, 2 * (cell - np.quantile(cell, 0.8)))
        stacked = np.stack(channels, axis=-1).clip(0, 1)
        Image.fromarray((255 * stacked).round().astype(np.uint8)).save(out / f"cell-{number}.png")


if __name__ == "__main__":
    main(sys.argv[1])
