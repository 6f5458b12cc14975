"""``morphobench doctor``: what it finds, what it says to do, and its self-test against planted faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from morphobench import _core
from morphobench.augment import MultiCrop
from morphobench.cli import main
from morphobench.evaluation import distances
from morphobench.run.checks import doctor
from morphobench.run.checks.self_test import self_test, view_oracle


def _by_name(**options: Any) -> dict[str, doctor.Finding]:
    return {one.name: one for one in doctor.examine(**{"seconds": 0, **options})}


def test_the_oracle_makes_the_pixels_of_pillow() -> None:
    rng = np.random.default_rng(0)
    crops = MultiCrop("no_aug_multi_crop", size_px=37)
    for height, width in ((64, 64), (150, 40), (33, 90)):
        plane = rng.integers(0, 256, (height, width), np.uint8)
        for record in crops.draw(np.arange(1), 0, plane.shape)[:, 0]:
            box = tuple(int(record[side]) for side in ("left", "top", "width", "height"))
            crop = Image.fromarray(plane).crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))
            pixels = np.asarray(crop.resize((37, 37), Image.Resampling.BILINEAR))
            assert np.array_equal(view_oracle(plane, record, 37), pixels.astype(np.float32) / np.float32(255))


def test_every_level_is_tested_and_the_chosen_one_is_back_afterwards() -> None:
    before = _core.build_info()["simd"]
    result = self_test(seconds=0)
    assert set(result.cases) == set(_core.build_info()["simd_levels"])
    assert not result.failures
    assert _core.build_info()["simd"] == before


def test_a_wrong_view_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = MultiCrop.apply

    def one_pixel_off(*arguments: Any, **keywords: Any) -> Any:
        views = apply(*arguments, **keywords)
        views[0, 0, 0, 0, 0] = (views[0, 0, 0, 0, 0] + 0.5) % 1
        return views

    monkeypatch.setattr(MultiCrop, "apply", one_pixel_off)
    finding = _by_name(part="views")["self-test"]
    assert finding.state == "problem"
    assert "must equal the oracle's" in finding.found
    assert "install the package again" in finding.advice


def test_a_wrong_distance_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pairwise = distances.pairwise
    monkeypatch.setattr(distances, "pairwise", lambda *args, **kwargs: pairwise(*args, **kwargs) + 1e-3)
    assert _by_name(part="views")["self-test"].state == "problem"


def test_packages_absent_or_too_old_are_problems_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["numpy>=999.1", "absent-here>=1", "ray>=2; extra == 'ray'"]
    )
    found = _by_name(part="all")
    assert "older than 999.1" in found["numpy"].found
    assert found["numpy"].advice == "run `pip install --upgrade 'numpy>=999.1'`"
    assert (found["absent-here"].state, found["absent-here"].found) == ("problem", "not installed")
    assert "ray" not in found
    assert "absent-here" not in _by_name(part="views")


def test_a_folder_that_cannot_be_written_to_is_a_problem(tmp_path: Path) -> None:
    finding = _by_name(folder=tmp_path / "absent")["disk"]
    assert finding.state == "problem"
    assert str(tmp_path / "absent") in finding.found


def test_the_disk_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    finding = _by_name(folder=tmp_path)["disk"]
    assert finding.state in ("ok", "note")
    assert "MB/s written" in finding.found
    assert not list(tmp_path.iterdir())


def test_a_slower_instruction_set_than_possible_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    before, levels = _core.build_info()["simd"], _core.build_info()["simd_levels"]
    if len(levels) < 2:
        pytest.skip("this processor has one instruction set only")
    try:
        _core.use_simd(levels[-1])
        finding = _by_name(part="views")["kernels"]
    finally:
        _core.use_simd(before)
    assert finding.state == "note"
    assert "MORPHOBENCH_SIMD" in finding.advice


def test_threads_that_differ_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_cores", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert _by_name(part="views")["threads"].state == "note"


def test_the_command_exits_with_1_where_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["numpy>=1"])
    assert main(["doctor", "--seconds", "0", "--folder", str(tmp_path)]) == 0
    assert "\nproblems: 0, notes: " in capsys.readouterr().out
    monkeypatch.setattr(doctor, "requires", lambda _: ["absent-here>=1"])
    assert main(["doctor", "--seconds", "0", "--folder", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "PROBLEM  absent-here    not installed" in lines
    assert lines[-1].startswith("problems: 1, notes: ")
