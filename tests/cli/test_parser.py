"""The command line as a user reads it: help of every command, names it lists, files that repeat a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from morphobench._util.toml import read_toml
from morphobench.cli import main
from morphobench.cli.parser import given_options, make_parser
from morphobench.cli.registry import COMMANDS
from morphobench.evaluation.api import TASKS
from morphobench.evaluation.registry import ON_REQUEST
from morphobench.objectives import names
from morphobench.options import BASELINE_NAMES, TASK_NAMES
from morphobench.run.baselines import BASELINES
from morphobench.setups import FURTHER_PARADIGMS, PARADIGMS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself_with_an_example(
    command: object, capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = [each for each in COMMANDS if each is command]
    assert main([one.name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"example:\n  morphobench {one.name}" in shown
    assert "exit codes" in shown
    words = one.example.split()[2:]
    texts = vars(make_parser(COMMANDS).parse_args([one.name, *(word.strip("'") for word in words)]))
    assert given_options(one.options, texts).keys() or not words


def test_help_needs_no_heavy_package() -> None:
    program = (
        "import sys; from morphobench.cli import main\n"
        "codes = [main(words) for words in (['--help'], ['run', '--help'], ['cost', '--help'])]\n"
        "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'rich'} & set(sys.modules)\n"
        "print(codes, sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[0, 0, 0] []"


def test_the_names_in_the_help_are_those_of_the_registries() -> None:
    # other tests register tasks of their own, under modules of theirs; those of a page's code have none
    ours = {name for name, task in TASKS.items() if (task.__module__ or "").startswith("morphobench.")}
    assert set(TASK_NAMES) == ours - ON_REQUEST
    assert set(names()) >= {*PARADIGMS, *FURTHER_PARADIGMS}
    assert tuple(BASELINES) == BASELINE_NAMES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--setups", ""], "--setups must name at least one, got ''"),
        (["--task", ","], "--task must name at least one, got ','"),
        (["--seeds", "1" + 30 * "0"], "--seeds must be"),
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--profile", "huge"], "--profile must be one of smoke, quick, paper, got 'huge'"),
        (["--set", "training.epoch=2"], "; did you mean training.epochs?"),
        (["--config", "none.toml"], "error: none.toml must be a readable file, got: No such file"),
        (["--epoch", "2"], "unrecognized arguments: --epoch 2; did you mean --epochs?"),
    ],
)
def test_bad_options_are_named(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "store", "out", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_config_of_a_run_repeats_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", f"{tmp_path}/store", "--images", "200"]) == 0
    words = ["--setups", "autoencoder/no_aug_one_crop", "--images", "64", "--batch-size", "16", "--quiet"]
    further = ["--profile", "smoke", "--task", "classification", "--no-baselines", "--threads", "1"]
    further += ["--timing-s", "0", "--encoder", "small:channels=8"]
    assert main(["run", f"{tmp_path}/store", f"{tmp_path}/out", *words, *further]) == 0
    config = tmp_path / "out" / "config.toml"
    assert read_toml(config)["setups"] == ["unsupervised/no_aug_one_crop"]
    assert read_toml(config)["store"] == "../store"
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    assert main(["run", "--config", str(config), "--quiet"]) == 0  # all is done there
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before
    assert main(["run", "--config", str(config), "--quiet", "--epochs", "2"]) == 2
    assert "--epochs 1 there, 2 asked" in capsys.readouterr().err
    words = ["--set", f"out={tmp_path}/two", "--timing-s", "0", "--quiet"]
    assert main(["run", "--config", str(config), *words]) == 0
    assert (tmp_path / "two" / "run.json").read_bytes() == (tmp_path / "out" / "run.json").read_bytes()
