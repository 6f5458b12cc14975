"""The encoder with BatchNorm: its shape, and statistics taken over given images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from morphobench.embeddings import embed_by_group
from morphobench.errors import InputError
from morphobench.models import make_encoder
from morphobench.models.batch_norm_cnn import has_batch_norm, with_statistics_of


def test_it_embeds_any_channels_and_size() -> None:
    for channels, size_px in ((1, 64), (3, 48)):
        encoder = make_encoder("batch_norm_cnn", channels, size_px)
        assert encoder(torch.rand(2, channels, size_px, size_px)).shape == (2, 128)
    with pytest.raises(InputError, match="size_px must be at least 16 for batch_norm_cnn, got 8"):
        make_encoder("batch_norm_cnn", 1, 8)


def test_statistics_are_those_of_the_images_and_the_network_stays() -> None:
    encoder = make_encoder("batch_norm_cnn", 1, 16)
    images = torch.rand(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    made = with_statistics_of(encoder, images.split(4))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    convolved = encoder.layers[0](images)  # type: ignore[index, operator]
    parts = convolved.split(4)
    mean = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)
    variance = torch.stack([part.var((0, 2, 3)) for part in parts]).mean(0)
    buffers = dict(made.named_buffers())
    torch.testing.assert_close(buffers["layers.1.running_mean"], mean)
    torch.testing.assert_close(buffers["layers.1.running_var"], variance)


def test_a_plates_brightness_is_gone() -> None:
    """Two plates that differ by contrast and brightness only have the same embeddings."""
    torch.manual_seed(0)  # of the initial weights
    encoder = make_encoder("batch_norm_cnn", 1, 16)
    images = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    # the padding is 0 on both plates, so borders differ a little; nothing else does
    embeddings = [with_statistics_of(encoder, [plate])(plate) for plate in (images, 0.5 * images)]
    torch.testing.assert_close(*embeddings, rtol=1e-3, atol=1e-3)
    plain = [encoder.eval()(plate) for plate in (images, 0.5 * images)]
    assert (plain[0] - plain[1]).abs().max() > 10 * (embeddings[0] - embeddings[1]).abs().max()


def test_batch_norm_is_found() -> None:
    assert has_batch_norm(make_encoder("resnet18", 1, 32))
    assert not has_batch_norm(make_encoder("study", 1, 32))


def test_embedding_by_group_uses_each_groups_statistics() -> None:
    encoder = make_encoder("batch_norm_cnn", 1, 16)
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 16, 16)).astype(np.uint8)
    groups = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    found = embed_by_group(encoder, images, groups)
    for group in (0, 1):
        own = torch.from_numpy(images[groups == group]).float() / 255
        with torch.no_grad():
            expected = with_statistics_of(encoder, [own])(own)
        torch.testing.assert_close(torch.from_numpy(found[groups == group]), expected)
