"""Strict JSON in both directions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from morphobench._util.json import parse_json, plain, read_json, read_json_object, to_json, write_json
from morphobench.errors import InputError


def test_plain_types() -> None:
    value = {
        1: np.float32(0.5),
        "a": np.arange(2),
        "p": Path("x"),
        "s": {"b", "a"},
        "n": [math.nan, math.inf],
    }
    assert plain(value) == {"1": 0.5, "a": [0, 1], "p": "x", "s": ["a", "b"], "n": [None, None]}
    assert json.loads(to_json(value)) == plain(value)
    with pytest.raises(TypeError, match="value must be of a type that JSON has, got object"):
        plain(object())


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"b": (1, True), "a": None}, sort_keys=True)
    assert path.read_text().splitlines()[1] == '  "a": null,'
    assert read_json(path) == read_json_object(path) == {"a": None, "b": [1, True]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[1,", "Expecting value"),
        ("[NaN]", "NaN, which JSON does not have"),
        ("[" * 100_000, "brackets nested too deeply"),
        ("1" * 5_000, "Exceeds the limit"),
    ],
)
def test_what_is_no_json_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"^some file must be JSON, got.*{reason}"):
        parse_json(text, source="some file")


def test_what_pythons_writer_adds_to_json_becomes_none() -> None:
    assert parse_json("[NaN, -Infinity, 1]", source="some file", of_python=True) == [None, None, 1]


@pytest.mark.parametrize(
    ("value", "kind"), [([1], "an array of 1"), (None, "null"), ("x", "text 'x'"), (1, "1")]
)
def test_an_object_is_wanted(tmp_path: Path, value: Any, kind: str) -> None:
    path = tmp_path / "file.json"
    write_json(path, value)
    with pytest.raises(InputError, match=f"file.json must hold a JSON object, got {kind}"):
        read_json_object(path)
