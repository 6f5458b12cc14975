"""A tiny store and tiny options, so that a whole run takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morphobench.data import ImageStore
from morphobench.run import RunOptions


def tiny_store(path: Path, *, images: int = 96, channels: int = 1, **columns: Any) -> ImageStore:
    """Images whose drugs are brighter, on 6 plates with both classes."""
    generator = np.random.default_rng(0)
    drug = np.arange(images) % 2 == 1
    pixels = generator.integers(0, 120, (images, channels, 64, 64)) + 60 * drug[:, None, None, None]
    metadata = pd.DataFrame(
        {
            "Metadata_Plate": [f"P{number % 6}" for number in np.arange(images) // 2],
            "Metadata_Well": [f"A{number:02d}" for number in range(images)],
            "Metadata_CellLine": "one",
            "Metadata_Compound": np.where(drug, np.where(np.arange(images) % 4 == 1, "d1", "d2"), "DMSO"),
            "Metadata_MOA": np.where(drug, "same", ""),
            "Metadata_ControlType": np.where(drug, "trt", "negcon"),
            **columns,
        }
    )
    return ImageStore.create(path, pixels.astype(np.uint8), metadata)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return tiny_store(tmp_path_factory.mktemp("tiny") / "store")


def tiny_options(**changes: Any) -> RunOptions:
    """One setup, one task, no baseline, on one core, unless told otherwise."""
    chosen: dict[str, Any] = {
        "setups": ["weakly_supervised/no_aug_one_crop"],
        "profile": "smoke",
        "images": 64,
        "batch_size": 16,
        "tasks": ["classification"],
        "baselines": [],
        "device": "cpu",
        "threads": 1,
        "timing_s": 0.0,
    }
    return RunOptions.resolve(**{**chosen, **changes})
