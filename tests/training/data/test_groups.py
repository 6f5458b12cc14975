"""Codes of compound, plate and well from metadata."""

from __future__ import annotations

import pandas as pd

from morphobench.training.data.groups import group_codes


def test_codes_follow_names_and_wells_are_of_their_plate() -> None:
    metadata = pd.DataFrame(
        {
            "Metadata_Compound": ["b", "a", None, "b", "a"],
            "Metadata_Plate": ["P2", "P1", "P1", None, "P2"],
            "Metadata_Well": ["A1", "A1", "A1", "A1", None],
        },
        index=[7, 7, 3, 1, 0],
    )
    codes = {name: values.tolist() for name, values in group_codes(metadata).items()}
    assert codes == {
        "compound": [1, 0, -1, 1, 0],
        "plate": [1, 0, 0, -1, 1],
        "well": [1, 0, 0, -1, -1],
    }


def test_groups_without_a_column_are_left_out() -> None:
    assert set(group_codes(pd.DataFrame({"Metadata_Plate": ["P"], "Metadata_Well": ["A1"]}))) == {
        "plate",
        "well",
    }
    assert group_codes(pd.DataFrame({"Metadata_Site": ["s1"]})) == {}
