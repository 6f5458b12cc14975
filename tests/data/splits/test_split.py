"""Parts that share no group, hold every class, and come out near 70 / 10 / 20; or a reason why not."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from morphobench.data.simulate.design import StudyDesign
from morphobench.data.splits.split import check_leakage, split
from morphobench.data.splits.subsample import subset
from morphobench.errors import CheckError, InputError

PARTS = ("train", "validation", "test")


def _table(plates: list[tuple[int, int]], column: str = "Metadata_Plate") -> pd.DataFrame:
    """One group per (controls, drugs)."""
    rows = [
        (f"{group:03d}", kind)
        for group, counts in enumerate(plates)
        for kind, count in zip(("negcon", "trt"), counts, strict=True)
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=[column, "Metadata_ControlType"])


def _simulated(images: int) -> pd.DataFrame:
    design = StudyDesign(seed=0, null=False, cell_lines=21, compounds=31, plates=10)
    return design.metadata(np.arange(images, dtype=np.int64))


def _shares(labels: NDArray[Any]) -> list[float]:
    return [float((labels == part).mean()) for part in PARTS]


def _has_both_classes(table: pd.DataFrame, labels: NDArray[Any]) -> bool:
    return all(table.loc[labels == part, "Metadata_ControlType"].nunique() == 2 for part in PARTS)


@pytest.mark.parametrize("images", [200, 500, 2000])
def test_the_simulated_study_splits_by_plate_exactly(images: int) -> None:
    table = _simulated(images)
    made = split(table, seed=0)
    assert made.grouped_by == "plate"
    assert made.warnings == ()
    np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2], atol=0.01)
    assert _has_both_classes(table, made.labels)
    assert table.groupby("Metadata_Plate").apply(lambda rows: len(set(made.labels[rows.index]))).eq(1).all()
    assert sorted(np.concatenate([made.rows(part) for part in PARTS])) == list(range(images))


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    table = _simulated(500)
    first = split(table, seed=3).labels
    np.testing.assert_array_equal(first, split(table, seed=3).labels)
    assert any((first != split(table, seed=seed).labels).any() for seed in range(4, 8))
    shuffled = table.sample(frac=1, random_state=0)
    assert split(shuffled, seed=3).labels.tolist() == first[shuffled.index].tolist()


def test_very_unequal_plates_come_out_as_near_as_they_can() -> None:
    plates = [(843, 12), (903, 25), (534, 18), (1089, 930), (876, 798)] + [(2, 40)] * 30 + [(0, 20)] * 4
    table = _table(plates)
    for seed in range(3):
        made = split(table, seed=seed)
        assert _has_both_classes(table, made.labels)
        np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2], atol=0.05)
        controls = made.labels[table["Metadata_ControlType"] == "negcon"]
        np.testing.assert_allclose(_shares(controls), [0.7, 0.1, 0.2], atol=0.08)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=7))
def test_a_split_is_refused_exactly_when_none_exists(plates: list[tuple[int, int]]) -> None:
    plates = [counts for counts in plates if sum(counts)]
    table = _table(plates)
    assume(len(plates) >= 3 and table["Metadata_ControlType"].nunique() == 2)
    exists = any(
        all(
            sum(plates[g][kind] for g in range(len(plates)) if parts[g] == part) > 0
            for part in range(3)
            for kind in (0, 1)
        )
        for parts in product(range(3), repeat=len(plates))
    )
    if exists:
        assert _has_both_classes(table, split(table, seed=0).labels)
    else:
        with pytest.raises(InputError, match="controls and drugs in each"):
            split(table, seed=0)


def test_the_search_finds_the_best_of_all_assignments() -> None:
    plates = [(5, 9), (14, 3), (8, 8), (2, 11), (6, 1), (10, 10), (3, 4)]
    table = _table(plates)
    target = np.array([0.7, 0.1, 0.2])
    counts = np.array(plates, dtype=float)
    columns = np.column_stack([counts.sum(axis=1), counts]) / np.array([counts.sum(), *counts.sum(axis=0)])

    def cost(parts: NDArray[Any]) -> float:
        sums = np.stack([columns[parts == part].sum(axis=0) for part in range(3)])
        return float(((sums - target[:, None]) ** 2 / target[:, None]).sum() + 1e3 * (sums == 0).sum())

    best = min(cost(np.array(parts)) for parts in product(range(3), repeat=7))
    labels = split(table, seed=0).labels
    first_rows = np.cumsum([0, *(sum(pair) for pair in plates)])[:-1]
    found = cost(np.array([PARTS.index(labels[row]) for row in first_rows]))
    assert found == pytest.approx(best)


def test_one_plate_splits_by_well() -> None:
    table = _table([(5, 5)] * 10, "Metadata_Well").assign(Metadata_Plate="A")
    made = split(table, seed=0)
    assert made.grouped_by == "well"
    assert made.warnings == ()
    np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2])


def test_wells_of_the_same_name_on_two_plates_are_two_groups() -> None:
    table = _table([(4, 4)] * 5, "Metadata_Well")
    table = pd.concat([table.assign(Metadata_Plate="A"), table.assign(Metadata_Plate="B")], ignore_index=True)
    made = split(table, seed=0, group_by="well")
    np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2])
    assert "plates are shared" in made.warnings[0]


def test_without_plate_and_well_it_splits_by_image_and_warns() -> None:
    table = pd.DataFrame({"Metadata_ControlType": ["negcon", "trt", "trt"] * 100})
    made = split(table, seed=0)
    assert made.grouped_by == "image"
    assert "neither plate nor well is known" in made.warnings[0]
    np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2], atol=0.01)
    assert _has_both_classes(table, made.labels)


def test_many_images_split_by_image_fast_and_in_proportion() -> None:
    table = pd.DataFrame({"Metadata_ControlType": ["negcon", "trt"] * 10_000})
    made = split(table, seed=0)
    for kind in ("negcon", "trt"):
        rows = (table["Metadata_ControlType"] == kind).to_numpy()
        np.testing.assert_allclose(_shares(made.labels[rows]), [0.7, 0.1, 0.2], atol=0.001)


def test_many_groups_with_rare_controls_still_have_both_classes_everywhere() -> None:
    table = _table([(1, 1)] * 3 + [(0, 1)] * 1000)
    assert _has_both_classes(table, split(table, seed=0).labels)


def test_tiles_of_one_image_stay_together() -> None:
    table = pd.DataFrame(
        {
            "Metadata_Path": np.repeat([f"{i}.png" for i in range(40)], 16),
            "Metadata_ControlType": np.repeat(["negcon", "trt"] * 20, 16),
        }
    )
    made = split(table, seed=0)
    assert table.groupby("Metadata_Path").apply(lambda rows: len(set(made.labels[rows.index]))).eq(1).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (_table([(5, 5), (5, 5)]), "at least 3 plates .* got 2; ingest images of more plates"),
        (_table([(5, 5), (5, 5)]).assign(Metadata_Well="A01"), "got 2; --split-by well "),
        (
            _table([(5, 5), (5, 5), (0, 9), (0, 9)]),
            "of 4 plates 2 hold both, 0 controls only and 2 drugs only",
        ),
        (_table([(5, 0), (5, 0), (0, 9), (0, 9)]), "0 hold both"),
        (_table([]), "at least one image"),
    ],
)
def test_the_impossible_is_refused_with_the_reason(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(table, seed=0)


def test_unlabelled_images_split_with_a_warning() -> None:
    table = pd.DataFrame({"Metadata_Plate": np.repeat([f"{i}" for i in range(10)], 5)})
    made = split(table, seed=0)
    np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2])
    assert "without regard to control type" in made.warnings[0]


def test_cell_lines_are_spread_too() -> None:
    table = _table([(3, 3)] * 40)
    table["Metadata_CellLine"] = [f"line{int(plate) % 4}" for plate in table["Metadata_Plate"]]
    labels = split(table, seed=0).labels
    for part, wanted in zip(PARTS, (0.7, 0.1, 0.2), strict=True):
        inside = table.loc[labels == part, "Metadata_CellLine"].value_counts(normalize=False) / 60
        np.testing.assert_allclose(inside.reindex([f"line{i}" for i in range(4)]), wanted, atol=0.01)


def test_a_given_split_is_honoured() -> None:
    table = _table([(5, 5)] * 4)
    table["Metadata_Split"] = np.repeat(["test", "validation", "train", "train"], 10)
    made = split(table, seed=0)
    assert made.grouped_by == "given"
    assert made.labels.tolist() == table["Metadata_Split"].tolist()
    assert made.warnings == ()


def test_a_given_split_across_plates_is_named() -> None:
    table = _table([(5, 5)] * 3)
    table["Metadata_Split"] = ["train", "validation", "test", "train", "train"] * 6
    assert "3 plates with images in more than one part" in split(table, seed=0).warnings[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["train", "test"], "got none in validation"),
        (["train", "validation", "dev"], "got 'dev'"),
        (["train", "validation", None], "for every image, got"),
    ],
)
def test_a_bad_given_split_is_refused(values: list[str | None], message: str) -> None:
    table = _table([(6, 6)] * 3)
    table["Metadata_Split"] = (values * 36)[: len(table)]
    with pytest.raises(InputError, match=message):
        split(table, seed=0)


def test_a_given_split_without_a_class_in_a_part_is_refused() -> None:
    table = _table([(5, 5), (0, 5), (5, 5)])
    table["Metadata_Split"] = ["train"] * 10 + ["validation"] * 5 + ["test"] * 10
    with pytest.raises(InputError, match="got no control in validation"):
        split(table, seed=0)


def test_leakage_is_found() -> None:
    table = _table([(2, 2)] * 3).assign(Metadata_Path=["a.png"] * 2 + [f"{i}.png" for i in range(10)])
    labels = np.repeat(PARTS, 4)
    check_leakage(table, labels, grouped_by="plate")
    labels[0] = "test"
    with pytest.raises(CheckError, match=r"1 plate\(s\) in more than one part: 000"):
        check_leakage(table, labels, grouped_by="plate")
    table["Metadata_Split"] = labels
    with pytest.raises(CheckError, match=r"image file\(s\) in more than one part: a\.png"):
        split(table, seed=0)


def test_a_bad_seed_is_named() -> None:
    with pytest.raises(InputError, match="seed"):
        split(_table([(5, 5)] * 4), seed=-1)


@pytest.mark.parametrize("images", [64, 256, 600])
def test_a_subset_keeps_plates_classes_and_lines(images: int) -> None:
    table = _simulated(2000)
    rows = subset(table, images=images, seed=1)
    assert len(rows) == len(set(rows)) == images
    assert (np.diff(rows) > 0).all()
    kept = table.iloc[rows]
    assert kept["Metadata_Plate"].nunique() == (10 if images > 64 else 8)
    assert (kept["Metadata_ControlType"] == "trt").mean() == pytest.approx(0.5, abs=0.05)
    assert split(kept, seed=0).grouped_by == "plate"
    if images == 600:
        assert kept["Metadata_CellLine"].value_counts().between(15, 45).all()


def test_a_subset_is_seeded_and_whole_when_large_enough() -> None:
    table = _simulated(500)
    assert subset(table, images=500).tolist() == subset(table, images=900).tolist() == list(range(500))
    assert subset(table, images=100, seed=1).tolist() == subset(table, images=100, seed=1).tolist()
    assert subset(table, images=100, seed=1).tolist() != subset(table, images=100, seed=2).tolist()
    with pytest.raises(InputError, match="images must be a whole number from 1"):
        subset(table, images=0)


def test_real_plates_split_well(bbbc021: Path) -> None:
    table = pd.read_csv(bbbc021 / "metadata.csv")
    for seed in range(2):
        made = split(table, seed=seed)
        assert made.grouped_by == "plate"
        assert _has_both_classes(table, made.labels)
        np.testing.assert_allclose(_shares(made.labels), [0.7, 0.1, 0.2], atol=0.04)
        for kind in ("negcon", "trt"):
            inside = made.labels[table["Metadata_ControlType"] == kind]
            np.testing.assert_allclose(_shares(inside), [0.7, 0.1, 0.2], atol=0.06)


@pytest.mark.parametrize("images", [30, 256, 1000])
def test_real_subsets_can_be_split(bbbc021: Path, images: int) -> None:
    table = pd.read_csv(bbbc021 / "metadata.csv")
    kept = table.iloc[subset(table, images=images)]
    assert len(kept) == images
    assert _has_both_classes(kept, split(kept, seed=0).labels)
