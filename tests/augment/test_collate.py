"""Other people's loaders: the same views through a DataLoader, from PIL images, arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from morphobench.augment import CollateViews, MultiCrop, ViewGroup, ViewSpec, WithIds
from morphobench.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 3, 20, 24), dtype=np.uint8)
KINDS = {
    "array": lambda image: image,
    "tensor": torch.from_numpy,
    "pil": lambda image: Image.fromarray(np.moveaxis(image, 0, -1)),
}


class Folder:
    """Ten images with a label and a file name, as lightly's datasets give them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Any, int, str]:
        return KINDS[self.kind](IMAGES[index]), index % 2, f"{index}.png"


@pytest.mark.parametrize("kind", list(KINDS))
def test_loader_gives_multi_crops_views(kind: str) -> None:
    crops = MultiCrop("aug_multi_crop", size_px=16, threads=1)
    collate = CollateViews(crops)
    collate.epoch = 3
    loader: DataLoader[Any] = DataLoader(
        WithIds(Folder(kind)),  # type: ignore[arg-type]
        batch_size=4,
        shuffle=True,
        collate_fn=collate,
    )
    whole = crops(IMAGES, range(10), 3)
    seen = []
    for views, labels, ids in loader:
        assert len(views) == 5
        for v, view in enumerate(views):
            assert np.array_equal(view.numpy(), whole[v, ids.numpy()])
        assert torch.equal(labels, ids % 2)
        seen += ids.tolist()
    assert sorted(seen) == list(range(10))


def test_groups_of_two_sizes_come_as_one_list() -> None:
    spec = ViewSpec((ViewGroup(count=2, size_px=32), ViewGroup(count=3, size_px=8)))
    views, _, _ = CollateViews(MultiCrop(spec))([(IMAGES[0], 0, 0), (IMAGES[1], 1, 1)])
    assert [tuple(view.shape) for view in views] == [(2, 3, 32, 32)] * 2 + [(2, 3, 8, 8)] * 3


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        ([(IMAGES[0], 0)], "WithIds"),
        ([(IMAGES[0].astype(np.float32), 0, 0)], "uint8.*float32"),
        ([(IMAGES[0], 0, 0), (IMAGES[1][:, :10], 0, 1)], "one size"),
        ([], "samples"),
        ([IMAGES[0]], "samples"),
        ([(IMAGES[0], "drug", 0)], "samples must have labels"),
        ([(np.moveaxis(IMAGES[0], 0, -1), 0, 0)], r"channels last"),
        ([(Image.fromarray(IMAGES[0, 0]).convert("P"), 0, 0)], "mode P"),
        ([(Image.fromarray(IMAGES[0, 0]).convert("1"), 0, 0)], "bool"),
    ],
)
def test_bad_samples_are_refused(samples: list[Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        CollateViews(MultiCrop("aug_one_crop"))(samples)


def test_order_of_the_batch_is_that_asked_for() -> None:
    samples = [(IMAGES[n], n % 2, n) for n in range(4)]
    plain = CollateViews(MultiCrop("aug_one_crop"))(samples)
    ids, views, labels = CollateViews(MultiCrop("aug_one_crop"), order="ids views labels")(samples)
    assert torch.equal(ids, plain[2])
    assert torch.equal(labels, plain[1])
    assert torch.equal(views[0], plain[0][0])


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_that_live_on_see_the_epoch(workers: int) -> None:
    collate = CollateViews(MultiCrop("aug_one_crop", size_px=16, threads=1))
    loader: DataLoader[Any] = DataLoader(
        WithIds(Folder("array")),  # type: ignore[arg-type]
        10,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )
    for epoch in (0, 5, 2):
        collate.epoch = epoch
        (views, _, _) = next(iter(loader))
        assert np.array_equal(views[0].numpy(), collate.crops(IMAGES, range(10), epoch)[0])


def test_bad_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="crops must be a MultiCrop, got str"):
        CollateViews("aug_one_crop")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="crops must make float32 views, got uint8"):
        CollateViews(MultiCrop("aug_one_crop", dtype="uint8"))
    with pytest.raises(InputError, match="order must name views, labels and ids"):
        CollateViews(MultiCrop("aug_one_crop"), order="views labels")
    with pytest.raises(InputError, match="epoch must be a whole number"):
        CollateViews(MultiCrop("aug_one_crop")).epoch = 1.5  # type: ignore[assignment]
    with pytest.raises(InputError, match=r"dataset must have samples \(image, label"):
        WithIds([IMAGES[0]])[0]
    with pytest.raises(TypeError, match="dataset must have len"):
        WithIds(iter([]))  # type: ignore[arg-type]
