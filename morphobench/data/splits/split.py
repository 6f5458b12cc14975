"""Split of images into train, validation and test, grouped by plate, and the check for leakage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench._util.integers import check_integer
from morphobench.data.metadata import NEGCON, SPLITS
from morphobench.data.splits.group_assignment import FRACTIONS, assign_groups
from morphobench.errors import CheckError, InputError
from morphobench.types import Int64Array

GroupedBy = Literal["given", "plate", "well", "image"]
_CLASSES = ("control", "drug")


@dataclass(frozen=True)
class Split:
    """The part that each image belongs to.

    Attributes:
        labels: (N,) of ``"train"``, ``"validation"``, ``"test"``.
        grouped_by: what is never in two parts; ``"given"`` where the table has a column Metadata_Split.
        warnings: what a reader of the results must know.
    """

    labels: NDArray[np.str_]
    grouped_by: GroupedBy
    warnings: tuple[str, ...]

    def rows(self, part: str) -> Int64Array:
        """Find the images of a part.

        Args:
            part: ``"train"``, ``"validation"`` or ``"test"``.

        Returns:
            int64, their positions.
        """
        return np.flatnonzero(self.labels == part).astype(np.int64)


def split(
    metadata: pd.DataFrame, *, seed: int, group_by: Literal["plate", "well", "image"] | None = None
) -> Split:
    """Split images into parts of 70, 10 and 20 % that share no plate.

    Where there is one plate the parts share no well; where neither is known the split is by image, with a
    warning. Both classes of Metadata_ControlType, and the cell lines, are spread over the parts as evenly as
    whole groups allow: the best of many seeded assignments. A column Metadata_Split is taken as given. Images
    cut from one file stay together even in a split by image.

    Args:
        metadata: one row per image.
        seed: seed of the assignments.
        group_by: what is kept together (default: as above).

    Returns:
        The split.

    Raises:
        CheckError: where a given split has one file in two parts.
        InputError: where no assignment gives every part both classes, with the reason.
    """
    check_integer("seed", seed)
    if len(metadata) == 0:
        raise InputError("metadata must have at least one image to split, got none")
    if "Metadata_Split" in metadata and group_by is None:
        return _given(metadata)
    grouped_by, warnings = _choose_groups(metadata, group_by)
    codes, names = _group_codes(metadata, grouped_by)
    classes = _classes(metadata)
    strata, further = _strata(metadata, classes)
    if len(names) < len(SPLITS) or classes is not None:
        wells = grouped_by == "plate" and _known(metadata, "Metadata_Well") > 0
        _refuse_impossible(codes, len(names), classes, grouped_by, wells_known=wells)
    parts = assign_groups(codes, strata, further=further, seed=int(seed))
    labels = np.array(SPLITS)[parts[codes]]
    check_leakage(metadata, labels, grouped_by=grouped_by)
    warnings += _size_warnings(labels, grouped_by) + _class_warnings(classes)
    return Split(labels, grouped_by, warnings)


def check_leakage(metadata: pd.DataFrame, labels: NDArray[np.str_], *, grouped_by: GroupedBy) -> None:
    """Check that no group is in two parts.

    Args:
        metadata: one row per image.
        labels: (N,), the part of each image.
        grouped_by: plate, well or image; for ``"given"``, image files.

    Raises:
        CheckError: where a group has images in two parts.
        InputError: for another number of labels.
    """
    if len(labels) != len(metadata):
        raise InputError(f"labels must have one entry for each of {len(metadata)} images, got {len(labels)}")
    spanning = _spanning(metadata, labels, "image" if grouped_by == "given" else grouped_by)
    if spanning:
        kind = "image file" if grouped_by in ("given", "image") else grouped_by
        shown = ", ".join(spanning[:3]) + (", ..." if len(spanning) > 3 else "")
        raise CheckError(f"split: {len(spanning)} {kind}(s) in more than one part: {shown}")


def _spanning(metadata: pd.DataFrame, labels: NDArray[np.str_], grouped_by: GroupedBy) -> list[str]:
    codes, names = _group_codes(metadata, grouped_by)
    _, parts = np.unique(labels, return_inverse=True)
    pairs = np.unique(np.stack([codes, parts]), axis=1)
    groups, counts = np.unique(pairs[0], return_counts=True)
    return [names[group] for group in groups[counts > 1]]


def _known(metadata: pd.DataFrame, column: str) -> int:
    """How many different values a column has; 0 where it is absent or empty."""
    return int(metadata[column].nunique()) if column in metadata else 0


def _choose_groups(
    metadata: pd.DataFrame, group_by: Literal["plate", "well", "image"] | None
) -> tuple[GroupedBy, tuple[str, ...]]:
    plates, wells = _known(metadata, "Metadata_Plate"), _known(metadata, "Metadata_Well")
    if group_by is None:
        group_by = "plate" if plates > 1 else "well" if wells else "image"
    elif group_by not in ("plate", "well", "image"):
        raise InputError(f"--split-by (group_by) must be plate, well or image, got {group_by!r}")
    elif group_by != "image" and not {"plate": plates, "well": wells}[group_by]:
        raise InputError(
            f"--split-by (group_by) must be a group that is known, got {group_by}: "
            f"Metadata_{group_by.title()} is absent or empty"
        )
    if group_by == "image":
        why = "neither plate nor well is known" if not plates + wells else "plates and wells are shared"
        return "image", (f"split by image ({why}): test scores may rest on what a plate's images share",)
    if group_by == "well" and plates != 1:
        why = "the plate is not known" if not plates else f"{plates} plates are shared by the parts"
        return "well", (f"split by well ({why}): test scores may rest on what a plate's images share",)
    return group_by, ()


def _group_codes(metadata: pd.DataFrame, grouped_by: GroupedBy) -> tuple[Int64Array, list[str]]:
    """int64 (N,) group of each image, and the groups' names; a missing name is a group of its own."""
    columns = {
        "plate": ["Metadata_Plate"],
        "well": ["Metadata_Plate", "Metadata_Well"],
        "image": ["Metadata_Path"],
    }[grouped_by]
    present = [column for column in columns if _known(metadata, column)]
    if not present:
        return np.arange(len(metadata), dtype=np.int64), [f"image {i}" for i in range(len(metadata))]
    key = metadata[present[0]].astype(object).where(metadata[present[0]].notna(), "(missing)").astype(str)
    for column in present[1:]:
        key = (
            key
            + " "
            + metadata[column].astype(object).where(metadata[column].notna(), "(missing)").astype(str)
        )
    codes, names = pd.factorize(key, sort=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _classes(metadata: pd.DataFrame) -> Int64Array | None:
    """int64 (N,): 0 control, 1 drug, -1 not known; None unless both classes occur."""
    if "Metadata_ControlType" not in metadata:
        return None
    kinds = metadata["Metadata_ControlType"]
    classes = np.where(kinds.isna(), -1, np.where(kinds == NEGCON, 0, 1)).astype(np.int64)
    return classes if {0, 1} <= set(classes.tolist()) else None


def _strata(
    metadata: pd.DataFrame, classes: Int64Array | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What to spread: the classes (N, 1 or 2), then the cell lines (N, L)."""
    needed = np.ones((len(metadata), 1), dtype=bool)
    if classes is not None:
        needed = np.stack([classes == 0, classes == 1], axis=1)
    if not 1 < _known(metadata, "Metadata_CellLine") <= 200:
        return needed, np.zeros((len(metadata), 0), dtype=bool)
    lines, names = pd.factorize(metadata["Metadata_CellLine"], sort=True)
    return needed, lines[:, None] == np.arange(len(names))


def _refuse_impossible(
    codes: Int64Array, groups: int, classes: Int64Array | None, grouped_by: GroupedBy, *, wells_known: bool
) -> None:
    """InputError unless three parts with both classes exist; counting groups by their classes decides it."""
    more = "take more images" if grouped_by == "image" else f"ingest images of more {grouped_by}s"
    advice = (
        f"{more} with controls, or a column Metadata_Split (train, validation "
        "or test) with --metadata or --platemap"
    )
    if wells_known:
        advice = f"--split-by well (group_by) lets wells of one plate be in different parts; better {advice}"
    if groups < len(SPLITS):
        raise InputError(
            f"a split by {grouped_by} must have at least 3 {grouped_by}s for train, validation and test, "
            f"got {groups}; {advice}"
        )
    if classes is None:
        return
    has = [np.bincount(codes[classes == kind], minlength=groups) > 0 for kind in (0, 1)]
    mixed = int((has[0] & has[1]).sum())
    pure = [int((has[kind] & ~has[1 - kind]).sum()) for kind in (0, 1)]
    # A part needs one mixed group or one of each pure kind; no other use of the groups makes more parts.
    if mixed + min(pure) < len(SPLITS):
        raise InputError(
            f"a split by {grouped_by} must have controls and drugs in each part, but of "
            f"{groups} {grouped_by}s {mixed} hold both, {pure[0]} controls only and {pure[1]} drugs only; "
            + advice
        )


def _size_warnings(labels: NDArray[np.str_], grouped_by: GroupedBy) -> tuple[str, ...]:
    shares = [float((labels == part).mean()) for part in SPLITS]
    if all(abs(share - wanted) <= 0.05 for share, wanted in zip(shares, FRACTIONS, strict=True)):
        return ()
    sizes = " / ".join(f"{100 * share:.0f}" for share in shares)
    return (
        f"split by {grouped_by}: {sizes} % in train / validation / test, as near 70 / 10 / 20 as they allow",
    )


def _class_warnings(classes: Int64Array | None) -> tuple[str, ...]:
    if classes is None:
        return ("split without regard to control type: Metadata_ControlType does not name two classes",)
    unknown = int((classes < 0).sum())
    return (f"Metadata_ControlType is missing for {unknown} images",) if unknown else ()


def _given(metadata: pd.DataFrame) -> Split:
    column = metadata["Metadata_Split"]
    wrong = column[~column.isin(SPLITS)]
    if len(wrong):
        raise InputError(
            f"Metadata_Split must be one of {', '.join(SPLITS)} for every image, "
            f"got {wrong.iloc[0]!r} "
            f"and {len(wrong) - 1} more such"
        )
    labels = np.asarray(column, dtype=np.str_)
    classes = _classes(metadata)
    for part in SPLITS:
        inside = labels == part
        if not inside.any():
            raise InputError(
                f"Metadata_Split must have images in each of {', '.join(SPLITS)}, got none in {part}"
            )
        for kind, name in enumerate(_CLASSES):
            if classes is not None and not (classes[inside] == kind).any():
                raise InputError(
                    f"Metadata_Split must have controls and drugs in every part, got no {name} in {part}"
                )
    check_leakage(metadata, labels, grouped_by="given")
    warnings = []
    levels: tuple[GroupedBy, ...] = ("plate", "well")
    for level in levels:
        spanning = _spanning(metadata, labels, level) if _known(metadata, f"Metadata_{level.title()}") else []
        if spanning:
            warnings.append(f"the given split has {len(spanning)} {level}s with images in more than one part")
    return Split(labels, "given", tuple(warnings) + _class_warnings(classes))
