"""Encoders plug in by name: other kinds train under every paradigm, are saved and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.models import load_encoder, make_encoder, save_encoder
from morphobench.objectives import Batch, create, names


class Tiny(nn.Module):
    """An encoder of someone else's."""

    def __init__(self, channels: int, size_px: int) -> None:
        super().__init__()
        self.embedding_size = 6
        self.linear = nn.Linear(channels * size_px**2, 6)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))


def without_size(channels: int, size_px: int) -> nn.Module:
    return nn.Conv2d(channels, size_px, 1)


@pytest.mark.parametrize(("name", "size"), [("resnet18", 512), ("vit_small", 192), (Tiny, 6), ("study", 512)])
def test_an_encoder_trains_under_every_paradigm(name: str | type[Tiny], size: int) -> None:
    for paradigm in names()[:4] if name != Tiny else names():
        objective = create(paradigm, channels=2, size_px=32, encoder=name)
        generator = torch.Generator().manual_seed(0)
        views = tuple(torch.rand(2 if objective.pair_views else 1, 4, 2, 32, 32, generator=generator))
        before = [parameter.detach().clone() for parameter in objective.encoder.parameters()]
        codes = torch.tensor([0, 0, 1, 1])  # some paradigms learn from compounds, wells or plates
        groups = {"compound": codes, "well": codes, "plate": torch.arange(4) % 2}
        loss = objective.train_step(views, Batch(torch.arange(4) % 2, groups))["loss"]
        assert torch.isfinite(loss)
        after = list(objective.encoder.parameters())
        assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
        assert objective.encoder(views[0]).shape == (4, size)


@pytest.mark.parametrize("name", ["resnet18", "vit_small"])
def test_another_encoder_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    encoder = make_encoder(name, 3, 32).eval()
    save_encoder(tmp_path / "e.safetensors", encoder)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(load_encoder(tmp_path / "e.safetensors")(images), encoder(images))


def test_a_file_may_not_choose_what_is_imported(tmp_path: Path) -> None:
    name = "collections:OrderedDict"
    encoder = make_encoder(Tiny, 1, 8)
    encoder.encoder_name = name  # type: ignore[assignment]
    save_encoder(tmp_path / "e.safetensors", encoder)
    with pytest.raises(
        InputError, match=r"encoder must be 'collections:OrderedDict', with which .* was made, got None"
    ):
        load_encoder(tmp_path / "e.safetensors")


def test_batch_statistics_see_the_whole_batch() -> None:
    steps = []
    for micro_batch in (2, 6):
        objective = create("weakly_supervised", size_px=32, encoder="resnet18", micro_batch=micro_batch)
        views = (torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(0)),)
        steps.append(objective.train_step(views, torch.arange(6) % 2)["loss"])
    assert torch.equal(*steps)


def test_what_is_no_encoder_is_refused() -> None:
    for wrong in ("huge", "no.such:thing", "collections:nothing", without_size):
        with pytest.raises(InputError, match=r"encoder .*must be"):
            create("unsupervised", encoder=wrong)
