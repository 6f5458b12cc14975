"""Weights of strangers: nothing in them is executed, and what does not fit is refused by the file's name."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from morphobench.errors import InputError
from morphobench.models import Encoder, load_encoder, load_published, make_encoder, save_encoder
from tests.hostile.conftest import WHOLE

FLIPS = 40 if WHOLE else 3
Make = Callable[[Path], object]


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {f"encoder.{name}": tensor.clone() for name, tensor in Encoder().state_dict().items()}


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.path,))


class System(Touch):
    def __reduce__(self) -> tuple[object, tuple[Any]]:
        return (os.system, (f"touch {self.path}",))


class Evaluated(Touch):
    def __reduce__(self) -> tuple[object, tuple[Any]]:
        return (eval, (f"open({str(self.path)!r}, 'w')",))


PAYLOADS: dict[str, Callable[[Path, Path], object]] = {
    "in a tensor's place": lambda path, harm: torch.save({"encoder.0.weight": Touch(harm)}, path),
    "as the whole": lambda path, harm: torch.save(System(harm), path),
    "beside tensors": lambda path, harm: torch.save({**state(), "x": Evaluated(harm)}, path),
    "as a key": lambda path, harm: torch.save({(1, Touch(harm)): torch.zeros(1)}, path),
    "plain pickle": lambda path, harm: path.write_bytes(pickle.dumps(System(harm))),
    "old format": lambda path, harm: torch.save(
        {"encoder.0.weight": Touch(harm)}, path, _use_new_zipfile_serialization=False
    ),
    "protocol 0": lambda path, harm: path.write_bytes(pickle.dumps(Evaluated(harm), protocol=0)),
}


@pytest.mark.filterwarnings("ignore")  # of torch.save
@pytest.mark.parametrize("ending", ["torch", "pt", "safetensors"])
@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_never_run(tmp_path: Path, name: str, ending: str, case: Callable[[str], None]) -> None:
    path, harm = tmp_path / f"w.{ending}", tmp_path / "harm"
    PAYLOADS[name](path, harm)
    for load in (load_encoder, load_published):
        with pytest.raises(InputError, match=rf"w\.{ending}"):
            load(path)
    assert not harm.exists()
    case("refused")


def _with(**changes: Any) -> Make:
    """A state dict with other tensors; None takes one out."""

    def save(path: Path) -> None:
        changed = state()
        for name, value in changes.items():
            key = f"encoder.{name.replace('_', '.')}"
            changed[key] = value(changed[key]) if callable(value) else value
        torch.save({key: value for key, value in changed.items() if value is not None}, path)

    return save


def _all(value: float) -> Make:
    return lambda path: torch.save({name: torch.full_like(t, value) for name, t in state().items()}, path)


def _one(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[7] = value
        return tensor

    return change


TORCH_FILES: dict[str, Make] = {
    "all NaN": _all(float("nan")),
    "all infinite": _all(float("inf")),
    "one NaN": _with(**{"0_weight": _one(float("nan"))}),
    "one infinite": _with(**{"8_bias": _one(float("-inf"))}),
    "one NaN bias": _with(**{"3_bias": _one(float("nan"))}),
    "too large for float32": _with(**{"0_weight": torch.full((64, 1, 3, 3), 1e300, dtype=torch.float64)}),
    "other shape": _with(**{"0_weight": torch.zeros(64, 1, 5, 5)}),
    "transposed": _with(**{"3_weight": lambda t: t.transpose(0, 1)}),
    "no rows": _with(**{"0_weight": torch.zeros(0, 1, 3, 3)}),
    "no channels": _with(**{"0_weight": torch.zeros(64, 0, 3, 3)}),
    "one axis": _with(**{"0_weight": torch.zeros(64)}),
    "scalar": _with(**{"0_weight": torch.tensor(1.0)}),
    "missing": _with(**{"8_weight": None}),
    "sparse": _with(**{"0_weight": lambda t: t.to_sparse()}),
    "complex": _with(**{"0_weight": lambda t: t.to(torch.complex64)}),
    "text": lambda path: torch.save("encoder.0.weight", path),
    "long text": lambda path: torch.save("x" * 100_000, path),
    "number": lambda path: torch.save(5, path),
    "nothing": lambda path: torch.save(None, path),
    "empty": lambda path: torch.save({}, path),
    "tensor": lambda path: torch.save(torch.zeros(3), path),
    "keys of numbers": lambda path: torch.save({1: torch.zeros(3), 2: torch.zeros(3)}, path),
    "keys of pairs": lambda path: torch.save({("a", 1): torch.zeros(3)}, path),
    "nested": lambda path: torch.save({"state_dict": state()}, path),
    "escape in a key": lambda path: torch.save({"\x1b[31mred": torch.zeros(3)}, path),
    "long key": lambda path: torch.save({"x" * 1_000_000: torch.zeros(3)}, path),
    "a stop": lambda path: path.write_bytes(b"."),
    "one opcode": lambda path: path.write_bytes(b"\x80\x02R."),
    "magic only": lambda path: path.write_bytes(b"PK\x03\x04"),
    "empty file": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(b"\0" * 10_000),
    "page": lambda path: path.write_bytes(b"<html>404</html>"),
    "other archive": lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "text"),
    "folder": lambda path: path.mkdir(),
    "fifo": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
    "gone": lambda path: None,
}


@pytest.mark.filterwarnings("ignore::UserWarning:torch")  # of tensors that torch is asked to make here
@pytest.mark.parametrize("name", TORCH_FILES)
def test_torch_files(tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    path = tmp_path / "w.torch"
    TORCH_FILES[name](path)
    with pytest.raises(InputError, match=r"w\.torch") as caught:
        load_encoder(path)
    assert len(str(caught.value)) < 1_500
    case("refused")


@pytest.mark.parametrize("ending", ["torch", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_cut_off(tmp_path: Path, ending: str, share: float, case: Callable[[str], None]) -> None:
    path = _whole(tmp_path, ending)
    data = path.read_bytes()
    path.write_bytes(data[: min(int(share * len(data)), len(data) - 1)])
    with pytest.raises(InputError, match=rf"w\.{ending}"):
        load_encoder(path)
    case("refused")


def _whole(folder: Path, ending: str) -> Path:
    path = folder / f"w.{ending}"
    if ending == "torch":
        torch.save(state(), path)
    else:
        torch.manual_seed(0)
        save_encoder(path, make_encoder("study", 1, 64))
    return path


@pytest.mark.parametrize("ending", ["torch", "safetensors"])
@pytest.mark.parametrize("seed", range(FLIPS))
def test_changed_bytes(tmp_path: Path, ending: str, seed: int, case: Callable[[str], None]) -> None:
    path = _whole(tmp_path, ending)
    data, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    end = len(data) if seed % 2 else 2_000  # every other time where the header is
    for position in random.integers(0, end, 1 + 30 * (seed % 3)):
        data[position] ^= int(random.integers(1, 256))
    path.write_bytes(data)
    try:
        found = load_encoder(path)
    except InputError as error:
        said = str(error)
        assert f"w.{ending}" in said
        case("refused")
        return
    # what no checksum covers is other numbers: they are finite (embeddings are checked when they are written)
    assert all(torch.isfinite(tensor).all() for tensor in found.state_dict().values())
    case("right")


def _header(path: Path, header: Any, data: bytes = b"\0" * 64) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def _tensor(shape: list[int], end: int, dtype: str = "F32", start: int = 0) -> dict[str, Any]:
    return {"encoder.0.weight": {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}}


LIARS: dict[str, Make] = {
    "more bytes than there are": lambda path: _header(path, _tensor([1 << 40], 1 << 42)),
    "shape larger than the bytes": lambda path: _header(path, _tensor([64, 1, 3, 3], 64)),
    "product that overflows": lambda path: _header(path, _tensor([1 << 33, 1 << 33], 64)),
    "negative shape": lambda path: _header(path, _tensor([-4, -4], 64)),
    "negative offset": lambda path: _header(path, _tensor([16], 64, start=-4)),
    "offsets turned round": lambda path: _header(path, _tensor([16], 0, start=64)),
    "unknown dtype": lambda path: _header(path, _tensor([16], 64, dtype="F7")),
    "list": lambda path: _header(path, []),
    "null": lambda path: _header(path, None),
    "no JSON": lambda path: _header(path, b"{'a': 1}"),
    "brackets": lambda path: _header(path, b"[" * 100_000),
    "NaN": lambda path: _header(path, b'{"a": NaN}'),
    "not UTF-8": lambda path: _header(path, b'{"\xff": 1}'),
    "length of 2^63": lambda path: path.write_bytes(struct.pack("<Q", 1 << 63) + b"{}"),
    "length of 0": lambda path: path.write_bytes(struct.pack("<Q", 0)),
    "gap": lambda path: _header(path, _tensor([4], 32, start=16)),
    "no tensors": lambda path: _header(path, {}, b""),
}


@pytest.mark.parametrize("name", LIARS)
def test_headers_that_lie(tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    path = tmp_path / "w.safetensors"
    LIARS[name](path)
    with pytest.raises(InputError, match=r"w\.safetensors"):
        load_encoder(path)
    case("refused")


SIZES = ("0", "-1", "x", "", "64.0", "9" * 40, "999999999", "1e3", " 64 ", "nan", "\x1b[31m")
METADATA: dict[str, dict[str, str]] = {
    **{f"size_px {size!r}": {"encoder": "vit_small", "size_px": size} for size in SIZES},
    **{f"channels {size!r}": {"encoder": "resnet18", "channels": size} for size in SIZES},
    **{f"small, size_px {size!r}": {"encoder": "small", "size_px": size} for size in SIZES},
    **{f"study, size_px {size!r}": {"encoder": "study", "size_px": size} for size in SIZES if size != " 64 "},
    "another format": {"format": "other-1"},
    "unknown encoder": {"encoder": "resnet152"},
    "empty encoder": {"encoder": ""},
    "another encoder": {"encoder": "batch_norm_cnn"},
    "a plug-in": {"encoder": "os:system"},
    "a plug-in of a module that is none": {"encoder": "no.such:thing"},
    "escape": {"encoder": "\x1b[31mred"},
    "long": {"encoder": "x" * 1_000_000},
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_fits_nothing(tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    path = tmp_path / "w.safetensors"
    save_file(state(), path, metadata={"format": "morphobench-encoder-1", "channels": "1", **METADATA[name]})
    with pytest.raises(InputError, match=r"w\.safetensors") as caught:
        load_encoder(path)
    assert len(str(caught.value)) < 1_500
    case("refused")


def test_the_command_refuses_weights_that_give_infinite_embeddings(
    tmp_path: Path, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    assert command("simulate", tmp_path / "store", "--images", 4) == "right"
    torch.save(
        {name: torch.full_like(tensor, 1e38) for name, tensor in state().items()}, tmp_path / "w.torch"
    )
    out = tmp_path / "e.parquet"
    got = command(
        "embed", tmp_path / "store", "--weights", tmp_path / "w.torch", "--out", out, names=("w.torch",)
    )
    assert got == "refused"
    assert not out.exists()
    case("refused")
