"""Hashes of files and arrays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from morphobench._util.hashing import sha256_arrays, sha256_file
from morphobench.errors import InputError


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"headbody")
    assert sha256_file(path) == hashlib.sha256(b"headbody").hexdigest()
    assert sha256_file(path, skip_bytes=4) == hashlib.sha256(b"body").hexdigest()
    with pytest.raises(InputError, match="absent must be a readable file"):
        sha256_file(tmp_path / "absent")


def test_arrays_by_content_whatever_their_order_and_layout() -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.array([1, 2], np.int32)
    digest = sha256_arrays({"a": a, "b": b})
    assert sha256_arrays({"b": b, "a": np.asfortranarray(a)}) == digest
    others = [
        {"a": a, "c": b},
        {"a": a.reshape(3, 2), "b": b},
        {"a": a, "b": b.astype(np.int64)},
        {"a": a + 1, "b": b},
        {"a": a},
    ]
    assert len({digest, *map(sha256_arrays, others)}) == 6
