"""DINO, SimCLR, VICReg and the masked autoencoder: losses against slow twins, and what all promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.objectives import create, names
from morphobench.objectives.dino import Dino
from morphobench.objectives.losses import covariance_loss, dino_loss, masked_loss, nt_xent, variance_loss
from morphobench.objectives.masked_autoencoder import draw_masks

FURTHER = ("dino", "simclr", "vicreg", "masked_autoencoder")


def vectors(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, columns))


def slow_nt_xent(z: np.ndarray, temperature: float) -> float:
    """Equation 1 of the paper, term by term."""
    rows, half = len(z), len(z) // 2

    def similarity(i: int, j: int) -> float:
        return float(z[i] @ z[j] / np.sqrt((z[i] @ z[i]) * (z[j] @ z[j])) / temperature)

    total = 0.0
    for i in range(rows):
        partner = i + half if i < half else i - half
        others = sum(np.exp(similarity(i, k)) for k in range(rows) if k != i)
        total -= np.log(np.exp(similarity(i, partner)) / others)
    return total / rows


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_equation_1(temperature: float) -> None:
    z = vectors(10, 7)
    ours = nt_xent(torch.from_numpy(z), temperature=temperature)
    assert float(ours) == pytest.approx(slow_nt_xent(z, temperature), rel=1e-12)


def test_nt_xent_of_equal_vectors_is_chance() -> None:
    assert float(nt_xent(torch.ones(8, 3), temperature=0.5)) == pytest.approx(np.log(7))


def test_vicreg_terms_are_the_equations() -> None:
    z = vectors(9, 5) * np.array([0.2, 0.5, 1.0, 2.0, 0.9])
    deviation = np.sqrt([np.sum((column - column.mean()) ** 2) / 8 + 1e-4 for column in z.T])
    assert float(variance_loss(torch.from_numpy(z))) == pytest.approx(np.maximum(0, 1 - deviation).sum() / 5)
    covariance = np.cov(z.T)
    squares = sum(covariance[i, j] ** 2 for i in range(5) for j in range(5) if i != j)
    assert float(covariance_loss(torch.from_numpy(z))) == pytest.approx(squares / 5)


def test_vicreg_weighs_its_terms() -> None:
    objective = create("vicreg", size_px=16, weights=(2.0, 3.0, 5.0), features=16)
    views = tuple(torch.rand(2, 6, 1, 16, 16, generator=torch.Generator().manual_seed(0)))
    terms = objective.train_step(views, torch.zeros(6, dtype=torch.int64))
    parts = [terms[f"{name}_loss"] for name in ("invariance", "variance", "covariance")]
    expected = 2 * parts[0] + 3 * parts[1] + 5 * parts[2]
    torch.testing.assert_close(terms["loss"], expected, rtol=1e-6, atol=0)


def test_dino_loss_is_the_equation() -> None:
    student, teacher, center = vectors(4, 6), vectors(5, 6)[:4], vectors(7, 6)[0]
    expected = []
    for s, t in zip(student, teacher, strict=True):
        aim = np.exp((t - center) / 0.04)
        guess = np.exp(s / 0.1)
        expected.append(-sum(aim / aim.sum() * np.log(guess / guess.sum())))
    tensors = (torch.from_numpy(one) for one in (student, teacher, center))
    found = dino_loss(*tensors, student_temperature=0.1, teacher_temperature=0.04)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_dinos_teacher_and_centre_follow_slowly() -> None:
    objective = create("dino", size_px=16, learning_rate=1e-2, ema_decay=0.75, center_momentum=0.5)
    assert isinstance(objective, Dino)
    start = dict(objective.state_dict())
    views, labels = batch(True)
    with torch.no_grad():
        outputs = objective.teacher_head(objective.teacher_encoder(torch.cat(views)))
    objective.validation_loss(views, labels)
    assert torch.equal(objective.teacher_head.center, torch.zeros(1024))  # judging moves nothing
    objective.train_step(views, labels)
    after = objective.state_dict()
    for name in ("encoder.0.weight", "head.layers.0.weight", "head.prototypes.weight"):
        ours, before = after[f"network.{name}"], start[f"network.{name}"]
        assert not torch.equal(ours, before)
        expected = 0.75 * start[f"network.teacher_{name}"] + 0.25 * ours
        torch.testing.assert_close(after[f"network.teacher_{name}"], expected, rtol=1e-6, atol=1e-7)
        assert torch.equal(before, start[f"network.teacher_{name}"])  # equal at the start
    torch.testing.assert_close(objective.teacher_head.center, 0.5 * outputs.mean(0), rtol=1e-5, atol=1e-7)


def test_masks_hide_whole_patches_and_follow_seed_and_step() -> None:
    options: dict[str, Any] = {"size_px": 16, "patch_px": 4, "ratio": 0.75}
    hidden = draw_masks(5, **options, seed=1, step=2)
    assert hidden.shape == (5, 1, 16, 16)
    patches = hidden.view(5, 4, 4, 4, 4).transpose(2, 3).reshape(5, 16, 16)
    assert bool((patches.all(2) | ~patches.any(2)).all())
    assert patches.all(2).sum(1).tolist() == [12] * 5
    assert torch.equal(hidden, draw_masks(5, **options, seed=1, step=2))
    assert not torch.equal(hidden, draw_masks(5, **options, seed=1, step=3))
    assert not torch.equal(hidden, draw_masks(5, **options, seed=2, step=2))


def test_masked_loss_counts_hidden_pixels_only() -> None:
    rng = np.random.default_rng(0)
    logits, images = rng.standard_normal((3, 2, 8, 8)), rng.random((3, 2, 8, 8))
    hidden = draw_masks(3, size_px=8, patch_px=4, ratio=0.5, seed=0, step=0)
    expected = 0.0
    for n in range(3):
        seen = hidden[n, 0].numpy()
        errors = (1 / (1 + np.exp(-logits[n])) - images[n]) ** 2
        expected += errors[:, seen].mean()
    ours = masked_loss(torch.from_numpy(logits), torch.from_numpy(images), hidden)
    assert float(ours) == pytest.approx(expected)
    changed = torch.from_numpy(logits) + torch.where(hidden, 0.0, 5.0)
    assert float(masked_loss(changed, torch.from_numpy(images), hidden)) == pytest.approx(expected)


def batch(pair: bool) -> tuple[tuple[Tensor, ...], Tensor]:
    views = torch.rand(2, 8, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return tuple(views) if pair else (views[0],), torch.zeros(8, dtype=torch.int64)


@pytest.mark.parametrize("name", FURTHER)
def test_they_learn_resume_exactly_and_validate_without_a_trace(name: str) -> None:
    assert name in names()
    # as DINO's centre moves away from what all images share, its loss grows; with a resting one it must fall
    options: dict[str, Any] = {"center_momentum": 1.0} if name == "dino" else {}
    one = create(name, size_px=16, learning_rate=1e-3, **options)
    views, labels = batch(one.pair_views)
    first = one.validation_loss(views, labels)["loss"]
    assert torch.equal(first, one.validation_loss(views, labels)["loss"])
    for _ in range(12):
        one.train_step(views, labels)
    assert one.validation_loss(views, labels)["loss"] < first
    two = create(name, size_px=16, **options)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.train_step(views, labels)["loss"], two.train_step(views, labels)["loss"])
    state, other = one.state_dict(), two.state_dict()
    assert all(torch.equal(state[key], other[key]) for key in state)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dino", {"temperatures": (0.1, 0.0)}),
        ("dino", {"ema_decay": 1.1}),
        ("simclr", {"temperature": 0.0}),
        ("vicreg", {"weights": (1.0, 2.0)}),
        ("masked_autoencoder", {"patch_px": 7}),
        ("masked_autoencoder", {"mask_ratio": 0.0}),
    ],
)
def test_impossible_options_are_refused(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"must .*, got"):
        create(name, **options)  # type: ignore[arg-type]
