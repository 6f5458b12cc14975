"""The commands and their options; each option's help says its default."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import morphobench
from morphobench.cli import commands
from morphobench.cli.arguments import fresh, names, natural, positive, setups, training
from morphobench.setups import PROFILES, SETTINGS
from morphobench.types import AGGREGATES, DEFAULT_PROTOCOL, NORMALIZATIONS, PROTOCOLS

PROGRAM = "morphobench"
_EXIT_CODES = "exit codes: 0 done; 1 a comparison or check failed; 2 bad usage or bad input; 130 interrupted"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{PROGRAM}: error: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; the chosen command's function is ``namespace.command``."""
    parser = _Parser(
        prog=PROGRAM,
        description="Which way of learning representations should I use on my cell images, "
        "and what will it cost me?",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {morphobench.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_simulate(subparsers)
    _add_ingest(subparsers)
    _add_run(subparsers)
    _add_cost(subparsers)
    _add_embed(subparsers)
    _add_evaluate(subparsers)
    _add_summarize(subparsers)
    _add_report(subparsers)
    _add_views(subparsers)
    _add_compare(subparsers)
    _command(subparsers, "info", commands.info, "show versions, the build, the machine, setups and profiles")
    return parser


def _command(
    subparsers: Any, name: str, function: Callable[..., int], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=_EXIT_CODES
    )
    parser.set_defaults(command=function)
    return parser


def _add_simulate(subparsers: Any) -> None:
    parser = _command(
        subparsers, "simulate", commands.simulate, "make a store of simulated cell images with known answers"
    )
    parser.add_argument("store", type=Path, metavar="STORE", help="folder to make")
    parser.add_argument("--images", type=positive, required=True, metavar="N", help="number of images")
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="S", help="what the images follow from (0)"
    )
    parser.add_argument("--null", action="store_true", help="no drug has any effect")
    parser.add_argument(
        "--cell-lines",
        type=positive,
        default=21,
        metavar="L",
        help="cell lines, at most the study's 21 (21)",
    )
    fresh(parser, "a store")


def _add_ingest(subparsers: Any) -> None:
    parser = _command(subparsers, "ingest", commands.ingest, "read images from disk into a store")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder of images")
    parser.add_argument("store", type=Path, metavar="STORE", help="folder to make")
    parser.add_argument(
        "--metadata",
        type=Path,
        metavar="TABLE",
        help="CSV or Parquet with a `path` column (relative to SOURCE) and Metadata_ columns; "
        "without it the folders' names are the classes (drugs/, controls/ ...)",
    )
    parser.add_argument(
        "--pattern",
        metavar="REGEX|study",
        help="named groups of this regular expression over the file name become Metadata_ columns; "
        "`study`: the published study's file names",
    )
    parser.add_argument("--channels", metavar="0,2", help="channels to keep (all)")
    parser.add_argument("--size-px", type=positive, default=64, metavar="PX", help="height and width (64)")
    parser.add_argument(
        "--fit", choices=("resize", "crop"), default="resize", help="how images get their size (resize)"
    )
    parser.add_argument("--tile", type=positive, metavar="PX", help="cut each image into tiles of PX first")
    parser.add_argument(
        "--range",
        default="none",
        dest="value_range",
        metavar="none|minmax|percentile|LO:HI",
        help="how intensities become 8 bits: as they are, each image's own range, or a fixed one (none)",
    )
    fresh(parser, "a store")


def _add_run(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "run",
        commands.run,
        "train and evaluate setups under identical conditions; run again to go on where it stopped",
    )
    parser.add_argument("store", type=Path, metavar="STORE", help="what `simulate` or `ingest` made")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the results")
    setups(parser)
    parser.add_argument("--profile", choices=tuple(PROFILES), default="quick", help="how much to do (quick)")
    _protocol(parser)
    parser.add_argument("--seeds", type=positive, metavar="K", help="repetitions (the profile's)")
    parser.add_argument("--epochs", type=positive, metavar="E", help="passes over the images (the profile's)")
    parser.add_argument("--images", type=positive, metavar="N", help="take N of the store's (the profile's)")
    parser.add_argument(
        "--train-images", type=positive, metavar="N", help="learn from at most N of these (the profile's)"
    )
    parser.add_argument("--batch-size", type=positive, metavar="B", help="images a batch (the profile's)")
    parser.add_argument(
        "--task",
        action="extend",
        type=names,
        metavar="TASKS",
        help="similarity,classification,clustering (all)",
    )
    _choices_of_tasks(parser)
    parser.add_argument("--no-baselines", action="store_true", help="leave the baselines out")
    training(parser)


def _add_cost(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "cost",
        commands.cost,
        "measure training time and memory of setups in interleaved rounds, per epoch and to convergence, "
        "and whether self-supervised is up to 11 times faster; run again to go on where it stopped",
    )
    parser.add_argument("store", type=Path, metavar="STORE", help="what `simulate` or `ingest` made")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the results")
    setups(parser)
    _protocol(parser)
    parser.add_argument(
        "--rounds", type=positive, default=5, metavar="R", help="rounds that all setups take part in (5)"
    )
    parser.add_argument(
        "--epochs-per-round", type=positive, default=1, metavar="E", help="epochs of each round (1)"
    )
    parser.add_argument(
        "--epochs", type=positive, default=50, metavar="E", help="cap where a setup does not converge (50)"
    )
    parser.add_argument(
        "--improvement",
        type=float,
        default=0.01,
        metavar="X",
        help="share by which the validation loss must fall, or it has converged (0.01)",
    )
    parser.add_argument(
        "--patience", type=positive, default=5, metavar="K", help="epochs within which it must (5)"
    )
    parser.add_argument(
        "--budget-min",
        type=float,
        metavar="M",
        help="start nothing after M minutes, the first R rounds apart (no limit)",
    )
    parser.add_argument("--images", type=positive, metavar="N", help="take N of the store's (all)")
    parser.add_argument(
        "--train-images", type=positive, default=256, metavar="N", help="learn from at most N of these (256)"
    )
    parser.add_argument("--batch-size", type=positive, default=32, metavar="B", help="images a batch (32)")
    parser.add_argument("--docs", type=Path, metavar="PAGE.md", help="put the tables into this page as well")
    training(parser)


def _protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default=None, help=f"whose rules to follow ({DEFAULT_PROTOCOL})"
    )


def _add_embed(subparsers: Any) -> None:
    parser = _command(subparsers, "embed", commands.embed, "embed a store's images with a trained encoder")
    parser.add_argument("store", type=Path, metavar="STORE", help="what `simulate` or `ingest` made")
    parser.add_argument(
        "--weights",
        type=Path,
        required=True,
        metavar="FILE",
        help="our .safetensors or a published .torch file",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="EMBEDDINGS.parquet", help="file to write")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N (cpu)")
    fresh(parser, "a file")


def _choices_of_tasks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        action="append",
        type=_pair,
        metavar="A,B",
        help="two compounds expected alike, for similarity; may be given several times "
        "(the study's, else all that share Metadata_MOA)",
    )
    parser.add_argument(
        "--balance-classes",
        action="store_true",
        help="weigh the classes of the classifiers' loss by their rarity",
    )
    parser.add_argument("--aggregate", choices=AGGREGATES, help="how a well's images become one (median)")
    parser.add_argument(
        "--normalize", choices=NORMALIZATIONS, help="what profiles are put to controls by (mad_robustize)"
    )


def _pair(text: str) -> tuple[str, str]:
    pair = names(text)
    if len(pair) != 2 or pair[0] == pair[1]:
        raise argparse.ArgumentTypeError(f"two different compounds, A,B, wanted, got {text!r}")
    return pair[0], pair[1]


def _add_evaluate(subparsers: Any) -> None:
    parser = _command(subparsers, "evaluate", commands.evaluate, "evaluate embeddings, whoever made them")
    parser.add_argument(
        "embeddings",
        type=Path,
        nargs="+",
        metavar="EMBEDDINGS.parquet",
        help="Metadata_ columns and feature columns; Parquet, CSV or .h5ad",
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="OUT",
        help="add them to the tables of this run: on its images and splits, with its protocol and tasks",
    )
    parser.add_argument("--name", metavar="NAME", help="what the row of OUT's table is called (the file)")
    parser.add_argument(
        "--other-images",
        action="store_true",
        help="with --into: take rows that are of other images than the run's, with a warning",
    )
    parser.add_argument(
        "--task",
        action="extend",
        type=names,
        metavar="TASKS",
        help="similarity,classification,clustering (all)",
    )
    _protocol(parser)
    parser.add_argument("--seed", type=natural, metavar="S", help="of splits and classifiers (0)")
    parser.add_argument("--profile", choices=tuple(PROFILES), help="whose grids the tasks try (paper)")
    _choices_of_tasks(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write metrics, tables and warnings there")
    fresh(parser, "rows of OUT")


def _add_summarize(subparsers: Any) -> None:
    parser = _command(subparsers, "summarize", commands.summarize, "print the one table")
    parser.add_argument(
        "source",
        type=Path,
        metavar="FILE_OR_OUT",
        help="OUT, a results.jsonl, or a pytest-benchmark JSON file",
    )
    parser.add_argument("--all-metrics", action="store_true", help="every metric in a second table")


def _add_report(subparsers: Any) -> None:
    parser = _command(subparsers, "report", commands.report, "write OUT's page of tables and pictures")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the results")


def _add_views(subparsers: Any) -> None:
    parser = _command(subparsers, "views", commands.views, "make a picture of the views of a store's images")
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of a store")
    parser.add_argument("--out", type=Path, required=True, metavar="PICTURE", help="file to write (.png)")
    parser.add_argument(
        "--setting",
        choices=(*SETTINGS, "all"),
        default="aug_multi_crop",
        help="or all four under each other (aug_multi_crop)",
    )
    parser.add_argument(
        "--spec",
        type=Path,
        metavar="JSON",
        help="other views than a setting's: a file of what ViewSpec.describe() returns",
    )
    parser.add_argument("--images", type=positive, default=8, metavar="N", help="how many images (8)")
    parser.add_argument("--seed", type=natural, default=0, metavar="S", help="what the draws follow from (0)")


def _add_compare(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "compare",
        commands.compare,
        "compare two benchmark files or two runs; 1 where NEW is worse",
    )
    kinds = "a pytest-benchmark JSON file, a results.jsonl or an OUT"
    parser.add_argument("base", type=Path, metavar="BASE.json", help=kinds)
    parser.add_argument("new", type=Path, metavar="NEW.json", help="the same kind as BASE")
    parser.add_argument(
        "--tolerance",
        type=_ratio,
        default=1.25,
        metavar="R",
        help="largest ratio NEW / BASE of time and memory that passes (1.25)",
    )
    parser.add_argument(
        "--metric-tolerance",
        type=float,
        metavar="X",
        help="largest loss of any metric that passes (metrics are shown, not judged)",
    )


def _ratio(text: str) -> float:
    value = float(text)
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"a ratio of at least 1 wanted, got {text}")
    return value


_ratio.__name__ = "number"
