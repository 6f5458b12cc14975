"""The study repeated: all 16 setups on the sets of real images, its claims beside what comes out.

    python tools/study.py DATA OUT --page docs/study.md

trains every setup for ten epochs on all images of the train part (plates held out, all else the study's),
evaluates it, and writes the page. What OUT already holds is not done again, so the command may
be interrupted and given again. A set that OUT does not hold whole keeps its section of the page.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from evidence import SETS  # the file beside this one

import morphobench as mb
from morphobench._util.files import file_in_place_of
from morphobench.data import ingest
from morphobench.report.render.markdown import as_markdown
from morphobench.report.statistics.claims import StudyClaim, study_claims
from morphobench.setups import SETUPS

HEAD = """# The study repeated

All 16 setups on real images that nobody here made, {epochs} epochs of {images} images each in batches of
{batch}, and the study's claims one by one beside what came out. The study trained 50 epochs on up to
770,000 images; these sets are a hundred times smaller, so a claim that is "not decided" here may hold
there. A claim on quality is decided where the paired 95 % interval, over plates or seeds, excludes zero.
[Does training pay?](evidence.md) asks another question: what recipes of today gain on the same sets.
Times here are one measurement each, on a machine that did other work beside them; those of [cost](cost.md)
are better. Sets were computed on different days and machines; each section says its processor.

```sh
python tools/study.py DATA OUT {options}--page docs/study.md
```
"""


MARK = " ‡"  # of a metric whose task the audit doubts


def repeat(data: Path, out: Path, name: str, chosen: argparse.Namespace) -> None:
    """Train and evaluate all setups on one set, or go on where that was interrupted.

    Args:
        data: folder of the sets.
        out: folder of stores and results.
        name: name of the set.
        chosen: the command line's epochs, seeds, batch size and most images to train on.
    """
    store = ingest(data / name, out / "stores" / name, value_range=SETS[name].value_range)
    images = len(store.labels)
    mb.run(
        store,
        out / name,
        epochs=chosen.epochs,
        seeds=chosen.seeds,
        batch_size=chosen.batch_size,
        images=images,
        train_images=min(images, chosen.train_images or images),
    )


def section(out: Path, name: str) -> str | None:
    """The results of one set as Markdown.

    Args:
        out: folder of results.
        name: name of the set.

    Returns:
        Its claims, decision and table; None while a setup is missing.
    """
    if not (out / name / "run.json").is_file():
        return None
    results = mb.Results(out / name)
    if not {str(setup) for setup in SETUPS} <= {record.setup for record in results.records}:
        return None
    summary = results.summary
    facts = ", ".join(f"{key} {value}" for key, value in summary.facts.items())
    claims = claims_table(study_claims(summary.findings, summary.rows))
    return f"## {name}\n\n{facts}.\n\n{claims}\n\n{as_markdown(summary)}"


def kept(page: str, name: str) -> str | None:
    """The section of a set that an earlier call wrote.

    Args:
        page: the whole page.
        name: name of the set.

    Returns:
        It; None where the page has none.
    """
    found = re.search(rf"^## {re.escape(name)}\n.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return found[0] if found else None


def over_all_sets(sections: Mapping[str, str]) -> str:
    """What came out of each claim on each set, from the tables of their sections.

    Args:
        sections: the text of each set's section.

    Returns:
        A section with a row for each claim, and a column for each set.
    """
    verdicts: dict[str, dict[str, str]] = {}
    for name, text in sections.items():
        for claim, verdict in re.findall(
            r"^\| (.+?) \| (agrees|disagrees|not decided) \|", text, re.MULTILINE
        ):
            plain = claim.replace(MARK, "")
            verdicts.setdefault(plain, {})[name] = verdict + (MARK if plain != claim else "")
    lines = [f"| the study's claim | {' | '.join(sections)} |", "|---" * (len(sections) + 1) + "|"]
    for claim, by_set in verdicts.items():
        lines.append(f"| {claim} | {' | '.join(by_set.get(name, '') for name in sections)} |")
    if any(MARK in line for line in lines):
        lines += ["", f"{MARK.strip()}: the audit found this task confounded or saturated on this set."]
    return "\n".join(["## All sets", "", *lines, ""])


def claims_table(claims: tuple[StudyClaim, ...]) -> str:
    """Claims as a table in Markdown.

    Args:
        claims: the study's claims beside a run.

    Returns:
        One row a claim.
    """
    rows = [f"| {one.claim} | {one.verdict} | {one.measured} |" for one in claims]
    return "\n".join(["| the study's claim | here | measured |", "|---|---|---|", *rows])


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("out", type=Path, help="folder of stores and results")
    parser.add_argument("--sets", default=",".join(SETS), help="sets, separated by commas (default: all)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the images (default: 10)")
    parser.add_argument("--seeds", type=int, default=1, help="repetitions (default: 1)")
    parser.add_argument("--batch-size", type=int, default=64, help="images of a step (default: 64)")
    parser.add_argument("--train-images", type=int, help="most images to train on (default: all)")
    parser.add_argument("--page", type=Path, help="page to write")
    chosen = parser.parse_args()
    names = chosen.sets.split(",")
    if unknown := sorted(set(names) - set(SETS)):
        sys.exit(f"--sets must be of {', '.join(SETS)}, got {', '.join(unknown)}")
    for name in names:
        repeat(chosen.data, chosen.out, name, chosen)
    if chosen.page is not None:
        before = chosen.page.read_text("utf-8") if chosen.page.is_file() else ""
        sections = {name: section(chosen.out, name) or kept(before, name) for name in SETS}
        found = {name: text for name, text in sections.items() if text is not None}
        parts = [over_all_sets(found), *found.values()]
        if missing := [name for name in SETS if name not in found]:
            parts.insert(0, f"**Not finished, and not on this page:** {', '.join(missing)}.\n")
        images = f"up to {chosen.train_images}" if chosen.train_images else "all"
        head = HEAD.format(
            epochs=chosen.epochs, images=images, batch=chosen.batch_size, options=_options(chosen)
        )
        with file_in_place_of(chosen.page) as temporary:
            temporary.write_text("\n".join([head, *parts]), encoding="utf-8")


def _options(chosen: argparse.Namespace) -> str:
    """The options that repeat the page's results, as the command line takes them."""
    options = {
        "epochs": chosen.epochs,
        "train-images": chosen.train_images,
        "batch-size": chosen.batch_size,
        "seeds": chosen.seeds,
    }
    return "".join(f"--{name} {value} " for name, value in options.items() if value is not None)


if __name__ == "__main__":
    main()
