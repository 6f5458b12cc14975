"""``python -m morphobench``: the command line."""

from __future__ import annotations

import os
import sys

# Python puts the current folder first on its path here; a file such as torch.py lying there must not run.
# Only a checkout, which finds this package there, keeps it.
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
if not sys.flags.safe_path and sys.path and os.path.realpath(sys.path[0]) != _CHECKOUT:
    del sys.path[0]

from morphobench.cli import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
