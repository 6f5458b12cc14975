"""A search: real trials, the best one's file, pruning, resume after a kill, and errors."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from morphobench.cli import main
from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.run.engines import Finished, Work
from morphobench.run.search import search as searches
from morphobench.run.search.options import SearchOptions
from morphobench.run.search.trial import run_trial

pytest.importorskip("optuna", reason="the extra search is not installed")

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["--profile", "smoke", "--images", "64", "--batch-size", "16", "--device", "cpu", "--threads", "1"]
ENCODER = ["--encoder", "small:channels=8"]
PLANTED = "tests.support.search_objective:Planted"
SPACE = """
[training]
learning_rate = {kind = "float", low = 1e-5, high = 1e-2, log = true}
[objective]
ema_decay = {kind = "choice", values = [0.9, 0.99]}
"""
BROKEN = "[objective]\nbroken = {kind = 'choice', values = [false, true]}\n"


class Here:
    """Does trials in this process, the last one first, so that no test waits for processes."""

    def __init__(self) -> None:
        self.waves: list[int] = []

    def run(self, jobs: Sequence[Work], *, on_message: Any) -> Iterator[Finished]:
        self.waves.append(len(jobs))
        for work in reversed(jobs):
            yield Finished(work, run_trial(**work.kwargs))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    engine = Here()
    monkeypatch.setattr(searches, "make_engine", lambda *_, **__: engine)
    return engine


def space(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(text)
    return path


def options(path: Path, **changes: Any) -> SearchOptions:
    chosen = {"objective": f"{PLANTED}/no_aug_one_crop", "space": path, "trials": 4, "profile": "smoke"}
    chosen |= {"images": 64, "batch_size": 16, "epochs": 3, "device": "cpu", "threads": 1}
    return SearchOptions.resolve(**{**chosen, **changes})


def trials(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_trial_comes_out_as_options_that_run_takes(
    store: ImageStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "search"
    arguments = ["search", f"{store.path}", f"{out}", "--objective", "byol/no_aug_one_crop", *SMALL]
    arguments += [
        "--space",
        f"{space(tmp_path, SPACE)}",
        "--trials",
        "2",
        "--epochs",
        "1",
        "--quiet",
        *ENCODER,
    ]
    assert main(arguments) == 0
    best, other = trials(out)
    assert {best["state"], other["state"]} == {"complete"}
    assert 0.5 <= float(other["probe"]) <= float(best["probe"]) <= 1
    (plain,) = (one for one in (best, other) if one["trial"] == "0")
    assert (plain["training.learning_rate"], plain["objective.ema_decay"]) == ("0.0001", "0.99")
    assert str(out / "best.toml") in capsys.readouterr().out
    told = (out / "search.journal").read_text().count('"step":')
    assert main(arguments) == 0  # nothing is left to do
    assert (out / "search.journal").read_text().count('"step":') == told == 2

    run = [
        "run",
        f"{store.path}",
        f"{tmp_path}/run",
        "--config",
        f"{out}/best.toml",
        "--task",
        "classification",
    ]
    assert (
        main([*run, "--no-baselines", "--timing-s", "0", "--device", "cpu", "--threads", "1", "--quiet"]) == 0
    )
    (record,) = map(json.loads, (tmp_path / "run" / "results.jsonl").read_text().splitlines())
    assert record["setup"] == "self_supervised/no_aug_one_crop"
    assert record["profile"]["learning_rate"] == float(best["training.learning_rate"])
    assert record["profile"]["objective_settings"] == [
        f"self_supervised.ema_decay={best['objective.ema_decay']}"
    ]
    assert any("ema_decay" in note for note in record["notes"])


def test_a_planted_bad_trial_is_pruned(store: ImageStore, tmp_path: Path, here: Here) -> None:
    path = space(tmp_path, BROKEN)
    found = searches.search(
        store.path, tmp_path / "out", options=options(path, startup_trials=1, trials=5), quiet=True
    )
    by_choice = {one.values["objective.broken"]: one for one in found}
    assert by_choice[True].state == "pruned"
    assert by_choice[True].epochs == 1  # of three: the median beats it at once
    assert by_choice[False].state == "complete"
    assert found[0].values == {"objective.broken": False}
    assert len(found) == 5
    assert here.waves == [1] * 5


def test_engines_take_several_trials_at_a_time(store: ImageStore, tmp_path: Path, here: Here) -> None:
    path = space(tmp_path, "[training]\nbatch_size = {kind = 'choice', values = [8, 16, 99999]}\n")
    found = searches.search(
        store.path,
        tmp_path / "out",
        options=options(path, engine="ray", parallel_jobs=4, trials=6, epochs=1, measure="loss"),
        quiet=True,
    )
    assert here.waves == [4, 2]
    values = [one.value for one in found if one.value is not None]
    assert values == sorted(values)  # the smallest loss first
    assert len(found) == 6


def test_a_trial_that_cannot_train_fails_and_the_others_go_on(
    store: ImageStore, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(job: Any, opened: ImageStore) -> Any:
        if job.settings["broken"]:
            raise InputError("broken must be false, got true")
        return make(job, opened)

    make = run_trial.__globals__["make_objective"]
    monkeypatch.setitem(run_trial.__globals__, "make_objective", refuse)
    path = space(tmp_path, BROKEN)
    found = searches.search(
        store.path, tmp_path / "out", options=options(path, epochs=1, trials=8), quiet=True
    )
    assert {one.state for one in found} == {"complete", "failed"}
    failures = (tmp_path / "out" / "failures.jsonl").read_text()
    assert "broken must be false, got true" in failures


def test_other_spaces_are_refused_in_the_same_folder(store: ImageStore, tmp_path: Path, here: Here) -> None:
    out = tmp_path / "out"
    searches.search(store.path, out, options=options(space(tmp_path, BROKEN), trials=1, epochs=1), quiet=True)
    changed = space(tmp_path, "[objective]\nsize = {kind = 'int', low = 1, high = 3}\n")
    with pytest.raises(InputError, match=r"made with other options: --space objective\.broken of \["):
        searches.search(store.path, out, options=options(changed, trials=1, epochs=1), quiet=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[objective]\nsize = {kind = 'int', low = 1, high = 12}\n",
            "objective.size: size must be 1 to 9, got 12",
        ),
        (
            "[objective]\ntemperature = {kind = 'int', low = 1, high = 2}\n",
            "objective.temperature must be one of",
        ),
        ("", "must name at least one option"),
    ],
)
def test_bad_spaces_are_refused_before_training(
    text: str, message: str, store: ImageStore, tmp_path: Path, here: Here
) -> None:
    with pytest.raises(InputError, match=message):
        searches.search(store.path, tmp_path / "out", options=options(space(tmp_path, text)), quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_store_without_controls_has_no_probe(tmp_path: Path, here: Here) -> None:
    from tests.run.conftest import tiny_store

    tiny_store(tmp_path / "store", Metadata_ControlType="trt")
    with pytest.raises(InputError, match="--measure must be loss where the train part lacks"):
        searches.search(
            tmp_path / "store", tmp_path / "out", options=options(space(tmp_path, BROKEN)), quiet=True
        )


def _start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "morphobench", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_for(path: Path, text: str, count: int) -> None:
    ends = time.monotonic() + 120
    while not path.exists() or path.read_text().count(text) < count:
        assert time.monotonic() < ends, f"{path} does not hold {count} of {text!r}"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_search_goes_on_after_a_signal_as_if_there_had_been_none(
    number: signal.Signals, store: ImageStore, tmp_path: Path
) -> None:
    path = space(tmp_path, SPACE)

    def arguments(out: str) -> list[str]:
        fixed = [
            "search",
            f"{store.path}",
            f"{tmp_path}/{out}",
            "--objective",
            "byol/no_aug_one_crop",
            *SMALL,
        ]
        return [*fixed, "--space", f"{path}", "--trials", "2", "--epochs", "6", "--startup-trials", "9"]

    stopped = _start(arguments("stopped"))
    # in the second trial, once an epoch of it has been told
    _wait_for(tmp_path / "stopped" / "search.journal", '"step":1', 2)
    stopped.send_signal(number)
    said = stopped.communicate(timeout=120)[0]
    assert stopped.returncode == (130 if number == signal.SIGINT else -number), said
    assert len(trials(tmp_path / "stopped")) == 1
    with (tmp_path / "stopped" / "search.journal").open("a") as file:
        file.write('{"op_code":')  # a line that was being written
    again = _start(arguments("stopped"))
    said = again.communicate(timeout=300)[0]
    assert again.returncode == 0, said
    whole = _start(arguments("whole"))
    said = whole.communicate(timeout=300)[0]
    assert whole.returncode == 0, said
    for name in ("trials.csv", "best.toml"):
        assert (tmp_path / "stopped" / name).read_text() == (tmp_path / "whole" / name).read_text()
