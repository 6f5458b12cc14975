"""Other people's embeddings in a run's tables: the same images, splits and protocol, or a word about it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morphobench.cli import main
from morphobench.data import ImageStore
from morphobench.embeddings import read_embeddings
from morphobench.errors import InputError
from morphobench.report.render.html import write_report
from morphobench.report.summary import load_summary
from morphobench.run import read_records, run
from morphobench.run.imported_embeddings import add_external
from tests.run.conftest import tiny_options, tiny_store

PCA = "baseline__pca_pixels__seed{}.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageStore, Path]:
    """A store whose images have paths, and a run of one setup and one baseline with two seeds."""
    folder = tmp_path_factory.mktemp("external")
    store = tiny_store(folder / "store", Metadata_Path=[f"{number:03d}.png" for number in range(96)])
    options = tiny_options(seeds=2, baselines=["pca_pixels"], tasks=["classification", "similarity"])
    run(folder / "store", folder / "out", options=options, quiet=True)
    return store, folder / "out"


@pytest.fixture
def out(made: tuple[ImageStore, Path], tmp_path: Path) -> Path:
    shutil.copytree(made[1], tmp_path / "out")
    return tmp_path / "out"


def brightness(store: ImageStore, **columns: object) -> pd.DataFrame:
    """What somebody else might bring: a few features of each image, and what names it."""
    pixels = store.images[:].reshape(len(store), -1).astype(np.float64)
    features = {"Intensity_Mean": pixels.mean(axis=1), "Intensity_Spread": pixels.std(axis=1)}
    return pd.DataFrame({"Metadata_Path": store.metadata["Metadata_Path"], **columns, **features})


def test_the_same_embeddings_get_the_same_numbers_whatever_the_order(
    made: tuple[ImageStore, Path], out: Path, tmp_path: Path
) -> None:
    """A baseline's own embeddings, shuffled, with rows of other images between them, and only a path."""
    embeddings, metadata, _ = read_embeddings(out / "embeddings" / PCA.format(0))
    table = pd.DataFrame(embeddings).add_prefix("feature_")
    table.insert(0, "path", metadata["Metadata_Path"])
    others = table.head(5).assign(path=[f"other{number}" for number in range(5)])
    shuffled = pd.concat([table, others]).sample(frac=1, random_state=0)
    shuffled.to_parquet(tmp_path / "theirs.parquet", index=False)
    first, second = add_external(tmp_path / "theirs.parquet", out)
    by_name = {(one.setup, one.seed): one for one in read_records(out)}
    for record in (first, second):
        own = by_name["baseline/pca_pixels", record.seed]
        assert by_name["external/theirs", record.seed] == record
        assert record.split == own.split
        assert record.protocol == own.protocol
        assert record.same_images is True
        assert record.time_per_view_ns is None
        assert any("5 rows of images that the run does not have" in text for text in record.warnings)
    assert first.metrics == pytest.approx(by_name["baseline/pca_pixels", 0].metrics, nan_ok=True)
    assert first.intervals == by_name["baseline/pca_pixels", 0].intervals
    assert first.metrics != second.metrics  # the seeds' splits differ


def test_a_well_is_found_however_it_is_spelt(
    made: tuple[ImageStore, Path], out: Path, tmp_path: Path
) -> None:
    known = made[0].metadata
    theirs = brightness(made[0]).drop(columns="Metadata_Path")
    theirs["Metadata_Plate"] = known["Metadata_Plate"]
    theirs["Metadata_Well"] = [f"a{number}" for number in range(96)]  # A00 to A95 in the run
    theirs.to_csv(tmp_path / "wells.csv", index=False)
    assert add_external(tmp_path / "wells.csv", out)[0].same_images is True


def test_it_stands_in_the_tables_and_statistics(
    made: tuple[ImageStore, Path], out: Path, tmp_path: Path
) -> None:
    brightness(made[0]).to_csv(tmp_path / "cellprofiler.csv", index=False)
    assert main(["evaluate", f"{tmp_path}/cellprofiler.csv", "--into", str(out)]) == 0
    summary = load_summary([out])
    row = next(row for row in summary.setups if row.name == "external/cellprofiler")
    assert row.seeds == (0, 1)
    assert np.isfinite(row.cells["classification.roc_auc"].value)
    assert np.isnan(row.cells["time_per_view_ns"].value)
    assert not row.is_trained
    assert "imported embeddings, without time and memory: cellprofiler" in summary.notes
    assert row.name in {one.one for one in summary.findings.against["classification.roc_auc"]}
    page = write_report(out).read_text("utf-8")
    assert "cellprofiler" in page
    assert "1 setups trained" in page.replace("\n", " ")


def test_a_file_without_some_images_or_with_one_twice_is_refused(
    made: tuple[ImageStore, Path], out: Path, tmp_path: Path
) -> None:
    theirs = brightness(made[0])
    cases = {
        "all 64 images of the run must be there": theirs.iloc[:50],
        "each image must stand in the file once, got 2 several times": pd.concat([theirs, theirs.iloc[:2]]),
        r"run once \(by Metadata_ImageId or Metadata_Path or .*--other-images takes": theirs.drop(
            columns="Metadata_Path"
        ),
    }
    before = (out / "results.jsonl").read_bytes()
    for message, table in cases.items():
        table.to_csv(tmp_path / "unfit.csv", index=False)
        with pytest.raises(InputError, match=message):
            add_external(tmp_path / "unfit.csv", out)
    assert (out / "results.jsonl").read_bytes() == before


def test_other_images_come_with_a_warning_and_out_of_paired_statistics(
    made: tuple[ImageStore, Path], out: Path, tmp_path: Path
) -> None:
    known = made[0].metadata[["Metadata_Plate", "Metadata_Compound", "Metadata_ControlType"]]
    theirs = pd.concat([known, brightness(made[0]).drop(columns="Metadata_Path")], axis=1)
    theirs.to_csv(tmp_path / "of_plates.csv", index=False)
    theirs.assign(Metadata_Plate="Q" + theirs["Metadata_Plate"]).to_csv(tmp_path / "anew.csv", index=False)
    plates = add_external(tmp_path / "of_plates.csv", out, other_images=True)
    anew = add_external(tmp_path / "anew.csv", out, other_images=True)
    assert all("in the part of its plate" in record.warnings[0] for record in plates)
    assert all("split made anew by plate" in record.warnings[0] for record in anew)
    summary = load_summary([out])
    assert sum("other images" in note for note in summary.notes) >= 2
    against = summary.findings.against["classification.roc_auc"]
    assert {one.one for one in against} == {"weakly_supervised/no_aug_one_crop"}


def test_what_the_file_says_otherwise_is_told_and_the_run_counts(
    made: tuple[ImageStore, Path], out: Path, tmp_path: Path
) -> None:
    wrong = np.where(made[0].metadata["Metadata_Compound"] == "DMSO", "dmso", "d1")
    brightness(made[0], Metadata_Compound=wrong).to_csv(tmp_path / "x.csv", index=False)
    brightness(made[0]).to_csv(tmp_path / "y.csv", index=False)
    x, y = (add_external(tmp_path / name, out)[0] for name in ("x.csv", "y.csv"))
    assert any("Metadata_Compound of 48 images" in text for text in x.warnings)
    assert x.metrics == pytest.approx(y.metrics, nan_ok=True)


def test_a_name_belongs_to_one_file(made: tuple[ImageStore, Path], out: Path, tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    brightness(made[0]).to_csv(file, index=False)
    first = add_external(file, out)
    before = (out / "results.jsonl").read_bytes()
    assert add_external(file, out) == first
    assert (out / "results.jsonl").read_bytes() == before
    brightness(made[0]).assign(Intensity_Mean=0.5).to_csv(file, index=False)
    with pytest.raises(InputError, match="made from another file"):
        add_external(file, out)
    assert len(add_external(file, out, name="again")) == 2
    second = add_external(file, out, fresh=True)
    named = [record for record in read_records(out) if record.setup == "external/theirs"]
    assert named == second != first


def test_a_run_goes_on_beside_them(made: tuple[ImageStore, Path], out: Path, tmp_path: Path) -> None:
    store = made[0]
    brightness(store).to_csv(tmp_path / "x.csv", index=False)
    add_external(tmp_path / "x.csv", out)
    options = tiny_options(seeds=2, baselines=["pca_pixels"], tasks=["classification", "similarity"])
    records = run(store.path, out, options=options, quiet=True)
    assert [record.setup for record in records].count("external/x") == 2


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--seed", "1"], "got --seed besides"),
        (["--task", "similarity", "--balance-classes"], "--task, --balance-classes"),
        (["--name", "a/b"], "without a slash"),
    ],
)
def test_the_run_says_how(
    further: list[str],
    message: str,
    made: tuple[ImageStore, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    brightness(made[0]).to_csv(tmp_path / "x.csv", index=False)
    assert main(["evaluate", f"{tmp_path}/x.csv", "--into", str(made[1]), *further]) == 2
    assert message in capsys.readouterr().err
