"""Options of a run: resolved from profiles, kept, and refused where they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from morphobench._util.json import read_json
from morphobench.errors import InputError
from morphobench.run.options import RunOptions
from morphobench.run.prepare import prepare, read_options
from morphobench.setups import PRESETS, SETTINGS, SETUPS, Setup, Sweep


def _options(**changes: Any) -> RunOptions:
    return RunOptions.resolve(**{"profile": "smoke", "device": "cpu", "threads": 2, **changes})


def _prepare(out: Path, *, fresh: bool = False, data: str = "abc", **changes: Any) -> None:
    content = {"content_sha256": data, "images": 64}
    prepare(out, _options(**changes), content, store=out.parent / "store", fresh=fresh)


def test_the_profile_fills_in_what_is_not_given() -> None:
    options = RunOptions.resolve(profile="smoke", epochs=3, device="cpu")
    assert options.setups == SETUPS
    assert (options.training.epochs, options.data.images, options.seeds) == (3, PRESETS["smoke"].images, 1)
    assert options.baselines == (
        *("chance", "mean_intensity", "pca_pixels", "cell_count", "field_density"),
        *("untrained_encoder", "untrained_batch_norm"),
    )
    assert "thinned sweeps" in options.notes()
    assert "one seed" in options.notes()


def test_the_whole_study_has_no_notes() -> None:
    assert RunOptions.resolve(profile="paper", device="cpu").notes() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"profile": "huge"}, "--profile must be one of smoke, quick, paper, got 'huge'"),
        ({"protocol": "reference-2"}, "--protocol"),
        ({"epochs": 0}, "--epochs must be at least 1, got 0"),
        ({"images": -1}, "--images"),
        ({"setups": ["unsuper"]}, "'unsuper', which matches no setup"),
        ({"tasks": ["classification", "guessing"]}, "--task must be of .*got 'guessing'"),
        ({"baselines": ["luck"]}, "--baselines.*got luck"),
        ({"encoders": "resnet1"}, "resnet1"),
        ({"device": "abacus"}, "--device must be auto, cpu, cuda or cuda:N, got 'abacus'"),
        ({"device": "meta"}, "--device"),
        ({"dry_run": True}, "--engine must be slurm with --dry-run, got local"),
    ],
)
def test_bad_options_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunOptions.resolve(**changes)


def test_several_encoders_multiply_the_setups() -> None:
    options = RunOptions.resolve(
        setups=["unsupervised/aug*"], encoders=["study", "small:depth=2+4", "study"], device="cpu"
    )
    assert options.encoders == ("study", "small:depth=2", "small:depth=4")
    assert [str(setup) for setup in options.setups] == [
        f"unsupervised/{setting}@{encoder}"
        for setting in ("aug_one_crop", "aug_multi_crop")
        for encoder in options.encoders
    ]
    assert Setup.parse(str(options.setups[1])) == options.setups[1]
    assert "3 encoders" in options.notes()
    one = RunOptions.resolve(encoders="small", device="cpu")
    assert (one.setups, one.encoders) == (SETUPS, ("small",))
    assert "encoder small, not the study's" in one.notes()


def test_accumulation_and_precision_are_recorded() -> None:
    options = RunOptions.resolve(batch_size=64, accumulate=4, profile="paper", device="cpu")
    assert options.notes() == []  # 4 x 64 is the study's batch
    assert (options.describe()["accumulate"], options.describe()["precision"]) == (4, "float32")
    with pytest.raises(InputError, match="precision must be float32 on cpu, got bf16"):
        RunOptions.resolve(precision="bf16", device="cpu")
    with pytest.raises(InputError, match="--accumulate must be at least 1, got 0"):
        RunOptions.resolve(accumulate=0, device="cpu")


def test_a_paradigm_from_outside_joins_the_study() -> None:
    options = RunOptions.resolve(objectives=["tests.support.outside:Outside"], device="cpu")
    assert [str(setup) for setup in options.setups[16:]] == [f"outside/{setting}" for setting in SETTINGS]
    only = RunOptions.resolve(
        objectives=["tests.support.outside:Outside"], setups=["outside/aug*"], device="cpu"
    )
    assert [str(setup) for setup in only.setups] == ["outside/aug_one_crop", "outside/aug_multi_crop"]
    assert only.describe()["objectives"] == ["tests.support.outside:Outside"]
    assert only.objective_of(only.setups[0]) == "tests.support.outside:Outside"


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
    _prepare(tmp_path)
    (tmp_path / "results.jsonl").write_text("kept")
    _prepare(tmp_path)
    assert (tmp_path / "results.jsonl").read_text() == "kept"
    with pytest.raises(InputError, match=r"--epochs 1 there, 2 asked") as caught:
        _prepare(tmp_path, epochs=2, setups=["unsupervised/*"])
    assert "--setups 16 of them there" in str(caught.value)
    assert "--fresh" in str(caught.value)
    assert "--images" not in str(caught.value)
    with pytest.raises(InputError, match="content sha256 abc there, def asked"):
        _prepare(tmp_path, data="def")


def test_fresh_removes_a_runs_own_files_only(tmp_path: Path) -> None:
    _prepare(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a__b__seed0.safetensors").touch()
    (tmp_path / "results.jsonl").touch()
    (tmp_path / "notes.txt").touch()
    _prepare(tmp_path, epochs=2, fresh=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "notes.txt", "run.json"]
    assert read_json(tmp_path / "run.json")["options"]["epochs"] == 2


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"holds other files: thesis\.tex$"):
        _prepare(tmp_path, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_out_that_is_a_file_or_has_damaged_options(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="OUT must be a folder, got the file"):
        _prepare(file)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json must hold the options of a run"):
        _prepare(tmp_path / "out")


def test_fresh_leaves_what_another_programs_run_json_stands_beside(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"options": {"lr": 0.1}, "data": {"name": "cells"}}')
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "best__seed0.pt").touch()
    with pytest.raises(InputError, match="must hold the options of a run"):
        _prepare(tmp_path, fresh=True)
    assert (tmp_path / "weights" / "best__seed0.pt").exists()


def test_options_of_the_last_version_are_read_and_compared(tmp_path: Path) -> None:
    _prepare(tmp_path)
    content = read_json(tmp_path / "run.json")
    kept = content["options"]
    earlier = {key: kept.pop(key) for key in list(kept) if key in vars(Sweep())}
    kept |= {"sweep": earlier, "encoder": kept.pop("encoders"), "objectives": {}}
    for name in ("balance_classes", "aggregate", "normalize"):
        del kept[name]
    (tmp_path / "run.json").write_text(json.dumps(content))
    _prepare(tmp_path)
    assert read_options(tmp_path) == _options()
    with pytest.raises(InputError, match="--encoder study there, small asked"):
        _prepare(tmp_path, encoders="small")
    kept["colour"] = "red"
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"run\.json must hold the options of a run, but .*got colour"):
        read_options(tmp_path)
