"""A picture of what an autoencoder makes of some images, for the report."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from morphobench._util.files import write_whole
from morphobench.models.preprocessing import float_batches
from morphobench.objectives import Objective
from morphobench.types import UInt8Array


def write_reconstructions(objective: Objective, images: UInt8Array, path: Path) -> bool:
    """Write images above their reconstructions as a PNG.

    Args:
        objective: the trained objective.
        images: uint8 (N, C, H, W); three channels are shown in colour, of others the first in grey.
        path: the file.

    Returns:
        Whether it was written: only for objectives with a decoder that takes the encoder's output as it is.
    """
    networks = dict(objective.networks)
    if "decoder" not in networks or "bridge" in networks or not len(images):
        return False
    device = next(objective.encoder.parameters()).device
    with torch.inference_mode():
        made = [
            networks["decoder"](objective.encoder(batch)) for batch in float_batches(images, device=device)
        ]
    again = (torch.cat(made).clamp(0, 1) * 255).round().to(torch.uint8).numpy(force=True)
    rows = [np.concatenate(list(each), axis=-1) for each in (images, again)]
    sheet = np.concatenate(rows, axis=-2)
    pixels = np.moveaxis(sheet, 0, -1) if len(sheet) == 3 else sheet[0]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    write_whole(path, buffer.getvalue())
    return True
