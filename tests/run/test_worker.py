"""What workers do with an encoder: the images that its BatchNorm takes its statistics from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from morphobench.data import ImageStore
from morphobench.run import worker
from morphobench.run.folder import SetupFiles
from morphobench.run.job import Embedding
from morphobench.training import TrainingOptions


@pytest.mark.parametrize(("most", "expected"), [(1000, 64), (10, 10)])
def test_statistics_are_those_of_training_images_but_of_so_many_at_most(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, expected: int
) -> None:
    seen: list[torch.Tensor] = []

    def keep(network: torch.nn.Module, batches: Iterable[torch.Tensor]) -> torch.nn.Module:
        seen.extend(batches)
        return network.eval()

    monkeypatch.setattr(worker, "MOST_FOR_STATISTICS", most)
    monkeypatch.setattr(worker, "with_statistics_of", keep)
    rows = np.arange(96)
    metadata = store.metadata.assign(Metadata_Split=["train"] * 64 + ["test"] * 32)
    worker.embed_untrained(
        store=store.path,
        encoder="batch_norm_cnn",
        protocol="corrected-1",
        training=TrainingOptions(batch_norm="train", threads=1),
        embedding=Embedding(rows, metadata, SetupFiles.of(tmp_path, "baseline/x", 0), {}),
    )
    used = torch.cat(seen)
    assert len(used) == expected
    train = torch.from_numpy(np.array(store.images[:64])).float() / 255
    assert all((image == train).flatten(1).all(1).any() for image in used)
