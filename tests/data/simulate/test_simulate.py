"""The simulated study: deterministic, balanced, with effects in shape and texture, or none at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import morphobench as mb
from morphobench.data.metadata import STUDY_DMSO_WELLS
from morphobench.data.simulate.counter_rng import normals, uniforms
from morphobench.data.simulate.design import StudyDesign
from morphobench.data.simulate.ground_truth import COMPOUNDS, MECHANISMS, TRAITS, effect
from morphobench.errors import InputError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> mb.ImageStore:
    return mb.simulate(tmp_path_factory.mktemp("data") / "sim", images=2000)


def test_uniforms_are_uniform_and_keyed() -> None:
    numbers = uniforms(3, np.arange(4000, dtype=np.int64), 5)
    assert 0 < numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    np.testing.assert_allclose(numbers.mean(axis=0), 0.5, atol=0.02)
    np.testing.assert_array_equal(uniforms(3, np.array([17]), 3)[0], numbers[17, :3])
    assert not np.array_equal(uniforms(4, np.array([17]), 3)[0], numbers[17, :3])
    assert not np.array_equal(uniforms(3, np.array([17]), 3, stream=1)[0], numbers[17, :3])
    assert abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 0.06


def test_normals_are_normal() -> None:
    numbers = normals(0, np.arange(20_000, dtype=np.int64), 2)
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(numbers.std(axis=0), 1, atol=0.03)


def test_a_picture_depends_on_its_number_only(store: mb.ImageStore, tmp_path: Path) -> None:
    fewer = mb.simulate(tmp_path / "fewer", images=101, threads=1)
    more_threads = mb.simulate(tmp_path / "threads", images=333, threads=7)
    np.testing.assert_array_equal(fewer.images, store.images[:101])
    np.testing.assert_array_equal(more_threads.images, store.images[:333])
    pd.testing.assert_frame_equal(fewer.metadata, store.metadata.iloc[:101])


def test_another_seed_gives_other_pictures_of_the_same_design(store: mb.ImageStore, tmp_path: Path) -> None:
    other = mb.simulate(tmp_path / "other", images=200, seed=1)
    assert (other.images == store.images[:200]).mean() < 0.3
    columns = ["Metadata_CellLine", "Metadata_Compound", "Metadata_Plate"]
    pd.testing.assert_frame_equal(other.metadata[columns], store.metadata[columns].iloc[:200])


def test_the_design_is_the_studys(store: mb.ImageStore) -> None:
    table = store.metadata
    assert store.images.shape == (2000, 1, 64, 64)
    assert table["Metadata_CellLine"].nunique() == 21
    drugs = table[table["Metadata_ControlType"] == "trt"]
    assert drugs["Metadata_Compound"].nunique() == 31
    controls = table[table["Metadata_ControlType"] == "negcon"]
    assert set(controls["Metadata_Compound"]) == {"DMSO", "PBS"}
    assert set(controls.loc[controls["Metadata_Compound"] == "DMSO", "Metadata_Well"]) == set(
        STUDY_DMSO_WELLS
    )
    assert (table.groupby(["Metadata_Plate", "Metadata_Well"])["Metadata_Compound"].nunique() == 1).all()


def test_every_plate_holds_both_classes_equally_and_every_line(store: mb.ImageStore) -> None:
    for rows in (2000, 500, 200):
        table = store.metadata.iloc[:rows]
        shares = (table["Metadata_ControlType"] == "trt").groupby(table["Metadata_Plate"]).mean()
        assert len(shares) == 10
        assert shares.between(0.45, 0.55).all()
    assert (store.metadata.groupby("Metadata_Plate")["Metadata_CellLine"].nunique() == 21).all()


def test_alike_drugs_meet_in_a_cell_line_on_every_plate_even_in_few_pictures(store: mb.ImageStore) -> None:
    table = store.metadata.iloc[:1000]
    drugs = table[table["Metadata_ControlType"] == "trt"]
    kinds = drugs.groupby(["Metadata_Plate", "Metadata_CellLine", "Metadata_MOA"])[
        "Metadata_Compound"
    ].nunique()
    assert (kinds[kinds > 1].groupby("Metadata_Plate").size() >= 15).all()
    few = drugs[drugs.index < 40]
    assert (
        few.groupby("Metadata_Plate")["Metadata_Compound"].unique().map(set) == {"Methotrexate", "Pemetrexed"}
    ).all()
    assert (few.groupby("Metadata_Plate")["Metadata_CellLine"].nunique() == 1).all()


def test_in_the_long_run_every_drug_meets_every_line_on_every_plate() -> None:
    design = StudyDesign(seed=0, null=False, cell_lines=21, compounds=31, plates=10)
    table = design.metadata(np.arange(13_480, dtype=np.int64))
    drugs = table[table["Metadata_ControlType"] == "trt"]
    assert drugs.groupby(["Metadata_Plate", "Metadata_CellLine", "Metadata_Compound"]).ngroups == 10 * 21 * 31
    controls = table[table["Metadata_ControlType"] == "negcon"]
    assert controls.groupby(["Metadata_CellLine", "Metadata_Well"]).ngroups == 21 * 8


def test_planted_strengths_are_graded_and_pairs_are_alike(store: mb.ImageStore) -> None:
    assert len(COMPOUNDS) == 31
    assert {compound.moa for compound in COMPOUNDS} == set(MECHANISMS)
    assert all(set(shifts) <= set(TRAITS) for shifts in MECHANISMS.values())
    methotrexate, pemetrexed = COMPOUNDS[:2]
    assert (methotrexate.name, pemetrexed.name) == ("Methotrexate", "Pemetrexed")
    alike = np.linalg.norm(effect(methotrexate) - effect(pemetrexed))
    assert alike < 0.1 * np.linalg.norm(effect(methotrexate))
    assert store.manifest["planted"]["Paclitaxel"] == {"moa": "tubulin stabilizer", "strength": 1.0}
    controls = store.metadata["Metadata_ControlType"] == "negcon"
    assert (store.metadata.loc[controls, "Metadata_Strength"] == 0).all()
    assert (store.metadata.loc[~controls, "Metadata_Strength"] > 0).all()


def test_null_data_are_the_same_controls_and_drugs_without_effect(
    store: mb.ImageStore, tmp_path: Path
) -> None:
    null = mb.simulate(tmp_path / "null", images=400, null=True)
    controls = store.labels[:400] == 0
    np.testing.assert_array_equal(null.images[controls], store.images[:400][controls])
    assert (null.images[~controls] != store.images[:400][~controls]).mean() > 0.2
    np.testing.assert_array_equal(null.labels, store.labels[:400])
    assert (null.metadata["Metadata_Strength"] == 0).all()


def _spectrum(images: NDArray[Any]) -> NDArray[Any]:
    """Energy per spatial frequency: sees texture and size, not mean brightness."""
    pixels = images[:, 0] - images[:, 0].mean(axis=(1, 2), keepdims=True)
    scaled = (pixels / pixels.std(axis=(1, 2), keepdims=True)).astype(np.float32)
    power = np.log(np.abs(np.fft.fft2(scaled))[:, :33] + 1)
    radius = 64 * np.hypot(np.fft.fftfreq(64)[:33, None], np.fft.fftfreq(64))
    return np.stack(
        [power[:, (radius >= low) & (radius < low + 2)].mean(axis=1) for low in range(1, 31, 2)], axis=1
    )


def _separation(store: mb.ImageStore, rows: NDArray[Any]) -> float:
    """ROC AUC on the second half of a linear classifier of spectra that was fitted on the first."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import roc_auc_score

    features, labels = _spectrum(store.images[rows]), store.labels[rows]
    half = len(rows) // 2
    fitted = LinearDiscriminantAnalysis().fit(features[:half], labels[:half])
    return float(roc_auc_score(labels[half:], fitted.decision_function(features[half:])))


def test_effects_are_in_shape_and_texture_and_grow_with_strength(
    store: mb.ImageStore, tmp_path: Path
) -> None:
    from sklearn.metrics import roc_auc_score

    strength = store.metadata["Metadata_Strength"].to_numpy()
    control = strength == 0
    strong = _separation(store, np.flatnonzero(control | (strength >= 0.7)))
    weak = _separation(store, np.flatnonzero(control | (strength <= 0.3)))
    assert strong > 0.7
    assert strong > weak + 0.1
    mean = store.images.mean(axis=(1, 2, 3))
    assert 0.35 < roc_auc_score(store.labels, mean) < 0.65
    null = mb.simulate(tmp_path / "null", images=1400, null=True)
    assert abs(_separation(null, np.arange(1400)) - 0.5) < 0.07


def test_the_same_options_return_the_store_and_others_are_refused(tmp_path: Path) -> None:
    first = mb.simulate(tmp_path / "sim", images=20)
    made = (first.path / "manifest.json").stat().st_mtime_ns
    again = mb.simulate(tmp_path / "sim", images=20, threads=2)
    assert (again.path / "manifest.json").stat().st_mtime_ns == made
    with pytest.raises(InputError, match="images 20 there, 30 now, null False there, True now"):
        mb.simulate(tmp_path / "sim", images=30, null=True)
    assert len(mb.simulate(tmp_path / "sim", images=30, null=True, fresh=True)) == 30


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    mb.simulate(tmp_path / "sim", images=150, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (150, 150)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_smaller_designs(tmp_path: Path) -> None:
    small = mb.simulate(tmp_path / "sim", images=64, cell_lines=2, compounds=3, plates=4)
    table = small.metadata
    assert table["Metadata_CellLine"].nunique() == 2
    assert table.loc[table["Metadata_ControlType"] == "trt", "Metadata_Compound"].nunique() == 3
    assert table["Metadata_Plate"].nunique() == 4


@pytest.mark.parametrize(
    "arguments",
    [
        {"images": 0},
        {"images": 2.5},
        {"images": True},
        {"images": 9, "seed": -1},
        {"images": 9, "compounds": 32},
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"{list(arguments)[-1]} must be a whole number"):
        mb.simulate(tmp_path / "sim", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
