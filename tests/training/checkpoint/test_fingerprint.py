"""A checkpoint of an objective with other settings of its own, or of another encoder, is refused by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.objectives import BaseObjective, Batch, create
from morphobench.training import TrainingOptions, train


class Pooled(nn.Module):
    """The mean of 4x4 patches, then a linear layer: several kinds of one shape."""

    embedding_size = 3

    def __init__(self, channels: int, size_px: int, *, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool2d(4), nn.Flatten(), nn.Linear(channels * (size_px // 4) ** 2, 3), activation()
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


class AlsoPooled(Pooled):
    """Another encoder of the same shapes."""


def run(folder: Path, name: str, **settings: Any) -> int:
    options = {"encoder": Pooled, "size_px": 16, **settings}
    images = np.random.default_rng(0).integers(0, 256, (8, 1, 16, 16)).astype(np.uint8)
    result = train(
        create(name, **options),
        images=images,
        labels=np.arange(8) % 2,
        image_ids=np.arange(8),
        setting="no_aug_one_crop",
        options=TrainingOptions(epochs=1, batch_size=4, size_px=16, checkpoint_dir=folder),
    )
    return result.resumed_at_step


@pytest.mark.parametrize(
    ("name", "settings", "named"),
    [
        ("simclr", {"temperature": 0.1}, r"objective\.temperature: 0\.5 there, 0\.1 here"),
        ("vicreg", {"weights": (1.0, 2.0, 3.0)}, r"objective\.weights: \[25\.0, 25\.0, 1\.0\] there"),
        ("dino", {"temperatures": (0.2, 0.04)}, r"objective\.temperatures: \[0\.1, 0\.04\] there"),
        ("dino", {"center_momentum": 0.5}, r"objective\.center_momentum: 0\.9 there, 0\.5 here"),
        ("masked_autoencoder", {"mask_ratio": 0.5}, r"objective\.mask_ratio: 0\.75 there, 0\.5 here"),
        ("self_supervised", {"ema_decay": 0.9}, r"objective\.ema_decay: 0\.99 there, 0\.9 here"),
        ("unsupervised", {"learning_rate": 1e-3}, r"objective\.learning_rate: 0\.0001 there, 0\.001 here"),
        ("unsupervised", {"optimizer": "adamw"}, r"objective\.optimizer: 'adam' there, 'adamw' here"),
        ("unsupervised", {"encoder": AlsoPooled}, r"objective\.encoder: .*:Pooled. there, .*:AlsoPooled"),
        (
            "unsupervised",
            {"encoder": partial(Pooled, activation=nn.Tanh)},
            r"objective\.encoder: '[\w.:]+:Pooled' there, .*activation=.*Tanh",
        ),
    ],
)
def test_other_settings_of_an_objective_are_refused(
    tmp_path: Path, name: str, settings: dict[str, Any], named: str
) -> None:
    assert run(tmp_path, name) == 0
    assert run(tmp_path, name) == 2  # the same again goes on
    with pytest.raises(InputError, match=named):
        run(tmp_path, name, **settings)


class Scaled(BaseObjective):
    """An author's objective with a setting of its own, which it does not describe itself."""

    name = "scaled"
    needs_labels = False

    def __init__(self, *, scale: float = 1.0, **options: Any) -> None:
        self.scale = scale
        super().__init__(**options)

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        return self.scale * torch.square(self.encoder(views[0])).mean()


def test_an_authors_settings_are_described_for_them(tmp_path: Path) -> None:
    here = f"{__name__}:Scaled"
    assert create(here, scale=2.0, encoder=Pooled, size_px=16).describe()["scale"] == 2.0
    run(tmp_path, here)
    with pytest.raises(InputError, match=r"objective\.scale: 1\.0 there, 2\.0 here"):
        run(tmp_path, here, scale=2.0)
