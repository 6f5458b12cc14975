"""Published numbers that the evaluator reproduces from the files, by the command and its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.published import Claim, check_distances, check_matching, main
from tests.conftest import SHARED_DATA


@pytest.fixture(scope="session")
def profiles() -> Path:
    folder = SHARED_DATA / "profiles-bbbc021"
    if not folder.is_dir():
        pytest.skip(
            "no profiles-bbbc021 data: ../shared/data/profiles-bbbc021 beside this checkout is absent"
        )
    return folder


def test_matching_by_mechanism_is_as_published(profiles: Path) -> None:
    claims = list(check_matching(profiles))
    assert len(claims) == 5
    assert [one.claim for one in claims if not one.passed] == []


def test_distances_are_as_published(golden: Path) -> None:
    claims = list(check_distances(golden))
    assert len(claims) == 4
    assert all(one.passed for one in claims)


def test_a_difference_fails_and_no_data_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not Claim("", 1.0, 1.1, 0.05).passed
    assert Claim("", 1.0, 0.96, 0.05).passed
    assert main([str(tmp_path)]) == 1
    assert "not checked" in capsys.readouterr().err
