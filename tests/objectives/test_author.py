"""The documentation's Barlow Twins, written by an author who knows only the page, trains."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from morphobench.objectives import create
from morphobench.training import TrainingOptions, train

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"


@pytest.fixture
def barlow() -> Iterator[str]:
    """The module of the page's block, importable under its name."""
    found = re.search(r"```python\n# barlow\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    module = types.ModuleType("barlow")
    sys.modules["barlow"] = module
    exec(found[1], vars(module))
    yield "barlow:BarlowTwins"
    del sys.modules["barlow"]


def test_the_pages_objective_trains(barlow: str) -> None:
    objective = create(barlow, size_px=16, learning_rate=3e-3, encoder="small:depth=2,channels=8")
    before = {name: value.detach().clone() for name, value in objective.named_parameters()}
    images = np.random.default_rng(0).integers(0, 256, (32, 1, 16, 16)).astype(np.uint8)
    result = train(
        objective,
        images=images,
        labels=np.arange(32) % 2,
        image_ids=np.arange(32),
        setting="no_aug_one_crop",
        options=TrainingOptions(epochs=1, batch_size=16, size_px=16),
        validation=(images[:8], np.arange(8) % 2, np.arange(8)),
    )
    assert set(result.history[0].training) == {"loss", "invariance", "redundancy"}
    assert result.history[0].validation is not None
    assert all(not torch.equal(value, before[name]) for name, value in objective.named_parameters())
    views = tuple(torch.rand(2, 48, 1, 16, 16, generator=torch.Generator().manual_seed(0)))
    first = objective.train_step(views, torch.arange(48) % 2)["loss"]
    for _ in range(30):
        last = objective.train_step(views, torch.arange(48) % 2)["loss"]
    assert last < 0.8 * first


def test_its_loss_is_the_papers(barlow: str) -> None:
    """Equation 1 of Zbontar et al. 2021, "Barlow Twins", term by term, on the objective's own features."""
    objective = create(barlow, size_px=16, encoder="small:depth=2,channels=8")
    views = tuple(torch.rand(2, 12, 1, 16, 16, generator=torch.Generator().manual_seed(0)))
    projector = dict(objective.networks)["projector"]
    with torch.no_grad():
        z = [projector(objective.encoder(view)).double().numpy() for view in views]
    z = [(one - one.mean(0)) / np.sqrt(one.var(0) + 1e-5) for one in z]
    c = np.array([[np.mean(z[0][:, i] * z[1][:, j]) for j in range(64)] for i in range(64)])
    expected = sum((1 - c[i, i]) ** 2 for i in range(64))
    expected += 5e-3 * sum(c[i, j] ** 2 for i in range(64) for j in range(64) if i != j)
    found = objective.train_step(views, torch.arange(12) % 2)["loss"]
    assert float(found) == pytest.approx(expected, rel=1e-4)
