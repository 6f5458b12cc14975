"""The file of a search's space: what it may say, and errors that name the key and the value."""

from __future__ import annotations

from pathlib import Path

import pytest

from morphobench.errors import InputError
from morphobench.run.search.space import read_space


def _read(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "space.toml"
    path.write_text(text)
    return [str(one) for one in read_space(path, ("ema_decay", "temperatures"))]


def test_every_kind(tmp_path: Path) -> None:
    text = """
    [training]
    learning_rate = {kind = "float", low = 1e-5, high = 1, log = true}
    batch_size = {kind = "int", low = 8, high = 64}
    schedule = {kind = "choice", values = ["constant", "one_cycle"]}
    orientation = {kind = "choice", values = [false, true]}
    [objective]
    temperatures = {kind = "choice", values = [[0.1, 0.04], [0.2, 0.04]]}
    """
    assert _read(tmp_path, text) == [
        "training.learning_rate 1e-05 to 1.0, log",
        "training.batch_size 8 to 64",
        'training.schedule of ["constant", "one_cycle"]',
        "training.orientation of [false, true]",
        "objective.temperatures of [[0.1, 0.04], [0.2, 0.04]]",
    ]


def test_a_value_and_its_stored_form(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        "[training]\nepochs = {kind = 'int', low = 2, high = 9}\n"
        "[objective]\ntemperatures = {kind = 'choice', values = [[0.1, 0.04], [0.2, 0.04]]}\n"
    )
    number, choice = read_space(path, ("temperatures",))
    assert [number.encode(value) for value in (2, 9, 10, None)] == [2, 9, None, None]
    assert choice.encode((0.2, 0.04)) == 1
    assert choice.encode((0.3, 0.04)) is None
    assert choice.decode(1) == (0.2, 0.04)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data]\nimages = 3", "data must be one of the tables training, objective"),
        ("learning_rate = 3", "learning_rate must be one of the tables"),
        ("[training]\nseed = {kind = 'int', low = 1, high = 2}", "training.seed must be one of epochs, "),
        ("[training]\nepochs = 3", "training.epochs must be a table such as .*, got 3"),
        (
            "[training]\nepochs = {low = 1, high = 2}",
            "training.epochs: kind must be one of float, int, choice, got None",
        ),
        (
            "[training]\nepochs = {kind = 'int', low = 1}",
            "an? int must have high, log, low, got none of high",
        ),
        ("[training]\nepochs = {kind = 'int', low = 1, high = 2, step = 1}", "got step"),
        ("[training]\nepochs = {kind = 'int', low = 1.5, high = 2}", "low must be a whole number, got 1.5"),
        ("[training]\nepochs = {kind = 'int', low = 3, high = 2}", "low must be less than high, got 3 and 2"),
        (
            "[training]\nepochs = {kind = 'int', low = 0, high = 2}",
            "training.epochs: must be at least 1, got 0",
        ),
        (
            "[training]\nepochs = {kind = 'float', low = 1, high = 2}",
            "kind must be int or choice, got 'float'",
        ),
        ("[training]\nschedule = {kind = 'int', low = 1, high = 2}", "kind must be choice, got 'int'"),
        (
            "[training]\nlearning_rate = {kind = 'float', low = 0.0, high = 1.0, log = true}",
            "low must be above 0 on a logarithmic scale, got 0.0",
        ),
        (
            "[training]\nlearning_rate = {kind = 'float', low = 1, high = 2, log = 1}",
            "log must be true or false, got 1",
        ),
        ("[training]\nschedule = {kind = 'choice', values = ['constant']}", "a list of at least two"),
        (
            "[training]\nschedule = {kind = 'choice', values = ['constant', 'cosine']}",
            "training.schedule: must be one of constant, one_cycle, got 'cosine'",
        ),
    ],
)
def test_errors_name_the_key_and_the_value(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as raised:
        _read(tmp_path, text)
    assert str(tmp_path / "space.toml") in str(raised.value)
