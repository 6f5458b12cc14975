"""Made-up records of a run, as OUT/results.jsonl holds them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from morphobench.report.statistics.columns import Column
from morphobench.run.record import Record
from morphobench.setups import SETUPS

KNOWN = {
    column.key: column
    for column in (
        Column("similarity.d", "similarity d", "up", "", 0.0, "", "simil. d"),
        Column("classification.roc_auc", "ROC AUC", "up", "", 0.5),
        Column("classification.accuracy", "accuracy", "up", "", header="accu- racy"),
        Column("clustering.silhouette", "silhouette", "up", "", header="silh- ouette"),
        Column("clustering.noise", "noise", "down", "%"),
        Column("clustering.consistency", "cluster consistency", "up", "%", header="consis- tency"),
        Column("clustering.clusters", "clusters", "none", ""),
    )
}
BASELINES = ("baseline/mean_intensity", "baseline/untrained_encoder")


def record(setup: str, seed: int = 0, **changes: Any) -> Record:
    """One record; the same setup and seed give the same numbers."""
    random = np.random.default_rng([zlib.crc32(setup.encode()), seed])
    baseline = setup.startswith("baseline/")
    level = 0.0 if baseline else 0.1 + 0.05 * setup.endswith("multi_crop")
    auc = float(0.55 + level + 0.02 * random.normal())
    made: dict[str, Any] = {
        "setup": setup,
        "protocol": "corrected-1",
        "seed": seed,
        "profile": {"profile": "quick", "epochs": 3, "batch_size": 256, "images": 1000},
        "split": {
            "grouped_by": "plate",
            "warnings": [],
            "images": {"train": 700, "validation": 100, "test": 200},
        },
        "data": {"content_sha256": "ab12"},
        "notes": ["thinned sweeps"],
        "tasks": {"clustering": {"seconds": 1.0, "warnings": []}},
        "time_per_view_ns": None if baseline else float(1e6 * random.uniform(1, 4)),
        "peak_host_memory_bytes": None if baseline else int(2**20 * random.uniform(400, 900)),
        "peak_device_memory_bytes": None,
        "metrics": {
            "similarity.d": float(0.1 + level + 0.02 * random.normal()),
            "classification.roc_auc": auc,
            "classification.accuracy": auc - 0.05,
            "clustering.silhouette": float(0.3 + 0.05 * random.normal()),
            "clustering.noise": float(random.uniform(5, 40)),
            "clustering.consistency": float(random.uniform(5, 40)),
            "clustering.clusters": float(random.integers(2, 20)),
        },
        "intervals": {"classification.roc_auc": [auc - 0.06, auc + 0.05]},
        "interval_units": {"classification.roc_auc": "12 plates"},
        "history": [] if baseline else [_epoch(number) for number in (1, 2, 3)],
        "environment": {"versions": {"torch": "2.9"}, "cpu": "made up", "cores": 2, "device": "cpu"},
    }
    return Record.from_json({**made, **changes})


def study(seeds: Sequence[int] = (0,), *, baselines: bool = True) -> list[Record]:
    """Records of all 16 setups and two baselines for each seed."""
    names = [str(setup) for setup in SETUPS] + list(BASELINES if baselines else ())
    return [record(name, seed) for seed in seeds for name in names]


def _epoch(number: int) -> dict[str, Any]:
    return {
        "epoch": number,
        "step": 10 * number,
        "training": {"loss": 0.7 / number},
        "validation": {"loss": 0.75 / number},
        "seconds": 1.5,
    }


def tables(
    records: Sequence[Record], *, plates: int = 10, lines: int = 8
) -> tuple[dict[tuple[str, int], pd.DataFrame], dict[tuple[str, int], pd.DataFrame]]:
    """Predictions and scores by cell line of made-up records; multi-crop setups see the drug better."""
    predictions, by_line = {}, {}
    for one in records:
        setup, seed = one.setup, one.seed
        images = np.random.default_rng(seed)  # every setup of a seed has the same images
        plate = np.repeat(np.arange(plates), 20)
        label = images.integers(0, 2, len(plate))
        level = 0.0 if setup.startswith("baseline/") else 0.6 + 0.5 * setup.endswith("multi_crop")
        own = np.random.default_rng([zlib.crc32(setup.encode()), seed])
        score = images.normal(size=len(plate)) + level * label + 0.5 * own.normal(size=len(plate))
        predictions[setup, seed] = pd.DataFrame(
            {
                "row": np.arange(len(plate)),
                "Metadata_Plate": [f"P{number}" for number in plate],
                "Metadata_Well": [f"A{number % 4:02}" for number in range(len(plate))],
                "label": label,
                "drug_probability": 1 / (1 + np.exp(-score)),
            }
        )
        auc = 0.6 + 0.1 * level + 0.02 * own.normal(size=lines)
        by_line[setup, seed] = pd.DataFrame({"cell_line": [f"L{n}" for n in range(lines)], "roc_auc": auc})
    return predictions, by_line
