"""Metadata_ columns: names, types, values, and what counts as a control."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.data.metadata import (
    checked_columns,
    column_name,
    control_labels,
    control_types,
    is_class_name,
    is_control_name,
)
from morphobench.errors import InputError


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("plate", "Metadata_Plate"),
        ("Metadata_plate", "Metadata_Plate"),
        ("cell_line", "Metadata_CellLine"),
        ("Cell Line", "Metadata_CellLine"),
        ("drug", "Metadata_Compound"),
        ("concentration_um", "Metadata_Concentration_uM"),
        ("moa", "Metadata_MOA"),
        ("control_type", "Metadata_ControlType"),
        ("Metadata_Batch", "Metadata_Batch"),
        ("Operator", "Metadata_Operator"),
    ],
)
def test_headings_stand_for_columns(given: str, wanted: str) -> None:
    assert column_name(given) == wanted


def test_control_names() -> None:
    for name in (
        "DMSO",
        "dmso",
        "control",
        "Controls",
        "negcon",
        "neg_control",
        "Vehicle",
        "untreated",
        "PBS",
    ):
        assert is_control_name(name), name
    for other in ("taxol", "controlled release", "drugs", "", None, np.nan, "positive control"):
        assert not is_control_name(other), other
    assert is_class_name("drugs")
    assert is_class_name("controls")
    assert not is_class_name("DMSO")


def test_control_types_follow_compounds() -> None:
    kinds = control_types(pd.Series(["DMSO", "taxol", None]))
    assert kinds.tolist() == ["negcon", "trt", None]


def test_columns_are_typed_and_ordered() -> None:
    table = checked_columns(
        pd.DataFrame(
            {
                "Metadata_Batch": [1, 2, 3],
                "well": ["A1 ", "", None],
                "plate": [7.0, np.nan, 12.0],
                "Metadata_Concentration_uM": ["0.5", "", "3"],
                "Metadata_ControlType": ["NegCon", "trt", None],
            }
        )
    )
    assert list(table) == [
        "Metadata_Plate",
        "Metadata_Well",
        "Metadata_Concentration_uM",
        "Metadata_ControlType",
        "Metadata_Batch",
    ]
    assert table["Metadata_Plate"].tolist() == ["7", None, "12"]
    assert table["Metadata_Well"].tolist() == ["A1", None, None]
    np.testing.assert_array_equal(table["Metadata_Concentration_uM"], [0.5, np.nan, 3])
    assert table["Metadata_ControlType"].fillna("").tolist() == ["negcon", "trt", ""]
    assert table["Metadata_Batch"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("wells", "names"),
    [
        (["a1", "a01", "B2", None], ["A01", "A01", "B02", None]),
        (["A1", "A01"], ["A01", "A01"]),
        (["r01c02", "A2"], ["A02", "A02"]),
        (["A1", "B2"], ["A1", "B2"]),
        (["s1", "field 2"], ["s1", "field 2"]),
    ],
)
def test_spellings_of_a_well_are_one(wells: list[str | None], names: list[str | None]) -> None:
    assert checked_columns(pd.DataFrame({"well": wells}))["Metadata_Well"].tolist() == names


def test_the_given_table_is_not_changed() -> None:
    given = pd.DataFrame({"plate": [1], "compound": ["DMSO"]})
    before = given.copy()
    checked_columns(given)
    pd.testing.assert_frame_equal(given, before)


def test_labels() -> None:
    table = pd.DataFrame({"Metadata_ControlType": ["negcon", "trt", "poscon"]})
    labels = control_labels(table)
    assert labels.tolist() == [0, 1, 1]
    assert labels.dtype == np.int64
    with pytest.raises(InputError, match=r"store\.x must have a column Metadata_ControlType"):
        control_labels(pd.DataFrame({"a": [1]}), source="store.x")
    with pytest.raises(InputError, match="got none for 1 of 2 images"):
        control_labels(pd.DataFrame({"Metadata_ControlType": ["trt", None]}))
