"""The study's augmentation: a folder of JPEG files, torchvision's transforms on PIL images, a DataLoader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

SCALES = ((1.0, 1.0), (0.5, 0.75), (0.5, 0.75), (0.25, 0.5), (0.25, 0.5))


def write_folder(images: np.ndarray, folder: Path) -> None:
    """``images`` uint8 (N, H, W) as JPEG files of two classes."""
    for n, image in enumerate(images):
        parent = folder / ("drugs" if n % 2 else "controls")
        parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(parent / f"{n:06d}.jpg", quality=95)


def _open_grey(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


class FiveViews:
    """The views of ``aug_multi_crop``, as a list of tensors (1, size_px, size_px)."""

    def __init__(self, size_px: int) -> None:
        blur = transforms.GaussianBlur(kernel_size=3, sigma=(0.1, 2.0))
        self.views = [
            transforms.Compose(
                [
                    transforms.RandomResizedCrop(size_px, scale=scale),
                    transforms.ToTensor(),
                    transforms.RandomHorizontalFlip(0.5),
                    transforms.RandomApply([blur], p=0.2),
                ]
            )
            for scale in SCALES
        ]

    def __call__(self, image: Image.Image) -> list[torch.Tensor]:
        return [view(image) for view in self.views]


def loader(folder: Path, *, size_px: int, batch_size: int, workers: int) -> DataLoader:
    """Batches of five views, made by ``workers`` processes that live as long as the loader."""
    dataset = ImageFolder(str(folder), transform=FiveViews(size_px), loader=_open_grey)
    return DataLoader(dataset, batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0)
