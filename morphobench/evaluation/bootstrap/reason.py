"""Why a metric has no interval, as data rather than text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ReasonCode: TypeAlias = Literal[
    "undefined_statistic",
    "scores_not_finite",
    "too_few_units",
    "unknown_units",
    "undefined_resamples",
    "undefined_jackknife",
    "duplicates_inflate",
    "clusters_fixed",
    "several",
]

_TEXTS: dict[ReasonCode, str] = {
    "undefined_statistic": "the statistic itself is undefined on these data",
    "scores_not_finite": "some scores are not finite",
    "unknown_units": "neither plates nor wells are known",
    "duplicates_inflate": "it grows when images are drawn twice; ari has one",
    "clusters_fixed": "the clusters themselves are not made again",
}


@dataclass(frozen=True)
class Reason:
    """Why there is no interval; ``str(reason)`` is the sentence for readers.

    Attributes:
        code: Kind of reason.
        units: Kinds of unit that were considered and how many of each there are, as (("plate", 2), ...).
        needed: Fewest units needed, for "too_few_units".
        undefined: Resamples in which the statistic is undefined, for "undefined_resamples".
        resamples: All resamples, for "undefined_resamples".
        parts: The single reasons, for "several".
    """

    code: ReasonCode
    units: tuple[tuple[str, int], ...] = ()
    needed: int = 0
    undefined: int = 0
    resamples: int = 0
    parts: tuple[Reason, ...] = ()

    @classmethod
    def too_few(cls, unit: str, count: int, needed: int) -> Reason:
        """Make the reason that there are too few units.

        Args:
            unit: Name of the unit, singular ("plate").
            count: How many there are.
            needed: Fewest that an interval can be made from.

        Returns:
            The reason.
        """
        return cls("too_few_units", ((unit, count),), needed)

    def join(self, other: Reason) -> Reason:
        """Combine two reasons, both of which hold.

        Args:
            other: The second reason.

        Returns:
            One reason; two of too few units become one that names both kinds of unit.
        """
        if self.code == other.code == "too_few_units" and self.needed == other.needed:
            return Reason("too_few_units", self.units + other.units, self.needed)
        own = self.parts if self.code == "several" else (self,)
        return Reason("several", parts=(*own, other))

    def __str__(self) -> str:
        unit = self.units[-1][0] if self.units else "group"
        if self.code == "several":
            return "; ".join(str(part) for part in self.parts)
        if self.code == "too_few_units":
            counts = [f"{count} {name}{'s' * (count != 1)}" for name, count in self.units]
            return f"{' and '.join(counts)}, at least {self.needed} needed"
        if self.code == "undefined_resamples":
            lost = f"undefined in {self.undefined} of {self.resamples} resamples"
            return f"{lost}: a class is in few {unit}s"
        if self.code == "undefined_jackknife":
            return f"undefined in a resample or without one of the {unit}s"
        return _TEXTS[self.code]
