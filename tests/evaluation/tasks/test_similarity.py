"""Similarity against naive loops over pairs, and known answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import distance as scipy_distance

from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.tasks import similarity
from morphobench.options import EvaluationOptions
from tests.support import evaluation_oracles as oracles

STUDY = ("Methotrexate", "Pemetrexed")
DISTANCES = {
    "": scipy_distance.euclidean,
    "cosine_": scipy_distance.cosine,
    "correlation_": scipy_distance.correlation,
    "braycurtis_": scipy_distance.braycurtis,
}


def _run(embeddings, metadata, **options):
    return evaluate(EvaluationInput(embeddings, metadata, **options), tasks=["similarity"])["similarity"]


def _study_table(seed=0):
    """Three cell lines, the study's pair, and 12 or 14 control images in some of the study's wells and
    others."""
    generator = np.random.default_rng(seed)
    rows = []
    for line in ("A", "B", "C"):
        for drug in STUDY:
            rows += [(line, drug, "C03", "trt", f"{line}_{drug}_{image}.jpg") for image in range(4)]
        for well in ("P21", "M08", "A01"):
            # Names sort otherwise than they are listed: the last ten by name are not the last ten rows.
            names = generator.permutation(14)
            rows += [(line, "DMSO", well, "negcon", f"x/{line}_{well}_{name:02d}.jpg") for name in names]
    metadata = pd.DataFrame(
        rows,
        columns=["Metadata_CellLine", "Metadata_Compound", "Metadata_Well", "Metadata_ControlType", "path"],
    )
    metadata["Metadata_Split"] = "train"
    return generator.normal(size=(len(rows), 6)).astype(np.float32), metadata


@pytest.mark.parametrize("prefix", list(DISTANCES))
def test_reference_is_fact_5_by_loops(prefix):
    embeddings, metadata = _study_table()
    metrics = _run(embeddings, metadata, protocol="reference-1").metrics

    D, A, B = [], [], []
    for line in ("A", "B", "C"):
        here = metadata["Metadata_CellLine"] == line
        first, second = (embeddings[here & (metadata["Metadata_Compound"] == name)] for name in STUDY)
        controls = []
        for well in ("P21", "M08"):
            of_well = metadata[here & (metadata["Metadata_Well"] == well)].sort_values("path")
            controls += list(embeddings[of_well.index[-10:]])
        assert len(controls) == 20
        D.append(oracles.naive_median(first, second, DISTANCES[prefix]))
        A.append(oracles.naive_median(first, controls, DISTANCES[prefix]))
        B.append(oracles.naive_median(second, controls, DISTANCES[prefix]))
    distance = np.median(D)
    expected = (np.median(A) + np.median(B)) / 2
    wanted = {
        "distance": distance,
        "inverse_distance": 1 / distance,
        "inverse_distance_deviation": np.median([abs(1 / each - 1 / distance) for each in D]),
        "d": (expected - distance) / expected,
        "d_deviation": 0.0,
    }
    for name, value in wanted.items():
        assert metrics[f"similarity.{prefix}{name}"] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("prefix", list(DISTANCES))
def test_corrected_by_loops(planted, prefix):
    embeddings, metadata = planted(lines=("A", "B", "C"), per_group=10, controls=15)
    result = _run(embeddings, metadata)

    d, D = [], []
    test = metadata["Metadata_Split"] == "test"
    for line in ("A", "B", "C"):
        here = test & (metadata["Metadata_CellLine"] == line)
        rows = {
            name: embeddings[here & (metadata["Metadata_Compound"] == name)] for name in ("a", "b", "c", "d")
        }
        controls = embeddings[here & (metadata["Metadata_ControlType"] == "negcon")]
        of_pairs = []
        for a, b in (("a", "b"), ("c", "d")):
            between, to_a, to_b = (
                oracles.naive_median(x, y, DISTANCES[prefix])
                for x, y in ((rows[a], rows[b]), (rows[a], controls), (rows[b], controls))
            )
            of_pairs.append((((to_a + to_b) / 2 - between) / ((to_a + to_b) / 2), between))
        d.append(np.median([each[0] for each in of_pairs]))
        D.append(np.median([each[1] for each in of_pairs]))
    distance = np.median(D)
    wanted = {
        "d": np.median(d),
        "d_deviation": np.median(np.abs(np.asarray(d) - np.median(d))),
        "distance": distance,
        "inverse_distance": 1 / distance,
        "inverse_distance_deviation": np.median([abs(1 / each - 1 / distance) for each in D]),
    }
    for name, value in wanted.items():
        assert result.metrics[f"similarity.{prefix}{name}"] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert result.metrics["similarity.pairs"] == 2
    assert result.metrics["similarity.cell_lines"] == 3
    assert len(result.tables["pairs"]) == 3 * 2 * 4


def test_alike_pairs_are_near_and_unlike_ones_are_not(planted):
    embeddings, metadata = planted(per_group=20)
    alike = _run(embeddings, metadata).metrics["similarity.d"]
    unlike = _run(embeddings, metadata, options=EvaluationOptions(pairs=(("a", "c"), ("b", "d")))).metrics[
        "similarity.d"
    ]
    assert alike > 0.3 > unlike


def test_null_embeddings_are_at_chance(planted):
    embeddings, metadata = planted(per_group=60, controls=200)
    noise = np.random.default_rng(0).normal(size=embeddings.shape).astype(np.float32)
    metrics = _run(noise, metadata).metrics
    assert abs(metrics["similarity.d"]) < 0.03
    assert abs(metrics["similarity.cosine_d"]) < 0.05


def test_row_order_and_scale_do_not_matter(planted):
    embeddings, metadata = planted()
    first = _run(embeddings, metadata).metrics
    order = np.random.default_rng(0).permutation(len(embeddings))
    second = _run(embeddings[order], metadata.iloc[order]).metrics
    assert second == pytest.approx(first, rel=1e-6)
    scaled = _run(embeddings * 1000, metadata).metrics
    for prefix in DISTANCES:
        assert scaled[f"similarity.{prefix}d"] == pytest.approx(first[f"similarity.{prefix}d"], abs=1e-5)


def test_one_cell_line_spreads_over_pairs(planted):
    result = _run(*planted(lines=("A",)))
    ds = result.tables["pairs"].query("metric == 'euclidean'")["d"]
    assert result.metrics["similarity.d_deviation"] == pytest.approx(np.median(np.abs(ds - ds.median())))


def test_the_study_pair_goes_before_mechanisms():
    embeddings, metadata = _study_table()
    metadata = metadata.assign(Metadata_Split="test", Metadata_MOA=metadata["Metadata_Compound"])
    lower = metadata.replace({"Metadata_Compound": {"Methotrexate": "methotrexate"}})
    table = _run(embeddings, lower).tables["pairs"]
    assert set(zip(table["compound_a"], table["compound_b"], strict=True)) == {("methotrexate", "Pemetrexed")}
    assert (table["control_images"] == 42).all()


def test_pairs_sharing_a_mechanism():
    pairs = similarity.pairs_sharing(["b", "a", "c", "a", "d", "e", "e"], ["x", "x", "", "y", "y", "z", "z"])
    assert pairs == (("a", "b"), ("a", "d"))


def test_what_the_data_lacks_is_said(planted):
    embeddings, metadata = planted()
    with pytest.raises(InputError, match="aspirin"):
        _run(embeddings, metadata, options=EvaluationOptions(pairs=(("a", "aspirin"),)))
    no_study_pair = _run(embeddings, metadata, protocol="reference-1")
    assert np.isnan(list(no_study_pair.metrics.values())).all()
    assert "Methotrexate / Pemetrexed" in no_study_pair.warnings[0]
    no_compounds = _run(embeddings, metadata.drop(columns="Metadata_Compound"))
    assert "Metadata_Compound" in no_compounds.warnings[0]
    only_controls = metadata.assign(Metadata_ControlType="negcon")
    assert np.isnan(_run(embeddings, only_controls).metrics["similarity.d"])


def test_other_wells_stand_for_the_studys_with_a_warning():
    embeddings, metadata = _study_table()
    other = metadata.replace({"Metadata_Well": {"P21": "B2", "M08": "B3"}})
    result = _run(embeddings, other, protocol="reference-1")
    assert "DMSO wells" in result.warnings[0]
    assert (result.tables["pairs"]["control_images"] == 30).all()


def test_collapsed_embeddings_are_undefined_not_infinite(planted):
    embeddings, metadata = planted()
    result = _run(np.ones_like(embeddings), metadata)
    assert np.isnan(result.metrics["similarity.inverse_distance"])
    assert np.isnan(result.metrics["similarity.d"])
    assert any("identical" in warning for warning in result.warnings)
