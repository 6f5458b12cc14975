"""Audit of a store, and what records and tables make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import morphobench as mb
from morphobench.report.statistics.columns import MARK, metric_columns
from morphobench.run.checks.audit import audit_images, audit_of_run, audit_store
from tests.support.report_records import record


def test_a_simulated_store_is_audited(tmp_path: Path) -> None:
    store = mb.simulate(tmp_path / "store", images=400, seed=0)
    found = audit_store(store.path, images=300)
    assert found["images"] == 300
    assert set(found["tasks"]) >= {"classification", "compound"}
    one = found["tasks"]["classification"]
    assert set(one["baselines"]) == {"mean_intensity", "pca_pixels"}
    assert all(0 <= score <= 1 for score in one["baselines"].values())
    assert found["verdicts"]


def test_plates_of_one_class_mark_the_metrics_of_their_task(tmp_path: Path) -> None:
    store = mb.simulate(tmp_path / "store", images=400, seed=0)
    metadata = store.metadata.copy()
    kinds = metadata["Metadata_ControlType"].to_numpy()
    metadata["Metadata_Plate"] = [f"{kind}{row % 6}" for row, kind in enumerate(kinds)]
    metadata["Metadata_Split"] = np.where(np.arange(400) % 6 < 3, "train", "test")
    rows = np.arange(400)
    found = audit_images(store, rows, metadata, 0)
    assert found["marked"]["classification."] == "confounded"
    assert any("predictable from the plate alone" in text for text in found["verdicts"])
    kept = audit_of_run(tmp_path / "audit.json", store, rows, metadata)
    assert {key: kept[key] for key in ("verdicts", "marked")} == {
        key: found[key] for key in ("verdicts", "marked")
    }
    assert {name: [one["shortcut"] for one in lines] for name, lines in kept["shortcuts"].items()} == {
        name: [one["shortcut"] for one in lines] for name, lines in found["shortcuts"].items()
    }
    assert [one["shortcut"] for one in kept["shortcuts"]["classification"]][:2] == ["none", "brightness"]
    assert audit_of_run(tmp_path / "audit.json", store, rows[:0], metadata) == kept
    nothing = metadata.drop(columns="Metadata_ControlType")
    assert audit_of_run(tmp_path / "none.json", store, rows, nothing) == {}


def test_marked_metrics_are_marked_in_every_table() -> None:
    plain = record("unsupervised/aug_one_crop")
    marked = replace(plain, audit={"marked": {"classification.": "confounded"}, "verdicts": []})
    for one, expected in ((plain, False), (marked, True)):
        columns = {column.key: column for column in metric_columns([one])}
        assert columns["classification.roc_auc"].heading.endswith(MARK) is expected
        assert MARK not in columns["similarity.d"].heading
