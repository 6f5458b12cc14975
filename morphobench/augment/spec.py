"""What the views of a setting are, as frozen data that prints well and can be saved with a run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from morphobench.errors import InputError

WHOLE = (1.0, 1.0)
RATIO = (3 / 4, 4 / 3)
BLUR_SIGMA_PX = (0.1, 2.0)


def _check_probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name}: a probability in 0..1 wanted, got {value!r}")


def _check_range(name: str, value: tuple[float, float], least: float, most: float) -> None:
    low, high = value
    if not (least <= low <= high <= most and math.isfinite(high)):
        raise InputError(f"{name}: {least:g} <= low <= high <= {most:g} wanted, got {value!r}")


@dataclass(frozen=True, kw_only=True)
class ViewGroup:
    """``count`` views drawn by one law.

    ``scale``: share of the image's area that the crop takes, uniform (1..1: the whole image). ``ratio``:
    width / height of the crop, log-uniform. ``flip``, ``blur``: probabilities. ``blur_sigma_px``: uniform.
    InputError for values outside their ranges.
    """

    count: int = 1
    scale: tuple[float, float] = WHOLE
    ratio: tuple[float, float] = RATIO
    flip: float = 0.0
    blur: float = 0.0
    blur_sigma_px: tuple[float, float] = BLUR_SIGMA_PX

    def __post_init__(self) -> None:
        if not (isinstance(self.count, int) and self.count >= 1):
            raise InputError(f"count: an integer of at least 1 wanted, got {self.count!r}")
        _check_range("scale", self.scale, 1e-9, 1.0)
        _check_range("ratio", self.ratio, 1e-6, 1e6)
        _check_probability("flip", self.flip)
        _check_probability("blur", self.blur)
        _check_range("blur_sigma_px", self.blur_sigma_px, 1e-3, 1e3)


@dataclass(frozen=True)
class ViewSpec:
    """All views of an image: groups in order. ``views`` is their number, V."""

    groups: tuple[ViewGroup, ...]

    def __post_init__(self) -> None:
        if not self.groups:
            raise InputError("groups: at least one ViewGroup wanted, got none")

    @property
    def views(self) -> int:
        """The number of views per image, V."""
        return sum(group.count for group in self.groups)

    def describe(self) -> dict[str, Any]:
        """Every field as plain JSON types, for the record of a run."""
        return {"groups": [asdict(group) for group in self.groups]}


def _study(*, crops: bool, flip: float, blur: float) -> ViewSpec:
    kinds = [(1, WHOLE), (2, (0.5, 0.75)), (2, (0.25, 0.5))] if crops else [(1, WHOLE)]
    return ViewSpec(
        tuple(ViewGroup(count=count, scale=scale, flip=flip, blur=blur) for count, scale in kinds)
    )


SPECS: dict[str, ViewSpec] = {
    "no_aug_one_crop": _study(crops=False, flip=0.0, blur=0.0),
    "aug_one_crop": _study(crops=False, flip=0.5, blur=0.2),
    "no_aug_multi_crop": _study(crops=True, flip=0.0, blur=0.0),
    "aug_multi_crop": _study(crops=True, flip=0.5, blur=0.2),
}
"""The study's four settings."""


def view_spec(setting: str | ViewSpec) -> ViewSpec:
    """The spec of a setting by name, or the spec itself; InputError names the known settings."""
    if isinstance(setting, ViewSpec):
        return setting
    if setting not in SPECS:
        raise InputError(f"setting: one of {', '.join(SPECS)} or a ViewSpec wanted, got {setting!r}")
    return SPECS[setting]
