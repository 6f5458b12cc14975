"""What every objective promises: arguments checked, state exact, the same start for the same seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.objectives import Objective, create
from morphobench.setups import PARADIGMS
from morphobench.types import PROTOCOLS

CASES = [(name, protocol) for name in PARADIGMS for protocol in PROTOCOLS]


def batch(
    objective: Objective, *, images: int = 6, channels: int = 1, size: int = 16
) -> tuple[tuple[Tensor, ...], Tensor]:
    generator = torch.Generator().manual_seed(images)
    count = 2 if objective.pair_views else 1
    views = tuple(torch.rand(images, channels, size, size, generator=generator) for _ in range(count))
    return views, torch.arange(images) % 2


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_state_continues_a_training_bit_for_bit(name: str, protocol: str) -> None:
    one = create(name, protocol=protocol, channels=2, size_px=16, learning_rate=1e-3)
    two = create(name, protocol=protocol, channels=2, size_px=16, seed=8)
    assert isinstance(one, Objective)
    views, labels = batch(one, channels=2)
    for _ in range(2):
        one.train_step(views, labels)
    state = one.state_dict()
    assert all(tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in state.values())
    two.load_state_dict(state)
    for _ in range(2):
        ours, theirs = one.train_step(views, labels), two.train_step(views, labels)
        assert all(torch.equal(ours[term], theirs[term]) for term in ours)
    end, other = one.state_dict(), two.state_dict()
    assert end.keys() == other.keys()
    assert all(torch.equal(end[key], other[key]) for key in end)
    assert not torch.equal(end["steps"], state["steps"])


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_validation_changes_nothing_and_names_the_same_terms(name: str, protocol: str) -> None:
    objective = create(name, protocol=protocol, size_px=16)
    views, labels = batch(objective)
    terms = objective.train_step(views, labels)
    before = objective.state_dict()
    validation = objective.validation_loss(views, labels)
    assert list(validation) == list(terms)
    assert next(iter(terms)) == "loss"
    assert all(
        value.ndim == 0 and not value.requires_grad for value in (*terms.values(), *validation.values())
    )
    after = objective.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert objective.encoder.training


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_seed_is_one_initial_encoder_in_every_paradigm(protocol: str) -> None:
    starts = [create(name, protocol=protocol, seed=4).encoder.state_dict() for name in PARADIGMS]
    for start in starts[1:]:
        assert all(torch.equal(start[key], starts[0][key]) for key in start)
    other = create("unsupervised", protocol=protocol, seed=5).encoder.state_dict()
    assert not torch.equal(other["0.weight"], starts[0]["0.weight"])


@pytest.mark.parametrize("name", PARADIGMS)
def test_training_lowers_the_loss(name: str) -> None:
    objective = create(name, size_px=16, learning_rate=3e-3)
    views, labels = batch(objective, images=12)
    first = objective.train_step(views, labels)["loss"]
    for _ in range(15):
        last = objective.train_step(views, labels)["loss"]
    assert last < first


def test_protocols_differ_where_the_study_differs_from_its_program() -> None:
    for name, alike in {"weakly_supervised": False, "regularized": False, "unsupervised": True}.items():
        steps = []
        for protocol in PROTOCOLS:
            objective = create(name, protocol=protocol, size_px=16)
            steps.append(objective.train_step(*batch(objective))["loss"])
        assert torch.equal(*steps) == alike


def test_the_classifier_reaches_the_encoder_under_corrected_1_only() -> None:
    plain = create("unsupervised", size_px=16, learning_rate=1e-2)
    alike = {}
    for protocol in PROTOCOLS:
        objective = create("regularized", protocol=protocol, size_px=16, learning_rate=1e-2)
        views, labels = batch(objective)
        objective.train_step(views, labels)
        alike[protocol] = objective.encoder.state_dict()["8.bias"]
    plain.train_step(views, labels)
    expected = plain.encoder.state_dict()["8.bias"]
    torch.testing.assert_close(alike["reference-1"], expected, rtol=1e-6, atol=1e-8)
    assert not torch.allclose(alike["corrected-1"], expected, atol=1e-4)


def test_arguments_are_checked() -> None:
    one, pair = create("weakly_supervised", size_px=16), create("self_supervised", size_px=16)
    views, labels = batch(one)
    with pytest.raises(InputError, match="views must be a tuple of 1 for weakly_supervised, got 2"):
        one.train_step((views[0], views[0]), labels)
    with pytest.raises(InputError, match="views must be a tuple of 2 for self_supervised, got 1"):
        pair.train_step(views, labels)
    with pytest.raises(InputError, match="views must be a tuple of 1"):
        one.train_step(views[0], labels)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"views\[0\] must be float32, got torch.uint8"):
        one.train_step((views[0].to(torch.uint8),), labels)
    with pytest.raises(InputError, match=r"views\[0\] must have shape \(B, 1, 16, 16\), got \(6, 16, 16\)"):
        one.train_step((views[0][:, 0],), labels)
    with pytest.raises(InputError, match=r"views\[1\] must have shape"):
        pair.train_step((views[0], views[0][:3]), labels)
    with pytest.raises(TypeError, match="labels must be int64"):
        one.train_step(views, labels.int())
    with pytest.raises(InputError, match=r"labels must have shape \(6,\), got \(5,\)"):
        one.train_step(views, labels[:5])
    with pytest.raises(InputError, match=r"labels must be 0 \(control\) and 1 \(drug\), got \[0, 1, 2\]"):
        one.train_step(views, torch.tensor([0, 1, 2, 0, 1, 2]))
    with pytest.raises(InputError, match="at least 2 images"):
        pair.train_step((views[0][:1], views[0][:1]), labels[:1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "mine-2"}, "protocol must be one of reference-1, corrected-1, got 'mine-2'"),
        ({"channels": 0}, "channels"),
        ({"seed": -1}, "seed"),
        ({"micro_batch": 0}, "micro_batch"),
        ({"ema_decay": 1.5}, "ema_decay must be 0 to 1, got 1.5"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, got 'sgd'"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create("self_supervised", **options)  # type: ignore[arg-type]


def test_state_of_another_objective_is_refused() -> None:
    one, other = create("unsupervised", size_px=16), create("regularized", size_px=16)
    with pytest.raises(InputError, match=r"missing: network\.model\.1\.bias"):
        other.load_state_dict(one.state_dict())
    with pytest.raises(InputError, match="unknown: "):
        one.load_state_dict({**one.state_dict(), "network.more": torch.zeros(1)})
    with pytest.raises(InputError, match=r"network\.decoder\.8\.bias must be torch\.float32 \(1,\)"):
        one.load_state_dict({**one.state_dict(), "network.decoder.8.bias": torch.zeros(2)})
