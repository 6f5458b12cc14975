"""``morphobench verify``: compares a store with its checksums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from morphobench._util.options import Options, argument


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(Options):
    """Options of ``morphobench verify``."""

    store: Path = argument("STORE", "store of images, as `simulate` and `ingest` make it")


def verify_store(options: VerifyOptions) -> int:
    """Do ``morphobench verify STORE``.

    Args:
        options: Options of the command.

    Returns:
        Exit code.
    """
    from morphobench._util.text import printable
    from morphobench.data import ImageStore

    store = ImageStore.open(options.store)
    store.verify()
    text = f"{options.store}: {len(store):,} images, every file matches its checksum"
    print(printable(text))  # noqa: T201
    return 0
