"""Views of images: multi-crop, flips and blur in C++, with the pixels of Pillow and torchvision."""

from __future__ import annotations

from morphobench.augment.byol_pair import BYOLPair
from morphobench.augment.collate import CollateViews, WithIds
from morphobench.augment.loader import ViewBatch, ViewLoader
from morphobench.augment.multi_crop import MultiCrop
from morphobench.augment.params import PARAMS_DTYPE, ViewParams
from morphobench.augment.spec import SPECS, ViewGroup, ViewSpec, view_spec

# Earlier names, kept for code that imports them.
PairViews = BYOLPair
ViewFeed = ViewLoader

__all__ = [
    "PARAMS_DTYPE",
    "SPECS",
    "BYOLPair",
    "CollateViews",
    "MultiCrop",
    "PairViews",
    "ViewBatch",
    "ViewFeed",
    "ViewGroup",
    "ViewLoader",
    "ViewParams",
    "ViewSpec",
    "WithIds",
    "view_spec",
]
