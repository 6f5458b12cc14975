"""Train and evaluate setups on one store: interruptible, resumable, one record per setup and seed.

``morphobench.run(store, out, profile="quick", setups=..., epochs=..., fresh=False, quiet=False)`` does a run;
``help(morphobench.results.run)`` explains it, and ``morphobench run --help`` every option.

The names load on first use: the command line reads options without torch, and records without NumPy.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
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


class _CallableModule(ModuleType):
    """``morphobench.run(...)`` starts a run, and ``morphobench.run`` is this package as well."""

    def __call__(self, store: Any, out: Any, **options: Any) -> Any:
        """Start a run; see ``morphobench.results.run``."""
        import morphobench

        return morphobench.start_run(store, out, **options)


sys.modules[__name__].__class__ = _CallableModule


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'morphobench.run' has no attribute {name!r}")
