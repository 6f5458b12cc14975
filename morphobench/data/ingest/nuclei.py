"""Nuclei of a field of view by thresholding, with scikit-image (the extra ``segment``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morphobench._util.extras import load_extra
from morphobench.data.ingest.decode import Pixels
from morphobench.errors import InputError
from morphobench.types import Float64Array

_NUCLEAR = ("dna", "dapi", "hoechst", "nuclei", "nucleus", "draq5")
_SIGMA_PX = 2.0
_MIN_DISTANCE_PX = 7
_MIN_AREA_PX = 40


def nuclear_channel(names: tuple[str, ...]) -> int:
    """Find the channel that shows nuclei.

    Args:
        names: names of the channels.

    Returns:
        Number of the first channel named after a nuclear stain (DNA, DAPI, Hoechst ...); 0 without one.
    """
    lowered = [name.lower() for name in names]
    return next((i for i, name in enumerate(lowered) if any(stain in name for stain in _NUCLEAR)), 0)


def find_nuclei(plane: NDArray[np.uint8] | NDArray[np.uint16]) -> Float64Array:
    """Find nuclei: Otsu's threshold of the smoothed image, touching nuclei parted by a watershed.

    Args:
        plane: (H, W), nuclei bright on a dark background.

    Returns:
        float64 (nuclei, 2): x and y of their centres in pixels.

    Raises:
        InputError: where scikit-image is not installed.
    """
    filters, segmentation, measure, feature = (
        load_extra(f"skimage.{part}", extra="segment")
        for part in ("filters", "segmentation", "measure", "feature")
    )
    from scipy import ndimage

    smooth = filters.gaussian(plane.astype(np.float32), sigma=_SIGMA_PX)
    if smooth.min() == smooth.max():
        return np.empty((0, 2))
    inside = smooth > filters.threshold_otsu(smooth)
    distance = ndimage.distance_transform_edt(inside)
    labelled, _ = ndimage.label(inside)
    peaks = feature.peak_local_max(distance, min_distance=_MIN_DISTANCE_PX, labels=labelled)
    markers = np.zeros(plane.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    nuclei = segmentation.watershed(-distance, markers, mask=inside)
    centres = [region.centroid for region in measure.regionprops(nuclei) if region.area >= _MIN_AREA_PX]
    return np.array([(x, y) for y, x in centres], np.float64).reshape(-1, 2)


def locate(pixels: Pixels, names: tuple[str, ...]) -> Float64Array:
    """Find the nuclei of an image.

    Args:
        pixels: (C, H, W).
        names: names of the channels; empty where they have none.

    Returns:
        float64 (nuclei, 2): x and y.

    Raises:
        InputError: for an image without any.
    """
    found = find_nuclei(pixels[nuclear_channel(names)])
    if not len(found):
        raise InputError("the image must show nuclei for locations auto, got none")
    return found
