"""Every command on files of other programs, pipes, odd names and links: refused by name, nothing harmed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.conftest import WHOLE
from tests.support.commands import copy_files
from tests.support.report_records import record

UNSEEN = set("\x1b\x07\r\u202e\u200b")
NAME = "[/b]:smile:\x1b[31mred\u202e$\\frac{"
"""Markup of rich, an emoji code, an escape sequence, a mark that turns the writing, TeX without an end."""


def _benchmarks(path: Path, **changes: Any) -> Path:
    item = {"name": f"test_{NAME}", "fullname": NAME, "stats": {"median": 1.5, "iqr": 0.1, "rounds": 3}}
    content = {"benchmarks": [{**item, **changes}], "commit_info": {"id": NAME}, "datetime": "2026"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def _records(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{**record(f"unsupervised/{NAME}", seed).to_json(), **changes} for seed in (0, 1)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _special(path: Path, kind: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.write_bytes({"brackets": b"[" * 100_000, "binary": bytes(range(256)), "empty": b""}[kind])
    return path


KINDS = ("fifo", "device", "loop", "brackets", "binary", "empty")
READERS: dict[str, Callable[[Path, Path], tuple[object, ...]]] = {
    "summarize": lambda file, _: ("summarize", file),
    "compare BASE": lambda file, place: ("compare", file, _benchmarks(place / "new.json")),
    "compare NEW": lambda file, place: ("compare", _benchmarks(place / "base.json"), file),
    "history": lambda file, _: ("history", file.parent),
    "views --spec": lambda file, place: ("views", place / "store", "--out", place / "v.png", "--spec", file),
    "run --config": lambda file, place: ("run", place / "store", place / "out", "--config", file),
    "board": lambda file, _: ("board", file),
    "evaluate": lambda file, _: ("evaluate", file),
    "verify": lambda file, _: ("verify", file),
    "audit": lambda file, _: ("audit", file),
    "recommend": lambda file, _: ("recommend", file),
    "cost --docs": lambda file, place: ("cost", place / "store", place / "out", "--docs", file),
    "search --space": lambda file, place: (
        *("search", place / "store", place / "out", "--space", file),
        *("--objective", "unsupervised", "--trials", 1),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_files_that_are_none(
    inputs: Path,
    tmp_path: Path,
    reader: str,
    kind: str,
    command: Callable[..., str],
    case: Callable[[str], None],
) -> None:
    if kind == "empty" and reader == "run --config":
        pytest.skip("an empty file of options gives none")
    (tmp_path / "store").symlink_to(inputs / "store")
    file = _special(tmp_path / "files" / "file.json", kind)
    words = READERS[reader](file, tmp_path)
    assert command(*words, names=(str(file), str(file.parent), "optuna")) == "refused"
    assert not (tmp_path / "out").exists()
    case("refused")


VALUES: tuple[Any, ...] = (None, 0, -1, 1e300, 10**400, True, "x", [], [1], {}, {"a": []})
EXTRAS = (
    *("setup", "relative_time", "relative_time_interval", "peak_host_memory_bytes", "conditions"),
    *("stable", "yardstick", "times_faster_than_peer", "peer", "images_per_s"),
)


def _edited() -> dict[str, dict[str, Any]]:
    """Changes of a benchmark's keys, by name of the case."""
    whole = {"median": 1.5, "iqr": 0.1, "rounds": 3, "data": [1.0, 2.0]}
    found: dict[str, dict[str, Any]] = {}
    for number, value in enumerate(VALUES):
        found |= {f"{key} {number}": {key: value} for key in ("name", "fullname", "stats", "extra_info")}
        found |= {f"stats.{key} {number}": {"stats": {**whole, key: value}} for key in whole}
        found |= {f"extra.{key} {number}": {"extra_info": {key: value}} for key in EXTRAS}
    return found


EDITED = _edited()


@pytest.mark.parametrize("name", EDITED)
def test_edited_benchmark_files(
    tmp_path: Path, name: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    whole, edited = _benchmarks(tmp_path / "a" / "0.json"), tmp_path / "a" / "1.json"
    text = json.dumps(json.loads(_benchmarks(edited).read_text()))
    content = json.loads(text)
    content["benchmarks"][0] |= EDITED[name]
    edited.write_text(json.dumps(content))
    for words in (("summarize", edited), ("compare", whole, edited), ("history", edited.parent)):
        case(command(*words, names=(str(edited), "BASE and NEW", "worse")))


@pytest.mark.parametrize("value", [0.0, -0.5, 1e300, -1e300, 1e-320])
def test_history_of_figures_that_have_no_ratio(
    tmp_path: Path, value: float, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    for number in range(3):
        _records(
            tmp_path / "runs" / f"{number}.jsonl", metrics={"similarity.d": value, "clustering.noise": 1}
        )
    words = ("history", tmp_path / "runs", "--out", tmp_path / "h.png")
    assert command(*words) == "right"
    assert command(*words[:3], tmp_path / "h.nonsense", names=("--out must end in",)) == "refused"
    case("right")


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_names_in_the_output_of_commands(
    tmp_path: Path,
    form: str,
    command: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    case: Callable[[str], None],
) -> None:
    metrics = {f"{NAME}.x": 1.0, "similarity.d": 0.5}
    base = _records(
        tmp_path / "base" / "results.jsonl", metrics=metrics, warnings=[NAME], notes=[NAME]
    ).parent
    new = _records(tmp_path / "new" / "results.jsonl", metrics=metrics).parent
    old, made = _benchmarks(tmp_path / "old.json"), _benchmarks(tmp_path / "files" / "new.json")
    for words in (
        ("summarize", base, "--format", form, "--all-metrics", "--details"),
        *((("report", base), ("board", base, "--out", tmp_path / "b.html")) if form == "table" else ()),
        ("compare", base, new),
        ("compare", old, made),
        ("history", tmp_path),
        ("recommend", base),
        ("summarize", tmp_path / NAME),
        (NAME,),
        ("summarize", base, f"--{NAME}"),
        ("summarize", base, "--format", NAME),
        ("verify", tmp_path / NAME),
    ):
        with pytest.MonkeyPatch.context() as patch:
            shown: list[str] = []
            patch.setattr("sys.stdout", _Recorder(shown))
            got = _coded(command, *words)
        said = "".join([*shown, *capsys.readouterr()])
        assert not set(said) & UNSEEN, words
        case(got)
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) == (2 if form == "table" else 0)
    assert not any(set(page.read_text()) & UNSEEN for page in pages)


class _Recorder:
    """A stream that is no terminal and keeps what is written."""

    encoding = "utf-8"

    def __init__(self, shown: list[str]) -> None:
        self.shown = shown

    def write(self, text: str) -> int:
        self.shown.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        """It is none."""
        return False


def _coded(command: Callable[..., str], *words: object) -> str:
    with contextlib.suppress(SystemExit):
        return command(*words)
    return "refused"  # by argparse itself


LINKS = (
    "tables",
    "weights",
    "embeddings",
    "training",
    "figures",
    "curves",
    "engine",
    "search.journal",
    ".lock",
)


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("fresh", [False, True])
def test_links_laid_into_out(
    inputs: Path,
    finished: Path,
    tmp_path: Path,
    name: str,
    fresh: bool,
    command: Callable[..., str],
    case: Callable[[str], None],
) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    copy_files(finished, out)
    outside.mkdir()
    (outside / "x__seed0.parquet").write_text("mine")
    place = out / name
    if place.is_dir():
        place.rename(out / "aside")
    place.unlink(missing_ok=True)
    place.symlink_to(outside / "new" if name == ".lock" else outside)
    words = ("run", inputs / "store", out, "--profile", "smoke", *(["--fresh"] if fresh else []))
    assert command(*words, names=(str(place),)) == "refused"
    if name != ".lock":
        assert command("report", out, names=(str(place),)) == "refused"
    assert command("evaluate", inputs / "e.parquet", "--into", out, names=(str(place),)) == "refused"
    assert [path.read_text() for path in outside.iterdir()] == ["mine"]
    case("refused")


def test_links_in_the_place_of_files_are_replaced(
    finished: Path, tmp_path: Path, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    out, mine = tmp_path / "out", tmp_path / "thesis.txt"
    copy_files(finished, out)
    mine.write_text("mine")
    for name in ("report.html", "figures/heat-map.svg"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to(mine)
    assert command("report", out) == "right"
    assert not (out / "report.html").is_symlink()
    assert mine.read_text() == "mine"
    case("right")


OVERWRITES: dict[str, tuple[str, ...]] = {
    "evaluate": ("evaluate", "e.parquet", "--json", "e.parquet"),
    "evaluate --into": ("evaluate", "e.parquet", "--into", "out", "--json", "out/results.jsonl"),
    "audit": ("audit", "store", "--json", "store/manifest.json"),
    "audit metadata": ("audit", "store", "--json", "store/metadata.parquet"),
    "embed weights": ("embed", "store", "--weights", "w", "--out", "w", "--fresh"),
    "embed store": ("embed", "store", "--weights", "w", "--out", "store/metadata.parquet", "--fresh"),
    "views": ("views", "store", "--out", "s.png", "--spec", "s.png"),
    "board": ("board", "out", "--out", "out/results.jsonl"),
    "history": ("history", "out", "--out", "out/results.jsonl"),
}


@pytest.mark.parametrize("name", OVERWRITES)
def test_outputs_over_inputs(
    inputs: Path,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    command: Callable[..., str],
    case: Callable[[str], None],
) -> None:
    copy_files(inputs / "store", tmp_path / "store")
    copy_files(finished, tmp_path / "out")
    (tmp_path / "e.parquet").write_bytes((inputs / "e.parquet").read_bytes())
    (tmp_path / "w").write_bytes((inputs / "w.safetensors").read_bytes())
    (tmp_path / "s.png").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.chdir(tmp_path)
    assert command(*OVERWRITES[name], names=("--json must", "--out must")) == "refused"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    case("refused")


FOREIGN = (
    "thesis.txt",
    "tables/paper.csv",
    "tables/unsupervised__no_aug_one_crop__seed0/notes.txt",
    "training/unsupervised__no_aug_one_crop__seed0/checkpoint notes.txt",
    "weights/best.pt",
    "weights/my__seed-study.txt",
    "figures/figure1.png",
    "embeddings/all.npy",
    "engine/job.sh",
    "curves/mine.txt",
)


@pytest.mark.skipif(not WHOLE, reason="nox -s hostile does this")
def test_fresh_keeps_what_is_not_ours(
    inputs: Path, finished: Path, tmp_path: Path, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    out = tmp_path / "out"
    copy_files(finished, out)
    for name in FOREIGN:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    words = ("--profile", "smoke", "--setups", "unsupervised/no_aug_one_crop", "--task", "similarity")
    more = ("--fresh", "--epochs", 1, "--timing-s", 0, "--threads", 1, "--quiet")
    assert command("run", inputs / "store", out, *words, *more) == "right"
    for name in FOREIGN:
        assert (out / name).read_text() == "mine"
        case("right")


TABLES: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)),
    "nul": b"row,label,drug_probability,x,y,cluster\n\0\n",
    "no column": b"a,b\n1,2\n",
    "text": b"row,label,drug_probability,x,y,cluster\none,x,x,x,x,x\n",
    "NaN": b"row,label,drug_probability,x,y,cluster\n0,,,,,\n",
    "infinite": b"row,label,drug_probability,x,y,cluster\n0,inf,inf,inf,inf,inf\n",
    "no row": b"row,label,drug_probability,x,y,cluster\n,1,1,1,1,1\n",
    "negative row": b"row,label,drug_probability,x,y,cluster\n-1,1,1,1,1,1\n",
    "huge row": b"row,label,drug_probability,x,y,cluster\n1e300,1,1,1,1,1\n",
}


@pytest.mark.parametrize(
    ("command_name", "table"),
    [("summarize", "classification.predictions"), ("report", "clustering.assignments")],
)
@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_of_a_run(
    finished: Path,
    tmp_path: Path,
    name: str,
    command_name: str,
    table: str,
    command: Callable[..., str],
    case: Callable[[str], None],
) -> None:
    copy_files(finished, tmp_path / "out")
    file = tmp_path / "out" / "tables" / "unsupervised__no_aug_one_crop__seed0" / f"{table}.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(TABLES[name])
    assert command(command_name, tmp_path / "out", names=(str(file),)) == "refused"
    case("refused")


def test_embeddings_of_a_run_that_were_cut_off(
    finished: Path, tmp_path: Path, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    out, name = tmp_path / "out", "unsupervised__no_aug_one_crop__seed0"
    copy_files(finished, out)
    (out / "tables" / name).mkdir(parents=True)
    (out / "tables" / name / "clustering.assignments.csv").write_text("row,x,y,cluster\n0,1,1,0\n")
    (out / "embeddings" / f"{name}.parquet").write_bytes(b"PAR1")
    for words in (("report", out), ("verify", out, "--no-metrics")):
        assert command(*words, names=(f"{name}.parquet",)) == "refused"
        case("refused")


def test_folders_that_fail_to_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    for name in ("a", "b"):
        _records(tmp_path / "runs" / name / "results.jsonl")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for words in (("history", tmp_path / "runs"), ("board", tmp_path / "runs", "--out", tmp_path / "b.html")):
        assert command(*words, names=("must be a folder that can be listed",)) == "refused"
        case("refused")
