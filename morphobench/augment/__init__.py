"""Views of images: multi-crop, flips and blur in C++, with the pixels of Pillow and torchvision."""

from __future__ import annotations

from morphobench.augment.byol_pair import PairViews
from morphobench.augment.collate import CollateViews, WithIds
from morphobench.augment.loader import ViewBatch, ViewFeed
from morphobench.augment.multi_crop import MultiCrop
from morphobench.augment.params import PARAMS_DTYPE, ViewParams
from morphobench.augment.spec import SPECS, ViewGroup, ViewSpec, view_spec

__all__ = [
    "PARAMS_DTYPE",
    "SPECS",
    "CollateViews",
    "MultiCrop",
    "PairViews",
    "ViewBatch",
    "ViewFeed",
    "ViewGroup",
    "ViewParams",
    "ViewSpec",
    "WithIds",
    "view_spec",
]
