"""Clustering against its parts one at a time, and known answers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.clustering import umap
from morphobench.evaluation.clustering.knn_graph import nearest_neighbours
from morphobench.evaluation.clustering.scores import internal_scores
from morphobench.options import EvaluationOptions
from morphobench.setups import Sweep

SWEEP = Sweep(min_cluster_sizes=(5, 8, 12))


def _run(embeddings, metadata, *, sweep=SWEEP, **options):
    inputs = EvaluationInput(embeddings, metadata, EvaluationOptions(sweep=sweep), **options)
    return evaluate(inputs, tasks=["clustering"])["clustering"]


@pytest.fixture(scope="module")
def table(planted):
    return planted(lines=("A",), per_group=30, controls=10, shift=6.0)


def _naive_rows(embeddings, metadata, protocol):
    """The sweep by UMAP (umap-learn's own under reference-1) and HDBSCAN, one at a time."""
    chosen = metadata["Metadata_ControlType"] == "trt"
    if protocol == "corrected-1":
        chosen &= metadata["Metadata_Split"] == "test"
    rows = np.flatnonzero(chosen)
    graph = nearest_neighbours(embeddings[rows], neighbours=12)
    for size in SWEEP.min_cluster_sizes:
        if protocol == "reference-1":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from umap import UMAP

                points = UMAP(n_neighbors=size, random_state=0, n_jobs=1).fit_transform(embeddings[rows])
        else:
            points = umap.umap_points(embeddings[rows], graph, neighbours=size, seed=0)
        yield rows, size, points, umap.hdbscan_labels(points, min_cluster_size=size)


def test_corrected_scores_leave_noise_out(table):
    embeddings, metadata = table
    result = _run(embeddings, metadata)
    for record, (rows, size, points, labels) in zip(
        result.tables["sweep"].to_dict("records"),
        _naive_rows(embeddings, metadata, "corrected-1"),
        strict=True,
    ):
        kept = labels >= 0
        assert record["min_cluster_size"] == size
        assert record["images"] == len(rows) == 48
        assert record["noise"] == pytest.approx(100 * np.mean(~kept))
        for space, suffix in ((points, ""), (embeddings[rows], "_embedding")):
            scores = internal_scores(space[kept], labels[kept])
            for name, value in scores.items():
                assert record[name + suffix] == pytest.approx(value, rel=1e-4, nan_ok=True)


def test_reference_counts_noise_as_a_cluster(table):
    embeddings, metadata = table
    sweep = _run(embeddings, metadata, protocol="reference-1").tables["sweep"]
    for record, (rows, _, points, labels) in zip(
        sweep.to_dict("records"), _naive_rows(embeddings, metadata, "reference-1"), strict=True
    ):
        assert record["images"] == len(rows) == 120
        assert record["noise"] == int(np.mean(labels == -1) * 100)
        scores = internal_scores(points, labels, undefined=-1.0)
        for name, value in scores.items():
            assert record[name] == pytest.approx(value, rel=1e-4)
    assert "silhouette_embedding" not in sweep


def test_reference_drops_small_best_rows_afterwards(table):
    embeddings, metadata = table
    small = _run(embeddings, metadata, protocol="reference-1")
    assert np.isnan(small.metrics["clustering.silhouette"])
    assert "best row" in small.warnings[-1]
    large = _run(embeddings, metadata, protocol="reference-1", sweep=Sweep(min_cluster_sizes=(22, 25)))
    assert large.metrics["clustering.min_cluster_size"] >= 22


def test_planted_mechanisms_are_found(table):
    metrics = _run(*table).metrics
    assert metrics["clustering.ari_moa"] > 0.9
    assert metrics["clustering.homogeneity"] > 0.4
    assert metrics["clustering.noise"] < 20
    assert abs(metrics["clustering.ari_plate"]) < 0.1
    assert metrics["clustering.consistency"] == 50  # two compounds share each mechanism's direction
    assert metrics["clustering.clusters"] == 2


def test_noise_agrees_with_nothing(planted):
    embeddings, metadata = planted(lines=("A",), per_group=60, controls=10)
    noise = np.random.default_rng(0).normal(size=embeddings.shape).astype(np.float32)
    metrics = _run(noise, metadata, sweep=Sweep(min_cluster_sizes=(5, 10))).metrics
    for name in ("compound", "moa", "plate"):
        value = metrics[f"clustering.ari_{name}"]
        assert np.isnan(value) or abs(value) < 0.15


def test_the_same_seed_gives_the_same_rows(table):
    first, second, other = (_run(*table, seed=seed).tables["assignments"] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, second)
    assert not np.allclose(first["x"], other["x"])


def test_each_cell_line_apart_then_the_median(planted):
    embeddings, metadata = planted(lines=("A", "B", "C"), per_group=30, controls=5, shift=6.0)
    short = (metadata["Metadata_CellLine"] == "C") & (metadata["Metadata_Compound"] != "a")
    embeddings, metadata = embeddings[~short], metadata[~short]
    result = _run(embeddings, metadata, sweep=Sweep(min_cluster_sizes=(10, 12)))
    best = result.tables["sweep"].query("best")
    assert sorted(best["cell_line"]) == ["A", "B"]
    assert result.metrics["clustering.cell_lines"] == 2
    assert result.metrics["clustering.silhouette"] == pytest.approx(best["silhouette"].median())
    assert "1 of 3 cell lines left out" in result.warnings[0]
    alone = metadata["Metadata_CellLine"] == "A"
    single = _run(embeddings[alone], metadata[alone], sweep=Sweep(min_cluster_sizes=(10, 12)))
    row_of_a = best.set_index("cell_line").loc["A"]
    assert single.metrics["clustering.silhouette"] == pytest.approx(row_of_a["silhouette"])


def test_small_cell_lines_are_clustered_together(planted):
    embeddings, metadata = planted(lines=("A", "B", "C", "D"), per_group=10, controls=5, shift=6.0)
    result = _run(embeddings, metadata, sweep=Sweep(min_cluster_sizes=(12,)))
    assert "together" in result.warnings[0]
    assert result.tables["sweep"]["cell_line"].tolist() == ["all"]
    assert result.tables["sweep"]["images"].tolist() == [64]


@pytest.mark.parametrize("protocol", ["reference-1", "corrected-1"])
@pytest.mark.parametrize("case", ["few", "none", "one_compound", "collapsed"])
def test_what_cannot_be_clustered_gives_nan_and_a_warning(planted, protocol, case):
    embeddings, metadata = planted(lines=("A",), per_group={"few": 1}.get(case, 10), controls=5)
    if case == "none":
        metadata = metadata.assign(Metadata_ControlType="negcon")
    if case == "one_compound":
        metadata = metadata.assign(Metadata_Compound="a", Metadata_MOA=None)
    if case == "collapsed":
        embeddings = np.ones_like(embeddings)
    result = _run(embeddings, metadata, protocol=protocol)
    assert set(result.metrics) == set(_run(embeddings, metadata).metrics)
    if case in ("few", "none"):
        assert np.isnan(list(result.metrics.values())).all()
        assert result.warnings
    if case == "one_compound":
        assert np.isnan(result.metrics["clustering.ari_compound"])
        assert np.isnan(result.metrics["clustering.ari_moa"])
