"""The study's networks, and their weights on disk."""

from __future__ import annotations

from morphobench.models.backbones import ENCODERS, EncoderFactory, encoder_names, make_encoder
from morphobench.models.heads import Classifier, Decoder, Projection
from morphobench.models.init_seed import seeded
from morphobench.models.onnx import export_onnx
from morphobench.models.study_encoder import Encoder
from morphobench.models.tensor_file import weights_sha256
from morphobench.models.weights import PublishedNetwork, load_encoder, load_published, save_encoder

__all__ = [
    "ENCODERS",
    "Classifier",
    "Decoder",
    "Encoder",
    "EncoderFactory",
    "Projection",
    "PublishedNetwork",
    "encoder_names",
    "export_onnx",
    "load_encoder",
    "load_published",
    "make_encoder",
    "save_encoder",
    "seeded",
    "weights_sha256",
]
