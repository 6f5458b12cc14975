"""Draws cell-like grey images from traits: nuclei, cytoplasm, texture, puncta, debris, background, noise.

Whole batches at once, with nothing slower than a square root per pixel: round things are products of two
one-dimensional Gaussians, ellipses are sums of two one-dimensional ramps, and textures are windows of noise
fields made once. All randomness comes in as uniform numbers, so a picture is a function of its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from morphobench.data.simulate.ground_truth import TRAITS
from morphobench.types import Float32Array, Float64Array, UInt8Array

SIZE_PX = 64
N_UNIFORMS = 192
"""How many uniform numbers one image uses at most."""

_FIELD_PX = 320
_ORIENTATIONS = 8
_NEIGHBOURS, _GRANULES, _FRAGMENTS, _DEBRIS, _VACUOLES, _NUCLEOLI = 3, 14, 4, 2, 6, 3
_Array = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """Effect of the plate (microscope, staining) on its images; one value per image, (N,) each.

    Attributes:
        gain: factor of the exposure.
        background: grey value of the empty background, 0 to 1.
        slope: strength of uneven illumination.
        slope_angle: its direction in radians.
        noise: strength of the shot noise.
    """

    gain: Float64Array
    background: Float64Array
    slope: Float64Array
    slope_angle: Float64Array
    noise: Float64Array


class _Draws:
    """Hands out columns of uniform numbers, each once."""

    def __init__(self, numbers: Float64Array) -> None:
        self._numbers = numbers
        self._next = 0

    def take(self, count: int, low: float = 0.0, high: float = 1.0) -> Float64Array:
        first, self._next = self._next, self._next + count
        if self._next > self._numbers.shape[1]:
            raise RuntimeError(f"N_UNIFORMS must cover all draws of an image, got {N_UNIFORMS}")
        return low + (high - low) * self._numbers[:, first : self._next]


def render(traits: Float64Array, scene: Scene, numbers: Float64Array) -> UInt8Array:
    """Draw images of cells.

    Args:
        traits: (N, len(TRAITS)), in standard deviations.
        scene: the plate's effect on each image.
        numbers: (N, N_UNIFORMS), uniform in (0, 1); all randomness of the images.

    Returns:
        uint8 (N, 64, 64).
    """
    z = dict(zip(TRAITS, np.clip(traits, -4, 4).T[:, :, None], strict=True))
    draws = _Draws(numbers)
    cell = _layout(z, draws)
    fields = _fields()

    rough = _f32(0.20 * _soft(z["roughness"]))
    body = _bodies(cell, rough, fields.window("coarse", draws))
    vacuoles = _spots(*_inside(cell, _VACUOLES, 0.75, draws), draws.take(_VACUOLES, 1.8, 3.2), None)
    body *= 1.0 / (1.0 + _f32(1.6 * _soft(z["vacuoles"] - 0.5)) * vacuoles)

    grain = _share(z["texture_grain"])
    texture = _mix(fields.window("coarse", draws), fields.window("fine", draws), grain)
    fibre = fields.fibre_window(cell.angle[:, 0], draws)
    body *= np.maximum(
        1.0 + 0.20 * texture + _f32(0.20 * _soft(z["fibres"])) * fibre, np.float32(0.05), dtype=np.float32
    )

    nuclei = _nuclei(cell, z, draws)
    nucleoli = _spots(*_inside_nucleus(cell, _NUCLEOLI, draws), draws.take(_NUCLEOLI, 1.0, 1.8), None)
    chromatin = _mix(
        fields.window("middle", draws), fields.window("finest", draws), _share(z["chromatin_grain"])
    )
    nuclei *= np.maximum(
        1.0 + _f32(0.20 * _soft(z["chromatin_contrast"])) * chromatin - 0.28 * nucleoli,
        np.float32(0.1),
        dtype=np.float32,
    )

    points = _points(cell, z, draws)
    signal = np.multiply(body, np.float32(0.26), out=body)
    signal += _f32(0.62 * np.exp(0.16 * z["nucleus_brightness"])[:, :, None]) * nuclei
    signal += points
    return _expose(signal, scene, draws, fields)


@dataclass(frozen=True)
class _Cells:
    """Centres (N, K), half axes and angles (N, K) of the cell in the middle and its neighbours; K = 1 + 3."""

    x: Float64Array
    y: Float64Array
    long: Float64Array
    short: Float64Array
    angle: Float64Array
    present: Float64Array
    nucleus: Float64Array
    nucleus_ratio: Float64Array


def _layout(z: dict[str, Float64Array], draws: _Draws) -> _Cells:
    count = 1 + _NEIGHBOURS
    around = draws.take(1, 0, 2 * np.pi) + np.arange(_NEIGHBOURS) * (2 * np.pi / _NEIGHBOURS)
    around = around + draws.take(_NEIGHBOURS, -0.7, 0.7)
    reach = draws.take(_NEIGHBOURS, 29, 42)
    middle_x, middle_y = draws.take(1, 26, 38), draws.take(1, 26, 38)
    x = np.concatenate([middle_x, middle_x + reach * np.cos(around)], axis=1)
    y = np.concatenate([middle_y, middle_y + reach * np.sin(around)], axis=1)
    size = 18.0 * np.exp(0.13 * z["cell_size"] + draws.take(count, -0.1, 0.1))
    ratio = np.exp(np.clip(0.28 + 0.14 * z["cell_elongation"] + draws.take(count, -0.12, 0.12), 0, 1.1))
    present = draws.take(_NEIGHBOURS) < np.clip(0.55 + 0.16 * z["density"], 0.02, 1.0)
    return _Cells(
        x=x,
        y=y,
        long=size * np.sqrt(ratio),
        short=size / np.sqrt(ratio),
        angle=draws.take(count, 0, np.pi),
        present=np.concatenate([np.ones_like(middle_x), present.astype(np.float64)], axis=1),
        nucleus=8.4 * np.exp(0.12 * z["nucleus_size"] + draws.take(count, -0.08, 0.08)),
        nucleus_ratio=np.exp(
            np.clip(0.16 + 0.11 * z["nucleus_elongation"] + draws.take(count, -0.08, 0.08), 0, 0.9)
        ),
    )


def _ellipse(
    x: Float64Array, y: Float64Array, long: Float64Array, short: Float64Array, angle: Float64Array
) -> _Array:
    """float32 (N, 64, 64): 1 - r^2, where r is 1 on the ellipse and 0 in its centre."""
    pixels = np.arange(SIZE_PX) + 0.5
    dx, dy = pixels - x[:, None], pixels - y[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    along = _f32(dx * cos / long[:, None])[:, None, :] + _f32(dy * sin / long[:, None])[:, :, None]
    across = _f32(dy * cos / short[:, None])[:, :, None] - _f32(dx * sin / short[:, None])[:, None, :]
    along *= along
    across *= across
    along += across
    np.subtract(np.float32(1.0), along, out=along)
    return along


def _bodies(cell: _Cells, rough: _Array, bumps: _Array) -> _Array:
    """Cytoplasm: the thicker, the brighter; the border follows ``bumps``."""
    total = np.zeros_like(bumps)
    for k in range(cell.x.shape[1]):
        shape = _ellipse(cell.x[:, k], cell.y[:, k], cell.long[:, k], cell.short[:, k], cell.angle[:, k])
        shape += rough * bumps
        np.clip(shape, 0, 1, out=shape)
        # Flat towards the border, thicker over the middle.
        shape += np.float32(0.75) * np.sqrt(shape)
        shape *= _f32(cell.present[:, k])[:, None, None]
        np.maximum(total, shape, out=total)
    return total


def _nuclei(cell: _Cells, z: dict[str, Float64Array], draws: _Draws) -> _Array:
    """Nuclei of all cells, and a second one in the middle cell where the trait is high."""
    total = np.zeros((len(cell.x), SIZE_PX, SIZE_PX), dtype=np.float32)
    second = np.clip(0.5 * (z["second_nucleus"][:, 0] - 1.0) + draws.take(1)[:, 0], 0, 1)
    shift = 0.9 * cell.nucleus[:, 0] * second
    tilt = cell.angle[:, 0]
    for k in range(cell.x.shape[1] + 1):
        j = k % cell.x.shape[1]
        x, y, size = cell.x[:, j], cell.y[:, j], cell.nucleus[:, j]
        if j == 0:
            side = -1.0 if k == 0 else 1.0
            x, y = x + side * 0.5 * shift * np.cos(tilt), y + side * 0.5 * shift * np.sin(tilt)
            size = size * (1.0 - 0.18 * second)
        root = np.sqrt(cell.nucleus_ratio[:, j])
        shape = _ellipse(x, y, size * root, size / root, cell.angle[:, j])
        # A border about two pixels wide, as a lens of this resolution leaves it.
        shape *= _f32(size / 3.2)[:, None, None]
        shape += np.float32(0.5)
        np.clip(shape, 0, 1, out=shape)
        shape *= _f32(cell.present[:, j])[:, None, None]
        np.maximum(total, shape, out=total)
    return total


def _inside(cell: _Cells, count: int, reach: float, draws: _Draws) -> tuple[Float64Array, Float64Array]:
    """``count`` points spread evenly over the middle cell, as (N, count) x and y."""
    radius = reach * np.sqrt(draws.take(count))
    turn = draws.take(count, 0, 2 * np.pi)
    along, across = radius * np.cos(turn) * cell.long[:, :1], radius * np.sin(turn) * cell.short[:, :1]
    cos, sin = np.cos(cell.angle[:, :1]), np.sin(cell.angle[:, :1])
    return cell.x[:, :1] + along * cos - across * sin, cell.y[:, :1] + along * sin + across * cos


def _inside_nucleus(cell: _Cells, count: int, draws: _Draws) -> tuple[Float64Array, Float64Array]:
    radius = 0.6 * cell.nucleus[:, :1] * np.sqrt(draws.take(count))
    turn = draws.take(count, 0, 2 * np.pi)
    return cell.x[:, :1] + radius * np.cos(turn), cell.y[:, :1] + radius * np.sin(turn)


def _points(cell: _Cells, z: dict[str, Float64Array], draws: _Draws) -> _Array:
    """Puncta in the cytoplasm, fragments around the nucleus and debris anywhere, as one sum of spots."""
    shown = draws.take(_GRANULES) < np.clip(0.35 + 0.18 * z["granules"], 0, 1)
    granules = shown * draws.take(_GRANULES, 0.10, 0.28) * np.exp(0.2 * z["granules"])
    granule_x, granule_y = _inside(cell, _GRANULES, 0.85, draws)
    broken = draws.take(_FRAGMENTS) < np.clip(0.22 * (z["fragments"] - 0.4), 0, 1)
    turn = draws.take(_FRAGMENTS, 0, 2 * np.pi)
    reach = cell.nucleus[:, :1] * draws.take(_FRAGMENTS, 1.15, 1.6)
    dirty = draws.take(_DEBRIS) < 0.15
    return _spots(
        np.concatenate([granule_x, cell.x[:, :1] + reach * np.cos(turn), draws.take(_DEBRIS, 0, 64)], axis=1),
        np.concatenate([granule_y, cell.y[:, :1] + reach * np.sin(turn), draws.take(_DEBRIS, 0, 64)], axis=1),
        np.concatenate(
            [
                draws.take(_GRANULES, 0.8, 1.4),
                draws.take(_FRAGMENTS, 1.3, 2.2),
                draws.take(_DEBRIS, 0.8, 2.5),
            ],
            axis=1,
        ),
        np.concatenate(
            [granules, broken * draws.take(_FRAGMENTS, 0.4, 0.7), dirty * draws.take(_DEBRIS, 0.2, 0.8)],
            axis=1,
        ),
    )


def _spots(x: Float64Array, y: Float64Array, sigma: Float64Array, height: Float64Array | None) -> _Array:
    """float32 (N, 64, 64): the sum of round Gaussian spots (N, M), each the product of two profiles."""
    pixels = np.arange(SIZE_PX) + 0.5
    scale = (-0.5 / sigma**2)[:, :, None]
    profile_x = _f32(np.exp(scale * (pixels - x[:, :, None]) ** 2))
    profile_y = np.exp(scale * (pixels - y[:, :, None]) ** 2)
    if height is not None:
        profile_y *= height[:, :, None]
    sums: _Array = np.matmul(_f32(profile_y).transpose(0, 2, 1), profile_x)
    return sums


def _expose(signal: _Array, scene: Scene, draws: _Draws, fields: _Fields) -> UInt8Array:
    """The camera: exposure, uneven background, shot noise, 8 bits."""
    # The microscope exposes for the picture at hand, so that mean brightness says next to nothing about the
    # drug and only morphology is left to find.
    signal /= np.float32(1.0) + np.float32(0.4) * signal  # bright things saturate softly
    exposure = scene.gain * np.exp(draws.take(1, -0.2, 0.2)[:, 0])
    mean = signal.mean(axis=(1, 2), dtype=np.float64)
    signal *= _f32(0.118 * exposure / np.maximum(mean, 0.04))[:, None, None]
    pixels = (np.arange(SIZE_PX) - 31.5) / 32
    angle = scene.slope_angle[:, None] + draws.take(1, -0.5, 0.5)
    slope = (scene.slope * np.exp(draws.take(1, -0.5, 0.5)[:, 0]))[:, None]
    signal += _f32(scene.background[:, None] + slope * np.cos(angle) * pixels)[:, None, :]
    signal += _f32(slope * np.sin(angle) * pixels)[:, :, None]
    np.maximum(signal, np.float32(0.0), out=signal)
    noise = fields.window("white", draws)
    noise *= np.sqrt(signal + np.float32(0.02))
    noise *= _f32(scene.noise)[:, None, None]
    signal += noise
    signal *= np.float32(255)
    signal += np.float32(0.5)
    np.clip(signal, 0, 255, out=signal)
    return signal.astype(np.uint8)


def _f32(values: Float64Array) -> _Array:
    return values.astype(np.float32)


def _soft(values: Float64Array) -> Float64Array:
    """Smooth and positive: 0 far below, about 1 at 0, growing like ``values`` far above; shape (N, 1, 1)."""
    curved = np.logaddexp(0.0, values + 0.54)
    return curved[:, :, None] if curved.ndim == 2 else curved


def _share(values: Float64Array) -> _Array:
    return _f32(1.0 / (1.0 + np.exp(-0.8 * values)))[:, :, None]


def _mix(coarse: _Array, fine: _Array, share: _Array) -> _Array:
    """(1 - share) of one texture and ``share`` of the other; ``share`` (N, 1, 1)."""
    fine -= coarse
    fine *= share
    fine += coarse
    return fine


@dataclass(frozen=True)
class _Fields:
    """Periodic noise fields of unit variance, from which windows are cut."""

    bands: dict[str, Float32Array]
    fibres: Float32Array

    def _corners(self, draws: _Draws) -> NDArray[np.int64]:
        return (draws.take(2) * (_FIELD_PX - SIZE_PX)).astype(np.int64)

    def window(self, band: str, draws: _Draws) -> _Array:
        """float32 (N, 64, 64) cut at random places."""
        corners = self._corners(draws)
        windows = np.lib.stride_tricks.sliding_window_view(self.bands[band], (SIZE_PX, SIZE_PX))
        return np.ascontiguousarray(windows[corners[:, 0], corners[:, 1]])

    def fibre_window(self, angle: Float64Array, draws: _Draws) -> _Array:
        """The same from the field whose fibres run along ``angle`` (N,), in radians."""
        corners = self._corners(draws)
        which = np.round(angle / np.pi * _ORIENTATIONS).astype(np.int64) % _ORIENTATIONS
        windows = np.lib.stride_tricks.sliding_window_view(self.fibres, (SIZE_PX, SIZE_PX), axis=(1, 2))
        return np.ascontiguousarray(windows[which, corners[:, 0], corners[:, 1]])


@lru_cache(maxsize=1)
def _fields() -> _Fields:
    generator = np.random.default_rng(20240229)
    frequency = np.fft.fftfreq(_FIELD_PX)
    fy, fx = frequency[:, None], frequency[None, :]
    radius = np.hypot(fx, fy)

    def shaped(weights: Float64Array) -> Float32Array:
        spectrum = np.fft.fft2(generator.standard_normal((_FIELD_PX, _FIELD_PX))) * weights
        spectrum[0, 0] = 0
        field = np.fft.ifft2(spectrum).real
        return np.asarray(field / field.std(), dtype=np.float32)

    def band(period_px: float) -> Float64Array:
        return np.asarray(np.exp(-(((radius - 1 / period_px) / (0.45 / period_px)) ** 2)))

    fibres = []
    for k in range(_ORIENTATIONS):
        angle = np.pi * k / _ORIENTATIONS
        along, across = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
        fibres.append(shaped(np.exp(-((along / 0.045) ** 2) - ((np.abs(across) - 0.13) / 0.11) ** 2)))
    bands = {
        "coarse": band(18),
        "middle": band(9),
        "fine": band(5),
        "finest": band(3.6),
        "white": np.ones_like(radius),
    }
    return _Fields({name: shaped(weights) for name, weights in bands.items()}, np.stack(fibres))
