"""The layout of OUT: names of its files, places of each setup and seed, and what belongs to morphobench."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from morphobench._util.files import path_exists, remove_abandoned
from morphobench.errors import InputError

OPTIONS = "run.json"
CONFIG = "config.toml"
RESULTS = "results.jsonl"
FAILURES = "failures.jsonl"
COSTS = "cost.jsonl"
COST_SUMMARY = "cost.json"
COST_PAGE = "cost.md"
REPORT = "report.html"
AUDIT = "audit.json"
SEARCH_JOURNAL = "search.journal"
TRIALS = "trials.csv"
BEST = "best.toml"
LOCK = ".lock"
EMBEDDINGS, WEIGHTS, TRAINING, TABLES, FIGURES = "embeddings", "weights", "training", "tables", "figures"
CURVES = "curves"  # a run of its own for each point of a learning curve
ENGINE = "engine"  # scripts and logs of jobs on a cluster

CHECKPOINT = "checkpoint.safetensors"

_SEED = "__seed"
_KEYS = ({"protocol"}, {"content_sha256"})  # what options and data of every run hold

OWN_NAMES = (
    OPTIONS,
    CONFIG,
    RESULTS,
    FAILURES,
    COSTS,
    COST_SUMMARY,
    COST_PAGE,
    EMBEDDINGS,
    WEIGHTS,
    TRAINING,
    TABLES,
    FIGURES,
    ENGINE,
    REPORT,
    AUDIT,
    SEARCH_JOURNAL,
    TRIALS,
    BEST,
)
"""What a run and its report put into OUT."""

_SETUP_FOLDER = r".+__seed\d+"
_OWN_ENTRIES = {
    EMBEDDINGS: rf"{_SETUP_FOLDER}\.parquet",
    WEIGHTS: rf"{_SETUP_FOLDER}\.(safetensors|config\.json)",
    TRAINING: r"timing__seed\d+\.json",
    FIGURES: r"(umap|ranks|heat-map|(cost|quality|curves|effects)-[A-Za-z0-9-]+)\.(svg|png)",
}
_OWN_IN_SETUP_FOLDERS = {
    TRAINING: r"(outcome\.json|metrics\.jsonl|reconstructions\.png|checkpoint\.safetensors)",
    TABLES: r"\w+\.\w+\.csv",
}
"""Names of the files in each folder that ``--fresh`` removes; files of other names are not ours."""


def timing_file(out: Path, seed: int) -> Path:
    """Give the place of the training steps' times.

    Args:
        out: the folder of the run.
        seed: the seed.

    Returns:
        The JSON file, whether or not it is there.
    """
    return out / TRAINING / f"timing{_SEED}{seed}.json"


@dataclass(frozen=True)
class SetupFiles:
    """Where one setup and seed leaves what, within OUT.

    Attributes:
        embeddings: Parquet file of the embeddings with their metadata.
        weights: safetensors file of the encoder.
        folder: what training leaves: losses by epoch, the checkpoint, the outcome.
        tables: folder of the evaluation's tables, TASK.NAME.csv.
    """

    embeddings: Path
    weights: Path
    folder: Path
    tables: Path

    @classmethod
    def of(cls, out: Path, setup: str, seed: int) -> SetupFiles:
        """Give the places of a setup and seed.

        Args:
            out: the folder of the run.
            setup: "paradigm/setting", "baseline/name" or "external/name".
            seed: the seed.

        Returns:
            The places, whether or not anything is there.
        """
        name = f"{setup.replace('/', '__')}{_SEED}{seed}"
        return cls(
            embeddings=out / EMBEDDINGS / f"{name}.parquet",
            weights=out / WEIGHTS / f"{name}.safetensors",
            folder=out / TRAINING / name,
            tables=out / TABLES / name,
        )

    @property
    def outcome(self) -> Path:
        """What training and embedding came to; written last, so that its presence says they are done."""
        return self.folder / "outcome.json"

    @property
    def reconstructions(self) -> Path:
        """Picture of some images above an autoencoder's reconstructions."""
        return self.folder / "reconstructions.png"

    def table(self, name: str) -> Path:
        """Give the place of a table of the evaluation.

        Args:
            name: such as "classification.predictions".

        Returns:
            The CSV file, whether or not it is there.
        """
        return self.tables / f"{name}.csv"

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint, which nobody needs once the record is written; losses by epoch stay."""
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        remove_abandoned(self.folder / CHECKPOINT)


def remove_own(out: Path) -> None:
    """Remove what an earlier run and its report wrote into a folder; other files stay, in our folders too.

    Args:
        out: the folder of the run.

    Raises:
        InputError: where its run.json is not of morphobench, so that nothing there may be ours.
    """
    from morphobench._util.json import read_json  # of numpy, which --help does without

    content = read_json(out / OPTIONS)
    parts = [content.get(key) for key in ("options", "data")] if isinstance(content, dict) else [None]
    if not all(isinstance(part, dict) and _KEYS[n] <= part.keys() for n, part in enumerate(parts)):
        raise InputError(
            f"{out / OPTIONS} must hold the options of a run, got other content; nothing removed"
        )
    for point in sorted(out.glob(f"{CURVES}/*/{OPTIONS}")):
        remove_own(point.parent)
        with contextlib.suppress(OSError):
            point.parent.rmdir()
    _remove_own_names(out)


@contextlib.contextmanager
def kept_in_place(out: Path) -> Iterator[None]:
    """End with an error where the folder of a run is taken away while the block writes to it.

    What was written into a new folder of its name would be results without their options: it is removed, so
    that the same command can begin anew. In the folder itself nothing is removed, whatever is missing there.

    Args:
        out: the folder of the run, with its run.json.

    Yields:
        None.

    Raises:
        InputError: where run.json is gone when the block ends.
    """
    descriptor = os.open(out, os.O_RDONLY)  # held, so that no new folder can pass for this one
    lost: Exception | None = None
    try:
        try:
            yield
        except Exception as error:
            if (out / OPTIONS).is_file():
                raise
            lost = error
        if (out / OPTIONS).is_file():
            return
        if _is_folder(out) and not os.path.samestat(os.fstat(descriptor), out.stat()):
            _remove_own_names(out)
            with contextlib.suppress(OSError):
                out.rmdir()
    finally:
        os.close(descriptor)
    raise InputError(
        f"OUT must stay in place while a run writes to it, got {out} without {OPTIONS}"
    ) from lost


def _remove_own_names(out: Path) -> None:
    for name in (*OWN_NAMES, CURVES):
        path = out / name
        if _is_folder(path):
            _remove_contents(path)
        else:
            path.unlink(missing_ok=True)


def refuse_links(out: Path) -> None:
    """Refuse an OUT in which a link takes the place of a folder, through which files would leave it.

    A link in the place of a file is replaced by the file; only the journal of a search is appended to.

    Args:
        out: the folder of the run, whether or not it exists.

    Raises:
        InputError: where one of its folders is a link; it is named.
    """
    for name in (EMBEDDINGS, WEIGHTS, TRAINING, TABLES, FIGURES, ENGINE, CURVES):
        folder = out / name
        if not path_exists(folder) and not folder.is_symlink():
            continue
        for path in (folder, *(folder.iterdir() if folder.is_dir() else ())):
            if path.is_symlink() and (path == folder or path.is_dir()):
                raise InputError(f"{path} must be a folder of its own, got a symbolic link")
    if (out / SEARCH_JOURNAL).is_symlink():
        raise InputError(f"{out / SEARCH_JOURNAL} must be a file of its own, got a symbolic link")


def _remove_contents(folder: Path) -> None:
    """Remove what is named as ours; each folder too, where nothing else is left."""
    for entry in list(folder.iterdir()):
        inner = _OWN_IN_SETUP_FOLDERS.get(folder.name)
        if inner is not None and re.fullmatch(_SETUP_FOLDER, entry.name) and _is_folder(entry):
            _remove_files(entry, inner)
    _remove_files(folder, _OWN_ENTRIES.get(folder.name, "(?!)"))


def _remove_files(folder: Path, pattern: str) -> None:
    for entry in list(folder.iterdir()):
        if re.fullmatch(pattern, entry.name) and not _is_folder(entry):
            entry.unlink()
    with contextlib.suppress(OSError):  # other files are left
        folder.rmdir()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
