"""A hundred processes read one store at a time."""

from __future__ import annotations

import hashlib
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morphobench.data import ImageStore

READERS = 100


def _read(path: Path, begin: Any, results: Any, number: int) -> None:
    store = ImageStore.open(path)
    begin.wait(120)  # all have it open
    digest = hashlib.sha256()
    for row in np.random.default_rng(number).permutation(len(store)):
        assert (store.images[row] == int(store.metadata["Metadata_Site"].iloc[row]) % 256).all()
    digest.update(store.images.tobytes())
    store.verify()
    results.put((number, digest.hexdigest()))


@pytest.mark.slow
def test_a_hundred_readers_see_the_same(tmp_path: Path) -> None:
    count = 500
    images = np.repeat(np.arange(count) % 256, 32 * 32).reshape(count, 1, 32, 32).astype(np.uint8)
    ImageStore.create(tmp_path / "store", images, pd.DataFrame({"site": np.arange(count)}))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["morphobench.data", "pandas", "pyarrow.parquet"])
    begin, results = context.Barrier(READERS), context.Queue()
    readers = [
        context.Process(target=_read, args=(tmp_path / "store", begin, results, number))
        for number in range(READERS)
    ]
    for reader in readers:
        reader.start()
    found = dict(results.get(timeout=300) for _ in readers)
    for reader in readers:
        reader.join(60)
    assert [reader.exitcode for reader in readers] == [0] * READERS
    assert len(found) == READERS
    assert set(found.values()) == {hashlib.sha256(images.tobytes()).hexdigest()}
