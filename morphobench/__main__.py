"""``python -m morphobench``: the command line."""

from __future__ import annotations

from morphobench.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
