"""Tables and patterns: paths out of the source, odd cells, encodings, and expressions that never end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import morphobench as mb
from morphobench.data.ingest import patterns
from morphobench.errors import InputError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    for number in range(4):
        Image.fromarray(np.full((16, 16), number, np.uint8)).save(root / f"{number}.png")
    (tmp_path / "outside").mkdir()
    Image.fromarray(np.full((16, 16), 200, np.uint8)).save(tmp_path / "outside" / "secret.png")
    return root


def _table(first: str) -> pd.DataFrame:
    return pd.DataFrame({"path": [first, "1.png", "2.png"], "compound": ["DMSO", "x", "y"]})


PATHS = {
    "dots": "../outside/secret.png",
    "dots within": "sub/../../outside/secret.png",
    "absolute": "{outside}/secret.png",
    "root": "/etc/hostname",
    "device": "/dev/zero",
    "home": "~/secret.png",
    "url": "file:///etc/hostname",
    "web": "https://example.org/a.png",
    "nul": "a\0b.png",
    "long": "x" * 5_000,
    "deep": "a/" * 2_000 + "b.png",
    "folder": ".",
    "gone": "gone.png",
    "fifo": "pipe.png",
    "proc": "/proc/self/mem",
    "escape": "\x1b[31m.png",
    "direction": "\u202egnp.exe",
    "space": " 9.png ",
    "variable": "$HOME/secret.png",
    "star": "*.png",
}


@pytest.mark.parametrize("how", ["metadata", "load_data"])
@pytest.mark.parametrize("name", PATHS)
def test_paths(source: Path, tmp_path: Path, name: str, how: str, case: Callable[[str], None]) -> None:
    os.mkfifo(source / "pipe.png")
    table = _table(PATHS[name].format(outside=tmp_path / "outside"))
    if how == "load_data":
        table = table.rename(columns={"path": "FileName_OrigDNA"})
    store = mb.ingest(source, tmp_path / "store", size_px=16, **{how: table})  # type: ignore[arg-type]
    assert len(store) == 2
    assert store.images.max() <= 2
    assert len(store.rejected) == 1
    assert store.rejected["reason"][0]
    case("rejected")


def test_paths_outside_when_allowed(source: Path, tmp_path: Path, case: Callable[[str], None]) -> None:
    store = mb.ingest(
        source,
        tmp_path / "store",
        size_px=16,
        metadata=_table("../outside/secret.png"),
        allow_outside=True,
    )
    assert store.images.max() == 200
    case("right")


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "no rows": lambda t: t[:0],
    "no path": lambda t: t.drop(columns="path"),
    "no columns": lambda _: pd.DataFrame(),
    "missing path": lambda t: t.assign(path=pd.Series([None, "1.png", "2.png"])),
    "empty path": lambda t: t.assign(path=["", "1.png", "2.png"]),
    "same path": lambda t: t.assign(path="1.png"),
    "two paths": lambda t: t.assign(Path=t["path"]),
    "two plates": lambda t: t.assign(plate="A", Plate="B"),
    "unknown control": lambda t: t.assign(control_type="maybe"),
    "number as control": lambda t: t.assign(control_type=[1, 2, 3]),
    "control of another case": lambda t: t.assign(control_type="posc0n"),
    "split": lambda t: t.assign(split=["train", "test", "dev"]),
    "concentration": lambda t: t.assign(concentration=["1", "high", "3"]),
    "only empty wells": lambda t: t.assign(control_type="empty"),
    "numbers as paths": lambda t: t.assign(path=[0.5, 1, 2]),
    "lists as paths": lambda t: t.assign(path=pd.Series([["a"], ["b"], ["c"]])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tables_that_do_not_fit(source: Path, tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    with pytest.raises(InputError):
        mb.ingest(source, tmp_path / "store", metadata=CHANGES[name](_table("0.png")))
    assert not (tmp_path / "store").exists()
    case("refused")


FILES: dict[str, bytes] = {
    "latin-1.csv": "path,compound\n0.png,Köln\n".encode("latin-1"),
    "utf-16.csv": "path\n0.png\n".encode("utf-16-le"),  # without the mark that tells it
    "binary.csv": bytes(range(256)) * 10,
    "empty.csv": b"",
    "nul.csv": b"path,a\n0.png,\0\n" * 3,
    "quotes.csv": b'path,a\n"0.png,1\n',
    "ragged.csv": b"path,a\n0.png,1,2,3\n0.png\n",
    "magic.parquet": b"PAR1",
    "text.parquet": b"path\n0.png\n",
    "table.xlsx": b"PK\x03\x04",
    "no_ending": b"path\n0.png\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_table(
    source: Path, tmp_path: Path, name: str, case: Callable[[str], None]
) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    with pytest.raises(InputError, match=name):
        mb.ingest(source, tmp_path / "store", metadata=tmp_path / name)
    case("refused")


@pytest.mark.parametrize("option", ["metadata", "load_data", "platemap", "locations"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "gone"])
def test_tables_that_are_no_file(
    source: Path, tmp_path: Path, option: str, kind: str, case: Callable[[str], None]
) -> None:
    place = tmp_path / "table.csv"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "folder":
        place.mkdir()
    options: dict[str, Any] = {option: place}
    if option == "platemap":
        options["metadata"] = _table("0.png").assign(well="A01")
    with pytest.raises(InputError, match=r"table\.csv must"):
        mb.ingest(source, tmp_path / "store", **options)
    case("refused")


def test_a_byte_order_mark_and_windows_line_ends(
    source: Path, tmp_path: Path, case: Callable[[str], None]
) -> None:
    (tmp_path / "excel.csv").write_bytes("\ufeffpath,compound\r\n0.png,DMSO\r\n1.png,x\r\n".encode())
    store = mb.ingest(source, tmp_path / "store", size_px=16, metadata=tmp_path / "excel.csv")
    assert store.labels.tolist() == [0, 1]
    case("right")


@pytest.mark.parametrize(
    "pattern", [r"(?P<Well>(a+)+)$", r"(?P<Well>(a|aa)+)$", r"(?P<Well>(.*a){20})$", r"(?P<Well>(\w+\s?)*)!$"]
)
def test_patterns_that_take_exponential_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, case: Callable[[str], None]
) -> None:
    monkeypatch.setattr(patterns, "MATCH_SECONDS", 0.7)
    with pytest.raises(InputError, match="exponential time"):
        patterns.match_paths([f"{'a' * 60}b.png", f"{'a ' * 40}.png"], pattern)
    case("refused")


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "(?P<a>",
        "(?P<a>x)(?P<a>y)",
        "[",
        "*",
        "(?P<Plate>a)(?P<plate>b)",
        "(?P<path>.*)",
        "x",
        "(" * 500,
        r"(?P<Well>a{99999999999})",
        "(?P<1>a)",
        "\\",
    ],
)
def test_bad_patterns(source: Path, tmp_path: Path, pattern: str, case: Callable[[str], None]) -> None:
    with pytest.raises(InputError, match="pattern must"):
        mb.ingest(source, tmp_path / "store", pattern=pattern)
    case("refused")


OPTIONS: dict[str, tuple[Any, ...]] = {
    "size_px": (0, -1, 10**30, 1.5, True, "64", None, float("nan")),
    "tile": (0, -5, 10**9, "x"),
    "crop_px": (0, -5, 10**9, 2.5),
    "channels": ("", ",", "0,0", -1, (), (True,), "DNA,dna", 0.5, "-1"),
    "value_range": ("max", "1", "9:3", ":", "1:nan", "-1:5", (5, 1), (1, 2, 3), None, "1:inf"),
    "fit": ("stretch", "", None, 3),
    "edge": ("wrap", ""),
    "pages": ("both", "", 3),
    "threads": (0, -1, 10**30, 1.5, True),
}


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option, values in OPTIONS.items() for value in values]
)
def test_options(source: Path, tmp_path: Path, option: str, value: Any, case: Callable[[str], None]) -> None:
    named = r"--range \(value_range\)" if option == "value_range" else option
    with pytest.raises(InputError, match=f"^{named} must"):
        mb.ingest(source, tmp_path / "store", **{option: value})
    case("refused")
