"""What each command does with its arguments; they return exit codes. Heavy imports wait until needed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from morphobench.errors import CheckError, InputError
from morphobench.types import DEFAULT_PROTOCOL

if TYPE_CHECKING:
    from rich.console import RenderableType

    from morphobench.data import ImageStore


def simulate(chosen: argparse.Namespace) -> int:
    """``morphobench simulate STORE --images N``."""
    from morphobench.data import simulate as make

    store = make(
        chosen.store,
        images=chosen.images,
        seed=chosen.seed,
        null=chosen.null,
        cell_lines=chosen.cell_lines,
        fresh=chosen.fresh,
        progress=_counter("drawing"),
    )
    _say_store(store)
    return 0


def ingest(chosen: argparse.Namespace) -> int:
    """``morphobench ingest SOURCE STORE``."""
    from morphobench.data import ingest as read

    store = read(
        chosen.source,
        chosen.store,
        metadata=chosen.metadata,
        pattern=chosen.pattern,
        channels=chosen.channels,
        size_px=chosen.size_px,
        fit=chosen.fit,
        tile=chosen.tile,
        value_range=chosen.value_range,
        fresh=chosen.fresh,
        progress=_counter("reading"),
    )
    _say_store(store)
    rejected = len(store.rejected)
    if rejected:
        _show(f"{rejected} not read: {store.path / 'rejected.csv'} says why")
    return 0


def run(chosen: argparse.Namespace) -> int:
    """``morphobench run STORE OUT``."""
    from morphobench.run.options import RunOptions
    from morphobench.run.runner import run as work

    options = RunOptions.resolve(
        setups=chosen.setups,
        profile=chosen.profile,
        protocol=chosen.protocol or DEFAULT_PROTOCOL,
        seeds=chosen.seeds,
        epochs=chosen.epochs,
        images=chosen.images,
        train_images=chosen.train_images,
        batch_size=chosen.batch_size,
        tasks=chosen.task,
        baselines=() if chosen.no_baselines else None,
        objectives=chosen.objective,
        encoder=chosen.encoder or "study",
        accumulate=chosen.accumulate,
        precision=chosen.precision,
        device=chosen.device,
        threads=chosen.threads,
        pairs=chosen.pairs,
        balance_classes=chosen.balance_classes,
        aggregate=chosen.aggregate or "median",
        normalize=chosen.normalize or "mad_robustize",
    )
    records = work(chosen.store, chosen.out, options=options, fresh=chosen.fresh, quiet=chosen.quiet)
    _show(f"{len(records)} records in {chosen.out}; `morphobench summarize {chosen.out}` shows the table")
    return 0


def cost(chosen: argparse.Namespace) -> int:
    """``morphobench cost STORE OUT``."""
    from morphobench._util.files import write_whole
    from morphobench._util.json import write_json
    from morphobench.report.render.cost_page import cost_page, fill_page, summary
    from morphobench.run.cost import CostOptions, measure_cost
    from morphobench.run.folder import COST_PAGE, COST_SUMMARY
    from morphobench.run.options import RunOptions
    from morphobench.training import Plateau

    options = CostOptions(
        RunOptions.resolve(
            setups=chosen.setups,
            profile="paper",
            protocol=chosen.protocol or DEFAULT_PROTOCOL,
            seeds=1,
            epochs=chosen.epochs,
            images=chosen.images,
            train_images=chosen.train_images,
            batch_size=chosen.batch_size,
            tasks=(),
            baselines=(),
            objectives=chosen.objective,
            encoder=chosen.encoder or "study",
            accumulate=chosen.accumulate,
            precision=chosen.precision,
            device=chosen.device,
            threads=chosen.threads,
        ),
        rounds=chosen.rounds,
        epochs_per_round=chosen.epochs_per_round,
        plateau=Plateau(chosen.improvement, chosen.patience),
    )
    if chosen.docs is not None:
        fill_page(chosen.docs, None)  # a page without a place for the tables is refused before the hours
    if chosen.budget_min is not None and not chosen.budget_min > 0:
        raise InputError(f"--budget-min: more than 0 minutes wanted, got {chosen.budget_min:g}")
    budget_s = None if chosen.budget_min is None else 60 * chosen.budget_min
    measured = measure_cost(
        chosen.store, chosen.out, options=options, budget_s=budget_s, fresh=chosen.fresh, quiet=chosen.quiet
    )
    page = cost_page(measured)
    write_json(chosen.out / COST_SUMMARY, {**measured, "summary": summary(measured)})
    write_whole(chosen.out / COST_PAGE, page.markdown())
    if chosen.docs is not None:
        fill_page(chosen.docs, page.markdown())
    _show(page.rich())
    return 0


def embed(chosen: argparse.Namespace) -> int:
    """``morphobench embed STORE --weights FILE --out EMBEDDINGS.parquet``."""
    from morphobench._util.hashing import sha256_file
    from morphobench.data import ImageStore
    from morphobench.embeddings import embed as through
    from morphobench.embeddings import read_embeddings, write_embeddings
    from morphobench.models import load_encoder
    from morphobench.run.environment import environment

    store = ImageStore.open(chosen.store)
    encoder = load_encoder(chosen.weights)
    made_from = {
        "weights_sha256": sha256_file(chosen.weights),
        "data_sha256": str(store.manifest["content_sha256"]),
    }
    if chosen.out.exists() and not chosen.fresh:
        _, _, provenance = read_embeddings(chosen.out)
        other = [key for key, value in made_from.items() if provenance.get(key) != value]
        if other:
            raise InputError(
                f"{chosen.out}: made from other {' and '.join(other)}; take another --out, or --fresh"
            )
        _show(f"{chosen.out}: was made before from the same weights and images")
        return 0
    embeddings = through(encoder, store.images, device=chosen.device)
    made = environment(device=chosen.device)
    provenance = {**made_from, "versions": made["versions"], "commit": made["commit"]}
    described = store.metadata.assign(Metadata_ImageId=store.image_ids)
    write_embeddings(chosen.out, embeddings, described, provenance=provenance)
    _show(f"{chosen.out}: {len(embeddings)} images, {embeddings.shape[1]} features")
    return 0


def evaluate(chosen: argparse.Namespace) -> int:
    """``morphobench evaluate EMBEDDINGS.parquet ... [--into OUT]``."""
    from morphobench._util.json import write_json
    from morphobench.cli.external import evaluate_file, evaluate_into, metric_table

    if chosen.name is not None and len(chosen.embeddings) > 1:
        raise InputError(f"--name: one file wanted, got {len(chosen.embeddings)}")
    found = []
    for path in chosen.embeddings:
        try:
            if chosen.into is not None:
                found += evaluate_into(path, chosen)
                continue
            found.append(
                evaluate_file(
                    path,
                    tasks=chosen.task,
                    protocol=chosen.protocol,
                    seed=chosen.seed or 0,
                    profile=chosen.profile or "paper",
                    pairs=chosen.pairs,
                    balance_classes=chosen.balance_classes,
                    aggregate=chosen.aggregate,
                    normalize=chosen.normalize,
                )
            )
        except InputError as error:
            # of several files, which one? The tasks know only arrays.
            if str(error).startswith(("--", str(path), str(chosen.into))):
                raise
            raise InputError(f"{path}: {error}") from error
        _show(metric_table(found[-1]))
    for warning in dict.fromkeys(text for one in found for text in one["warnings"]):
        print(f"morphobench: warning: {warning}", file=sys.stderr)  # noqa: T201
    if chosen.into is not None:
        for name in dict.fromkeys(one["setup"] for one in found):
            _show(f"{name} is in {chosen.into}; `morphobench summarize {chosen.into}` shows the table")
    if chosen.json is not None:
        write_json(chosen.json, found[0] if len(found) == 1 else found)
    return 0


def summarize(chosen: argparse.Namespace) -> int:
    """``morphobench summarize FILE_OR_OUT``."""
    from morphobench.report.load import load_records
    from morphobench.report.render.terminal import summarize as table
    from morphobench.report.render.terminal import summarize_benchmarks

    source: Path = chosen.source
    if not source.exists():
        raise InputError(f"FILE_OR_OUT: a run's folder or a file of results wanted, {source} does not exist")
    benchmarks = _benchmarks(source)
    if benchmarks is not None:
        _show(summarize_benchmarks(benchmarks))
    else:
        _show(table(load_records(source), all_metrics=chosen.all_metrics))
    return 0


def report(chosen: argparse.Namespace) -> int:
    """``morphobench report OUT``."""
    from morphobench.report.render.html import write_report

    _show(f"{write_report(chosen.out)}")
    return 0


def views(chosen: argparse.Namespace) -> int:
    """``morphobench views STORE --out PICTURE``."""
    from morphobench.data import ImageStore
    from morphobench.report.figures.view_gallery import write_views

    store = ImageStore.open(chosen.store)
    written = write_views(
        *(store, chosen.out),
        setting=chosen.setting,
        spec=chosen.spec,
        images=chosen.images,
        seed=chosen.seed,
    )
    _show(f"{written}")
    return 0


def compare(chosen: argparse.Namespace) -> int:
    """``morphobench compare BASE.json NEW.json``."""
    from morphobench.cli.compare import compare_benchmarks, compare_records, comparison_table
    from morphobench.report.load import load_records

    for name in (chosen.base, chosen.new):
        if not name.exists():
            raise InputError(f"compare: two files or folders wanted, {name} does not exist")
    base, new = _benchmarks(chosen.base), _benchmarks(chosen.new)
    if (base is None) != (new is None):
        raise InputError(
            f"compare: two of one kind wanted, got a benchmark file and a run ({chosen.base}, {chosen.new})"
        )
    if base is not None and new is not None:
        comparison = compare_benchmarks(base, new, tolerance=chosen.tolerance)
    else:
        comparison = compare_records(
            load_records(chosen.base),
            load_records(chosen.new),
            tolerance=chosen.tolerance,
            metric_tolerance=chosen.metric_tolerance,
        )
    _show(comparison_table(comparison))
    if comparison.worse:
        raise CheckError(
            f"{len(comparison.worse)} of {len(comparison.rows)} worse than allowed: "
            f"{', '.join(row.name for row in comparison.worse[:5])}"
        )
    return 0


def info(chosen: argparse.Namespace) -> int:  # noqa: ARG001
    """``morphobench info``."""
    import morphobench
    from morphobench.objectives import registry
    from morphobench.run.environment import environment
    from morphobench.setups import PROFILES

    shown = {
        "build": morphobench.build_info(),
        **environment(),
        "paradigms": list(registry.names()),
        "setups": [str(setup) for setup in morphobench.SETUPS],
        "profiles": {name: profile.describe() for name, profile in PROFILES.items()},
    }
    print(json.dumps(shown, indent=2, default=str))  # noqa: T201
    return 0


def _counter(what: str) -> Callable[[int, int], None] | None:
    """Shows how many images are done on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        print(f"\r{what} {done}/{total}", end=end, file=sys.stderr, flush=True)  # noqa: T201

    return show


def _benchmarks(path: Path) -> dict[str, Any] | None:
    """The content of a pytest-benchmark file; None where ``path`` is a run's folder or its records."""
    if path.is_dir() or path.suffix == ".jsonl":
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path}: a run's folder, a results.jsonl or a pytest-benchmark JSON file wanted, got: {error}"
        ) from error
    if not isinstance(content, dict) or "benchmarks" not in content:
        raise InputError(f"{path}: a file of `pytest --benchmark-json` wanted, it has no 'benchmarks'")
    return content


def _say_store(store: ImageStore) -> None:
    channels, height, width = store.images.shape[1:]
    _show(f"{store.path}: {len(store)} images, {channels} x {height} x {width}")


def _show(what: RenderableType) -> None:
    from morphobench.report.render.terminal import console

    printer: Callable[..., None] = console().print
    if isinstance(what, str):
        printer(what, markup=False, soft_wrap=True)
    else:
        printer(what)
