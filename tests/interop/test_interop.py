"""Our files in other people's programs, without renaming a column: pycytominer, copairs, scanpy.

``nox -s interop`` installs these in an environment of its own and runs this folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morphobench.embeddings import read_embeddings, write_embeddings
from morphobench.evaluation import profiles
from morphobench.evaluation.retrieval.average_precision import average_precision, mean_average_precision

FEATURES = [f"emb_{number:04d}" for number in range(12)]
WHY = "is not installed (extra: interop)"

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one set of embeddings as Parquet and, where anndata is there, as .h5ad."""
    generator = np.random.default_rng(0)
    rows = []
    for plate in range(3):
        for well in range(16):
            drug = well % 2
            for site in range(4):
                rows.append(
                    {
                        "Metadata_Plate": f"P{plate}",
                        "Metadata_Well": f"{'AB'[drug]}{well // 2 + 1:02d}",
                        "Metadata_Site": site,
                        "Metadata_Compound": f"c{well // 4}" if drug else "DMSO",
                        "Metadata_ControlType": "trt" if drug else "negcon",
                    }
                )
    metadata = pd.DataFrame(rows)
    effect = generator.normal(size=(4, len(FEATURES)))
    embeddings = generator.normal(size=(len(rows), len(FEATURES)))
    treated = metadata["Metadata_ControlType"] == "trt"
    embeddings[treated] += effect[metadata["Metadata_Compound"][treated].str[1:].astype(int)]
    folder = tmp_path_factory.mktemp("written")
    write_embeddings(folder / "e.parquet", embeddings.astype(np.float32), metadata, provenance={"seed": 0})
    try:
        import anndata  # noqa: F401
    except ImportError:
        return folder
    write_embeddings(folder / "e.h5ad", embeddings.astype(np.float32), metadata, provenance={"seed": 0})
    return folder


def wells(written: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Our median profiles and the metadata of each."""
    embeddings, metadata, _ = read_embeddings(written / "e.parquet")
    codes = metadata.groupby(["Metadata_Plate", "Metadata_Well"]).ngroup().to_numpy().astype(np.int64)
    values, first = profiles.aggregate(embeddings, codes)
    return values, metadata.iloc[first].reset_index(drop=True)


def test_pycytominer_loads_aggregates_and_normalizes(written: Path) -> None:
    pycytominer = pytest.importorskip("pycytominer", reason=f"pycytominer {WHY}")
    from pycytominer.cyto_utils.load import load_profiles

    loaded = load_profiles(str(written / "e.parquet"))
    assert list(loaded.columns[-len(FEATURES) :]) == FEATURES
    strata = ["Metadata_Plate", "Metadata_Well", "Metadata_Compound", "Metadata_ControlType"]
    theirs = pycytominer.aggregate(loaded, strata=strata, features=FEATURES, operation="median")
    ours, metadata = wells(written)
    theirs = theirs.sort_values(["Metadata_Plate", "Metadata_Well"], ignore_index=True)
    assert (theirs["Metadata_Compound"] == metadata["Metadata_Compound"]).all()
    np.testing.assert_allclose(theirs[FEATURES], ours, rtol=1e-5, atol=1e-6)
    controls = (metadata["Metadata_ControlType"] == "negcon").to_numpy()
    normalized = pycytominer.normalize(
        theirs,
        features=FEATURES,
        meta_features=strata,
        samples="Metadata_ControlType == 'negcon'",
        method="mad_robustize",
        mad_robustize_epsilon=0.0,
    )
    np.testing.assert_allclose(
        normalized[FEATURES].to_numpy(np.float64),
        profiles.mad_robustize(ours, controls),
        rtol=1e-4,
        atol=1e-4,
    )


def test_copairs_finds_the_same_mean_average_precision(written: Path) -> None:
    copairs_map = pytest.importorskip("copairs.map", reason=f"copairs {WHY}")
    values, metadata = wells(written)
    theirs = copairs_map.average_precision(
        metadata,
        values,
        pos_sameby=["Metadata_Compound"],
        pos_diffby=[],
        neg_sameby=[],
        neg_diffby=["Metadata_ControlType"],
    )
    treated = (metadata["Metadata_ControlType"] == "trt").to_numpy()
    compounds = np.where(treated, pd.factorize(metadata["Metadata_Compound"])[0], -1).astype(np.int64)
    retrieval = average_precision(values, compounds, controls=~treated)
    np.testing.assert_allclose(
        theirs["average_precision"].to_numpy()[treated], retrieval.average_precision[treated], atol=1e-6
    )
    ours = mean_average_precision(retrieval, compounds)
    theirs_map = copairs_map.mean_average_precision(
        theirs[treated], ["Metadata_Compound"], null_size=1000, threshold=0.05, seed=0
    )
    np.testing.assert_allclose(
        np.sort(theirs_map["mean_average_precision"]), np.sort(ours.mean_average_precision), atol=1e-6
    )


def test_scanpy_reads_the_file_and_finds_neighbours(written: Path) -> None:
    scanpy = pytest.importorskip("scanpy", reason=f"scanpy {WHY}")
    table = scanpy.read_h5ad(written / "e.h5ad")
    embeddings, metadata, _ = read_embeddings(written / "e.parquet")
    assert list(table.var_names) == FEATURES
    assert list(table.obs.columns) == list(metadata.columns)
    np.testing.assert_array_equal(np.asarray(table.X), embeddings)
    assert (table.obs["Metadata_Compound"].astype(str) == metadata["Metadata_Compound"].to_numpy()).all()
    scanpy.pp.neighbors(table, n_neighbors=10, use_rep="X", random_state=0)
    distances = table.obsp["distances"].toarray()
    gaps = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    for row in range(0, len(gaps), 16):  # the neighbours it keeps are the nearest ones
        found = np.flatnonzero(distances[row])
        assert np.sort(gaps[row, found]) == pytest.approx(np.sort(gaps[row])[1 : len(found) + 1], rel=1e-4)
