"""Checkpoint files: whole or absent, never pickle, refused when of other options."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from morphobench.errors import InputError
from morphobench.training.checkpoint import format as checkpoint

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor(3),
    "c": torch.tensor(0.1, dtype=torch.float64),
}
INFO = {
    "step": 4,
    "position": 4,
    "seconds": 0.1 + 0.2,
    "feed_wait_s": 0.0,
    "stopped_early": False,
    "history": [],
    "identity": {"seed": 0},
}


def test_round_trip_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, TENSORS, INFO)
    tensors, info = checkpoint.read_checkpoint(path)
    assert info == INFO
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == TENSORS[name].dtype
        assert torch.equal(tensor, TENSORS[name])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_is_safetensors_with_json(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, TENSORS, INFO)
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == {"a", "b", "c"}
        assert json.loads(file.metadata()["info"]) == INFO


def test_shared_and_strided_tensors_are_stored_apart(tmp_path: Path) -> None:
    base = torch.arange(16.0).reshape(1, 4, 2, 2)
    tensors = {
        "whole": base,
        "part": base[:, 1:3],
        "same": base,
        "channels_last": base.contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, tensors, INFO)
    read, _ = checkpoint.read_checkpoint(path)
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_failed_write_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, TENSORS, INFO)

    def no_space(tensors: Any, temporary: Path, metadata: Any) -> None:
        temporary.write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr("morphobench.models.tensor_file.save_file", no_space)
    with pytest.raises(InputError, match="no space"):
        checkpoint.write_checkpoint(path, {"a": torch.zeros(1)}, {})
    assert checkpoint.read_checkpoint(path)[1] == INFO
    assert len(list(tmp_path.iterdir())) == 1


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _other(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path)


@pytest.mark.parametrize("spoil", [_truncate, _other, lambda path: path.write_bytes(b"")])
def test_other_files_are_refused_by_name(tmp_path: Path, spoil: Callable[[Path], Any]) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, TENSORS, INFO)
    spoil(path)
    with pytest.raises(InputError, match=r"checkpoint\.safetensors must be a morphobench.checkpoint.*, got"):
        checkpoint.read_checkpoint(path)


def test_differing_options_are_named(tmp_path: Path) -> None:
    found = {"seed": 0, "epochs": 5, "batch_size": 8}
    checkpoint.refuse_other_options(tmp_path, found=found, expected=dict(found))
    with pytest.raises(InputError, match="epochs: 5 there, 6 here; seed: 0 there, 'absent' here") as caught:
        checkpoint.refuse_other_options(tmp_path, found=found, expected={"epochs": 6, "batch_size": 8})
    assert "batch_size" not in str(caught.value)


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (torch.ones(3), None),
        (torch.tensor([1.0, float("nan")]), "a"),
        (torch.tensor([float("inf"), float("-inf")]), "a"),
        (torch.full((2,), 3e38), None),  # finite, though its sum is not
        (torch.tensor([2**62]), None),
        (torch.zeros(0), None),
    ],
)
def test_non_finite_tensors_are_found(tensor: torch.Tensor, found: str | None) -> None:
    assert checkpoint.non_finite({"first": torch.ones(1), "a": tensor}) == found


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    """The library writes the header's metadata in an order that differs from call to call."""
    files = [tmp_path / f"{number}.safetensors" for number in range(12)]
    for file in files:
        checkpoint.write_checkpoint(file, TENSORS, INFO)
    assert len({file.read_bytes() for file in files}) == 1


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"history": None}, "None as its history"),
        ({"history": [3]}, "a history of other records"),
        ({"position": [1]}, r"\[1\] as its position"),
        ({"identity": 5}, "5 as its identity"),
        ({"seconds": "x"}, "'x' as its seconds"),
    ],
)
def test_broken_info_is_refused_by_name(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write_checkpoint(path, TENSORS, {**INFO, **changed})
    with pytest.raises(InputError, match=rf"safetensors must be a morphobench checkpoint, got {named}"):
        checkpoint.read_checkpoint(path)
