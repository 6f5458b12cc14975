"""Three training steps of every paradigm under reference-1 give the study's losses and weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from morphobench.objectives import create

LOOSE = (
    "net.model.6.bias",
    "net.model.8.bias",
    "projector.net.0.bias",
    "projector.net.3.bias",
    "predictor.net.0.bias",
)


def recipe_weights(parameters: list[tuple[str, list[int]]], seed: int) -> dict[str, torch.Tensor]:
    """The weights that training_steps.json describes under "recipe"."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in parameters:
        values = rng.standard_normal(shape) * (0.05 if len(shape) > 1 else 0.01)
        if name.endswith("net.1.weight"):
            values += 1
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights


@pytest.mark.parametrize("paradigm", ["weakly-supervised", "unsupervised", "regularized", "self-supervised"])
def test_three_steps_match_the_study(paradigm: str, golden: Path) -> None:
    record = json.loads((golden / "training_steps.json").read_text())
    expected, seed = record[paradigm], record["recipe"]["seed"]
    with np.load(golden / "training_batch.npz") as batch:
        images = torch.from_numpy(batch["images"])[:, None].float() / 255
        labels = torch.from_numpy(batch["labels"])
    if paradigm == "regularized":
        weights = recipe_weights(expected["parameters_autoencoder"], seed)
        weights |= recipe_weights(expected["parameters_classifier"], seed + 1)
    else:
        weights = recipe_weights(expected["parameters"], seed)

    objective = create(paradigm, protocol="reference-1", channels=1, seed=0)
    ours = dict(objective.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            ours[name].copy_(value)
    byol = paradigm == "self-supervised"
    views = (images, images.flip(-1)) if byol else (images,)
    terms = [objective.train_step(views, labels) for _ in range(3)]

    losses = {
        "losses": "loss",
        "reconstruction_losses": "reconstruction_loss",
        "classification_losses": "classification_loss",
    }
    for theirs, name in losses.items():
        for step, value in enumerate(expected.get(theirs, [])):
            tolerance = (1e-5 if step == 0 else 5e-4) if byol else 1e-6
            assert float(terms[step][name]) == pytest.approx(value, rel=tolerance)
    norms = {key: value for group in expected if "norms" in group for key, value in expected[group].items()}
    assert set(norms) == set(ours)
    for name, value in norms.items():
        tolerance = (5e-2 if name.endswith(LOOSE) else 5e-4) if byol else 5e-6
        assert float(ours[name].detach().double().norm()) == pytest.approx(value, rel=tolerance), name


def test_the_target_starts_as_a_copy_of_weights_set_online() -> None:
    objective = create("self_supervised", protocol="reference-1", ema_decay=1.0)
    parameters = dict(objective.named_parameters())
    with torch.no_grad():
        parameters["net.model.0.bias"].fill_(0.25)
    views = torch.rand(2, 4, 1, 64, 64)
    objective.train_step(tuple(views), torch.zeros(4, dtype=torch.int64))
    assert torch.equal(parameters["target_encoder.net.model.0.bias"].data, torch.full((64,), 0.25))


def test_a_target_that_was_written_to_is_kept() -> None:
    objective = create("self_supervised", protocol="reference-1", ema_decay=1.0)
    parameters = dict(objective.named_parameters())
    with torch.no_grad():
        parameters["target_encoder.net.model.0.bias"].fill_(0.5)
    views = torch.rand(2, 4, 1, 64, 64)
    objective.train_step(tuple(views), torch.zeros(4, dtype=torch.int64))
    assert torch.equal(parameters["target_encoder.net.model.0.bias"].data, torch.full((64,), 0.5))
