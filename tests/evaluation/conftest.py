"""Embeddings with planted structure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


def make_table(
    *,
    lines=("A549", "HT29"),
    compounds=("a", "b", "c", "d"),
    per_group=20,
    controls=40,
    seed=0,
    shift=3.0,
    features=16,
):
    """Embeddings of drug and control images: each compound shifted by ``shift`` in a direction of its own.

    Compounds a, b share a mechanism and nearly a direction; so do c, d.
    """
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(len(compounds), features))
    directions[1::2] = directions[0::2][: len(directions[1::2])] + 0.1 * directions[1::2]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows, vectors = [], []
    for line in lines:
        for number, compound in enumerate((*compounds, "DMSO")):
            control = compound == "DMSO"
            for image in range(controls if control else per_group):
                well = f"{'ABCDEFGH'[image % 8]}{number + 1:02d}"
                center = np.zeros(features) if control else shift * directions[number]
                vectors.append(center + generator.normal(size=features) * 0.5)
                rows.append(
                    {
                        "path": f"{line}_{compound}_{well}_{image:03d}.png",
                        "Metadata_CellLine": line,
                        "Metadata_Plate": f"{line}_P{image % 2}",
                        "Metadata_Well": well,
                        "Metadata_Compound": compound,
                        "Metadata_MOA": "control" if control else f"moa{number // 2}",
                        "Metadata_ControlType": "negcon" if control else "trt",
                        "Metadata_Split": ("train", "train", "validation", "test", "test")[image % 5],
                    }
                )
    return np.asarray(vectors, dtype=np.float32), pd.DataFrame(rows)


@pytest.fixture(scope="session")
def planted():
    """The maker of planted embeddings: (embeddings, metadata)."""
    return make_table
