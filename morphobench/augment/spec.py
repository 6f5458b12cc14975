"""Specification of views: frozen dataclasses that print well and can be saved with a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any

from morphobench._util.integers import check_integer
from morphobench.augment.validation import MOST_SIDE_PX, check_number, check_range
from morphobench.errors import InputError

WHOLE = (1.0, 1.0)
RATIO = (3 / 4, 4 / 3)
BLUR_SIGMA_PX = (0.1, 2.0)

LIMITS: dict[str, tuple[float, float]] = {
    "scale": (1e-9, 1.0),
    "ratio": (1e-6, 1e6),
    "flip": (0.0, 1.0),
    "flip_vertical": (0.0, 1.0),
    "blur": (0.0, 1.0),
    "noise": (0.0, 1.0),
    "brightness": (0.0, 1e3),
    "contrast": (0.0, 1e3),
    "blur_sigma_px": (1e-3, 1e3),
    "noise_sigma": (0.0, 1e3),
}
"""Lowest and highest value of each number of a ViewGroup; the extension has the same limits."""

MOST_VIEWS = (1 << 15) - 1
"""View numbers from here on belong to BYOL's pairs (see byol_pair)."""


@dataclass(frozen=True, kw_only=True)
class ViewGroup:
    """Views of one distribution; every step is off by default.

    Attributes:
        count: number of views.
        scale: share of the image's area that the crop takes, uniform; (1, 1) is the whole image.
        ratio: width / height of the crop, log-uniform.
        size_px: side of the square view; None for that of the MultiCrop.
        flip: probability of a left-right flip.
        flip_vertical: probability of a top-bottom flip.
        quarter_turns: whether the view is turned by 0 to 3 quarters, each equally likely.
        blur: probability of a blur.
        blur_sigma_px: sigma of the blur, uniform.
        brightness: x draws a factor uniform in 1 - x .. 1 + x per channel.
        contrast: as for brightness.
        noise: probability of Gaussian noise.
        noise_sigma: sigma of the noise, uniform, in units of the largest pixel value.

    Raises:
        InputError: for a value out of range.
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
        # Lists and NumPy's numbers become tuples and Python's own, so that equal specs are equal and hash.
        checked: dict[str, Any] = {"count": check_integer("count", self.count, MOST_VIEWS, least=1)}
        if self.size_px is not None:
            checked["size_px"] = check_integer("size_px", self.size_px, MOST_SIDE_PX, least=1)
        for name, (least, most) in LIMITS.items():
            check = check_range if isinstance(type(self).__dict__[name], tuple) else check_number
            checked[name] = check(name, getattr(self, name), least, most)
        if not isinstance(self.quarter_turns, bool):
            raise InputError(f"quarter_turns must be True or False, got {self.quarter_turns!r}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        chosen = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        return f"ViewGroup({', '.join(f'{name}={v!r}' for name, v, default in chosen if v != default)})"

    def __str__(self) -> str:
        size = "" if self.size_px is None else f" of {self.size_px} px"
        steps = {
            "whole image" if self.scale == WHOLE else f"area {_range(self.scale)}": True,
            f"ratio {_range(self.ratio)}": self.scale != WHOLE and self.ratio != RATIO,
            f"flip {self.flip:g}": self.flip,
            f"vertical flip {self.flip_vertical:g}": self.flip_vertical,
            "quarter turns": self.quarter_turns,
            f"blur {self.blur:g} (sigma {_range(self.blur_sigma_px)} px)": self.blur,
            f"brightness {self.brightness:g}": self.brightness,
            f"contrast {self.contrast:g}": self.contrast,
            f"noise {self.noise:g} (sigma {_range(self.noise_sigma)})": self.noise,
        }
        done = ", ".join(step for step, wanted in steps.items() if wanted)
        return f"{self.count} x{size}: {done}"


def _range(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.3g}..{pair[1]:.3g}"


@dataclass(frozen=True)
class ViewSpec:
    """All views of an image: groups in order, then every channel normalized as (x - mean) / deviation.

    Attributes:
        groups: the groups of views.
        mean: one number per channel of the images; empty for no normalization.
        deviation: standard deviations, as many as means.

    Raises:
        InputError: for no group, too many views or numbers that cannot normalize.
    """

    groups: tuple[ViewGroup, ...]
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.groups, (tuple, list)):
            raise InputError(f"groups must be a tuple of ViewGroup, got {self.groups!r}")
        if not self.groups:
            raise InputError("groups must hold at least one ViewGroup, got none")
        for number, group in enumerate(self.groups):
            if not isinstance(group, ViewGroup):
                raise InputError(f"groups[{number}] must be a ViewGroup, got {group!r}")
        object.__setattr__(self, "groups", tuple(self.groups))
        if self.views > MOST_VIEWS:
            raise InputError(f"groups must have at most {MOST_VIEWS} views in total, got {self.views}")
        for name in ("mean", "deviation"):
            object.__setattr__(self, name, _finite(name, getattr(self, name)))
        if len(self.mean) != len(self.deviation):
            raise InputError(
                "mean and deviation must have as many numbers as each other, "
                f"got {len(self.mean)} and {len(self.deviation)}"
            )
        if not all(each >= 1e-30 for each in self.deviation):
            raise InputError(f"deviation must hold numbers above 0 (1e-30 or more), got {self.deviation!r}")

    def __str__(self) -> str:
        lines = [f"{self.views} view{'s' if self.views > 1 else ''} of each image", *map(str, self.groups)]
        if self.mean:
            normalized = (", ".join(f"{each:g}" for each in pair) for pair in (self.mean, self.deviation))
            lines.append("normalized: mean {}, deviation {}".format(*normalized))
        return "\n  ".join(lines)

    @property
    def views(self) -> int:
        """Number of views per image, V."""
        return sum(group.count for group in self.groups)

    def describe(self) -> dict[str, Any]:
        """Describe the spec in plain JSON types, for a run's record; ``from_description`` reads it back."""
        return {
            "groups": [_with_lists(asdict(group)) for group in self.groups],
            "mean": list(self.mean),
            "deviation": list(self.deviation),
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> ViewSpec:
        """Make the spec that ``describe`` described.

        Args:
            description: what ``describe`` returned; fields left out have their defaults.

        Returns:
            The spec.

        Raises:
            InputError: for anything else.
        """
        must = "description must be what ViewSpec.describe returns, got"
        if not isinstance(description, Mapping) or "groups" not in description:
            raise InputError(f"{must} {description!r}")
        if unknown := sorted(set(description) - {field.name for field in fields(cls)}, key=str):
            raise InputError(f"{must} the unknown {', '.join(map(str, unknown))}")
        try:
            groups = tuple(ViewGroup(**group) for group in description["groups"])
            return cls(groups, description.get("mean", ()), description.get("deviation", ()))
        except (TypeError, ValueError) as error:
            raise InputError(f"{must} {error}") from error


def _with_lists(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _finite(name: str, values: Any) -> tuple[float, ...]:
    if not isinstance(values, (tuple, list)):
        raise InputError(f"{name} must be a tuple of numbers, one per channel, got {values!r}")
    for each in values:
        if isinstance(each, bool) or not isinstance(each, Real) or not abs(float(each)) <= 1e30:
            raise InputError(f"{name} must hold finite numbers (1e30 or less), got {values!r}")
    return tuple(map(float, values))


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
    """Look up the spec of a setting.

    Args:
        setting: a name of SPECS, or a spec, which is returned as it is.

    Returns:
        The spec.

    Raises:
        InputError: for an unknown name.
    """
    if isinstance(setting, ViewSpec):
        return setting
    if not isinstance(setting, str) or setting not in SPECS:
        raise InputError(f"setting must be one of {', '.join(SPECS)} or a ViewSpec, got {setting!r}")
    return SPECS[setting]
