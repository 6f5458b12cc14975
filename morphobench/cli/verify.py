"""``morphobench verify``: compares a store with its checksums, or a run with itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from morphobench._util.options import Options, argument, option
from morphobench.errors import CheckError
from morphobench.run.folder import RESULTS


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(Options):
    """Options of ``morphobench verify``."""

    path: Path = argument("STORE_OR_OUT", "store of images, or folder of the results of `run`")
    store: Path | None = option(
        "store that the run was made from, to compare its images too", default=None, metavar="STORE"
    )
    no_metrics: bool = option("do not evaluate the stored embeddings again", default=False)


def verify_path(options: VerifyOptions) -> None:
    """Do ``morphobench verify STORE_OR_OUT``.

    Args:
        options: Options of the command.

    Raises:
        CheckError: A file of the store or of the run is not what it was.
    """
    from morphobench._util.text import printable
    from morphobench.data import ImageStore

    if not (options.path / RESULTS).is_file():
        store = ImageStore.open(options.path)
        store.verify()
        text = f"{options.path}: {len(store):,} images, every file matches its checksum"
        print(printable(text))  # noqa: T201
        return
    from morphobench.run.checks.verify import Check, verify_run

    def show(check: Check) -> None:
        told = f"{check.where}: {check.what}: {check.wrong or 'as recorded'}"
        print(printable(told), flush=True)  # noqa: T201

    checks = verify_run(options.path, store=options.store, metrics=not options.no_metrics, on_check=show)
    wrong = [check for check in checks if check.wrong]
    if wrong:
        raise CheckError(
            f"{len(wrong)} of {len(checks)} checks failed, first {wrong[0].where}: {wrong[0].wrong}"
        )
