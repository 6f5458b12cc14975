"""A disk that is full from some write on, read-only or taken away: a clear error, earlier results intact."""

from __future__ import annotations

import errno
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile.conftest import WHOLE, require_explained
from tests.support.commands import arguments_of, copy_files
from tests.support.full_disk import FullDisk, build
from tests.support.killing import complete, contents, start

LIMIT_S = 900
FIRST, DRAWN = 4, 12  # writes that fail: the first ones, and some of the others, drawn
ERRORS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "denied": errno.EACCES, "quota": errno.EDQUOT}
CASES = [(command, "full") for command in ("simulate", "ingest", "embed", "evaluate", "report")]
CASES += [("evaluate", kind) for kind in ERRORS if kind != "full"]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullDisk]:
    if shutil.which("g++") is None:
        pytest.skip("g++, which builds the library that makes writes fail, is not installed")
    work = tmp_path_factory.mktemp("disk")
    (work / "full").mkdir()
    one = FullDisk(build(work), work / "full", work)
    yield one
    one.close()


def _place(disk: FullDisk, request: pytest.FixtureRequest, command: str, name: str) -> Path:
    place = disk.root / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if command == "report":
        copy_files(request.getfixturevalue("finished"), place / "out")
    (place / "thesis.txt").write_text("mine")
    return place


@pytest.mark.parametrize(
    ("command", "kind"), CASES if WHOLE else [("simulate", "full"), ("evaluate", "full")]
)
def test_full_at_some_write(
    command: str,
    kind: str,
    inputs: Path,
    disk: FullDisk,
    request: pytest.FixtureRequest,
    case: Callable[[str], None],
) -> None:
    place = _place(disk, request, command, f"{command}-{kind}")
    arguments = arguments_of(command, inputs, place)
    before = contents(place)
    code, said, _ = disk.run(arguments)
    assert code == 0, said
    expected, writes = contents(place), disk.writes
    first, drawn = (FIRST, DRAWN) if WHOLE else (1, 3)
    others = range(first, writes)
    for number in [*range(first), *sorted(random.Random(command).sample(others, min(drawn, len(others))))]:
        place = _place(disk, request, command, f"{command}-{kind}")
        code, said, failed = disk.run(arguments, after=number, error=ERRORS[kind])
        assert failed, f"write {number} of {writes}"
        require_explained(code, said, (str(place), str(place.resolve())))
        assert code == 2, f"write {number}: {said}"
        left = contents(place)
        assert left.items() >= before.items(), f"write {number}: earlier results changed"
        assert all(expected[name] == digest for name, digest in left.items()), f"write {number}: half a file"
        code, said, _ = disk.run(arguments)  # there is space again
        assert code == 0, f"write {number}: {said}"
        assert contents(place) == expected, f"write {number}"
        case("refused")


@pytest.mark.skipif(not WHOLE, reason="nox -s hostile does this")
@pytest.mark.parametrize("seed", range(6))
def test_full_during_a_run(
    seed: int,
    inputs: Path,
    finished: Path,
    disk: FullDisk,
    request: pytest.FixtureRequest,
    case: Callable[[str], None],
) -> None:
    place = _place(disk, request, "run", "run")
    arguments = arguments_of("run", inputs, place)
    code, said, failed = disk.run(arguments, after=random.Random(seed).randrange(150))
    if failed:
        assert code in (1, 2), said
        require_explained(code, said, (str(place), "failed"))
        assert "space" in said, said
    code, said, _ = disk.run(arguments)
    assert code == 0, said
    wanted, got = contents(finished), contents(place / "out")
    same = [name for name in wanted if name.startswith(("weights/", "embeddings/", "tables/"))]
    assert same
    assert {name: got[name] for name in same} == {name: wanted[name] for name in same}
    case("refused" if failed else "right")


@pytest.mark.skipif(not WHOLE, reason="nox -s hostile does this")
@pytest.mark.parametrize("command", ["simulate", "ingest", "embed", "run"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_folder_that_is_taken_away(
    command: str, share: float, inputs: Path, tmp_path: Path, case: Callable[[str], None]
) -> None:
    (tmp_path / "whole").mkdir()
    longest_s = complete(arguments_of(command, inputs, tmp_path / "whole"))
    place = tmp_path / "gone"
    place.mkdir()
    running = start(arguments_of(command, inputs, place))
    time.sleep(share * longest_s)
    shutil.rmtree(place, ignore_errors=True)
    code, said = running.wait(120)
    require_explained(code, said)
    running.wait_until_all_are_gone()
    if command == "run" and place.exists():  # what it wrote while the folder was being emptied
        assert code in (1, 2), said
        shutil.rmtree(place)
    place.mkdir(exist_ok=True)
    complete(arguments_of(command, inputs, place))
    assert contents(place) == contents(tmp_path / "whole")
    case("refused" if code else "right")


@pytest.mark.skipif(not WHOLE, reason="nox -s hostile does this")
def test_two_runs_on_one_output(
    inputs: Path, finished: Path, tmp_path: Path, case: Callable[[str], None]
) -> None:
    arguments = arguments_of("run", inputs, tmp_path)
    first = start(arguments)
    while not (tmp_path / "out" / "run.json").exists():
        time.sleep(0.05)
    code, said = start(arguments).wait(120)
    assert code == 2
    assert "at work in" in said
    assert first.wait(300)[0] == 0
    assert contents(tmp_path / "out") == contents(finished)
    case("refused")
