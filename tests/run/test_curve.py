"""Learning curves: nested fractions of plates, a run for each point, and the table they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.report.board import find_results
from morphobench.report.render.gain_grid import curve_grid
from morphobench.report.summary import load_summary
from morphobench.run import run
from morphobench.run.curve import train_rows_of
from morphobench.run.record import read_records
from tests.run.conftest import tiny_options


def described(plates: int = 10) -> pd.DataFrame:
    """Twelve images a plate; the first half of the plates hold controls only, the others drugs only."""
    names = np.repeat([f"P{number}" for number in range(plates)], 12)
    kinds = np.where(np.repeat(np.arange(plates), 12) < plates // 2, "negcon", "trt")
    return pd.DataFrame(
        {"Metadata_Plate": names, "Metadata_ControlType": kinds, "Metadata_Split": ["train"] * len(names)}
    )


def test_fractions_are_of_plates_nested_and_follow_the_seed() -> None:
    metadata = described()
    rows = np.arange(len(metadata)) + 7
    sets = {}
    for seed in (0, 1):
        smaller: set[int] = set()
        for fraction in (0.2, 0.3, 0.7, 1.0):
            chosen = train_rows_of(rows, metadata, fraction, seed)
            assert len(chosen) == round(10 * fraction) * 12
            assert metadata["Metadata_ControlType"][chosen - 7].nunique() == 2
            assert smaller <= set(chosen.tolist())
            smaller = set(chosen.tolist())
            sets[seed, fraction] = smaller
    assert sets[0, 0.3] != sets[1, 0.3]


def test_what_cannot_be_trained_on_is_refused() -> None:
    metadata = described()
    rows = np.arange(len(metadata))
    with pytest.raises(InputError, match=r"both controls and drugs, got 0\.1: 1 of 10 plates"):
        train_rows_of(rows, metadata, 0.1, 0)
    with pytest.raises(InputError, match="Metadata_Plate is not known"):
        train_rows_of(rows, metadata.drop(columns="Metadata_Plate"), 0.5, 0)


def test_a_run_with_points_records_them_and_shows_them(store: ImageStore, tmp_path: Path) -> None:
    options = tiny_options(
        images=None,
        epochs=1,
        encoders=["small:channels=8"],
        train_fraction=(0.5, 1.0),
        curve_epochs=(2,),
        baselines=["untrained_encoder"],
    )
    records = run(store.path, tmp_path, options=options, quiet=True)
    half, two = (read_records(tmp_path / "curves" / name)[0] for name in ("fraction-0.5", "epochs-2"))
    (whole,) = (one for one in records if one.kind == "setup")
    assert (half.train_fraction, whole.train_fraction) == (0.5, 1.0)
    assert half.train_plates is not None
    assert whole.train_plates is not None
    assert half.train_plates < whole.train_plates
    assert half.train_images is not None
    assert half.train_images < (whole.train_images or 0) == whole.split.images["train"]
    assert half.split == whole.split
    assert (whole.epochs, two.epochs, two.train_plates) == (1, 2, whole.train_plates)
    assert half.weights_sha256 != whole.weights_sha256
    summary = load_summary([tmp_path])
    assert {(one.axis, len(one.points)) for one in summary.curves} == {("plates", 2), ("epochs", 2)}
    grid = curve_grid(summary)
    assert grid is not None
    cells = [cell for row in grid.rows for cell in row]
    assert f"{whole.train_plates} plates" in cells
    assert "2 epochs" in cells
    assert any("3 sizes with an interval are needed" in cell for cell in cells)
    assert find_results([tmp_path]) == [tmp_path]  # points are no results of their own
    again = run(store.path, tmp_path, options=options, quiet=True)
    assert again == records
