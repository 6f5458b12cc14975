"""From uint8 images to what networks take."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from morphobench.errors import InputError
from morphobench.models.preprocessing import as_batch, float_batches, map_images

IMAGES = np.arange(5 * 2 * 4 * 4, dtype=np.uint8).reshape(5, 2, 4, 4)


def test_images_get_four_axes_without_a_copy() -> None:
    assert np.shares_memory(as_batch(IMAGES, channels=2), IMAGES)
    assert as_batch(IMAGES[:, 0], channels=1).shape == (5, 1, 4, 4)
    np.testing.assert_array_equal(as_batch(torch.from_numpy(IMAGES), channels=2), IMAGES)


def test_other_images_are_refused() -> None:
    with pytest.raises(TypeError, match="must be a uint8 array, got float32"):
        as_batch(IMAGES.astype(np.float32), channels=2)
    with pytest.raises(InputError, match=r"must have shape \(N, 1, H, W\), got \(5, 2, 4, 4\)"):
        as_batch(IMAGES, channels=1)
    with pytest.raises(InputError, match=r"got \(4, 4\)"):
        as_batch(IMAGES[0, 0], channels=1)
    with pytest.raises(InputError, match="at least one image"):
        map_images(lambda pixels: pixels, IMAGES[:0], batch_size=2)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 9])
def test_batches_are_the_images_over_255_in_order(batch_size: int) -> None:
    batches = list(float_batches(IMAGES, batch_size=batch_size))
    assert [len(batch) for batch in batches] == [min(batch_size, 5 - at) for at in range(0, 5, batch_size)]
    expected = torch.from_numpy(IMAGES).float() / 255
    assert torch.equal(torch.cat(batches), expected)
    mapped = map_images(lambda pixels: pixels.sum((2, 3)), IMAGES, batch_size=batch_size)
    np.testing.assert_allclose(mapped, expected.sum((2, 3)).numpy(), rtol=1e-6)
