"""Objectives are found by name, by entry point and by path; a name belongs to one class."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from morphobench.errors import InputError
from morphobench.objectives import create, names, register, registry
from morphobench.objectives.unsupervised import Unsupervised

HERE = "morphobench.objectives.unsupervised:Unsupervised"


def test_the_study_comes_first() -> None:
    assert names()[:4] == ("weakly_supervised", "self_supervised", "unsupervised", "regularized")


def test_hyphens_count_as_underscores() -> None:
    assert create("weakly-supervised", size_px=16).name == "weakly_supervised"


def test_names_of_the_field_are_known() -> None:
    assert create("byol", size_px=16).name == "self_supervised"
    assert create("autoencoder", size_px=16).name == "unsupervised"


def test_a_name_is_given_once() -> None:
    names()
    register("unsupervised")(Unsupervised)
    with pytest.raises(InputError, match="objective 'unsupervised' must have a name of its own"):
        register("unsupervised")(type("Other", (Unsupervised,), {}))


def test_a_class_is_found_by_its_path() -> None:
    assert registry.find(HERE) is Unsupervised
    for wrong in ("no.such.module:Class", "morphobench.objectives:Nothing", "morphobench.errors:InputError"):
        with pytest.raises(InputError, match="must be"):
            registry.find(wrong)


def test_unknown_names_are_refused_with_the_known() -> None:
    with pytest.raises(InputError, match=r"one of weakly_supervised, .*, got 'magic'"):
        create("magic")


def test_installed_classes_are_found_and_clashes_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(name: str, value: str) -> EntryPoint:
        return EntryPoint(name, value, registry.ENTRY_POINT_GROUP)

    monkeypatch.setattr(
        registry, "entry_points", lambda group: [entry("theirs", HERE), entry("broken", "no.such:X")]
    )
    assert registry.find("theirs") is Unsupervised
    assert {"theirs", "broken"} <= set(names())
    with pytest.raises(InputError, match=r"'broken': no\.such:X does not load"):
        registry.find("broken")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry("x", HERE), entry("x", "other:Y")])
    with pytest.raises(InputError, match="must be one installed class"):
        registry.find("x")
