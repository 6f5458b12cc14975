"""The study's networks, and their weights on disk."""

from __future__ import annotations

from morphobench.models.backbones import ENCODERS, EncoderFactory, encoder_names, make_encoder
from morphobench.models.encoder import Encoder
from morphobench.models.heads import Classifier, Decoder, Projection
from morphobench.models.published import PublishedNetwork, load_encoder, load_published, save_encoder
from morphobench.models.seeding import seeded

__all__ = [
    "ENCODERS",
    "Classifier",
    "Decoder",
    "Encoder",
    "EncoderFactory",
    "Projection",
    "PublishedNetwork",
    "encoder_names",
    "load_encoder",
    "load_published",
    "make_encoder",
    "save_encoder",
    "seeded",
]
