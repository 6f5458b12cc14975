"""Checkpoints: tensors and JSON in one safetensors file, replaced whole or not at all; never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from morphobench._util.files import open_regular
from morphobench.errors import InputError
from morphobench.models.tensor_file import write_tensors
from morphobench.training.results import EpochRecord

FILE_NAME = "checkpoint.safetensors"
FORMAT = "morphobench-checkpoint-1"
_RECORD = {field.name for field in fields(EpochRecord)}
_INFO = {"identity": dict, "position": int, "step": int, "stopped_early": bool, "history": list}


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], info: Mapping[str, Any]) -> None:
    """Write a checkpoint in one atomic step.

    A process killed at any moment leaves the old checkpoint or the new one.

    Args:
        path: the file.
        tensors: by name.
        info: plain JSON types; stored in the file's header.

    Raises:
        InputError: where it cannot be written.
    """
    header = {"format": FORMAT, "info": json.dumps(info, sort_keys=True)}
    write_tensors(path, _plain(tensors), header)


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what :func:`write_checkpoint` was given.

    Args:
        path: the file.

    Returns:
        The tensors, on the CPU, and the info.

    Raises:
        InputError: when the file is not such a checkpoint.
    """
    open_regular(path).close()  # a pipe would be waited for
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} must be a morphobench checkpoint, got an unreadable file ({error})"
        ) from error
    if metadata.get("format") != FORMAT:
        got = metadata.get("format", "another safetensors file")
        raise InputError(f"{path} must be a {FORMAT}, got {got!r}")
    try:
        info = json.loads(metadata.get("info", ""))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} must be a morphobench checkpoint, got broken JSON ({error})") from error
    return tensors, _checked(info, path)


def _checked(info: Any, path: Path) -> dict[str, Any]:
    if not isinstance(info, dict):
        raise InputError(f"{path} must be a morphobench checkpoint, got {type(info).__name__} as its info")
    for name, kind in {**_INFO, "seconds": float | int, "feed_wait_s": float | int}.items():
        if name not in info or not isinstance(info[name], kind):
            got = "none" if name not in info else repr(info[name])
            raise InputError(f"{path} must be a morphobench checkpoint, got {got} as its {name}")
    if any(not isinstance(record, dict) or record.keys() != _RECORD for record in info["history"]):
        raise InputError(f"{path} must be a morphobench checkpoint, got a history of other records")
    return info


def non_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Find a tensor that holds NaN or infinities.

    Args:
        tensors: by name; only floating-point ones are looked at.

    Returns:
        The name of the first; None when all are finite.
    """
    for name, tensor in tensors.items():
        # the sum first: it needs no array of truth values, and is finite for almost every finite tensor
        if tensor.is_floating_point() and not (torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all()):
            return name
    return None


def refuse_other_options(path: Path, *, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Compare a checkpoint's run with this one.

    Args:
        path: of the checkpoint, for the message.
        found: identity of the checkpoint's run.
        expected: identity of this run.

    Raises:
        InputError: naming each option in which they differ.
    """
    names = sorted(found.keys() | expected.keys())
    absent = "absent"
    differing = [
        f"{name}: {found.get(name, absent)!r} there, {expected.get(name, absent)!r} here"
        for name in names
        if found.get(name, absent) != expected.get(name, absent)
    ]
    if differing:
        raise InputError(
            f"{path} must be a checkpoint of the same options, got one with other {'; '.join(differing)}. "
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
