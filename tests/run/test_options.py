"""Options of a run: resolved from profiles, kept, and refused where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from morphobench._util.json import read_json
from morphobench.errors import InputError
from morphobench.run.options import RunOptions, prepare
from morphobench.setups import PROFILES, SETTINGS, SETUPS, Setup


def _content(**changes: Any) -> dict[str, Any]:
    options = RunOptions.resolve(**{"profile": "smoke", "device": "cpu", "threads": 2, **changes})
    return {"options": options.describe(), "data": {"content_sha256": "abc", "images": 64}}


def test_the_profile_fills_in_what_is_not_given() -> None:
    options = RunOptions.resolve(profile="smoke", epochs=3, device="cpu")
    assert options.setups == SETUPS
    assert (options.epochs, options.images, options.seeds) == (3, PROFILES["smoke"].images, 1)
    assert options.baselines == ("chance", "mean_intensity", "pca_pixels", "untrained_encoder")
    assert "thinned sweeps" in options.notes()
    assert "one seed" in options.notes()


def test_the_whole_study_has_no_notes() -> None:
    assert RunOptions.resolve(profile="paper", device="cpu").notes() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"profile": "huge"}, "--profile: one of smoke, quick, paper wanted, got 'huge'"),
        ({"protocol": "reference-2"}, "--protocol"),
        ({"epochs": 0}, "--epochs: at least 1 wanted, got 0"),
        ({"images": -1}, "--images"),
        ({"setups": ["unsuper"]}, "'unsuper', which matches no setup"),
        ({"tasks": ["classification", "guessing"]}, "--task.*got guessing"),
        ({"baselines": ["luck"]}, "--baselines.*got luck"),
        ({"encoder": "resnet1"}, "resnet1"),
        ({"device": "abacus"}, "--device: auto, cpu or cuda wanted, got 'abacus'"),
        ({"device": "meta"}, "--device"),
    ],
)
def test_bad_options_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunOptions.resolve(**changes)


def test_several_encoders_multiply_the_setups() -> None:
    options = RunOptions.resolve(
        setups=["unsupervised/aug*"], encoder=["study", "small:depth=2+4", "study"], device="cpu"
    )
    assert options.encoder == ("study", "small:depth=2", "small:depth=4")
    assert [str(setup) for setup in options.setups] == [
        f"unsupervised/{setting}@{encoder}"
        for setting in ("aug_one_crop", "aug_multi_crop")
        for encoder in options.encoder
    ]
    assert Setup.parse(str(options.setups[1])) == options.setups[1]
    assert "3 encoders" in options.notes()
    one = RunOptions.resolve(encoder="small", device="cpu")
    assert (one.setups, one.encoder) == (SETUPS, ("small",))
    assert "encoder small, not the study's" in one.notes()


def test_accumulation_and_precision_are_recorded() -> None:
    options = RunOptions.resolve(batch_size=64, accumulate=4, profile="paper", device="cpu")
    assert options.notes() == []  # 4 x 64 is the study's batch
    assert (options.describe()["accumulate"], options.describe()["precision"]) == (4, "float32")
    with pytest.raises(InputError, match="float32 wanted on cpu, got bf16"):
        RunOptions.resolve(precision="bf16", device="cpu")
    with pytest.raises(InputError, match="--accumulate: at least 1 wanted, got 0"):
        RunOptions.resolve(accumulate=0, device="cpu")


def test_a_paradigm_from_outside_joins_the_study() -> None:
    options = RunOptions.resolve(objectives=["tests.support.outside:Outside"], device="cpu")
    assert [str(setup) for setup in options.setups[16:]] == [f"outside/{setting}" for setting in SETTINGS]
    only = RunOptions.resolve(
        objectives=["tests.support.outside:Outside"], setups=["outside/aug*"], device="cpu"
    )
    assert [str(setup) for setup in only.setups] == ["outside/aug_one_crop", "outside/aug_multi_crop"]
    assert only.describe()["objectives"] == {"outside": "tests.support.outside:Outside"}


@pytest.mark.parametrize(
    "objective",
    [
        "outside",
        "tests.support.outside:Absent",
        "tests.run.absent:Outside",
        "morphobench.objectives.unsupervised:Unsupervised",
    ],
)
def test_objectives_that_cannot_be_used_are_named(objective: str) -> None:
    with pytest.raises(InputError, match=objective):
        RunOptions.resolve(objectives=[objective], device="cpu")


def test_same_options_go_on_and_others_are_refused_by_name(tmp_path: Path) -> None:
    prepare(tmp_path, _content(), fresh=False)
    (tmp_path / "results.jsonl").write_text("kept")
    prepare(tmp_path, _content(), fresh=False)
    assert (tmp_path / "results.jsonl").read_text() == "kept"
    with pytest.raises(InputError, match=r"--epochs 1 there, 2 asked") as caught:
        prepare(tmp_path, _content(epochs=2, setups=["unsupervised/*"]), fresh=False)
    assert "--setups 16 of them there" in str(caught.value)
    assert "--fresh" in str(caught.value)
    assert "--images" not in str(caught.value)
    other_data = {**_content(), "data": {"content_sha256": "def", "images": 64}}
    with pytest.raises(InputError, match="content sha256 abc there, def asked"):
        prepare(tmp_path, other_data, fresh=False)


def test_fresh_removes_a_runs_own_files_only(tmp_path: Path) -> None:
    prepare(tmp_path, _content(), fresh=False)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a__b__seed0.safetensors").touch()
    (tmp_path / "results.jsonl").touch()
    (tmp_path / "notes.txt").touch()
    prepare(tmp_path, _content(epochs=2), fresh=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "run.json"]
    assert read_json(tmp_path / "run.json")["options"]["epochs"] == 2


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds other files"):
        prepare(tmp_path, _content(), fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_out_that_is_a_file_or_has_damaged_options(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="OUT: a folder wanted"):
        prepare(file, _content(), fresh=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json: the options of a run wanted"):
        prepare(tmp_path / "out", _content(), fresh=False)
