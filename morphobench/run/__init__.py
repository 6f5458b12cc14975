"""Train and evaluate setups on one store: interruptible, resumable, one record per setup and seed.

The names load on first use: the command line reads options without torch, and records without NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from morphobench.run.options import RunOptions
    from morphobench.run.record import read_records
    from morphobench.run.runner import run

_LAZY = {
    "RunOptions": "morphobench.run.options",
    "read_records": "morphobench.run.record",
    "run": "morphobench.run.runner",
}

__all__ = ["RunOptions", "read_records", "run"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'morphobench.run' has no attribute {name!r}")
