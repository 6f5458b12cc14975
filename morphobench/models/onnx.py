"""Encoders as ONNX files (extra ``onnx``), for programs without PyTorch."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path as FilePath

import torch
from torch import Tensor, nn

from morphobench._util.extras import load_extra
from morphobench._util.files import file_in_place_of
from morphobench.errors import InputError
from morphobench.models.backbones import NamedEncoder
from morphobench.types import Path


class _FromUint8(nn.Module):
    """An encoder with its preprocessing in front, so that a program cannot scale images otherwise."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.encoder(images.to(torch.float32) / 255)
        return embeddings.flatten(1)


def export_onnx(encoder: nn.Module, path: Path) -> None:
    """Write an encoder as an ONNX file that takes any number of images.

    Its input ``images`` is uint8 (N, C, S, S), the division by 255 is in the file; its output ``embeddings``
    is float32 (N, D).

    Args:
        encoder: as ``load_encoder`` or ``make_encoder`` returned it; exported in evaluation mode.
        path: the ``.onnx`` file.

    Raises:
        InputError: for another module, or where the packages of the extra ``onnx`` are absent.
    """
    if not isinstance(encoder, NamedEncoder):
        raise InputError(f"encoder must be one that load_encoder returned, got {type(encoder).__name__}")
    for package in ("onnx", "onnxscript"):
        load_extra(package, extra="onnx")
    device = next(encoder.parameters()).device
    # two images: a batch of one would be taken for a fixed size
    images = torch.zeros((2, encoder.channels, encoder.size_px, encoder.size_px), dtype=torch.uint8)
    training = encoder.training
    noisy = logging.getLogger("torch.onnx")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the exporter's own deprecations
            program = torch.onnx.export(
                _FromUint8(encoder.cpu().eval()),
                (images,),
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
                dynamo=True,
                verbose=False,
            )
    finally:
        encoder.to(device).train(training)
        noisy.setLevel(level)
    if program is None:
        raise AssertionError("torch.onnx.export must return a program without a file to write to")
    with file_in_place_of(FilePath(path)) as temporary:
        program.save(temporary, external_data=False)
