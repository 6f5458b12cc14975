"""Options of the commands; those that runs depend on are in ``morphobench.options`` and ``run.options``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from morphobench._util.options import Options, argument, group, option, option_fields
from morphobench.errors import InputError
from morphobench.options import EvaluationOptions
from morphobench.run.cost.options import CostOptions
from morphobench.run.options import RunOptions
from morphobench.setups import PRESETS, SETTINGS
from morphobench.types import Protocol, SplitBy

_STORE = "store of images, as `simulate` and `ingest` make it"
_OUT = "folder of the results; run again with the same options to go on where it stopped"


@dataclass(frozen=True, kw_only=True)
class SimulateOptions(Options):
    """Options of ``morphobench simulate``."""

    store: Path = argument("STORE", "folder to make")
    images: int = option("number of images", metavar="N", minimum=1, maximum=10**9)
    seed: int = option("random seed of the images", default=0, metavar="S", minimum=0)
    null: bool = option("no drug has any effect: whatever a setup finds is chance", default=False)
    cell_lines: int = option(
        "number of cell lines, at most the study's 21", default=21, metavar="L", minimum=1, maximum=21
    )
    fresh: bool = option("replace a store made earlier", default=False, saved=False)


@dataclass(frozen=True, kw_only=True)
class IngestOptions(Options):
    """Options of ``morphobench ingest``."""

    source: Path = argument("SOURCE", "folder of images")
    store: Path = argument("STORE", "folder to make")
    metadata: Path | None = option(
        "CSV or Parquet table with a `path` column (relative to SOURCE) and Metadata_ columns",
        default=None,
        metavar="TABLE",
        default_text="folder names are the classes: drugs/, controls/ ...",
    )
    load_data: Path | None = option(
        "CellProfiler's LoadData table: one image per row, one file per channel (FileName_X, URL_X)",
        default=None,
        metavar="CSV",
    )
    platemap: tuple[Path, ...] = option(
        "plate map, joined on plate and well: a table with well_position, or barcode_platemap.csv with its "
        "platemap folder; may be given several times",
        default=(),
        metavar="FILE",
    )
    locations: str | None = option(
        "cut out one image per cell at the locations in this table (x, y and plate, well, site; or a folder "
        "PLATE/WELL-SITE-Nuclei.csv). auto: find nuclei (Otsu's threshold, watershed)",
        default=None,
        metavar="CSV|auto",
    )
    crop_px: int | None = option(
        "with --locations: side of the square around each cell",
        default=None,
        metavar="PX",
        unit="px",
        minimum=1,
        maximum=16_384,
        default_text="--size-px",
    )
    edge: Literal["drop", "pad"] = option(
        "with --locations: leave out cells whose square leaves the image, or fill it up with black",
        default="drop",
    )
    pages: Literal["images", "channels"] | None = option(
        "what the pages of a TIFF are, where the file does not say so",
        default=None,
        default_text="as the file says",
    )
    separate_files: bool = option(
        "take each file for an image of its own, though the names look like channels", default=False
    )
    allow_outside: bool = option("also read files outside SOURCE that tables or links name", default=False)
    dry_run: bool = option("show what would be read and write nothing", default=False, saved=False)
    pattern: str | None = option(
        "regular expression over the path; its named groups become Metadata_ columns, and files that differ "
        "in a group Channel only become one image. study: the published study's file names",
        default=None,
        metavar="REGEX|study",
    )
    channels: str | None = option(
        "channels to keep, by name or by number from 0, separated by commas",
        default=None,
        metavar="0,2|DNA,AGP",
        default_text="all",
    )
    size_px: int = option(
        "height and width of the stored images",
        default=64,
        metavar="PX",
        unit="px",
        minimum=1,
        maximum=65_535,
    )
    fit: Literal["resize", "crop"] = option(
        "how an image of another size is made to fit: resize it, or crop its centre", default="resize"
    )
    tile: int | None = option(
        "cut each image into tiles of PX pixels first", default=None, metavar="PX", minimum=1, maximum=65_535
    )
    value_range: str = option(
        "how intensities become 8 bits: as they are, each image's own range or percentiles, or a fixed range",
        default="none",
        flag="--range",
        metavar="none|minmax|percentile|LO:HI",
    )
    fresh: bool = option("replace a store made earlier", default=False, saved=False)


@dataclass(frozen=True, kw_only=True)
class RunCommand(Options):
    """Options of ``morphobench run``."""

    store: Path = argument("STORE", _STORE)
    out: Path = argument("OUT", _OUT)
    run: RunOptions = group(RunOptions, inline=True)
    fresh: bool = option("remove the results of an earlier run in OUT first", default=False, saved=False)
    quiet: bool = option("show no progress", default=False, saved=False)

    @classmethod
    def default_texts(cls) -> dict[str, str]:
        """Values of each preset."""
        return dict(RunOptions.default_texts())


@dataclass(frozen=True, kw_only=True)
class ProjectOptions(Options):
    """Options of ``morphobench project``."""

    store: Path = argument("STORE", _STORE)
    run: RunOptions = group(RunOptions, inline=True)
    as_if_images: int | None = option(
        "predict for N images in all, split as those of the store are",
        default=None,
        metavar="N",
        minimum=1,
        default_text="those of the store",
    )
    parallel: int = option(
        "machines or GPUs like this one that train at the same time",
        default=1,
        metavar="P",
        minimum=1,
        maximum=100_000,
    )

    @classmethod
    def default_texts(cls) -> dict[str, str]:
        """Values of each preset."""
        return dict(RunOptions.default_texts())


@dataclass(frozen=True, kw_only=True)
class CostCommand(Options):
    """Options of ``morphobench cost``."""

    store: Path = argument("STORE", _STORE)
    out: Path = argument("OUT", _OUT)
    cost: CostOptions = group(CostOptions, inline=True)
    budget_min: float | None = option(
        "begin nothing further after M minutes; the first --rounds rounds are always done",
        default=None,
        metavar="M",
        unit="minutes",
        minimum=0,
        default_text="no limit",
    )
    docs: Path | None = option(
        "also write the tables into this Markdown page", default=None, metavar="PAGE.md"
    )
    fresh: bool = option("remove the results of an earlier run in OUT first", default=False, saved=False)
    quiet: bool = option("show no progress", default=False, saved=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.budget_min == 0:
            raise InputError("--budget-min must be more than 0 minutes, got 0")

    @classmethod
    def default_texts(cls) -> dict[str, str]:
        """Defaults that differ from those of training."""
        return dict(CostOptions.default_texts())


@dataclass(frozen=True, kw_only=True)
class EmbedOptions(Options):
    """Options of ``morphobench embed``."""

    store: Path = argument("STORE", _STORE)
    weights: Path = option("encoder: our .safetensors file or a published .torch file")
    out: Path = option("file to write", metavar="EMBEDDINGS.parquet")
    device: str = option("cpu, cuda or cuda:N", default="cpu")
    fresh: bool = option("replace a file made from other weights or images", default=False, saved=False)


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """Options of ``morphobench evaluate``."""

    embeddings: tuple[Path, ...] = argument(
        "EMBEDDINGS.parquet", "tables of Metadata_ columns and feature columns: Parquet, CSV or .h5ad"
    )
    into: Path | None = option(
        "add them to the tables of this run: on its images and splits, with its protocol and tasks",
        default=None,
        metavar="OUT",
    )
    name: str | None = option("name of the row in OUT's table", default=None, default_text="the file's name")
    other_images: bool = option(
        "with --into: also take rows that are of no image of the run, such as profiles of wells",
        default=False,
    )
    protocol: Protocol | None = option(
        "rules of the evaluation",
        default=None,
        default_text="those the file was made under, else corrected-1",
    )
    seed: int = option("random seed of splits and classifiers", default=0, metavar="S", minimum=0)
    split_by: SplitBy = option(
        "what train, validation and test rows must not share, as for run; auto: the column Metadata_Split "
        "where the file has one",
        default="auto",
    )
    profile: str = option(
        "preset of the hyper-parameters that the tasks try", default="paper", choices=tuple(PRESETS)
    )
    evaluation: EvaluationOptions = group(EvaluationOptions, inline=True)
    json: Path | None = option("write metrics, tables and warnings to this file", default=None)
    fresh: bool = option(
        "with --into: replace rows of another file under that name", default=False, saved=False
    )

    @classmethod
    def _with_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("into") is not None:
            runs = {
                "protocol",
                "seed",
                "profile",
                "split_by",
                *(one.name for one in option_fields(EvaluationOptions)),
            }
            besides = [one.label for one in option_fields(cls) if one.name in given and one.name in runs]
            if besides:
                raise InputError(f"--into takes the options of the run, got {', '.join(besides)} besides")
        if given.get("name") is not None and len(given.get("embeddings", ())) > 1:
            raise InputError(f"--name must be given with one file, got {len(given['embeddings'])} files")
        sweep = vars(PRESETS[given.get("profile", "paper")].sweep)
        return {**sweep, **given}


@dataclass(frozen=True, kw_only=True)
class ViewsOptions(Options):
    """Options of ``morphobench views``."""

    store: Path = argument("STORE", _STORE)
    out: Path = option("picture to write (.png)", metavar="PICTURE")
    setting: str = option(
        "setting whose views are shown; all: the four under each other",
        default="aug_multi_crop",
        choices=(*SETTINGS, "all"),
    )
    spec: Path | None = option(
        "show views of your own, not a setting's: a JSON file of what ViewSpec.describe() returns",
        default=None,
        metavar="JSON",
    )
    contact: bool = option(
        "show random images by class and compound instead of views, --images of each", default=False
    )
    images: int = option("how many images to show", default=8, metavar="N", minimum=1, maximum=10_000)
    seed: int = option(
        "random seed of the views, or of the choice of images", default=0, metavar="S", minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """Options of ``morphobench compare``."""

    base: Path = argument("BASE.json", "pytest-benchmark JSON file, results.jsonl or OUT")
    new: Path = argument("NEW.json", "the same kind as BASE")
    tolerance: float | None = option(
        "a cost fails where NEW / BASE is more than R",
        default=None,
        metavar="R",
        minimum=1,
        maximum=1e9,
        default_text="time 1.08, CPU time and host memory 1.1, device memory 1.05; times that were "
        "recorded without a yardstick of the machine's speed never fail",
    )
    metric_tolerance: float | None = option(
        "a metric fails where it is worse by more than X",
        default=None,
        metavar="X",
        minimum=0,
        default_text="0.02, or 5 % of values above 1",
    )
    changed_only: bool = option("show only what changed significantly", default=False)


@dataclass(frozen=True, kw_only=True)
class InfoOptions(Options):
    """``morphobench info`` has no options of its own."""


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(Options):
    """Options of ``morphobench doctor``."""

    part: Literal["all", "views"] = option(
        "what is used: all, or only morphobench.augment and .evaluation.distances, which need NumPy alone",
        default="all",
    )
    folder: Path = option(
        "folder whose disk is measured, such as the one for stores and results",
        default=Path(),
        metavar="FOLDER",
        default_text="the current folder",
    )
    seconds: float = option(
        "time for the self-test of the kernels", default=10.0, metavar="S", minimum=0, maximum=3600
    )
