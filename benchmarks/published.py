"""Published numbers beside ours: claim, published value, our value, difference, PASS or FAIL.

    python -m benchmarks.published DATA [--json FILE]

DATA holds ``golden`` (networks of the study, and outputs of the study's own program) and ``profiles-bbbc021``
(CellProfiler profiles of BBBC021). Claims whose data are absent are named and not counted. The matching of
mechanisms is computed by ``morphobench evaluate`` from the file of well profiles, with documented options.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from morphobench.cli import main as morphobench
from morphobench.evaluation import distances
from morphobench.models import load_published

EVALUATE = (
    *("--split", "none", "--level", "treatment", "--metric", "correlation"),
    *("--aggregate", "mean", "--normalize", "none"),
)
"""Options of ``morphobench evaluate`` that reproduce matching by mechanism as published."""


@dataclass(frozen=True)
class Claim:
    """A published number and ours.

    Attributes:
        claim: What is claimed, with its source.
        published: The published value.
        ours: Our value.
        tolerance: Largest difference that passes.
    """

    claim: str
    published: float
    ours: float
    tolerance: float

    @property
    def difference(self) -> float:
        """Ours minus published."""
        return self.ours - self.published

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance."""
        return abs(self.difference) <= self.tolerance


def check_networks(golden: Path) -> Iterator[Claim]:
    """Compare the study's trained networks: largest difference of any output, relative to the largest output.

    Args:
        golden: Folder of ``checkpoints`` and ``published_checkpoints.npz``.

    Yields:
        One claim per network.
    """
    with np.load(golden / "published_checkpoints.npz") as expected:
        images = expected["images"]
        for path in sorted((golden / "checkpoints").glob("*.torch")):
            paradigm, setting, _ = path.stem.split("__")
            name, network = f"{paradigm}/{setting}", load_published(path)
            found = [(network.embed(images), expected[f"{name}/embedding"])]
            if f"{name}/class_probability" in expected:
                found.append((network.class_probability(images), expected[f"{name}/class_probability"]))
            else:
                found.append((network.reconstruct(images[:4, None]), expected[f"{name}/reconstruction"]))
            worst = max(float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in found)
            yield Claim(f"study, network {name}: difference of its outputs", 0.0, worst, 1e-5)


def check_distances(golden: Path) -> Iterator[Claim]:
    """Compare the study's distances between two sets of embeddings.

    Args:
        golden: Folder of ``distances.npz``.

    Yields:
        One claim per distance: its median over all pairs.
    """
    with np.load(golden / "distances.npz") as expected:
        medians = distances.median_distances(expected["a"], expected["b"])
        for metric, ours in medians.items():
            published = float(expected[f"{metric}_median"])
            yield Claim(f"study, median {metric} distance", published, ours, 1e-5 * abs(published))


def check_matching(profiles: Path) -> Iterator[Claim]:
    """Compare matching by mechanism on CellProfiler profiles of BBBC021.

    Args:
        profiles: Folder of ``wells_normalized.parquet`` and ``expected.json``.

    Yields:
        Claims of accuracy (Ljosa et al. 2013, Ando et al. 2017's restriction) and of the confusion matrix.
    """
    expected = json.loads((profiles / "expected.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        command = ["evaluate", str(profiles / "wells_normalized.parquet"), "--task", "profiling", *EVALUATE]
        if code := morphobench([*command, "--json", str(out)]):
            raise SystemExit(code)
        found = json.loads(out.read_text("utf-8"))
    table = pd.DataFrame(found["tables"]["profiling.nsc"])
    right = int((table["Metadata_MOA"] == table["predicted"]).sum())
    accuracy = float(found["metrics"]["profiling.nsc_accuracy"])
    # Published to two decimals; the vignette's confusion matrix gives 84 of 103.
    yield Claim("BBBC021, matching not the same compound (Ljosa et al. 2013)", 0.82, accuracy, 0.005)
    yield Claim("BBBC021, treatments matched correctly", 84, right, 0)
    yield Claim("BBBC021, treatments asked", 103, len(table), 0)
    names = expected["published"]["mechanisms"]
    ours = pd.crosstab(table["predicted"], table["Metadata_MOA"]).reindex(
        index=names, columns=names, fill_value=0
    )
    theirs = np.asarray(expected["published"]["confusion_rows_predicted_columns_true"])
    different = int((ours.to_numpy() != theirs).sum())
    yield Claim("BBBC021, cells of the confusion matrix that differ, of 144", 0, different, 0)
    nscb = float(found["metrics"]["profiling.nscb_accuracy"])
    yield Claim(
        "BBBC021, neither the same compound nor week (not published; computed independently)",
        70 / 92,
        nscb,
        1e-9,
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the table of claims.

    Args:
        arguments: Command line; None: that of the process.

    Returns:
        Exit code: 0 where every claim passes, 1 otherwise or where no data are there.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    claims: list[Claim] = []
    for folder, checks in (
        ("golden", (check_networks, check_distances)),
        ("profiles-bbbc021", (check_matching,)),
    ):
        if (chosen.data / folder).is_dir():
            claims += [claim for check in checks for claim in check(chosen.data / folder)]
        else:
            sys.stderr.write(f"not checked: {chosen.data / folder} is absent\n")
    width = max((len(one.claim) for one in claims), default=0)
    lines = [f"{'claim':{width}}  {'published':>10}  {'ours':>10}  {'difference':>10}"]
    for one in claims:
        numbers = f"{one.published:10.4g}  {one.ours:10.4g}  {one.difference:+10.2g}"
        lines.append(f"{one.claim:{width}}  {numbers}  {'PASS' if one.passed else 'FAIL'}")
    lines.append(f"{sum(one.passed for one in claims)} of {len(claims)} pass")
    sys.stdout.write("\n".join([*lines, ""]))
    if chosen.json is not None:
        rows = [{**vars(one), "difference": one.difference, "passed": one.passed} for one in claims]
        chosen.json.write_text(json.dumps(rows, indent=1), "utf-8")
    return 0 if claims and all(one.passed for one in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
