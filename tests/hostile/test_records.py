"""Records of a run that were cut, doubled, garbled or edited: named with their line, or shown as they are."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from morphobench.errors import DamagedFileWarning, InputError
from morphobench.run.record import Record, read_records
from tests.hostile.conftest import WHOLE
from tests.support.report_records import record

KEYS = [one.name for one in fields(Record) if one.name != "extra"]
VALUES: tuple[Any, ...] = (
    *(None, -1, 0, 1e300, 10**30, True, "", "x", "\x1b[31mred", "=1+1", [], [1], [None], {}, {"a": 1}),
    *({"a": {"b": []}}, [[[]]], [{"a": 1}], "\u202e", "x" * 100_000),
)
FLIPS = 60 if WHOLE else 5
COMMANDS = ("summarize", "report", "recommend")


def _whole() -> list[dict[str, Any]]:
    setups = ("unsupervised/no_aug_one_crop", "unsupervised/aug_multi_crop", "baseline/mean_intensity")
    return [record(setup, seed).to_json() for setup in setups for seed in (0, 1)]


def _write(folder: Path, lines: list[Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "results.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder


def _read(folder: Path) -> list[Record] | None:
    """The records; None where they are refused by the name of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedFileWarning)
        try:
            return read_records(folder)
        except InputError as error:
            said = str(error)
            assert str(folder / "results.jsonl") in said
            assert len(said) < 2_000
            return None


@pytest.mark.parametrize("key", KEYS)
def test_edited_values(
    tmp_path: Path, key: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    """Another value of a key is refused with its line, or shown by the commands without failing."""
    for number, value in enumerate(VALUES):
        lines = _whole()
        lines[2] = {**lines[2], key: value}
        folder = _write(tmp_path / str(number), lines)
        if _read(folder) is None:
            case("refused")
            continue
        # the page takes seconds: each key is shown there with two of the values
        turn = (number - KEYS.index(key)) % len(VALUES)
        for name in COMMANDS if WHOLE and turn % 10 == 0 else COMMANDS[:1] if WHOLE or turn == 0 else ():
            command(name, folder, names=(str(folder), key, "setup", "protocol"))
        case("right")


@pytest.mark.parametrize("key", KEYS)
def test_keys_that_are_missing(
    tmp_path: Path, key: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    lines = _whole()
    for line in lines:
        line.pop(key, None)
    folder = _write(tmp_path / "out", lines)
    if _read(folder) is not None:
        for name in COMMANDS[: 1 if WHOLE else 0]:
            command(name, folder, names=(str(folder), key, "setup", "protocol"))
        case("right")
    else:
        case("refused")


LINES: dict[str, Any] = {
    "list": [],
    "null": None,
    "number": 5,
    "text": "x",
    "empty": {},
    "open": '{"setup": "a/b"',
    "two on a line": '{"setup": "a/b"}{"setup": "a/b"}',
    "brackets": "[" * 100_000,
    "NaN": '{"setup": "unsupervised/no_aug_one_crop", "protocol": "corrected-1", "seed": NaN}',
    "digits": '{"seed": ' + "9" * 5_000 + "}",
    "nul": "\0",
    "key twice": '{"setup": "a/b", "setup": "c/d"}',
}


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("name", LINES)
def test_lines_that_are_no_record(
    tmp_path: Path, name: str, place: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    lines: list[Any] = list(_whole())
    number = {"first": 0, "middle": 3, "last": len(lines)}[place]
    lines.insert(
        number, LINES[name] if isinstance(LINES[name], str) and name != "text" else json.dumps(LINES[name])
    )
    folder = _write(tmp_path / "out", lines)
    with pytest.raises(InputError, match=rf"results\.jsonl, line {number + 1}"):
        read_records(folder)
    assert command("summarize", folder, names=(f"line {number + 1}",)) == "refused"
    case("refused")


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 0.83, 0.99, 0.9999])
def test_cut_off(
    tmp_path: Path, share: float, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    folder = _write(tmp_path / "out", _whole())
    data = (folder / "results.jsonl").read_bytes()
    (folder / "results.jsonl").write_bytes(data[: int(share * len(data))])
    found = _read(folder)
    assert found is not None
    whole = data[: int(share * len(data))].count(b"\n")
    assert len(found) in (whole, whole + 1)  # one whose line break alone was cut counts
    case(command("summarize", folder, names=(str(folder),)) if len(found) else "right")


def test_doubled(tmp_path: Path, case: Callable[[str], None]) -> None:
    folder = _write(tmp_path / "out", _whole() * 2)
    assert _read(folder) == _read(_write(tmp_path / "once", _whole()))
    case("right")


@pytest.mark.parametrize("seed", range(FLIPS))
def test_changed_bytes(
    tmp_path: Path, seed: int, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    folder = _write(tmp_path / "out", _whole())
    data, random = bytearray((folder / "results.jsonl").read_bytes()), np.random.default_rng(seed)
    for position in random.integers(0, len(data), 1 + seed % 5):
        data[position] ^= int(random.integers(1, 256))
    (folder / "results.jsonl").write_bytes(data)
    got = command("summarize", folder, names=("results.jsonl", "setup", "protocol"))
    assert got in ("right", "refused")
    case(got)


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "gone", "binary", "utf-16", "empty"])
def test_files_that_are_none(
    tmp_path: Path, kind: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    file = tmp_path / "out" / "results.jsonl"
    file.parent.mkdir()
    if kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind != "gone":
        file.write_bytes({"binary": bytes(range(256)), "utf-16": "{}".encode("utf-16"), "empty": b""}[kind])
    for name in ("summarize", "report", "recommend"):
        assert command(name, file.parent, names=(str(file.parent),)) == "refused"
        case("refused")
