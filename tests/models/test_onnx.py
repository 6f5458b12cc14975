"""Encoders exported to ONNX embed as they do here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import morphobench as mb
from morphobench.errors import InputError
from morphobench.models import export_onnx, make_encoder, save_encoder


@pytest.mark.filterwarnings("ignore")  # of the exporter
@pytest.mark.parametrize(
    ("name", "channels", "size_px"),
    [
        ("study", 1, 64),
        ("study", 3, 32),
        ("batch_norm_cnn", 1, 64),
        ("small:kind=plain,depth=2,pool=max,channels=8", 2, 64),
    ],
)
def test_onnxruntime_gives_the_same_embeddings(
    name: str, channels: int, size_px: int, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    torch.manual_seed(0)
    save_encoder(tmp_path / "e.safetensors", make_encoder(name, channels, size_px))
    encoder = mb.load_encoder(tmp_path / "e.safetensors")
    mb.export_onnx(encoder, tmp_path / "e.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "e.onnx", providers=["CPUExecutionProvider"])
    shape = (37, channels, size_px, size_px)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    ours = mb.embed(encoder, images)
    for count in (1, 37):
        (theirs,) = session.run(["embeddings"], {"images": images[:count]})
        assert theirs.dtype == np.float32
        assert np.abs(theirs - ours[:count]).max() <= 1e-5 * max(1.0, np.abs(ours).max())
    assert {path.name for path in tmp_path.iterdir()} == {"e.safetensors", "e.config.json", "e.onnx"}


def test_what_cannot_be_exported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="encoder must be one that load_encoder returned, got Linear"):
        export_onnx(torch.nn.Linear(2, 2), tmp_path / "e.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"package onnx must be installed .*morphobench\[onnx\]"):
        export_onnx(make_encoder("study", 1, 64), tmp_path / "e.onnx")
