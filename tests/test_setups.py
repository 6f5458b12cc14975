"""The 16 setups, their selection, and the profiles."""

from __future__ import annotations

import json

import pytest

from morphobench.errors import InputError
from morphobench.setups import PARADIGMS, PROFILES, SETTINGS, SETUPS, Setup, select


def test_there_are_sixteen_setups_with_readable_names() -> None:
    assert len(SETUPS) == len(set(SETUPS)) == 16
    assert str(Setup("unsupervised", "aug_multi_crop")) == "unsupervised/aug_multi_crop"
    assert {setup.paradigm for setup in SETUPS} == set(PARADIGMS)
    assert all(Setup.parse(str(setup)) == setup for setup in SETUPS)


@pytest.mark.parametrize(
    "text", ["", "unsupervised", "unsupervised/", "/aug_one_crop", "unsupervised/no_such"]
)
def test_parse_refuses_other_forms(text: str) -> None:
    with pytest.raises(InputError, match="paradigm/setting"):
        Setup.parse(text)


def test_select_keeps_the_order_and_merges_patterns() -> None:
    assert select(None) == SETUPS
    assert select(["*/aug_one_crop"]) == tuple(setup for setup in SETUPS if setup.setting == "aug_one_crop")
    assert select(["unsupervised/*", "unsupervised/aug_*"]) == tuple(
        setup for setup in SETUPS if setup.paradigm == "unsupervised"
    )


def test_select_reaches_further_paradigms_only_by_name() -> None:
    assert [str(setup) for setup in select(["simclr/*"], extra=["simclr"])] == [
        f"simclr/{name}" for name in SETTINGS
    ]
    assert len(select(["sim*/*"], extra=["simclr"])) == 4
    assert select(None, extra=["simclr"]) == select(["*"], extra=["simclr"]) == SETUPS
    assert len(select(["*/aug_one_crop"], extra=["simclr"])) == 4


def test_select_names_a_pattern_without_a_match() -> None:
    with pytest.raises(InputError, match="'no/such', which matches no setup"):
        select(["unsupervised/*", "no/such"])


def test_profiles_describe_themselves_in_plain_json() -> None:
    for name, profile in PROFILES.items():
        record = json.loads(json.dumps(profile.describe()))
        assert record["name"] == name
        assert record["sweep"]["classifier_epochs"] == profile.sweep.classifier_epochs
    assert PROFILES["paper"].epochs == 50
    assert len(PROFILES["paper"].sweep.min_cluster_sizes) == 15
