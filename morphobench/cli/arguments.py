"""What several commands take: kinds of numbers and names, setups, and how they are trained."""

from __future__ import annotations

import argparse

from morphobench.setups import PARADIGMS, SETTINGS
from morphobench.types import PRECISIONS


def fresh(parser: argparse.ArgumentParser, what: str) -> None:
    """--fresh, which replaces ``what`` made earlier."""
    parser.add_argument("--fresh", action="store_true", help=f"replace {what} made earlier")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 wanted, got {text}")
    return value


def natural(text: str) -> int:
    """A whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"a whole number of at least 0 wanted, got {text}")
    return value


# argparse names the type in its message for text that is no number.
positive.__name__ = natural.__name__ = "whole number"


def names(text: str) -> list[str]:
    """Names separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def setups(parser: argparse.ArgumentParser) -> None:
    """--setups."""
    parser.add_argument(
        "--setups",
        action="extend",
        type=names,
        metavar="PATTERNS",
        help="PARADIGM/SETTING with wildcards, quoted, separated by commas (all 16); "
        f"paradigms: {', '.join(PARADIGMS)}; settings: {', '.join(SETTINGS)}",
    )


def training(parser: argparse.ArgumentParser) -> None:
    """What `run` and `cost` train with, and where."""
    parser.add_argument(
        "--objective",
        action="append",
        default=[],
        metavar="package.module:Class",
        help="a paradigm of your own, beside the study's; may be given several times",
    )
    parser.add_argument(
        "--encoder",
        action="append",
        metavar="NAME",
        help="another encoder than the study's: study, resnet18, vit_small, package.module:factory, or "
        "small:kind=K,depth=D,pool=P,channels=C, where * and + give several; may be given several times, "
        "to compare them (study)",
    )
    parser.add_argument(
        "--accumulate",
        type=positive,
        default=1,
        metavar="N",
        help="batches whose gradients make one optimizer step (1)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="what a CUDA device multiplies in (float32)",
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:N; auto takes a GPU if there is one"
    )
    parser.add_argument("--threads", type=positive, metavar="T", help="processor threads (all cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    fresh(parser, "results")
