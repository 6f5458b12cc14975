"""SHA-256 of files and arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench._util.files import open_regular


def sha256_file(path: Path, *, skip_bytes: int = 0) -> str:
    """Hash a file's bytes.

    Args:
        path: the file.
        skip_bytes: how many bytes at its beginning are left out.

    Returns:
        The hexadecimal SHA-256.

    Raises:
        InputError: where the file cannot be read.
    """
    with open_regular(path) as file:
        file.seek(skip_bytes)
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hash named arrays: equal for equal names, dtypes, shapes and bytes, in whatever order they come.

    Args:
        arrays: arrays by name, for example the weights of a network.

    Returns:
        The hexadecimal SHA-256.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
