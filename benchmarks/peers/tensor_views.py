"""Other libraries' random resized crops, flips and blurs, from uint8 arrays to float32 tensors of views."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
import torch

from benchmarks.peers.case import BLUR_SIGMA, Case, Peer
from benchmarks.peers.dali_views import dali


def _v2_views(case: Case) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    """One transform a view."""
    from torchvision.transforms import v2

    return [
        v2.Compose(
            [
                v2.RandomResizedCrop(case.size_px, scale=scale, antialias=True),
                v2.ToDtype(torch.float32, scale=True),
                v2.RandomHorizontalFlip(case.flip),
                v2.RandomApply([v2.GaussianBlur(3, BLUR_SIGMA)], case.blur),
            ]
        )
        for scale in case.scales
    ]


def torchvision_v2(case: Case) -> Peer:
    """torchvision.transforms.v2 on tensors, one image at a time."""
    views = _v2_views(case)

    def run(images: np.ndarray) -> list[torch.Tensor]:
        tensors = torch.from_numpy(images)
        return [torch.stack([view(image) for image in tensors]) for view in views]

    return run


def torchvision_v2_batch(case: Case) -> Peer:
    """The same with one draw for the whole batch, which is not the study's law but torchvision's fastest."""
    views = _v2_views(case)
    return lambda images: [view(torch.from_numpy(images)) for view in views]


def albumentations(case: Case) -> Peer:
    """albumentations on channels-last arrays, image by image; its antialiasing is OpenCV's mean over areas.

    It differs from the study's law in one step: the blur works on bytes, before the division.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it asks its server for its newest version
    library = pytest.importorskip("albumentations", reason="albumentations is not installed (extra: peers)")
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed (extra: peers)")
    size = (case.size_px, case.size_px)
    views = [
        library.Compose(
            [
                library.RandomResizedCrop(
                    size, scale=scale, interpolation=cv2.INTER_LINEAR, area_for_downscale="image"
                ),
                library.HorizontalFlip(p=case.flip),
                library.GaussianBlur(blur_limit=3, sigma_limit=BLUR_SIGMA, p=case.blur),
                library.ToFloat(max_value=255),
            ]
        )
        for scale in case.scales
    ]

    def run(images: np.ndarray) -> list[torch.Tensor]:
        last = np.ascontiguousarray(np.moveaxis(images, 1, -1))
        return [
            torch.from_numpy(np.stack([view(image=image)["image"] for image in last])).permute(0, 3, 1, 2)
            for view in views
        ]

    return run


def kornia(case: Case) -> Peer:
    """kornia on a batch of float tensors, drawn per image; its resize does not antialias."""
    library = pytest.importorskip("kornia.augmentation", reason="kornia is not installed (extra: peers)")
    size = (case.size_px, case.size_px)
    views = [
        torch.nn.Sequential(
            library.RandomResizedCrop(size, scale=scale, cropping_mode="resample"),
            library.RandomHorizontalFlip(p=case.flip),
            library.RandomGaussianBlur((3, 3), BLUR_SIGMA, p=case.blur),
        )
        for scale in case.scales
    ]

    def run(images: np.ndarray) -> list[torch.Tensor]:
        tensors = torch.from_numpy(images).float().div_(255)
        return [view(tensors) for view in views]

    return run


PEERS: dict[str, Callable[[Case], Peer]] = {
    "torchvision_v2": torchvision_v2,
    "torchvision_v2_batch": torchvision_v2_batch,
    "albumentations": albumentations,
    "kornia": kornia,
    "dali": dali,
}
