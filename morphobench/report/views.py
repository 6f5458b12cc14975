"""A picture of the views that encoders are trained on: one row an image, the image first, then its views."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from morphobench.augment import MultiCrop
from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.setups import SETTINGS
from morphobench.types import Float32Array
from morphobench.types import Path as PathLike


def write_views(
    store: ImageStore, out: PathLike, *, setting: str = "aug_multi_crop", images: int = 8, seed: int = 0
) -> Path:
    """Write a picture of the views of ``images`` images to ``out``, in the format that its name ends in.

    The images are spread evenly over the store; the views are those of epoch 0 of a run with ``seed``. Three
    channels are shown as red, green and blue, any other number as the first channel in grey. InputError names
    a bad argument.
    """
    from matplotlib.figure import Figure

    out = Path(out)
    if setting not in SETTINGS:
        raise InputError(f"--setting: one of {', '.join(SETTINGS)} wanted, got {setting!r}")
    if not 1 <= images <= len(store):
        raise InputError(f"--images: 1 to the store's {len(store)} wanted, got {images}")
    figure = Figure(layout="constrained")
    known = figure.canvas.get_supported_filetypes()
    if (ending := out.suffix.removeprefix(".").lower()) not in known:
        raise InputError(f"--out: a name ending in one of {', '.join(sorted(known))} wanted, got {out.name}")
    rows = np.linspace(0, len(store) - 1, images).round().astype(np.int64)
    pictures = np.ascontiguousarray(store.images[rows])
    views = MultiCrop(setting, size_px=pictures.shape[-1], seed=seed)(pictures, store.image_ids[rows], 0)
    columns = [pictures.astype(np.float32) / 255, *views]
    figure.set_size_inches(1.3 * len(columns), 1.3 * images + 0.4)
    axes = figure.subplots(images, len(columns), squeeze=False)
    for number, column in enumerate(columns):
        axes[0, number].set_title("image" if number == 0 else f"view {number}", fontsize=9)
        for row in range(images):
            axes[row, number].imshow(_shown(column[row]), cmap="gray", vmin=0, vmax=1)
            axes[row, number].set_axis_off()
    out.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(dir=out.parent, suffix=out.suffix)
    os.close(descriptor)
    try:
        figure.savefig(unfinished, dpi=120, format=ending)
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(out)
    finally:
        Path(unfinished).unlink(missing_ok=True)
    return out


def _shown(picture: Float32Array) -> Float32Array:
    """(C, H, W) as matplotlib shows it: (H, W, 3) or (H, W)."""
    return np.moveaxis(picture, 0, -1) if len(picture) == 3 else picture[0]
