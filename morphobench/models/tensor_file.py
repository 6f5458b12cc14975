"""Tensors in safetensors files that are byte-equal for equal content, and hashes of tensors."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn

from morphobench._util.files import file_in_place_of
from morphobench._util.hashing import sha256_arrays

_LENGTH = struct.Struct("<Q")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all; equal content gives equal bytes.

    Args:
        path: the file.
        tensors: by name; on the CPU, contiguous, each with memory of its own.
        metadata: text by name, for the header.

    Raises:
        InputError: where it cannot be written.
    """
    with file_in_place_of(path) as temporary:
        save_file(dict(tensors), temporary, metadata=dict(metadata))
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Rewrite the header in place: the library writes the metadata in an order that differs between calls."""
    with path.open("r+b") as file:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > length:
            raise AssertionError(f"{path}: sorting the metadata must not lengthen the header")
        file.seek(_LENGTH.size)
        file.write(text.ljust(length))


def weights_sha256(network: nn.Module) -> str:
    """Hash the weights of a network: equal for equal names, dtypes, shapes and values.

    Args:
        network: its parameters and buffers are hashed.

    Returns:
        The hexadecimal SHA-256.
    """
    return sha256_arrays({name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()})
