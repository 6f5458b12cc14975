"""Commands on tiny inputs, for tests that kill them or fill their disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from morphobench.embeddings import write_embeddings
from morphobench.models import make_encoder, save_encoder, seeded
from tests.run.conftest import tiny_store

RUN = (
    *("--profile", "smoke", "--batch-size", "16", "--threads", "1", "--timing-s", "0", "--epochs", "2"),
    *("--setups", "weakly_supervised/no_aug_one_crop,unsupervised/no_aug_one_crop"),
    *("--task", "similarity", "--baselines", "mean_intensity,untrained_encoder"),
)


def _source(folder: Path) -> None:
    random_numbers = np.random.default_rng(0)
    for group in ("drugs", "controls"):
        (folder / group).mkdir(parents=True)
        for number in range(150):
            pixels = random_numbers.integers(0, 256, (128, 128), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / group / f"{number}.png")


def make_inputs(folder: Path) -> None:
    """Make what the commands read."""
    store = tiny_store(folder / "store")
    with seeded(0, "encoder"):
        save_encoder(folder / "w.safetensors", make_encoder("study", 1, 64))
    features = np.random.default_rng(0).normal(size=(len(store), 12)).astype(np.float32)
    write_embeddings(folder / "e.parquet", features, store.metadata)
    _source(folder / "images")


def arguments_of(command: str, inputs: Path, place: Path) -> list[Any]:
    """The words of a command that reads ``inputs`` and writes below ``place``."""
    return {
        "simulate": ["simulate", place / "made", "--images", 400, "--seed", 3],
        "ingest": ["ingest", inputs / "images", place / "made"],
        "embed": [
            *("embed", inputs / "store", "--weights", inputs / "w.safetensors"),
            *("--out", place / "made.parquet"),
        ],
        "evaluate": [
            *("evaluate", inputs / "e.parquet", "--task", "similarity,profiling"),
            *("--profile", "smoke", "--json", place / "made.json"),
        ],
        "report": ["report", place / "out"],
        "run": ["run", inputs / "store", place / "out", *RUN],
    }[command]


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder's files into another one."""
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
