"""Checkpoints: tensors and JSON in one safetensors file, replaced whole or not at all; never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from morphobench._util.files import file_in_place_of
from morphobench.errors import InputError

FILE_NAME = "checkpoint.safetensors"
FORMAT = "morphobench-checkpoint-1"


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], info: Mapping[str, Any]) -> None:
    """Write ``tensors`` and the JSON-able ``info`` to ``path`` in one atomic step.

    Both are in one file (the JSON in the safetensors header), written beside its place, flushed to the disk
    and renamed, so that a process killed at any moment leaves the old file or the new one.
    """
    plain = _plain(tensors)
    with file_in_place_of(path) as temporary:
        save_file(plain, temporary, metadata={"format": FORMAT, "info": json.dumps(info, sort_keys=True)})


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and the info that :func:`write_checkpoint` was given.

    InputError when the file is not such a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: a morphobench checkpoint wanted, got an unreadable file ({error})"
        ) from error
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: a {FORMAT} wanted, got {metadata.get('format', 'another safetensors file')!r}"
        )
    return tensors, json.loads(metadata["info"])


def non_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """The name of the first floating-point tensor that holds NaN or infinities; None when all are finite."""
    for name, tensor in tensors.items():
        # the sum first: it needs no array of truth values, and is finite for almost every finite tensor
        if tensor.is_floating_point() and not (torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all()):
            return name
    return None


def refuse_other_options(path: Path, *, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """InputError naming each option in which a checkpoint's run and this one differ."""
    names = sorted(found.keys() | wanted.keys())
    absent = "absent"
    differing = [
        f"{name}: {found.get(name, absent)!r} there, {wanted.get(name, absent)!r} here"
        for name in names
        if found.get(name, absent) != wanted.get(name, absent)
    ]
    if differing:
        raise InputError(
            f"{path}: a checkpoint of the same options wanted, got one with other {'; '.join(differing)}. "
            "Use another folder, or delete the checkpoint to begin anew"
        )


def _plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """On the CPU, contiguous, each with its own memory: what safetensors stores."""
    plain: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        if value.untyped_storage().data_ptr() in seen:
            value = value.clone()
        seen.add(value.untyped_storage().data_ptr())
        plain[name] = value
    return plain
