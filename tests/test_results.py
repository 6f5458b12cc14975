"""A run from Python: the call, the object it returns, and what a notebook shows of it."""

from __future__ import annotations

import html
import inspect
from pathlib import Path

import pandas as pd
import pytest

import morphobench as mb
from morphobench.errors import InputError
from tests.run.conftest import tiny_store

SETUP = "self_supervised/no_aug_one_crop"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> mb.Results:
    folder = tmp_path_factory.mktemp("results")
    store = tiny_store(folder / "store")
    return mb.run(
        store,
        folder / "out",
        profile="smoke",
        setups="byol/no_aug_one_crop",
        images=64,
        batch_size=16,
        tasks=["classification"],
        baselines="mean_intensity",
        threads=1,
        timing_s=0,
        quiet=True,
    )


def test_the_table_has_a_row_per_setup_and_the_records_values(results: mb.Results) -> None:
    table = results.table
    assert isinstance(table, pd.DataFrame)
    assert table.index[0] == SETUP
    assert "baseline/mean_intensity" in table.index
    (record,) = [record for record in results.records if record.setup == SETUP]
    for name in ("classification.roc_auc", "classification.accuracy"):
        assert table.loc[SETUP, name] == record.metrics[name]
    assert table.loc[SETUP, "time_per_image_ns"] == record.time_per_image_ns


def test_a_notebook_shows_the_decision_and_the_table(results: mb.Results) -> None:
    shown = results._repr_html_()
    assert shown.startswith("<p>")
    assert "<table" in shown
    assert SETUP in shown
    assert repr(results) == f"Results({str(results.out)!r}: 2 records of 2 setups and baselines)"


def test_a_decision_says_what_each_setup_would_cost(results: mb.Results) -> None:
    decision = results.recommend(images=1000, epochs=10)
    (candidate,) = decision.candidates
    assert candidate.setup == SETUP
    assert "on 1,000 images for 10 epochs" in str(decision)
    assert decision._repr_html_() == f"<p>{html.escape(str(decision))}</p>"
    twice = results.recommend(images=2000, epochs=10).candidates[0]
    assert twice.hours == pytest.approx(2 * candidate.hours)
    with pytest.raises(InputError, match="max-minutes"):
        results.recommend(max_minutes=0)


def test_a_folder_is_opened_again(results: mb.Results, tmp_path: Path) -> None:
    again = mb.Results(results.out)
    assert len(again) == len(results) == 2
    assert again.records == results.records
    with pytest.raises(InputError):
        mb.Results(tmp_path)


def test_bad_options_are_named_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"options must be among .*, got epoch; did you mean epochs"):
        mb.run(tmp_path / "store", tmp_path / "out", epoch=3)
    with pytest.raises(InputError, match="--epochs must be at least 1, got 0"):
        mb.run(tmp_path / "store", tmp_path / "out", epochs=0)
    assert not (tmp_path / "out").exists()


def test_the_function_and_the_package_share_their_name() -> None:
    import morphobench.run
    from morphobench.run import RunOptions, read_records

    assert callable(morphobench.run)
    assert morphobench.run is mb.run
    assert RunOptions.__name__ == "RunOptions"
    assert callable(read_records)
    assert "store" in inspect.signature(morphobench.run).parameters
    assert {"run", "Results", "Preset"} <= set(dir(mb))
