"""The profiling task on planted and on null studies, and what it says where the data lacks something."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.tasks.image_profiling import ProfilingOptions, profile_metrics


def study(
    *, strength: float, seed: int = 0, plate_effect: float = 1.0, features: int = 24
) -> EvaluationInput:
    """Two cell lines, 8 plates of 8 control wells and 12 compounds of 4 mechanisms, 3 images a well."""
    generator = np.random.default_rng(seed)
    rows = [
        (line, plate, well, compound, "negcon" if compound < 0 else "trt")
        for line in ("A", "B")
        for plate in range(8)
        for well, compound in enumerate([-1] * 8 + list(range(12)))
        for _ in range(3)
    ]
    table = pd.DataFrame(rows, columns=["line", "plate", "well", "compound", "kind"])
    compounds = table["compound"].to_numpy()
    plates = table["plate"].to_numpy()
    mechanism = generator.standard_normal((4, features)) * strength
    compound = generator.standard_normal((12, features)) * strength / 3
    effect = np.where((compounds < 0)[:, None], 0, mechanism[compounds % 4] + compound[compounds])
    lines = generator.standard_normal((2, features)) * 3
    values = effect + lines[(table["line"] == "B").to_numpy().astype(int)]
    values += generator.standard_normal((8, features))[plates] * plate_effect
    values += generator.standard_normal(values.shape)
    split = np.where(plates < 3, "train", np.where(plates < 4, "validation", "test"))
    metadata = pd.DataFrame(
        {
            "Metadata_CellLine": table["line"],
            "Metadata_Plate": [f"{line}{plate}" for line, plate in zip(table["line"], plates, strict=True)],
            "Metadata_Well": table["well"].astype(str),
            "Metadata_Compound": np.where(compounds < 0, "DMSO", "c" + table["compound"].astype(str)),
            "Metadata_MOA": [None if compound < 0 else f"m{compound % 4}" for compound in compounds],
            "Metadata_ControlType": table["kind"],
            "Metadata_Split": split,
        }
    )
    return EvaluationInput(values.astype(np.float32), metadata)


def test_planted_effects_are_found() -> None:
    result = profile_metrics(study(strength=3), options=ProfilingOptions(null_sets=50))
    metrics = {name.removeprefix("profiling."): value for name, value in result.metrics.items()}
    assert metrics["profiles"] == 2 * 4 * 20
    for name in ("replicate_map", "moa_map", "nsc_accuracy", "nscb_accuracy"):
        assert metrics[name] > 0.8, name
    for name in ("replicate_retrieved", "replicating", "matching"):
        assert metrics[name] > 0.9, name
    assert metrics["knn_accuracy"] > 4 * metrics["knn_chance"]
    assert metrics["probe_accuracy"] > 0.9
    assert metrics["probe_chance"] == 1 / 4
    assert metrics["nsc_chance"] == pytest.approx(2 / 11)
    assert result.warnings == ()
    assert result.tables["settings"].loc[0, "normalized_by"] == "Plate and CellLine"
    replicates = result.tables["replicates"]
    assert len(replicates) == 24
    assert set(replicates["Metadata_Compound"]) == {f"c{i}" for i in range(12)}
    assert (replicates["queries"] == 4).all()
    assert len(result.tables["mechanisms"]) == 8


def test_null_data_is_at_chance() -> None:
    found = [
        profile_metrics(study(strength=0, seed=seed), options=ProfilingOptions(null_sets=50)).metrics
        for seed in range(4)
    ]
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert mean["profiling.replicate_retrieved"] <= 0.05
    assert mean["profiling.moa_retrieved"] <= 0.05
    assert mean["profiling.replicating"] <= 0.15
    for name in ("knn", "nsc", "nscb", "probe"):
        gap = mean[f"profiling.{name}_accuracy"] - mean[f"profiling.{name}_chance"]
        assert abs(gap) < 0.12, name


def test_normalization_removes_what_plates_do() -> None:
    inputs = study(strength=1, plate_effect=6)
    found = {
        name: profile_metrics(inputs, options=ProfilingOptions(normalize=name, null_sets=20)).metrics
        for name in ("none", "mad_robustize", "spherize")
    }
    for name in ("mad_robustize", "spherize"):
        assert found[name]["profiling.replicate_map"] > found["none"]["profiling.replicate_map"] + 0.1


def test_what_is_missing_is_said() -> None:
    full = study(strength=2)
    options = ProfilingOptions(null_sets=20)
    without = full.metadata.drop(columns=["Metadata_MOA", "Metadata_Plate", "Metadata_Well"])
    result = profile_metrics(EvaluationInput(full.embeddings, without), options=options)
    assert "no Metadata_Well" in result.warnings[0]
    assert "moa_map" in result.warnings[1]
    assert np.isnan(result.metrics["profiling.nsc_accuracy"])
    assert result.metrics["profiling.replicate_map"] > 0.5
    assert result.tables["settings"].loc[0, "normalized_by"] == "CellLine"
    few = full.metadata["Metadata_Well"].astype(int).between(4, 7)
    fewer = EvaluationInput(full.embeddings[~few], full.metadata[~few])
    assert profile_metrics(fewer, options=options).tables["settings"].loc[0, "normalized_by"] == "CellLine"
    nameless = EvaluationInput(full.embeddings, full.metadata.drop(columns="Metadata_Compound"))
    assert all(np.isnan(value) for value in profile_metrics(nameless).metrics.values())
    with pytest.raises(InputError, match="normalize must be one of mad_robustize"):
        ProfilingOptions(normalize="zscore")  # type: ignore[arg-type]


def test_the_task_is_registered_and_reproducible() -> None:
    inputs = study(strength=1)
    first, second = (evaluate(inputs, tasks=["profiling"])["profiling"] for _ in range(2))
    assert first.metrics == second.metrics
    order = np.random.default_rng(0).permutation(len(inputs.embeddings))
    shuffled = EvaluationInput(inputs.embeddings[order], inputs.metadata.iloc[order])
    third = evaluate(shuffled, tasks=["profiling"])["profiling"]
    for name in ("replicate_map", "moa_map", "knn_accuracy", "nsc_accuracy", "probe_accuracy"):
        assert third.metrics[f"profiling.{name}"] == pytest.approx(first.metrics[f"profiling.{name}"])
