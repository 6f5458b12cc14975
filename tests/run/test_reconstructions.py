"""The picture of reconstructions: the decoder's output below the images, and none without a decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from morphobench.objectives import create
from morphobench.run.reconstructions import write_reconstructions

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 1, 64, 64), dtype=np.uint8)


def test_images_stand_above_what_the_decoder_makes_of_them(tmp_path: Path) -> None:
    objective = create("unsupervised", channels=1, seed=0)
    assert write_reconstructions(objective, IMAGES, tmp_path / "r.png")
    with Image.open(tmp_path / "r.png") as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (128, 192)
    np.testing.assert_array_equal(sheet[:64], np.concatenate(list(IMAGES[:, 0]), axis=1))
    networks = dict(objective.networks)
    with torch.no_grad():
        made = networks["decoder"](networks["encoder"](torch.from_numpy(IMAGES[:1] / np.float32(255))))
    np.testing.assert_allclose(sheet[64:, :64], 255 * made[0, 0].numpy(), atol=0.51)


def test_objectives_without_a_decoder_have_no_picture(tmp_path: Path) -> None:
    objective = create("weakly_supervised", channels=1, seed=0)
    assert not write_reconstructions(objective, IMAGES, tmp_path / "r.png")
    assert not (tmp_path / "r.png").exists()
