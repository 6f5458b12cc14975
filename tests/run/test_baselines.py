"""Baselines of a run: which of those asked for the data allow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.options import DataOptions
from morphobench.run.baselines import BASELINES, Inputs, baseline_names
from morphobench.run.data import open_data, pixel_statistics, seed_data
from tests.run.conftest import tiny_options

ASKED = ("chance", "cell_count", "field_density", "untrained_encoder", "untrained_batch_norm")


def test_numbers_of_cells_are_a_baseline_where_they_are_known() -> None:
    nothing = pd.DataFrame({"Metadata_Plate": ["a", "b"]})
    known = nothing.assign(Metadata_FieldNuclei=[3, 4])
    assert baseline_names(ASKED, ("study",), nothing) == ["chance", *ASKED[3:]]
    assert baseline_names(ASKED, ("study",), known) == ["chance", "cell_count", *ASKED[3:]]
    features = BASELINES["cell_count"]
    assert features is not None
    no_images, rows = np.zeros((2, 1, 4, 4), np.uint8), np.arange(2)
    assert features(Inputs(no_images, rows, rows, 0, known)).tolist() == [[3], [4]]
    with pytest.raises(InputError, match="Metadata_FieldNuclei or Metadata_CellCount"):
        features(Inputs(no_images, rows, rows, 0, nothing))


def test_untrained_encoders_stand_once_for_each_encoder() -> None:
    nothing = pd.DataFrame()
    assert baseline_names(ASKED[3:], ("batch_norm_cnn",), nothing) == ["untrained_encoder"]
    assert baseline_names(ASKED[3:], ("study", "batch_norm_cnn"), nothing) == [
        "untrained_encoder@study",
        "untrained_encoder@batch_norm_cnn",
    ]


def test_a_run_splits_by_what_is_asked(store: ImageStore) -> None:
    options = tiny_options(split_by="well")
    _, rows, _ = open_data(store.path, options)
    assert seed_data(store, rows, 0, DataOptions()).parts.grouped_by == "plate"
    parts = seed_data(store, rows, 0, options.data).parts
    assert parts.grouped_by == "well"
    assert "plates are shared by the parts" in parts.warnings[0]


def test_a_runs_metadata_hold_brightness_contrast_and_background(store: ImageStore) -> None:
    _, rows, _ = open_data(store.path, tiny_options())
    data = seed_data(store, rows, 0, DataOptions(), pixel_statistics(store, rows))
    bright = store.images[data.rows].reshape(len(data.rows), -1).mean(axis=1) / 255
    np.testing.assert_allclose(data.metadata["Metadata_Brightness_0"], bright, rtol=1e-6)
    assert {"Metadata_Contrast_0", "Metadata_Background_0"} <= set(data.metadata)
