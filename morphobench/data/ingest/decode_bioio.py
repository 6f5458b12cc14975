"""Decoding of OME-Zarr, CZI, ND2 and LIF through bioio, the extra ``formats``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench._util.extras import load_extra
from morphobench.data.ingest.limits import check_cost, check_size
from morphobench.errors import InputError

BIOIO_EXTENSIONS = frozenset({".zarr", ".czi", ".nd2", ".lif"})


def is_bioio(path: Path) -> bool:
    """Tell whether a file is read through bioio.

    Args:
        path: the file or folder.

    Returns:
        Whether its name ends in one of BIOIO_EXTENSIONS, or it is a group within a Zarr.
    """
    return path.suffix.lower() in BIOIO_EXTENSIONS or _is_zarr(path)


def _is_zarr(path: Path) -> bool:
    return any((path / name).is_file() for name in (".zattrs", "zarr.json"))


def bioio_cost(path: Path) -> int:
    """Estimate the memory that decoding takes.

    Args:
        path: the file or folder.

    Returns:
        Bytes.
    """
    return _cost(_open(path))


def decode_bioio(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode an image of one scene, one time point and one focal plane.

    Args:
        path: the file or folder.

    Returns:
        Pixels (1, C, H, W), and the names of the channels (empty where there are none).

    Raises:
        InputError: for an image with more, a damaged one, or where bioio is not installed.
    """
    image = _open(path)
    if len(image.scenes) > 1:
        raise InputError(f"the image must have one scene, got {len(image.scenes)}")
    dims = image.dims
    if dims.T > 1 or dims.Z > 1:
        raise InputError(f"the image must have one time point and one focal plane, got {dims.T} and {dims.Z}")
    check_size(dims.Y, dims.X)
    check_cost(_cost(image))
    pixels = np.asarray(image.get_image_data("CYX", T=0, Z=0))
    names = [str(name).strip() for name in image.channel_names or ()]
    own = [name for name in names if name and not name.startswith("Channel:")]  # else bioio's own numbering
    return pixels[None], tuple(own) if len(set(own)) == len(pixels) else ()


def _open(path: Path) -> Any:
    if not path.exists():
        raise InputError("the file must exist, got no such file")
    open_image = load_extra("bioio", extra="formats").BioImage
    if path.suffix or not _is_zarr(path):
        return open_image(path)
    # a field of a plate, whose name says nothing
    return open_image(path, reader=load_extra("bioio_ome_zarr", extra="formats").Reader)


def _cost(image: Any) -> int:
    dims = image.dims
    return 3 * int(dims.C) * int(dims.Y) * int(dims.X) * int(np.dtype(image.dtype).itemsize)
