"""``morphobench cost`` from a store to the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from morphobench.cli import main
from morphobench.report.render.cost_page import BEGIN, END

OPTIONS = ["--train-images", "24", "--batch-size", "8", "--threads", "1", "--device", "cpu", "--quiet"]
OPTIONS += ["--timing-s", "0"]
ENCODER = ["--encoder", "small:channels=8"]
SETUPS = ["--setups", "self_supervised/no_aug_one_crop,unsupervised/no_aug_one_crop"]


def test_tables_files_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", f"{tmp_path}/store", "--images", "300"]) == 0
    page = tmp_path / "page.md"
    page.write_text(f"# Cost\n{BEGIN}\n{END}\n")
    rounds = ["--rounds", "3", "--epochs", "3"]
    arguments = ["cost", f"{tmp_path}/store", f"{tmp_path}/out", *SETUPS, *rounds, *OPTIONS, *ENCODER]
    assert main([*arguments, "--docs", f"{page}"]) == 0
    shown = capsys.readouterr().out
    assert "unsupervised/no_aug_one_crop" in shown
    assert "Up to 11 times faster (an epoch)?" in shown
    content = json.loads((tmp_path / "out" / "cost.json").read_text())
    assert len(content["records"]) == 6
    (ratio,) = content["summary"]["claims"][0]["ratios"]
    assert ratio["ratio"]["low"] <= ratio["ratio"]["estimate"] <= ratio["ratio"]["high"]
    assert (tmp_path / "out" / "cost.md").read_text().strip() in page.read_text()
    records = (tmp_path / "out" / "cost.jsonl").read_bytes()
    assert main(arguments) == 0  # nothing is measured twice
    assert (tmp_path / "out" / "cost.jsonl").read_bytes() == records


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--rounds", "9", "--epochs", "3"], "--epochs must be at least 9 rounds x 1, got 3"),
        (["--improvement", "1.5"], "--improvement must be at most 0.999, got 1.5"),
        (["--docs", "absent.md"], "absent.md must be a readable file"),
        (["--precision", "bf16"], "precision must be float32 on cpu, got bf16"),
        (["--encoder", "small:depth=9"], "depth of small must be 2, 3, 4, got 9"),
    ],
)
def test_bad_options_are_refused(
    wrong: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", f"{tmp_path}/store", f"{tmp_path}/out", *OPTIONS, *wrong]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
