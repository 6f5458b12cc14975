"""Settings of objectives by name: found, written, read, checked, and used by what is trained."""

from __future__ import annotations

from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.objectives.settings import own_settings, parse_setting, setting_text
from morphobench.run.options import RunOptions


def _options(*settings: str, setups: str = "byol/*,dino/no_aug_one_crop") -> RunOptions:
    return RunOptions.resolve(setups=setups, objective_settings=settings, device="cpu", threads=1)


def test_settings_of_an_objective_are_those_that_not_all_have() -> None:
    assert own_settings("byol") == {"ema_decay": None}
    assert set(own_settings("dino")) == {"ema_decay", "center_momentum", "temperatures", "prototypes"}
    assert own_settings("unsupervised") == {}


@pytest.mark.parametrize("value", [1, 0.97, True, "a", (0.1, 0.04)])
def test_a_setting_as_text_comes_back(value: Any) -> None:
    assert parse_setting(setting_text("dino", "x", value)) == ("dino", "x", value)


def test_a_run_gives_each_objective_its_own() -> None:
    options = _options("dino.prototypes=64", "byol.ema_decay=0.9", "self_supervised.ema_decay = 0.97")
    assert options.objective_settings == ("dino.prototypes=64", "self_supervised.ema_decay=0.97")
    found = {setup.paradigm: options.settings_of(setup) for setup in options.setups}
    assert found == {"self_supervised": {"ema_decay": 0.97}, "dino": {"prototypes": 64}}
    assert "settings dino.prototypes=64, self_supervised.ema_decay=0.97" in options.notes()
    assert RunOptions.from_description(options.describe()) == options


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ema_decay=0.9", "must be PARADIGM.NAME=VALUE, got 'ema_decay=0.9'"),
        ("byol.ema_decay", "must be PARADIGM.NAME=VALUE"),
        ("simclr.temperature=1", "of a paradigm that is trained, self_supervised, dino, got"),
        ("byol.decay=1", "of self_supervised must be one of ema_decay, got 'byol.decay=1'"),
    ],
)
def test_bad_settings_are_named(setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _options(setting)
