"""Options as fields: a new field alone makes flag, file, record and refusal; values are checked by name."""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphobench._util.options import Options, argument, convert, find_option, group, option, option_fields
from morphobench._util.toml import read_toml, toml_text
from morphobench.cli.parser import add_options, given_options
from morphobench.errors import InputError
from morphobench.options import DataOptions
from morphobench.run.options import RunOptions
from morphobench.run.prepare import prepare


@dataclass(frozen=True)
class MoreData(DataOptions):
    """The options of data with one more."""

    blur_px: int = option("blur images first", default=0, metavar="PX", unit="px", minimum=0, maximum=9)


@dataclass(frozen=True)
class MoreOptions(RunOptions):
    """The options of a run with that one more."""

    data: MoreData = group(MoreData)


def parsed(cls: type[Options], *words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_options(parser, cls)
    return given_options(cls, vars(parser.parse_args(words)))


def small(**given: Any) -> MoreOptions:
    return MoreOptions.resolve(**{"setups": "unsupervised/*", "device": "cpu", "threads": 1, **given})


def test_a_new_field_is_an_option_everywhere(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, MoreOptions)
    assert "--blur-px PX" in parser.format_help()
    assert "blur images first (default: 0 px)" in parser.format_help()
    assert parsed(MoreOptions, "--blur-px", "3") == {"blur_px": 3}
    with pytest.raises(InputError, match="--blur-px must be at most 9, got 10"):
        parsed(MoreOptions, "--blur-px", "10")

    options = small(blur_px=3)
    assert options.data.blur_px == 3
    assert options.describe()["blur_px"] == 3
    prepare(tmp_path / "out", options, {}, store=tmp_path / "store", fresh=False)
    config = tmp_path / "out" / "config.toml"
    assert read_toml(config)["data"]["blur_px"] == 3
    kept = {key: value for key, value in read_toml(config).items() if key not in ("store", "out")}
    (tmp_path / "again.toml").write_text(toml_text(kept))
    assert small(**parsed(MoreOptions, "--config", str(tmp_path / "again.toml"))) == options
    again = parsed(MoreOptions, "--config", str(tmp_path / "again.toml"), "--set", "data.blur_px=4")
    assert again["blur_px"] == 4
    with pytest.raises(InputError, match=r"made with other options: --blur-px 3 there, 4 asked"):
        prepare(tmp_path / "out", small(blur_px=4), {}, store=tmp_path / "store", fresh=False)


def test_flags_override_set_and_set_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text("[data]\nblur_px = 1\nimages = 10\ntrain_images = 5\n")
    words = ["--config", str(file), "--set", "blur_px=2", "--set", "images=20", "--blur-px", "3"]
    assert parsed(MoreOptions, *words) == {"blur_px": 3, "images": 20, "train_images": 5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[data]\nblur = 1", "data.blur must be one of the options .*; did you mean data.blur_px"),
        ("[data]\nblur_px = 1.5", "file.toml: data.blur_px must be a whole number, got 1.5"),
        ("[data]\nblur_px = true", "data.blur_px must be a whole number, got True"),
        ("[training]\nprecision = 'float8'", "training.precision must be one of float32, tf32, bf16, got"),
        ("seeds = 1_000_000", "seeds must be at most 10000, got 1000000"),
        ("blur_px = ", "file.toml must be a TOML file, got: "),
    ],
)
def test_a_file_with_bad_options_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text(content)
    with pytest.raises(InputError, match=message):
        parsed(MoreOptions, "--config", str(tmp_path / "file.toml"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.toml must be a readable file"):
        parsed(MoreOptions, "--config", str(tmp_path / "absent.toml"))


@dataclass(frozen=True, kw_only=True)
class Kinds(Options):
    """One option of every kind."""

    place: Path = argument("PLACE", "a place")
    share: float = option("a share", default=0.5, minimum=0, maximum=1)
    names: tuple[str, ...] = option("names", default=(), off="--no-names")
    sizes: tuple[int, ...] = option("sizes", default=(1,), minimum=1)
    whole: tuple[str, ...] = option("one each", default=(), separator=None)
    fast: bool = option("be fast", default=False)
    how: Literal["here", "there"] = option("how", default="here")
    count: int | None = option("a count", default=None)
    hidden: int = option("in files only", default=1, flag=None)
    program: int = 7


def test_every_kind_of_value() -> None:
    words = ["p", "--share", ".25", "--names", "a,b", "--names", "c", "--sizes", "2,3", "--whole", "a,b"]
    words += ["--fast", "--how", "there", "--count", "9"]
    expected: dict[str, Any] = {
        "place": Path("p"),
        "share": 0.25,
        "names": ("a", "b", "c"),
        "sizes": (2, 3),
        "whole": ("a,b",),
        "fast": True,
        "how": "there",
        "count": 9,
    }
    assert parsed(Kinds, *words, "--set", "hidden=5") == {**expected, "hidden": 5}
    options = Kinds.resolve(**expected)
    assert Kinds.resolve(place="p").describe().keys() == {*expected, "hidden"}
    assert options.tables()["names"] == ["a", "b", "c"]
    assert parsed(Kinds, "p", "--no-names") == {"place": Path("p"), "names": ()}
    with pytest.raises(InputError, match=r"PLACE must be given \(a place\)"):
        Kinds.resolve()
    with pytest.raises(InputError, match=r"options must be among .*, got colour$"):
        Kinds.resolve(place="p", colour="red")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--names", ","], "--names must name at least one, got ','"),
        (["--sizes", "0"], "--sizes must be at least 1, got 0"),
        (["--share", "nan"], "--share must be a finite number, got 'nan'"),
        (["--share", "2"], "--share must be at most 1, got 2.0"),
        (["--count", "1" + 20 * "0"], "--count must be at most 9007199254740992, got 100000000000000000000"),
        (["--count", "1" + 99 * "0"], "--count must be a whole number, got '1000"),
        (["--how", "away"], "--how must be one of here, there, got 'away'"),
        (["--set", "hidden"], "--set must be KEY=VALUE, got 'hidden'"),
        (["--set", "program=1"], "--set: program must be one of the options place, share"),
    ],
)
def test_bad_values_are_named(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(Kinds, *words)
    assert message in str(caught.value)


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text('place = "sub/p"\n')
    assert parsed(Kinds, "--config", str(tmp_path / "file.toml"))["place"] == tmp_path / "sub" / "p"


def test_names_are_unique_within_a_command() -> None:
    @dataclass(frozen=True)
    class Twice(Options):
        images: int = option("again", default=1)
        data: DataOptions = group(DataOptions)

    with pytest.raises(TypeError, match="names of options must be unique, got images twice"):
        option_fields(Twice)


def test_numbers_are_checked_however_they_come() -> None:
    with pytest.raises(InputError, match="share must be at least 0, got -1"):
        Kinds(place=Path("p"), share=-1)
    found = convert(find_option(Kinds, "sizes", source="here"), [4, "5"], label="sizes")
    assert found == (4, 5)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), texts)
tables = st.recursive(
    st.dictionaries(texts, st.one_of(values, st.lists(values, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(tables)
def test_what_is_written_as_toml_is_read_back(content: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(content)) == content


def test_toml_has_no_form_for_other_types() -> None:
    with pytest.raises(TypeError, match="must be text, a number"):
        toml_text({"nothing": None})
