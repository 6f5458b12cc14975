"""Objectives that learn from compounds, wells and plates: losses against slow twins, sampling, training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.objectives import Batch, create
from morphobench.objectives.cross_well import Positives, positive_pairs
from morphobench.objectives.losses import nt_xent, sigreg_loss, supervised_contrastive_loss
from morphobench.objectives.sampling import BalancedGroups, OneGroupPerBatch
from morphobench.training import TrainingOptions, epoch_order, train

GROUPED = ("supervised_contrastive", "compound_classification", "cross_well", "lejepa")


def slow_supervised_contrastive(z: NDArray[Any], matches: NDArray[np.bool_], temperature: float) -> float:
    """Equation 2 of Khosla et al., row by row."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    rows = []
    for i in range(len(z)):
        positives = [p for p in range(len(z)) if p != i and matches[i, p]]
        if not positives:
            continue
        others = sum(np.exp(z[i] @ z[a] / temperature) for a in range(len(z)) if a != i)
        rows.append(-np.mean([np.log(np.exp(z[i] @ z[p] / temperature) / others) for p in positives]))
    return float(np.mean(rows))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_supervised_contrastive_is_equation_2(temperature: float) -> None:
    z = np.random.default_rng(0).standard_normal((9, 5))
    codes = np.array([0, 0, 1, 1, 1, 2, 0, 3, 1])  # 2 and 3 stand alone
    expected = slow_supervised_contrastive(z, codes[:, None] == codes[None], temperature)
    found = supervised_contrastive_loss(torch.from_numpy(z), torch.from_numpy(codes), temperature=temperature)
    assert float(found) == pytest.approx(expected, rel=1e-10)


def test_supervised_contrastive_of_pairs_is_nt_xent() -> None:
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(4).repeat(2)
    torch.testing.assert_close(
        supervised_contrastive_loss(z, codes, temperature=0.5), nt_xent(z, temperature=0.5)
    )


def test_rows_without_positives_give_zero_and_no_gradient_is_nan() -> None:
    z = torch.randn(4, 3, requires_grad=True)
    loss = supervised_contrastive_loss(z, torch.arange(4), temperature=0.1)
    assert float(loss.detach()) == 0
    loss.backward()
    assert z.grad is not None
    assert bool(torch.isfinite(z.grad).all())


def test_sigreg_is_the_statistic() -> None:
    """N times the integral of |empirical characteristic function - the Gaussian's|^2, in complex numbers."""
    rng = np.random.default_rng(1)
    z, directions = rng.standard_normal((12, 4)) * 1.3, rng.standard_normal((4, 6))
    directions /= np.linalg.norm(directions, axis=0)
    t = np.linspace(-5, 5, 17)
    expected = []
    for direction in directions.T:
        empirical = np.exp(1j * np.outer(z @ direction, t)).mean(0)
        expected.append(
            12 * np.trapezoid(np.abs(empirical - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), t)
        )
    found = sigreg_loss(torch.from_numpy(z), torch.from_numpy(directions))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-10)


def test_sigreg_prefers_a_gaussian() -> None:
    rng = np.random.default_rng(2)
    directions = torch.eye(3, dtype=torch.float64)
    values = {
        "gaussian": rng.standard_normal((2000, 3)),
        "wide": 3 * rng.standard_normal((2000, 3)),
        "collapsed": np.zeros((2000, 3)),
        "two points": rng.choice([-1.0, 1.0], (2000, 3)),
    }
    found = {name: float(sigreg_loss(torch.from_numpy(z), directions)) for name, z in values.items()}
    assert min(found, key=lambda name: found[name]) == "gaussian"
    assert min(found["wide"], found["collapsed"], found["two points"]) > 10 * found["gaussian"]


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        ("well", [(0, 1)]),
        ("compound_across_wells", [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        ("compound_across_plates", [(0, 3), (1, 3), (2, 3)]),
    ],
)
def test_positive_pairs(positives: Positives, expected: list[tuple[int, int]]) -> None:
    batch = Batch(
        torch.zeros(6, dtype=torch.int64),
        {
            "compound": torch.tensor([7, 7, 7, 7, 8, -1]),
            "well": torch.tensor([0, 0, 1, 2, 3, -1]),
            "plate": torch.tensor([0, 0, 0, 1, 1, 1]),
        },
    )
    pairs = positive_pairs(batch, positives)
    assert torch.equal(pairs, pairs.T)
    assert [tuple(pair) for pair in pairs.triu().nonzero().tolist()] == expected


def test_cross_well_without_other_images_is_simclr() -> None:
    options: dict[str, Any] = {"size_px": 16, "temperature": 0.3, "projection": 8}
    ours, simclr = create("cross_well", **options), create("simclr", **options)
    views = tuple(torch.rand(2, 6, 1, 16, 16, generator=torch.Generator().manual_seed(0)))
    alone = Batch(torch.zeros(6, dtype=torch.int64), {"well": torch.arange(6)})
    torch.testing.assert_close(
        ours.validation_loss(views, alone)["loss"], simclr.validation_loss(views, alone)["loss"]
    )


CODES = np.array([0] * 30 + [1] * 6 + [2] * 3 + [-1] * 5)


def test_balanced_batches_hold_every_group_equally_often() -> None:
    sampler = BalancedGroups("compound", images_per_group=2)
    order = epoch_order(44, seed=0, epoch=0)
    rows = sampler.batches(order, {"compound": CODES}, batches=5, batch_size=12, seed=3)
    assert rows.shape == (5, 12)
    assert np.bincount(CODES[rows].ravel(), minlength=3).tolist() == [20, 20, 20]
    assert (CODES[rows][:, ::2] == CODES[rows][:, 1::2]).all()
    assert (rows[:, ::2] != rows[:, 1::2]).all()
    assert len(np.unique(rows[CODES[rows] == 0])) == 20  # none twice before all have come
    again = sampler.batches(order, {"compound": CODES}, batches=5, batch_size=12, seed=3)
    np.testing.assert_array_equal(rows, again)
    assert not np.array_equal(
        rows, sampler.batches(order, {"compound": CODES}, batches=5, batch_size=12, seed=4)
    )


def test_one_group_per_batch_keeps_the_groups_shares() -> None:
    sampler, counts = OneGroupPerBatch("plate"), np.zeros(3)
    for epoch in range(40):
        order = epoch_order(44, seed=0, epoch=epoch)
        rows = sampler.batches(order, {"plate": CODES}, batches=13, batch_size=3, seed=epoch)
        plates = CODES[rows]
        assert (plates == plates[:, :1]).all()
        counts += np.bincount(plates[:, 0], minlength=3)
    assert counts / counts.sum() == pytest.approx(np.array([30, 6, 3]) / 39, abs=0.01)


@pytest.mark.parametrize("groups", [{}, {"compound": np.full(4, -1)}])
def test_missing_groups_are_refused(groups: dict[str, NDArray[np.int64]]) -> None:
    with pytest.raises(InputError, match=r"a known compound .*Metadata_Compound.*, got none"):
        BalancedGroups("compound").batches(np.arange(4), groups, batches=1, batch_size=2, seed=0)


@pytest.mark.parametrize(
    ("name", "sampling"),
    [("lejepa", "each batch of one plate"), ("compound_classification", "balanced over")],
)
def test_batches_of_one_plate_unless_the_objective_samples_its_own_way(name: str, sampling: str) -> None:
    rng = np.random.default_rng(0)
    result = train(
        create(name, size_px=16, encoder="small:depth=2,channels=8"),
        images=rng.integers(0, 256, (40, 1, 16, 16)).astype(np.uint8),
        labels=np.arange(40) % 2,
        image_ids=np.arange(40),
        groups={"compound": np.arange(40) % 5, "plate": np.arange(40) // 20},
        setting="no_aug_one_crop",
        options=TrainingOptions(epochs=1, batch_size=8, size_px=16, plate_batches=True),
    )
    assert result.sampling.startswith(sampling)


@pytest.mark.parametrize("name", GROUPED)
def test_they_train_and_say_how_batches_were_sampled(name: str) -> None:
    objective = create(name, size_px=16, learning_rate=1e-3, encoder="small:depth=2,channels=8")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 1, 16, 16)).astype(np.uint8)
    groups = {"compound": np.arange(40) % 5, "plate": np.arange(40) // 20, "well": np.arange(40) // 4}
    result = train(
        objective,
        images=images,
        labels=np.arange(40) % 2,
        image_ids=np.arange(40),
        groups=groups,
        setting="aug_one_crop",
        options=TrainingOptions(epochs=2, batch_size=8, size_px=16),
    )
    assert np.isfinite(result.history[-1].training["loss"])
    assert (result.sampling == "shuffled") is (name == "lejepa")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("supervised_contrastive", {"temperature": 0}, "must be above 0, got 0 and 128"),
        ("compound_classification", {"classes": 1}, "classes must be at least 2"),
        ("cross_well", {"positives": "plate"}, "positives must be one of well, .*, got 'plate'"),
        ("lejepa", {"weight": 2.0}, r"weight must be 0 to 1, .*, got 2\.0"),
    ],
)
def test_unfit_settings_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(name, size_px=16, **options)


def test_more_compounds_than_classes_are_refused() -> None:
    objective = create("compound_classification", size_px=16, classes=4)
    batch = Batch(torch.zeros(2, dtype=torch.int64), {"compound": torch.tensor([1, 4])})
    with pytest.raises(InputError, match="classes must be above 4, the largest code, got 4"):
        objective.train_step((torch.rand(2, 1, 16, 16),), batch)
