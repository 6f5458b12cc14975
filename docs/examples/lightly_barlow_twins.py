"""Trains lightly's Barlow Twins on morphobench's views: ``python lightly_barlow_twins.py FOLDER [EPOCHS]``.

Needs ``pip install lightly morphobench``. FOLDER holds a folder of equally large images for each class.
"""

from __future__ import annotations

import sys

import torch
from lightly.loss import BarlowTwinsLoss
from lightly.models.modules import BarlowTwinsProjectionHead
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from morphobench.augment import CollateViews, MultiCrop, ViewGroup, ViewSpec, WithIds
from morphobench.models import Encoder

BATCH = 256


def main(folder: str, epochs: int = 10) -> None:
    """Train and write each epoch's mean loss."""
    spec = ViewSpec((ViewGroup(count=2, scale=(0.25, 1.0), flip=0.5, blur=0.2),))
    collate = CollateViews(MultiCrop(spec, size_px=64, threads=1))
    dataset = WithIds(ImageFolder(folder))
    batch = min(BATCH, len(dataset))
    loader = DataLoader(dataset, batch, shuffle=True, num_workers=2, collate_fn=collate, drop_last=True)
    torch.manual_seed(0)
    model = nn.Sequential(Encoder(channels=3), nn.Flatten(), BarlowTwinsProjectionHead(2048, 512, 512))
    criterion = BarlowTwinsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    for epoch in range(epochs):
        collate.epoch = epoch
        losses = []
        for views, _, _ in loader:
            loss = criterion(model(views[0]), model(views[1]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        sys.stdout.write(f"epoch {epoch}: loss {sum(losses) / len(losses):.3f}\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
