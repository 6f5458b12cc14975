"""morphobench: which way of learning representations to use on cell images, and what it costs.

    import morphobench as mb

    store = mb.simulate("store", images=2000)
    results = mb.run(store, "results", profile="smoke")
    results.table          # pandas: one row per setup and baseline
    results.recommend()    # which setup to take, and why

The names below load on first use, so that ``import morphobench`` stays fast and needs no torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from pathlib import Path
from typing import TYPE_CHECKING, Any


def _has_extension(folder: Path) -> bool:
    return any((folder / f"_core{suffix}").is_file() for suffix in EXTENSION_SUFFIXES)


def _use_installed_copy_if_not_built() -> None:
    """Import submodules from the installed package where this folder lacks the compiled extension.

    Python run in a checkout finds this folder before the package that ``pip install .`` installed, and the
    extension is only in the latter. All modules come from there then, never some from each.
    """
    here = Path(__path__[0])
    if _has_extension(here):
        return
    others = [entry for entry in sys.path if Path(entry).resolve() != here.resolve().parent]
    found = PathFinder.find_spec("morphobench", others)
    folders = [] if found is None else list(found.submodule_search_locations or [])
    if not any(_has_extension(Path(folder)) for folder in folders):
        raise ImportError(
            f"{here}: the extension morphobench._core must be built for Python "
            f"{sys.version_info.major}.{sys.version_info.minor}, got none there or in an installed package; "
            f"run `pip install {here.parent}` (with --editable to change the code)"
        )
    __path__[:] = folders


_use_installed_copy_if_not_built()

from morphobench.setups import PRESETS, PROFILES, SETUPS, Preset, Profile, Setup  # noqa: E402

if TYPE_CHECKING:
    from morphobench._core import build_info
    from morphobench.data import ImageStore, ingest, simulate
    from morphobench.embeddings import embed
    from morphobench.models import export_onnx, load_encoder
    from morphobench.results import Results, run

    start_run = run

_LAZY = {
    "ImageStore": "morphobench.data",
    "build_info": "morphobench._core",
    "Results": "morphobench.results",
    "embed": "morphobench.embeddings",
    "export_onnx": "morphobench.models",
    "ingest": "morphobench.data",
    "load_encoder": "morphobench.models",
    "simulate": "morphobench.data",
}

__all__ = [
    "PRESETS",
    "PROFILES",
    "SETUPS",
    "ImageStore",
    "Preset",
    "Profile",
    "Results",
    "Setup",
    "build_info",
    "embed",
    "export_onnx",
    "ingest",
    "load_encoder",
    "run",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            return _version("morphobench")
        except PackageNotFoundError:  # run from a checkout that was built but not installed
            return "0+uninstalled"
    if name == "run":
        return import_module("morphobench.run")  # the package of that name, which can be called
    if name == "start_run":
        return import_module("morphobench.results").run
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'morphobench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__path__", "__version__"]
