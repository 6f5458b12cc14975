"""Classic hand-made features of cells through cp-measure, CellProfiler's measurements as functions.

cp-measure (Munoz et al. 2025, arXiv:2507.01163; the extra ``classic``) measures objects under a mask. A crop
has none, so the cell is taken to be the bright object in its middle, by Otsu's threshold.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morphobench._util.extras import load_extra
from morphobench.types import Float32Array, UInt8Array

_SHAPES = ("sizeshape", "zernike", "feret")  # of the mask alone; the others are of a channel under it
_LEAST_PIXELS = 20


def classic_features(images: UInt8Array) -> Float32Array:
    """Measure size, shape, intensity, texture and granularity of the cell in each image.

    Args:
        images: uint8 (N, C, H, W).

    Returns:
        float32 (N, D); what cannot be measured of an image is the median of the others.

    Raises:
        InputError: The package cp-measure is not installed.
    """
    measurements = load_extra("cp_measure.bulk", extra="classic").get_core_measurements()
    rows: list[dict[str, float]] = []
    for image in images:
        pixels = image.astype(np.float64) / 255
        mask = central_object(pixels.mean(axis=0))
        row: dict[str, float] = {}
        # Constant channels and tiny objects divide by zero: NaN, which is filled in below.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for name, measure in measurements.items():
                for channel in pixels[:1] if name in _SHAPES else pixels:
                    found = measure(mask, channel)
                    row |= {f"{name}.{len(row)}.{key}": float(np.ravel(one)[0]) for key, one in found.items()}
        rows.append(row)
    return filled(np.asarray([[row[key] for key in rows[0]] for row in rows], dtype=np.float64))


def central_object(grey: NDArray[np.float64]) -> NDArray[np.int32]:
    """Find the bright object nearest to the middle of an image.

    Args:
        grey: (H, W).

    Returns:
        int32 (H, W): 1 in the object, else 0; all 1 where there is none of 20 pixels.
    """
    threshold = load_extra("skimage.filters", extra="classic").threshold_otsu(grey)
    labels, count = ndimage.label(ndimage.binary_fill_holes(grey > threshold))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = np.flatnonzero(sizes[1:] >= _LEAST_PIXELS) + 1
    if not len(large):
        return np.ones(grey.shape, dtype=np.int32)
    middle = (np.asarray(grey.shape) - 1) / 2
    gaps = [np.linalg.norm(np.argwhere(labels == one) - middle, axis=1).min() for one in large]
    return np.asarray(labels == large[int(np.argmin(gaps))], dtype=np.int32)


def filled(values: NDArray[np.float64]) -> Float32Array:
    """Replace what is not finite by the feature's median, and leave out features without any value.

    Args:
        values: (N, D).

    Returns:
        float32 (N, K), finite.
    """
    values = np.where(np.isfinite(values) & (np.abs(values) < 1e30), values, np.nan)
    known = ~np.isnan(values).all(axis=0)
    kept = values[:, known]
    return np.where(np.isnan(kept), np.nanmedian(kept, axis=0), kept).astype(np.float32)
