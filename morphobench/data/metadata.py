"""Metadata_ columns: names and types, and which images are negative controls."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from morphobench.errors import InputError
from morphobench.types import Int64Array

PREFIX = "Metadata_"
NEGCON, TRT, POSCON = "negcon", "trt", "poscon"
EMPTY = "empty"
"""Control type of a well without cells or treatment, whose images do not go in."""
SPLITS = ("train", "validation", "test")
STUDY_DMSO_WELLS = ("P21", "N19", "M8", "L14", "H9", "E2")
"""DMSO wells of the study's plates, which its similarity task compares drugs with."""

COLUMNS = (
    "Metadata_Path",
    "Metadata_Plate",
    "Metadata_Well",
    "Metadata_Site",
    "Metadata_CellLine",
    "Metadata_Compound",
    "Metadata_Concentration_uM",
    "Metadata_MOA",
    "Metadata_ControlType",
    "Metadata_Split",
)
"""The columns this package knows, in the order in which a store holds them; others follow unchanged."""

NUMERIC_COLUMNS = frozenset({"Metadata_Concentration_uM", "Metadata_Strength"})
_TEXT_COLUMNS = frozenset(COLUMNS) - NUMERIC_COLUMNS
_HEADINGS: dict[str, tuple[str, ...]] = {
    "Metadata_Path": ("path", "imagepath", "filepath", "filename", "imagefilename", "file", "image"),
    "Metadata_Plate": ("plate", "assayplatebarcode", "platebarcode", "platename", "plateid", "barcode"),
    "Metadata_Well": ("well", "wellposition", "wellname", "wellid"),
    "Metadata_Site": ("site", "field", "fov", "fieldid", "siteid"),
    "Metadata_CellLine": ("cellline", "cellid", "celltype", "cell", "line"),
    "Metadata_Compound": (
        "compound",
        "drug",
        "treatment",
        "compoundname",
        "pertiname",
        "broadsample",
        "pertid",
        "jcp2022",
    ),
    "Metadata_Concentration_uM": ("concentrationum", "concentration"),
    "Metadata_MOA": ("moa", "mechanism", "mechanismofaction"),
    "Metadata_ControlType": ("controltype", "perttype"),
    "Metadata_Split": ("split",),
}
"""Headings of each column, the first that a table has counts: Cytomining's and JUMP's among them."""

_BY_HEADING = {heading: name for name, headings in _HEADINGS.items() for heading in headings}
_CONTROLS = r"(?:neg(?:ative)?[ _-]?)?(?:controls?|ctrls?|con)|negcons?"
_SOLVENT = r"dmso|vehicle|untreated|mock|pbs|water|medium"
_AMOUNT = r"\d+(?:[.,]\d+)?[ _]*%?(?:[ _]*\(?v/v\)?)?"
_CONTROL_NAME = re.compile(
    rf"{_CONTROLS}|(?:{_AMOUNT}[ _-]*)?(?:{_SOLVENT})(?:[ _-]*(?:{_AMOUNT}|{_CONTROLS}))?"
    rf"|(?:{_CONTROLS})[ _-]*(?:{_SOLVENT})|jcp2022_(?:033924|800001|800002|999999)",
    re.IGNORECASE,
)
"""Names of negative controls, also with an amount beside them; and JUMP's own of DMSO and its kind."""

LIKE_CONTROL = re.compile(r"(?:.*[\W_])?(?:dmso|vehicle|untreated|controls?)(?:[\W_].*)?", re.IGNORECASE)
"""Names that hold a word for a control, so that a reader should look at them."""

_LETTERED_WELL = re.compile(r"([A-Za-z]{1,2})0*(\d{1,2})")
_NUMBERED_WELL = re.compile(r"r0*(\d+)[-_]?c0*(\d+)", re.IGNORECASE)
_CLASS_NAME = re.compile(_CONTROLS + r"|drugs?|treated|treatments?|trt|compounds?", re.IGNORECASE)


def heading_key(name: str) -> str:
    """Reduce a heading to what counts of it: no prefix, no case, no spaces, no underscores.

    Args:
        name: heading of a table's column.

    Returns:
        The key.
    """
    bare = name[len(PREFIX) :] if name.lower().startswith(PREFIX.lower()) else name
    return bare.lower().replace("_", "").replace(" ", "").replace(".", "")


def column_name(name: str) -> str:
    """Find the Metadata_ column that a heading of a table stands for.

    ``plate``, ``Plate`` and ``Metadata_plate`` give ``Metadata_Plate``; ``drug`` and ``pert_iname`` give
    ``Metadata_Compound``; an unknown name gets the prefix and is otherwise kept.

    Args:
        name: heading of a table's column, or group of a pattern.

    Returns:
        Name of the column.
    """
    return _BY_HEADING.get(heading_key(name), _own_name(name))


def _own_name(name: str) -> str:
    return PREFIX + (name[len(PREFIX) :] if name.lower().startswith(PREFIX.lower()) else name)


def column_names(names: Iterable[str]) -> dict[str, str]:
    """Name the columns of a table.

    Where several headings stand for one column, such as ``pert_iname`` and ``broad_sample``, the first in the
    order of preference does; the others are kept under their own names.

    Args:
        names: the headings.

    Returns:
        Name of the column by heading.

    Raises:
        InputError: where two headings stand for one column alike, such as ``plate`` and ``Metadata_Plate``.
    """
    found: dict[str, str] = {}
    chosen: dict[str, tuple[int, str]] = {}
    for name in names:
        canonical = column_name(name)
        found[name] = canonical
        if canonical not in _HEADINGS:
            continue
        rank = _HEADINGS[canonical].index(heading_key(name))
        before = chosen.get(canonical)
        if before is None or rank < before[0]:
            chosen[canonical] = rank, name
            if before is not None:
                found[before[1]] = _own_name(before[1])
        elif rank > before[0]:
            found[name] = _own_name(name)
    doubled = sorted({new for new in found.values() if list(found.values()).count(new) > 1})
    if doubled:
        raise InputError(
            f"metadata must have one column for {', '.join(doubled)}, got several: {list(found)}"
        )
    return found


def is_control_name(name: object) -> bool:
    """Tell whether a name stands for negative controls: DMSO, controls, vehicle, mock, ...

    Args:
        name: name of a compound or folder.

    Returns:
        Whether it does.
    """
    return isinstance(name, str) and _CONTROL_NAME.fullmatch(name.strip()) is not None


def is_class_name(name: str) -> bool:
    """Tell whether a folder's name says only if images are treated (``drugs``, ``controls``), not with what.

    Args:
        name: name of a folder.

    Returns:
        Whether it does.
    """
    return _CLASS_NAME.fullmatch(name.strip()) is not None


def well_name(text: object) -> str:
    """Write the name of a well in one form.

    Args:
        text: such as ``A1``, ``a01`` or ``r01c01``.

    Returns:
        Such as ``A01``; other text is returned as it is.
    """
    text = str(text).strip()
    if found := _LETTERED_WELL.fullmatch(text):
        return f"{found[1].upper()}{int(found[2]):02d}"
    if (found := _NUMBERED_WELL.fullmatch(text)) and int(found[1]) <= 26:
        return f"{chr(64 + int(found[1]))}{int(found[2]):02d}"
    return text


def checked_columns(metadata: pd.DataFrame) -> pd.DataFrame:
    """Name, type and order the columns of a table as a store holds them.

    Text columns become text (plate 7 and plate "7" are the same), empty text becomes missing, concentrations
    become float64. A1, a1 and A01 are one well: where several spellings occur, and for a1 and r01c01,
    A01 is written. Metadata_ControlType is inferred from Metadata_Compound where it is absent.

    Args:
        metadata: one row per image.

    Returns:
        The table.

    Raises:
        InputError: for two columns of one name, an unknown control type, an unknown part of the split, or a
            concentration that is no number.
    """
    headings = {name: str(name) for name in metadata.columns}
    renamed = column_names(headings.values())
    table = metadata.rename(columns={name: renamed[heading] for name, heading in headings.items()})
    if {"Metadata_ControlType", "Metadata_pert_type"} <= set(table.columns):
        table["Metadata_ControlType"] = table["Metadata_ControlType"].where(
            table["Metadata_ControlType"].notna(), table["Metadata_pert_type"]
        )
    for name in table.columns:
        if name in _TEXT_COLUMNS:
            table[name] = _as_text(table[name])
        elif name in NUMERIC_COLUMNS:
            table[name] = _as_number(table[name], name)
    if "Metadata_Well" in table:
        table["Metadata_Well"] = _one_spelling(table["Metadata_Well"])
    if "Metadata_ControlType" not in table and "Metadata_Compound" in table:
        table["Metadata_ControlType"] = control_types(table["Metadata_Compound"])
    elif "Metadata_ControlType" in table:
        table["Metadata_ControlType"] = control_type_values(table["Metadata_ControlType"])
    _check_values(table, "Metadata_Split", SPLITS)
    known = [name for name in COLUMNS if name in table]
    return table[known + [name for name in table.columns if name not in known]]


def _one_spelling(wells: pd.Series) -> pd.Series:
    names = wells.map(well_name, na_action="ignore").astype(object).where(wells.notna(), None)
    unusual = wells.astype(str).str.match("a?[a-p][0-9]|[Rr][0-9]").any()
    return names if unusual or names.nunique() < wells.nunique() else wells


_CONTROL_TYPES = (
    (re.compile(_CONTROLS + r"|negcon[ _-].*|negative|ctl[ _-]?(?:vehicle|untrt)", re.IGNORECASE), NEGCON),
    (re.compile(r"poscon(?:[ _-].*)?|positive(?:[ _-]?control)?", re.IGNORECASE), POSCON),
    (re.compile(r"trt(?:[ _-]cp)?|treated|treatments?|drugs?|compounds?", re.IGNORECASE), TRT),
    (re.compile(r"empty|blank", re.IGNORECASE), EMPTY),
)


def control_type_values(column: pd.Series) -> pd.Series:
    """Spell control types alike, JUMP's (``poscon_cp``) among them.

    Args:
        column: control types as somebody wrote them; missing values are allowed.

    Returns:
        negcon, trt, poscon, empty or None.

    Raises:
        InputError: for a value that is none of them.
    """
    names: dict[str, str] = {}
    for value in column.dropna().unique():
        text = str(value).strip()
        kind = next((kind for pattern, kind in _CONTROL_TYPES if pattern.fullmatch(text)), None)
        if kind is None:
            row = column.index[(column == value).to_numpy().argmax()]
            raise InputError(
                f"Metadata_ControlType must be one of {NEGCON}, {TRT}, {POSCON}, {EMPTY} (or {POSCON}_...), "
                f"got {text!r} in row {row}"
            )
        names[value] = kind
    return column.map(names).astype(object).where(column.notna(), None)


def control_types(compounds: pd.Series) -> pd.Series:
    """Infer control types from names of compounds.

    Args:
        compounds: names; missing values are allowed.

    Returns:
        ``negcon`` for control-like names, ``empty`` for empty wells, ``trt`` for others, missing where there
        is no name.
    """
    return pd.Series(
        [None if pd.isna(name) else _kind_of_compound(str(name)) for name in compounds],
        index=compounds.index,
        dtype=object,
    )


def _kind_of_compound(name: str) -> str:
    if is_control_name(name):
        return NEGCON
    return EMPTY if name.strip().lower() in ("empty", "blank") else TRT


def control_labels(metadata: pd.DataFrame, *, source: str = "metadata") -> Int64Array:
    """Label images as control or drug.

    Args:
        metadata: one row per image.
        source: what the table is, for the error message.

    Returns:
        int64 (N,): 0 where Metadata_ControlType is ``negcon``, 1 where ``trt`` or ``poscon``.

    Raises:
        InputError: where the column or a value is missing.
    """
    if "Metadata_ControlType" not in metadata:
        raise InputError(
            f"{source} must have a column Metadata_ControlType ({NEGCON} / {TRT}), which names controls and "
            f"drugs, got {', '.join(map(str, metadata.columns)) or 'no columns'}"
        )
    kinds = metadata["Metadata_ControlType"]
    unknown = (kinds.isna() | (kinds == EMPTY)).to_numpy()
    if unknown.any():
        raise InputError(
            f"{source} must have Metadata_ControlType for every image, got none for {unknown.sum()} of "
            f"{len(kinds)} images"
        )
    return np.asarray(kinds != NEGCON, dtype=np.int64)


def _as_text(column: pd.Series) -> pd.Series:
    def text(value: object) -> str | None:
        if pd.isna(value):  # type: ignore[call-overload]
            return None
        if isinstance(value, float) and value.is_integer():  # an integer column with gaps is read as float
            value = int(value)
        return str(value).strip() or None

    return pd.Series([text(value) for value in column], index=column.index, dtype=object)


def _as_number(column: pd.Series, name: str) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna() & (column.astype(str).str.strip() != "")]
    if len(wrong):
        raise InputError(f"{name} must be a number, got {wrong.iloc[0]!r} in row {wrong.index[0]}")
    return numbers.astype(np.float64)


def _check_values(table: pd.DataFrame, name: str, allowed: tuple[str, ...]) -> None:
    if name not in table:
        return
    lowered = table[name].map(lambda value: value.lower() if isinstance(value, str) else value)
    wrong = lowered[lowered.notna() & ~lowered.isin(allowed)]
    if len(wrong):
        raise InputError(
            f"{name} must be one of {', '.join(allowed)}, got {wrong.iloc[0]!r} in row {wrong.index[0]}"
        )
    table[name] = lowered
