"""Files and names that the Python blocks of a page assume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from morphobench.data import simulate
from morphobench.models import make_encoder, save_encoder
from tests.run.conftest import tiny_store


def names_of_augmentation(folder: Path) -> dict[str, object]:
    """A store, two images of another size, and a trainer's batches."""
    simulate(folder / "store", images=64, seed=0)
    return {
        "images": np.zeros((2, 1, 224, 224), dtype=np.uint8),
        "image_ids": [0, 1],
        "epoch": 0,
        "batches": [np.arange(8), np.arange(8, 16)],
        "train": lambda views: None,
    }


def names_of_data(folder: Path) -> dict[str, object]:
    """``images``: 16-bit TIFFs of three channels in class folders."""
    generator = np.random.default_rng(0)
    for number in range(8):
        path = folder / "images" / ("drugs" if number % 2 else "controls") / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 4096, (3, 130, 70), dtype=np.uint16)
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return {}


def names_of_evaluation(folder: Path) -> dict[str, object]:
    """A store under the page's name."""
    tiny_store(folder / "my_store")
    return {}


def names_of_training(folder: Path) -> dict[str, object]:
    """A store with its rows of two parts, and the weights of a run."""
    weights = folder / "results" / "weights"
    weights.mkdir(parents=True)
    save_encoder(weights / "unsupervised__aug_one_crop__seed0.safetensors", make_encoder("study", 1, 64))
    return {"store": tiny_store(folder / "store"), "rows": np.arange(32), "held_out": np.arange(32, 48)}
