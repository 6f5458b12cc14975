"""Metadata from file names: the study's names, and regular expressions with named groups.

Regular expressions are matched by a Python process of its own, because some take exponential time and cannot
be interrupted within a process.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from morphobench.data.metadata import column_name
from morphobench.errors import InputError

STUDY = "study"
CHANNEL = "Metadata_Channel"
_STUDY_FIELDS = {0: "Metadata_CellLine", 2: "Metadata_Plate", 3: "Metadata_Well", 4: "Metadata_Compound"}
MATCH_SECONDS, _SECONDS_PER_PATH = 20.0, 1e-3
_PROGRAM = """
import json, re, sys
pattern, paths = json.load(sys.stdin)
search = re.compile(pattern).search
found = [search(path) for path in paths]
groups = [f and {name: [value, *f.span(name)] for name, value in f.groupdict().items()} for f in found]
json.dump(groups, sys.stdout)
"""


@dataclass(frozen=True)
class NamedFields:
    """What a path's name says.

    Attributes:
        columns: values by Metadata_ column.
        without_channel: the path without its channel; None where the pattern has no group Channel.
    """

    columns: dict[str, str | None]
    without_channel: str | None = None


def match_paths(paths: Sequence[str], pattern: str) -> list[NamedFields | None]:
    """Read metadata from paths.

    Args:
        paths: paths of images.
        pattern: ``"study"``, or a regular expression with named groups that is searched in each path.

    Returns:
        What each path says; None where it does not match.

    Raises:
        InputError: for a bad pattern, or one that takes too long.
    """
    if pattern == STUDY:
        fields = [study_fields(path) for path in paths]
        return [None if found is None else NamedFields(found) for found in fields]
    columns = _columns(pattern)
    limit = MATCH_SECONDS + _SECONDS_PER_PATH * len(paths)
    try:
        done = subprocess.run(  # noqa: S603 - a constant program; -I: nothing of the working folder is imported
            [sys.executable, "-I", "-c", _PROGRAM],
            input=json.dumps([pattern, list(paths)]),
            capture_output=True,
            text=True,
            check=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"pattern must match {len(paths)} paths within {limit:.0f} s, got {pattern!r}, which takes more: "
            "repetitions within repetitions, such as (a+)+, take exponential time"
        ) from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or "no reason").strip().splitlines()[-1]
        raise InputError(f"pattern must be a regular expression, got {pattern!r}: {reason}") from error
    return [
        None if groups is None else _fields(path, groups, columns)
        for path, groups in zip(paths, json.loads(done.stdout), strict=True)
    ]


def _columns(pattern: str) -> dict[str, str]:
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"pattern must be study or a regular expression, got {pattern!r}: {error}") from None
    if not groups:
        raise InputError(f"pattern must have named groups such as (?P<Plate>[^_]+), got {pattern!r}")
    columns = {group: column_name(group) for group in groups}
    if len(set(columns.values())) < len(groups) or "Metadata_Path" in columns.values():
        raise InputError(
            f"pattern must have groups for different columns other than path, got {list(groups)}"
        )
    return columns


def _fields(path: str, groups: dict[str, list[object]], columns: dict[str, str]) -> NamedFields:
    found: dict[str, str | None] = {}
    without_channel = None
    for group, (value, start, end) in groups.items():
        found[columns[group]] = None if value is None else str(value)
        if columns[group] == CHANNEL and isinstance(start, int) and isinstance(end, int) and start >= 0:
            without_channel = path[:start] + path[end:]
    return NamedFields(found, without_channel)


def study_fields(path: str) -> dict[str, str | None] | None:
    """Read the study's own names, ``CELLLINE_x_PLATE_WELL_DRUG_..._Y_M_D.jpg``.

    Args:
        path: path of an image.

    Returns:
        Cell line, plate, well and drug (fields 0, 2, 3, 4 of the name); None for another name.
    """
    fields = PurePosixPath(path).stem.split("_")
    if len(fields) <= max(_STUDY_FIELDS) or not all(fields[i] for i in _STUDY_FIELDS):
        return None
    return {name: fields[i] for i, name in _STUDY_FIELDS.items()}


# Tokens that name a channel in the files of common microscopes and stains.
_STAINS = "dapi|hoechst|dna|er|rna|agp|mito|actin|tubulin|gfp|rfp|cy3|cy5|fitc|tritc|brightfield|bf"
_STRONG = re.compile(
    rf"(?<=[^a-z])(?:channel|chan|ch)[_-]?\d{{1,2}}(?=[^0-9])|(?<=[_-])(?:{_STAINS})(?=[_.-])", re.I
)
_WEAK = re.compile(r"(?<=[_-])(?:w|c)\d(?=[^0-9])", re.I)


def channel_files(paths: Sequence[str]) -> tuple[list[str], bool] | None:
    """Find files that look like the channels of one image, one file each.

    Args:
        paths: paths of images.

    Returns:
        The paths of one such image, and whether the names leave no doubt; None where most names do not.
    """
    for token, sure in ((_STRONG, True), (_WEAK, False)):
        groups: dict[str, dict[str, str]] = {}
        for path in paths:
            if found := list(token.finditer(path)):
                last = found[-1]
                groups.setdefault(path[: last.start()] + path[last.end() :], {})[last[0].lower()] = path
        sets = [frozenset(group) for group in groups.values()]
        covered = sum(len(one) for one in sets if len(one) > 1)
        if (
            sets
            and covered >= 0.9 * len(paths)
            and sets.count(max(set(sets), key=sets.count)) >= 0.5 * len(sets)
        ):
            example = max(groups.values(), key=len)
            return sorted(example.values()), sure
    return None
