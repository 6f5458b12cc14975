"""The family of small backbones: names, shapes, and that each option does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.models import encoder_names, load_encoder, make_encoder, save_encoder
from morphobench.models.small_cnn import DEPTHS, KINDS, SmallBackbone, SmallSpec, small_specs
from morphobench.objectives import create


def test_a_name_says_what_differs_from_the_default() -> None:
    assert encoder_names("small") == ("small",)
    assert encoder_names("small:pool=max,channels=32,kind=plain,depth=3") == ("small",)
    assert encoder_names("small:channels=64,pool=average") == ("small:pool=average,channels=64",)
    assert encoder_names("resnet18") == ("resnet18",)
    for spec in small_specs("small:kind=*,depth=*,pool=*,channels=*"):
        assert list(small_specs(spec.name)) == [spec]


def test_several_values_are_all_combinations() -> None:
    nine = encoder_names("small:kind=*,depth=*")
    assert len(nine) == len(set(nine)) == len(KINDS) * len(DEPTHS) == 9
    assert encoder_names("small:pool=max+average,channels=8+64") == (
        "small:channels=8",
        "small:channels=64",
        "small:pool=average,channels=8",
        "small:pool=average,channels=64",
    )
    assert [spec.channels for spec in small_specs("small:channels=*")] == [8, 16, 32, 64, 128, 256]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small:kind=huge", "kind of small must be plain, residual, separable, got 'huge'"),
        ("small:depth=5", "depth of small must be 2, 3, 4, got 5"),
        ("small:channels=7", "channels of small must be 8 to 256, got 7"),
        ("small:channels=257", "channels of small must be 8 to 256, got 257"),
        ("small:channels=many", "got 'many'"),
        ("small:width=8", "each of kind, depth, pool, channels at most once"),
        ("small:pool=max,pool=average", "at most once"),
        ("small:pool", "at most once"),
    ],
)
def test_what_the_family_has_not_is_named(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encoder_names(name)


def test_one_encoder_cannot_be_several() -> None:
    with pytest.raises(InputError, match="one of the family small, got 2"):
        make_encoder("small:pool=*", 1, 64)


@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_gradients(kind: str, depth: int, pool: str) -> None:
    encoder = make_encoder(f"small:kind={kind},depth={depth},pool={pool},channels=16", 3, 32)
    assert encoder.embedding_size == 16 * 16
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    embeddings = encoder(images)
    assert embeddings.shape == (5, 256)
    embeddings.square().sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in encoder.parameters())
    layers = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    per_block = {"plain": 1, "residual": 2, "separable": 2}[kind]
    assert len(layers) == per_block * depth + (kind == "residual")  # and a 1x1 where the skip changes width


def test_one_block_against_plain_layers() -> None:
    """Each kind of block and pool written out."""
    for kind in KINDS:
        for pool, function in (("max", functional.max_pool2d), ("average", functional.avg_pool2d)):
            network = SmallBackbone(SmallSpec(kind=kind, depth=2, pool=pool, channels=8), 8, 16)
            hidden = torch.rand(2, 8, 16, 16, generator=torch.Generator().manual_seed(1))
            expected = hidden
            for block in network.blocks:
                convolutions = [one for one in block.modules() if isinstance(one, nn.Conv2d)]
                if kind == "plain":
                    features = convolutions[0](expected)
                elif kind == "separable":
                    features = convolutions[1](convolutions[0](expected))
                else:
                    features = convolutions[1](convolutions[0](expected).relu()) + expected
                expected = function(features.relu(), 2)
            torch.testing.assert_close(network(hidden), expected.flatten(1))


def test_they_take_micro_batches_and_are_saved(tmp_path: Path) -> None:
    steps = []
    for micro_batch in (2, 6):
        objective = create(
            "weakly_supervised", size_px=32, encoder="small:kind=residual", micro_batch=micro_batch
        )
        views = (torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(0)),)
        steps.append(objective.train_step(views, torch.arange(6) % 2)["loss"])
    torch.testing.assert_close(*steps)
    encoder = make_encoder("small:kind=separable,channels=8", 2, 32).eval()
    save_encoder(tmp_path / "e.safetensors", encoder)
    loaded = load_encoder(tmp_path / "e.safetensors")
    images = torch.rand(2, 2, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), encoder(images))


def test_an_image_too_small_for_the_pools_is_refused() -> None:
    with pytest.raises(InputError, match="size_px must be at least 16 for small:depth=4, got 8"):
        make_encoder("small:depth=4", 1, 8)
