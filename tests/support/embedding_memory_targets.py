"""What tests of large embeddings run in a process of its own: memory beside the page cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from morphobench.embeddings import read_embeddings, write_embeddings
from morphobench.evaluation import EvaluationInput
from morphobench.measure import private_memory_bytes, sampled_private_memory


def written_and_read(folder: Path, rows: int, features: int) -> tuple[int, bool]:
    """Private bytes that writing, reading and checking a memory map add, and whether it is the same."""
    mapped = np.memmap(folder / "embeddings.raw", np.float32, "w+", shape=(rows, features))
    marked = np.linspace(0, rows - 1, 100).astype(int)
    mapped[marked] = np.arange(100, dtype=np.float32)[:, None]
    metadata = pd.DataFrame({"Metadata_Site": np.arange(rows), "Metadata_Split": "test"})
    path = folder / "e.parquet"
    write_embeddings(path, mapped[:10], metadata[:10])  # what the first call of the libraries takes
    read_embeddings(path)
    before = private_memory_bytes() or 0
    with sampled_private_memory(every_s=0.005) as peaks:
        write_embeddings(path, mapped, metadata)
        found, described, _ = read_embeddings(path)
        EvaluationInput(found, described)
    same = np.array_equal(found[marked], mapped[marked]) and described.equals(metadata)
    return max(peaks.values()) - before, bool(same and np.count_nonzero(found[:, 0]) == 99)
