"""The layout of OUT: each setup and seed has places of its own, and --fresh removes ours alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from morphobench.errors import InputError
from morphobench.run.folder import OPTIONS, RESULTS, SetupFiles, kept_in_place, refuse_links, remove_own

OURS = '{"options": {"setups": [], "protocol": "corrected-1"}, "data": {"content_sha256": "0"}}'


def _out(folder: Path, options: str = OURS) -> Path:
    (folder / "run.json").write_text(options)
    (folder / "results.jsonl").touch()
    (folder / "report.html").touch()
    for name in ("weights", "tables", "embeddings"):
        (folder / name).mkdir()
    files = SetupFiles.of(folder, "unsupervised/aug_one_crop", 1)
    files.weights.touch()
    files.tables.mkdir()
    files.table("clustering.clusters").touch()
    (folder / "weights" / "best.pt").touch()
    return folder


def test_every_setup_and_seed_has_its_own_places(tmp_path: Path) -> None:
    one = SetupFiles.of(tmp_path, "unsupervised/aug_one_crop", 1)
    assert one.embeddings == tmp_path / "embeddings" / "unsupervised__aug_one_crop__seed1.parquet"
    assert one.table("a.b") == tmp_path / "tables" / "unsupervised__aug_one_crop__seed1" / "a.b.csv"
    other = SetupFiles.of(tmp_path, "unsupervised/aug_one_crop", 2)
    assert not {one.weights, one.folder, one.tables} & {other.weights, other.folder, other.tables}


@pytest.mark.parametrize(
    "name",
    [
        "thesis.txt",
        "tables/paper.csv",
        "tables/unsupervised__aug_one_crop__seed1/notes.txt",
        "training/unsupervised__aug_one_crop__seed1/checkpoint notes.txt",
        "weights/my__seed-study.txt",
        "figures/figure1.png",
        "curves/mine.txt",
    ],
)
def test_files_of_other_names_stay_in_our_folders_too(tmp_path: Path, name: str) -> None:
    path = _out(tmp_path) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    remove_own(tmp_path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["tables", "figures", "weights/x", "search.journal"])
def test_links_in_the_place_of_folders_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match=rf"{name} must be a"):
        refuse_links(tmp_path / "out")


def test_only_what_is_ours_is_removed(tmp_path: Path) -> None:
    remove_own(_out(tmp_path))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["weights", "weights/best.pt"]


@pytest.mark.parametrize("options", ["{}", "[1]", "no json", '{"epochs": 3}', '{"options": {}, "data": {}}'])
def test_another_programs_run_json_keeps_its_folder(tmp_path: Path, options: str) -> None:
    before = sorted(_out(tmp_path, options).rglob("*"))
    with pytest.raises(InputError, match=r"run\.json must (hold the options of a run|be JSON)"):
        remove_own(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_is_taken_away_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / OPTIONS).write_text("{}")
    with kept_in_place(out):
        (out / RESULTS).write_text("{}\n")
    assert (out / RESULTS).is_file()

    def taken_away(*, then: Exception | None) -> None:
        with kept_in_place(out):
            shutil.rmtree(out)
            files = SetupFiles.of(out, "unsupervised/no_aug_one_crop", 0)
            files.weights.parent.mkdir(parents=True)
            files.weights.write_bytes(b"weights")
            (out / RESULTS).write_text("{}\n")
            if then is not None:
                raise then

    for then in (None, InputError("no such folder")):
        out.mkdir(exist_ok=True)
        (out / OPTIONS).write_text("{}")
        with pytest.raises(InputError, match="OUT must stay in place while a run writes to it") as caught:
            taken_away(then=then)
        assert caught.value.__cause__ is then
        assert not out.exists()
    out.mkdir()
    (out / OPTIONS).write_text("{}")
    with pytest.raises(InputError, match="another"), kept_in_place(out):
        raise InputError("another")
    assert out.is_dir()


def test_results_stay_where_only_the_options_are_gone(tmp_path: Path) -> None:
    (tmp_path / OPTIONS).write_text("{}")
    (tmp_path / RESULTS).write_text("earlier")
    with pytest.raises(InputError, match="OUT must stay in place"), kept_in_place(tmp_path):
        (tmp_path / OPTIONS).unlink()
    assert (tmp_path / RESULTS).read_text() == "earlier"
