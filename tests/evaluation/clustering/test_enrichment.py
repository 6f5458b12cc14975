"""Enrichment against scipy's Fisher test table by table, and typical members."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact

from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.clustering.enrichment import enrichment, members
from morphobench.options import EvaluationOptions
from morphobench.setups import Sweep


def test_enrichment_is_fishers_test():
    generator = np.random.default_rng(0)
    labels = generator.integers(-1, 3, 80)
    names = (
        np.where(generator.random(80) < 0.4, labels, generator.integers(0, 4, 80)).astype(str).astype(object)
    )
    table = enrichment(labels, names, kind="compound").set_index(["cluster", "name"])
    every_p = []
    for cluster in range(3):
        for name in sorted(set(names)):
            inside, named = labels == cluster, names == name
            counts = [[(inside & named).sum(), (inside & ~named).sum()]]
            counts.append([(~inside & named).sum(), (~inside & ~named).sum()])
            test = fisher_exact(np.asarray(counts), alternative="greater")
            every_p.append(((cluster, name), test.pvalue))
            if counts[0][0]:
                row = table.loc[(cluster, name)]
                assert row["p"] == pytest.approx(test.pvalue)
                assert row["odds_ratio"] == pytest.approx(test.statistic)
                assert row["count"] == counts[0][0]
                assert row["expected"] == pytest.approx(inside.sum() * named.mean())
            else:
                assert (cluster, name) not in table.index
    corrected = false_discovery_control([p for _, p in every_p])
    for (key, _), q in zip(every_p, corrected, strict=True):
        if key in table.index:
            assert table.loc[key, "q"] == pytest.approx(q)
    assert set(table["kind"]) == {"compound"}


def test_typical_members_lie_in_the_middle():
    points = np.asarray([[0, 0], [1, 0], [2, 0], [9, 9], [9, 8], [5, 5]], dtype=np.float32)
    table = members(points, np.asarray([0, 0, 0, 1, 1, -1]), examples=2)
    assert table["position"].tolist()[:2] == [1, 0]
    assert table["size"].tolist() == [3, 3, 2, 2]
    assert table["rank"].tolist() == [0, 1, 0, 1]


def test_planted_compounds_are_enriched_in_their_clusters(planted):
    embeddings, metadata = planted(lines=("A",), per_group=30, controls=10, shift=6.0)
    inputs = EvaluationInput(embeddings, metadata, EvaluationOptions(sweep=Sweep(min_cluster_sizes=(8, 12))))
    tables = evaluate(inputs, tasks=["clustering"])["clustering"].tables
    found = tables["enrichment"].query("kind == 'moa' and q < 0.01")
    assert set(found["name"]) == {"moa0", "moa1"}
    examples = tables["examples"]
    assert (metadata["Metadata_ControlType"].to_numpy()[examples["row"]] == "trt").all()
    assert (examples.groupby("cluster")["rank"].min() == 0).all()
