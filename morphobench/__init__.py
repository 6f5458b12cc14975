"""morphobench: which way of learning representations to use on cell images, and what it costs.

The names below load on first use, so that ``import morphobench`` stays fast and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from morphobench.setups import PROFILES, SETUPS, Profile, Setup

if TYPE_CHECKING:
    from morphobench._core import build_info
    from morphobench.data import ImageStore, ingest, simulate
    from morphobench.embeddings import embed

_LAZY = {
    "ImageStore": "morphobench.data",
    "build_info": "morphobench._core",
    "embed": "morphobench.embeddings",
    "ingest": "morphobench.data",
    "simulate": "morphobench.data",
}

__all__ = [
    "PROFILES",
    "SETUPS",
    "ImageStore",
    "Profile",
    "Setup",
    "build_info",
    "embed",
    "ingest",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            return _version("morphobench")
        except PackageNotFoundError:  # run from a checkout that was built but not installed
            return "0+uninstalled"
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'morphobench' has no attribute {name!r}")
