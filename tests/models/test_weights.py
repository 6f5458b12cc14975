"""The study's checkpoints give the study's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from morphobench.errors import InputError
from morphobench.models import (
    Encoder,
    load_encoder,
    load_published,
    make_encoder,
    save_encoder,
    seeded,
    weights_sha256,
)

SETUPS = [
    f"{paradigm}/{setting}"
    for paradigm in ("weakly-supervised", "self-supervised", "unsupervised", "regularized")
    for setting in ("aug_multi_crop", "aug_one_crop", "no_aug_multi_crop")
]


def worst(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("setup", SETUPS)
def test_published_checkpoints_give_the_published_outputs(setup: str, golden: Path) -> None:
    (path,) = (golden / "checkpoints").glob(setup.replace("/", "__") + "__*.torch")
    with np.load(golden / "published_checkpoints.npz") as expected:
        images = expected["images"]
        net = load_published(path)
        assert worst(net.embed(images), expected[f"{setup}/embedding"]) < 5e-6
        assert np.array_equal(net.embed(images[:, None]), net.embed(images))
        if setup.split("-")[0] in ("weakly", "self"):
            assert worst(net.class_probability(images), expected[f"{setup}/class_probability"]) < 5e-6
            with pytest.raises(InputError, match="asked of an autoencoder"):
                net.reconstruct(images)
        else:
            assert worst(net.reconstruct(images[:4, None]), expected[f"{setup}/reconstruction"]) < 1e-5
            with pytest.raises(InputError, match="asked of a deep classifier"):
                net.class_probability(images)
        encoder = load_encoder(path)
        batch = torch.from_numpy(images)[:, None].float() / 255
        with torch.no_grad():
            assert worst(encoder(batch).numpy(), expected[f"{setup}/embedding"]) < 5e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_encoder_loads_unchanged(channels: int, tmp_path: Path) -> None:
    encoder = Encoder(channels, size_px=32)
    save_encoder(tmp_path / "e.safetensors", encoder, {"setup": "unsupervised/aug_one_crop"})
    loaded = load_encoder(tmp_path / "e.safetensors")
    assert not loaded.training
    assert loaded.embedding_size == 8 * 8 * 8
    ours, theirs = encoder.state_dict(), loaded.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_file_beside_the_weights_says_what_they_are_of(tmp_path: Path) -> None:
    encoder = make_encoder("small:kind=plain,depth=2,pool=max,channels=8", 2, 32)
    save_encoder(tmp_path / "e.safetensors", encoder, {"setup": "unsupervised/aug_one_crop", "seed": "3"})
    config = json.loads((tmp_path / "e.config.json").read_text())
    assert config["architecture"] == "small"
    assert config["arguments"] == {"kind": "plain", "depth": 2, "pool": "max", "channels": 8}
    assert (config["channels"], config["size_px"], config["embedding_size"]) == (2, 32, 128)
    assert config["preprocessing"]["scale"] == 1 / 255
    assert config["provenance"] == {"setup": "unsupervised/aug_one_crop", "seed": "3"}
    assert config["weights_sha256"] == weights_sha256(load_encoder(tmp_path / "e.safetensors"))


def test_metadata_must_be_text_under_free_names(tmp_path: Path) -> None:
    for metadata in ({"format": "mine"}, {"seed": 3}):
        with pytest.raises(InputError, match="metadata must be strings"):
            save_encoder(tmp_path / "e.safetensors", Encoder(), metadata)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["e.torch", "e.safetensors"])
def test_a_file_of_another_kind_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match=r"e\.\w+ must be a weights file"):
        load_encoder(path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=name):
        load_encoder(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.torch"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(
        InputError, match=r"other\.torch must hold encoder\.0\.weight or model\.0\.weight, got layer"
    ):
        load_encoder(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="must be a state dict of named, dense tensors, got list"):
        load_published(path)
    torch.save({f"encoder.{name}": value for name, value in Encoder().state_dict().items()}, path)
    load_encoder(path)
    with pytest.raises(InputError, match=r"decoder\.0\.weight must have shape \(8, 32, 3, 3\), got none"):
        load_published(path)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (Path("harm"),))


def test_a_torch_file_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"encoder.0.weight": Harmful()}, tmp_path / "harmful.torch")
    with pytest.raises(InputError, match=r"harmful\.torch"):
        load_encoder(tmp_path / "harmful.torch")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (np.zeros((2, 1, 64, 64), np.float32), TypeError),
        (np.zeros((2, 3, 64, 64), np.uint8), InputError),
        (np.zeros((64, 64), np.uint8), InputError),
        (np.zeros((0, 1, 64, 64), np.uint8), InputError),
    ],
)
def test_images_of_another_kind_are_refused(
    images: np.ndarray, error: type[Exception], tmp_path: Path
) -> None:
    torch.save({f"model.{name}": value for name, value in whole_classifier().items()}, tmp_path / "net.torch")
    with pytest.raises(error, match="images must"):
        load_published(tmp_path / "net.torch").embed(images)


def whole_classifier() -> dict[str, torch.Tensor]:
    linear = {"10.weight": torch.zeros(256, 2048), "10.bias": torch.zeros(256)}
    return {**Encoder().state_dict(), **linear, "12.weight": torch.zeros(2, 256), "12.bias": torch.zeros(2)}


def test_seeded_depends_on_seed_and_part_only_and_leaves_the_generator_alone() -> None:
    def drawn(seed: int, part: str) -> torch.Tensor:
        with seeded(seed, part):
            return torch.rand(4)

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = drawn(1, "encoder")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(drawn(1, "encoder"), first)
    assert not torch.equal(drawn(2, "encoder"), first)
    assert not torch.equal(drawn(1, "decoder"), first)


@pytest.mark.parametrize(("channels", "size_px"), [(0, 64), (1, 30), (1, 0)])
def test_impossible_encoders_are_refused(channels: int, size_px: int) -> None:
    with pytest.raises(InputError, match=r"must be .*, got"):
        Encoder(channels, size_px=size_px)
