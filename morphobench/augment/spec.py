"""What the views of a setting are, as frozen data that prints well and can be saved with a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from morphobench.errors import InputError

WHOLE = (1.0, 1.0)
RATIO = (3 / 4, 4 / 3)
BLUR_SIGMA_PX = (0.1, 2.0)


def _check_number(name: str, value: float, most: float) -> None:
    if not (isinstance(value, (int, float)) and 0.0 <= value <= most):
        raise InputError(f"{name}: a number in 0..{most:g} wanted, got {value!r}")


def _check_range(name: str, value: tuple[float, float], least: float, most: float) -> None:
    low, high = value
    if not (least <= low <= high <= most and math.isfinite(high)):
        raise InputError(f"{name}: {least:g} <= low <= high <= {most:g} wanted, got {value!r}")


@dataclass(frozen=True, kw_only=True)
class ViewGroup:
    """``count`` views drawn by one law; what is not asked for is not done.

    ``scale``: share of the image's area that the crop takes, uniform (1..1: the whole image). ``ratio``:
    width / height of the crop, log-uniform. ``size_px``: side of the square view, None for MultiCrop's.
    ``flip`` (left-right), ``flip_vertical``, ``blur``, ``noise``: probabilities. ``quarter_turns``: turned by
    0 to 3 quarters, each as likely. ``blur_sigma_px``: uniform. ``brightness``, ``contrast``: x draws a
    factor uniform in 1 - x .. 1 + x for each channel. ``noise_sigma``: uniform, in units of the largest pixel
    value. InputError for values outside their ranges.
    """

    count: int = 1
    scale: tuple[float, float] = WHOLE
    ratio: tuple[float, float] = RATIO
    size_px: int | None = None
    flip: float = 0.0
    flip_vertical: float = 0.0
    quarter_turns: bool = False
    blur: float = 0.0
    blur_sigma_px: tuple[float, float] = BLUR_SIGMA_PX
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    noise_sigma: tuple[float, float] = (0.0, 0.05)

    def __post_init__(self) -> None:
        if not (isinstance(self.count, int) and self.count >= 1):
            raise InputError(f"count: an integer of at least 1 wanted, got {self.count!r}")
        size_px = self.size_px
        if size_px is not None and not (isinstance(size_px, int) and 1 <= size_px <= 65535):
            raise InputError(f"size_px: an integer in 1..65535 or None wanted, got {size_px!r}")
        _check_range("scale", self.scale, 1e-9, 1.0)
        _check_range("ratio", self.ratio, 1e-6, 1e6)
        for name in ("flip", "flip_vertical", "blur", "noise"):
            _check_number(name, getattr(self, name), 1.0)
        for name in ("brightness", "contrast"):
            _check_number(name, getattr(self, name), 1e3)
        _check_range("blur_sigma_px", self.blur_sigma_px, 1e-3, 1e3)
        _check_range("noise_sigma", self.noise_sigma, 0.0, 1e3)


@dataclass(frozen=True)
class ViewSpec:
    """All views of an image: groups in order, then every channel normalized by (x - mean) / deviation.

    ``mean``, ``deviation``: one number for each channel of the images, or both empty for none.
    """

    groups: tuple[ViewGroup, ...]
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.groups:
            raise InputError("groups: at least one ViewGroup wanted, got none")
        if len(self.mean) != len(self.deviation):
            raise InputError(
                "mean, deviation: as many of one as of the other wanted, "
                f"got {len(self.mean)} and {len(self.deviation)}"
            )
        if not all(math.isfinite(mean) for mean in self.mean):
            raise InputError(f"mean: finite numbers wanted, got {self.mean!r}")
        if not all(math.isfinite(each) and each > 0 for each in self.deviation):
            raise InputError(f"deviation: finite numbers above 0 wanted, got {self.deviation!r}")

    @property
    def views(self) -> int:
        """The number of views per image, V."""
        return sum(group.count for group in self.groups)

    def describe(self) -> dict[str, Any]:
        """Every field as plain JSON types, for the record of a run; ``from_description`` reads it back."""
        return {
            "groups": [_with_lists(asdict(group)) for group in self.groups],
            "mean": list(self.mean),
            "deviation": list(self.deviation),
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> ViewSpec:
        """The spec that ``describe`` described; InputError for anything else."""
        try:
            groups = tuple(ViewGroup(**_with_tuples(group)) for group in description["groups"])
            return cls(groups, tuple(description["mean"]), tuple(description["deviation"]))
        except (KeyError, TypeError) as error:
            raise InputError(f"description: what ViewSpec.describe returns wanted, got {error}") from error


def _with_lists(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def _study(*, crops: bool, flip: float, blur: float) -> ViewSpec:
    kinds = [(1, WHOLE), (2, (0.5, 0.75)), (2, (0.25, 0.5))] if crops else [(1, WHOLE)]
    groups = (ViewGroup(count=count, scale=scale, flip=flip, blur=blur) for count, scale in kinds)
    return ViewSpec(tuple(groups))


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
