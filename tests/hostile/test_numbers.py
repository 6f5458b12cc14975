"""Data without spread, without classes, without numbers: defined results or a reason, never a silent NaN."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from morphobench.augment import MultiCrop
from morphobench.embeddings import embed, write_embeddings
from morphobench.errors import CheckError, InputError, MorphobenchError
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.registry import TASKS
from morphobench.objectives import create, registry
from morphobench.objectives.protocol import GROUPS
from morphobench.options import EvaluationOptions
from morphobench.run import run
from morphobench.training import TrainingOptions, train
from tests.hostile.conftest import WHOLE
from tests.run.conftest import tiny_options, tiny_store

COUNT, SIZE = 64, 16
RANDOM = np.random.default_rng(0)
NOISE: Any = RANDOM.normal(size=(COUNT, 8)).astype(np.float32)


def described() -> pd.DataFrame:
    """Two classes, four compounds, two mechanisms, eight plates, split by plate."""
    number = np.arange(COUNT)
    drug = number % 2 == 1
    return pd.DataFrame(
        {
            "path": [f"{n}.png" for n in number],
            "Metadata_Plate": [f"P{n // 8}" for n in number],
            "Metadata_Well": [f"{'ABCDEFGH'[n % 8]}{1 + n // 8:02d}" for n in number],
            "Metadata_CellLine": "one",
            "Metadata_Compound": np.where(drug, np.char.add("c", (number // 2 % 4).astype(str)), "DMSO"),
            "Metadata_MOA": np.where(drug, np.where(number // 2 % 4 < 2, "m0", "m1"), ""),
            "Metadata_ControlType": np.where(drug, "trt", "negcon"),
            "Metadata_Split": [("train", "train", "validation", "test")[n // 8 % 4] for n in number],
        }
    )


EMBEDDINGS: dict[str, Any] = {
    "constant": np.ones((COUNT, 8), np.float32),
    "zero": np.zeros((COUNT, 8), np.float32),
    "two values": np.repeat(np.arange(COUNT)[:, None] % 2, 8, axis=1).astype(np.float32),
    "ties": (np.arange(COUNT)[:, None] // 16 * np.ones(8)).astype(np.float32),
    "one feature": NOISE[:, :1],
    "one constant feature": np.concatenate([NOISE, np.ones((COUNT, 1), np.float32)], axis=1),
    "rank one": NOISE[:, :1] * np.arange(1, 9, dtype=np.float32),
    "same in each class": np.where((np.arange(COUNT) % 2 == 1)[:, None], 1, -1) * np.ones((1, 8), np.float32),
    "one row far away": np.where(np.arange(COUNT)[:, None] == 3, np.float32(1e18), NOISE),
    "huge": NOISE * np.float32(1e37),
    "tiny": NOISE * np.float32(1e-38),
    "denormal": NOISE * np.float32(1e-44),
    "negative": -np.abs(NOISE),
    "more features than images": RANDOM.normal(size=(COUNT, 300)).astype(np.float32),
}

TABLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as it is": lambda t: t,
    "one image per class": lambda t: t.groupby(["Metadata_Split", "Metadata_ControlType"]).head(1),
    "one image per compound": lambda t: t.groupby(["Metadata_Split", "Metadata_Compound"]).head(1),
    "one plate": lambda t: t.assign(Metadata_Plate="P"),
    "one compound": lambda t: t.assign(
        Metadata_Compound=t["Metadata_Compound"].replace("c[0-9]", "c", regex=True)
    ),
    "one mechanism": lambda t: t.assign(Metadata_MOA="m"),
    "no mechanism": lambda t: t.assign(Metadata_MOA=None),
    "a compound of its own each": lambda t: t.assign(Metadata_Compound=[f"x{n}" for n in range(len(t))]),
    "a well each": lambda t: t.assign(Metadata_Well=[f"W{n}" for n in range(len(t))]),
    "one well": lambda t: t.assign(Metadata_Well="A01"),
    "one control": lambda t: pd.concat([t[t["Metadata_ControlType"] == "trt"], t[:1]]),
    "a cell line each": lambda t: t.assign(Metadata_CellLine=[f"l{n}" for n in range(len(t))]),
    "no control in test": lambda t: t[(t["Metadata_Split"] != "test") | (t["Metadata_ControlType"] == "trt")],
    "two images": lambda t: t[:2],
    "one image": lambda t: t[:1],
}
FEW = ("constant", "denormal", "huge", "one image per class", "one plate", "a well each", "two images")
PAIRS = [(name, "as it is") for name in EMBEDDINGS] + [("random", name) for name in TABLES]
PAIRS = [pair for pair in PAIRS if WHOLE or set(pair) & set(FEW)]
PAIRS += [("constant", name) for name in TABLES if WHOLE]
RULES: list[tuple[Any, dict[str, Any]]] = [("corrected-1", {})]
if WHOLE:
    further = ({"normalize": "spherize"}, {"normalize": "tvn"}, {"level": "treatment"})
    RULES += [("reference-1", {}), *(("corrected-1", options) for options in further)]


@pytest.mark.parametrize(("protocol", "options"), RULES, ids=str)
@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize(("values", "table"), PAIRS)
def test_tasks(
    values: str, table: str, task: str, options: dict[str, Any], protocol: Any, case: Callable[[str], None]
) -> None:
    rows = TABLES[table](described().reset_index())
    features = EMBEDDINGS.get(values, NOISE)[rows["index"].to_numpy()]
    small = {"classifier_epochs": 2, "learning_rates": (0.05,), "momenta": (0.9,), "weight_decays": (1e-4,)}
    chosen = EvaluationOptions.build(**small, min_cluster_sizes=(5,), **options)
    try:
        inputs = EvaluationInput(
            features, rows.drop(columns="index").reset_index(drop=True), protocol=protocol, options=chosen
        )
        ((_, result),) = evaluate(inputs, tasks=(task,)).items()
    except MorphobenchError as error:
        said = str(error)
        assert "must" in said
        case("refused")
        return
    told = result.warnings
    for name, value in result.metrics.items():
        assert not math.isinf(value), name
        if math.isnan(value):
            # one unit says nothing about a spread: its deviation is always undefined
            assert told or name.endswith("_deviation"), f"{name} is NaN without a word"
    for name, interval in result.intervals.items():
        bounds = [getattr(interval, end, 0.0) for end in ("low", "high")]
        assert not any(bound is not None and math.isinf(bound) for bound in bounds), name
    case("right")


IMAGES: dict[str, Any] = {
    "black": np.zeros((8, 1, SIZE, SIZE), np.uint8),
    "white": np.full((8, 1, SIZE, SIZE), 255, np.uint8),
    "the same": np.repeat(RANDOM.integers(0, 256, (1, 1, SIZE, SIZE)).astype(np.uint8), 8, axis=0),
    "one pixel": np.pad(np.full((8, 1, 1, 1), 255, np.uint8), ((0, 0), (0, 0), (7, 8), (7, 8))),
    "one per class": RANDOM.integers(0, 256, (2, 1, SIZE, SIZE)).astype(np.uint8),
}


def _objective(paradigm: str, protocol: Any) -> Any:
    try:
        return create(paradigm, protocol=protocol, size_px=SIZE, seed=0)
    except InputError as error:
        pytest.skip(f"{paradigm} under {protocol}: {error}")


def _train(objective: Any, images: Any) -> Any:
    groups = {name: np.arange(len(images)) // (2 + number) for number, name in enumerate(GROUPS)}
    return train(
        objective,
        images=images,
        labels=np.arange(len(images)) % 2,
        image_ids=np.arange(len(images)),
        setting="no_aug_one_crop",
        options=TrainingOptions(epochs=2, batch_size=4, size_px=SIZE, threads=1),
        groups=groups,
    )


@pytest.mark.parametrize("protocol", ["corrected-1", "reference-1"] if WHOLE else ["corrected-1"])
@pytest.mark.parametrize("paradigm", sorted(registry.names()))
@pytest.mark.parametrize("name", IMAGES if WHOLE else ["black", "one per class"])
def test_objectives(name: str, paradigm: str, protocol: Any, case: Callable[[str], None]) -> None:
    objective, images = _objective(paradigm, protocol), IMAGES[name]
    try:
        result = _train(objective, images)
    except MorphobenchError as error:
        said = str(error)
        assert "must" in said
        case("refused")
        return
    for epoch in result.history:
        assert all(math.isfinite(value) for value in epoch.training.values())
    assert np.isfinite(embed(objective.encoder, images)).all()
    case("right")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("paradigm", sorted(registry.names()))
def test_weights_that_are_not_finite_end_training(
    paradigm: str, value: float, case: Callable[[str], None]
) -> None:
    objective = _objective(paradigm, "corrected-1")
    with torch.no_grad():
        next(objective.encoder.parameters()).view(-1)[0] = value
    with pytest.raises(MorphobenchError, match="must be"):
        _train(objective, IMAGES["one pixel"])
    case("refused")


@pytest.mark.parametrize("pixel", [0, 255])
@pytest.mark.parametrize(
    "setting", ["no_aug_one_crop", "aug_one_crop", "no_aug_multi_crop", "aug_multi_crop"]
)
def test_views_of_constant_images(setting: str, pixel: int, case: Callable[[str], None]) -> None:
    images = np.full((4, 1, 40, 50), pixel, np.uint8)
    views = MultiCrop(setting, size_px=SIZE, threads=1)(images, np.arange(4), 0)
    np.testing.assert_allclose(views, pixel / 255, atol=1e-6)
    case("right")


@pytest.mark.skipif(not WHOLE, reason="nox -s hostile does this")
@pytest.mark.parametrize("pixel", [0, 255])
def test_a_run_on_constant_images(tmp_path: Path, pixel: int, case: Callable[[str], None]) -> None:
    store = tiny_store(tmp_path / "source")
    from morphobench import ImageStore

    made = ImageStore.create(tmp_path / "store", np.full_like(store.images, pixel), store.metadata)
    names = [f"{paradigm}/aug_multi_crop" for paradigm in ("unsupervised", "self_supervised", "regularized")]
    options = tiny_options(setups=names, tasks=sorted(TASKS), baselines=["mean_intensity", "pca_pixels"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            records = run(made.path, tmp_path / "out", options=options, quiet=True)
        except CheckError as error:
            said = str(error)
            assert "failed" in said
            case("refused")
            return
    for record in records:
        for name, number in record.metrics.items():
            told = [text for task in record.tasks.values() for text in task.warnings]
            assert number is not None or told, f"{record.setup}: {name} is null without a word"
    case("right")


def test_write_of_no_embeddings(tmp_path: Path, case: Callable[[str], None]) -> None:
    with pytest.raises(CheckError, match="finite"):
        write_embeddings(
            tmp_path / "e.parquet",
            np.full((2, 2), np.nan, np.float32),
            pd.DataFrame({"Metadata_Well": ["a", "b"]}),
        )
    case("refused")
