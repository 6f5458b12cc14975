"""What each command does with its options; it ends with an error where something is wrong.

Imports of heavy packages stand inside the functions: ``--help`` and errors of usage need none of them.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from morphobench._util.text import printable
from morphobench.cli.options import (
    CompareOptions,
    CostCommand,
    EmbedOptions,
    EvaluateOptions,
    InfoOptions,
    IngestOptions,
    ProjectOptions,
    RunCommand,
    SimulateOptions,
    ViewsOptions,
)
from morphobench.cli.outputs import require_other_file
from morphobench.errors import CheckError, InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from morphobench.data import ImageStore


def simulate(options: SimulateOptions) -> None:
    """Do ``morphobench simulate STORE --images N``.

    Args:
        options: Options of the command.
    """
    from morphobench import data

    with _counter("drawing images") as count:
        store = data.simulate(options.store, **_rest(options, "store"), progress=count)
    _show_store(store)


def ingest_images(options: IngestOptions) -> None:
    """Do ``morphobench ingest SOURCE STORE``.

    Args:
        options: Options of the command.
    """
    from morphobench.data.ingest.ingest import ingest, inspect_source, summary

    further = _rest(options, "source", "store", "dry_run")
    if options.dry_run:
        _show(str(inspect_source(options.source, **further)))
        return
    with _counter("reading images") as count:
        store = ingest(options.source, options.store, **further, progress=count)
    _show_store(store)
    if "summary" in store.manifest:  # a store made by an earlier version has none
        _show(str(summary(store)))
    rejected = len(store.rejected)
    if rejected:
        _show(f"{rejected} not read: {store.path / 'rejected.csv'} says why")


def run(options: RunCommand) -> None:
    """Do ``morphobench run STORE OUT``.

    Args:
        options: Options of the command.
    """
    from morphobench.run import runner

    out = options.out
    records = runner.run(options.store, out, options=options.run, fresh=options.fresh, quiet=options.quiet)
    _show(f"{len(records)} records in {out}; `morphobench summarize {out}` shows the table")


def project(options: ProjectOptions) -> None:
    """Do ``morphobench project STORE``.

    Args:
        options: Options of the command.
    """
    from morphobench._util.progress import Progress, duration
    from morphobench.report.render.formats import with_unit
    from morphobench.report.render.grid import Grid
    from morphobench.report.render.terminal import GridTable
    from morphobench.run.cost import projection

    names = iter(range(len(options.run.setups)))
    with Progress("trying a few batches of each setup", len(options.run.setups)) as shown:
        found = projection.project(
            options.store,
            options.run,
            as_if_images=options.as_if_images,
            on_setup=lambda name: shown.update(next(names), detail=name),
        )
    rows = tuple(
        (
            one.setup,
            duration(one.epoch_s),
            duration(one.training_s + one.embedding_s),
            with_unit(one.host_memory_bytes, "bytes", digits=1),
            "" if one.device_memory_bytes is None else with_unit(one.device_memory_bytes, "bytes", digits=1),
        )
        for one in found.setups
    )
    headers = ("setup", "an epoch", "training and\nembedding", "memory", "device\nmemory")
    _show(GridTable(Grid(headers, rows)))
    _show(
        f"The run (seeds: {found.seeds}) is expected to take {duration(found.total_s)} on this machine: "
        f"{duration(found.training_s)} of training and embedding, {duration(found.evaluation_s)} for each of "
        f"{found.seeds * found.evaluated} evaluations. It needs "
        f"{with_unit(found.host_memory_bytes, 'bytes', digits=1)} of memory while it trains and "
        f"{with_unit(found.disk_bytes, 'bytes', digits=1)} of disk."
    )
    if options.parallel > 1:
        _show(
            f"With {options.parallel} machines or GPUs like this one, training and embedding take "
            f"{duration(found.elapsed_s(options.parallel))} instead of {duration(found.training_s)}."
        )


def cost(options: CostCommand) -> None:
    """Do ``morphobench cost STORE OUT``.

    Args:
        options: Options of the command.
    """
    from morphobench._util.files import write_whole
    from morphobench._util.json import write_json
    from morphobench.report.render.cost_page import cost_page, fill_page, summary
    from morphobench.run.cost.rounds import measure_cost
    from morphobench.run.folder import COST_PAGE, COST_SUMMARY

    if options.docs is not None:
        fill_page(options.docs, None)  # a page without a place for the tables is refused before the hours
    measured = measure_cost(
        options.store,
        options.out,
        options=options.cost,
        budget_s=None if options.budget_min is None else 60 * options.budget_min,
        fresh=options.fresh,
        quiet=options.quiet,
    )
    if not measured:  # the script of a job was written, and nothing else was asked for
        return
    page = cost_page(measured)
    write_json(options.out / COST_SUMMARY, {**measured, "summary": summary(measured)})
    write_whole(options.out / COST_PAGE, page.markdown())
    if options.docs is not None:
        fill_page(options.docs, page.markdown())
    _show(page.rich())


def embed_store(options: EmbedOptions) -> None:
    """Do ``morphobench embed STORE --weights FILE --out EMBEDDINGS.parquet``.

    Args:
        options: Options of the command.
    """
    from morphobench.data import ImageStore
    from morphobench.embeddings import embed, read_embeddings, write_embeddings
    from morphobench.models import load_encoder, weights_sha256
    from morphobench.run.environment import environment

    require_other_file(options.out, options.store, options.weights, name="--out")
    store = ImageStore.open(options.store)
    encoder = load_encoder(options.weights)
    made_from = {
        "weights_sha256": weights_sha256(encoder),
        "data_sha256": str(store.manifest["content_sha256"]),
    }
    if options.out.exists() and not options.fresh:
        _, _, provenance = read_embeddings(options.out)
        other = [key for key, value in made_from.items() if provenance.get(key) != value]
        if other:
            raise InputError(
                f"{options.out}: made from other {' and '.join(other)}; take another --out, or --fresh"
            )
        _show(f"{options.out}: was made before from the same weights and images")
        return
    embeddings = embed(encoder, store.images, device=options.device, folder=options.out.parent)
    made = environment(device=options.device)
    provenance = {**made_from, "versions": made["versions"], "commit": made["commit"]}
    described = store.metadata.assign(Metadata_ImageId=store.image_ids)
    try:
        write_embeddings(options.out, embeddings, described, provenance=provenance)
    except CheckError as error:
        raise CheckError(f"{options.weights} of {options.store}: {error}") from error
    _show(f"{options.out}: {len(embeddings)} images, {embeddings.shape[1]} features")


def evaluate_embeddings(options: EvaluateOptions) -> None:
    """Do ``morphobench evaluate EMBEDDINGS.parquet ... [--into OUT]``.

    Args:
        options: Options of the command.

    Raises:
        InputError: A file cannot be evaluated; it is named.
    """
    from morphobench._util.json import write_json
    from morphobench.cli.external import evaluate_file, evaluate_into, metric_table

    if options.json is not None:
        folders = () if options.into is None else (options.into,)
        require_other_file(options.json, *options.embeddings, *folders, name="--json")
    found = []
    for path in options.embeddings:
        try:
            if options.into is not None:
                found += evaluate_into(path, options)
                continue
            found.append(evaluate_file(path, options))
        except InputError as error:
            # of several files, which one? The tasks know only arrays.
            if str(error).startswith(("--", str(path), str(options.into))):
                raise
            raise InputError(f"{path}: {error}") from error
        _show(metric_table(found[-1]))
    for warning in dict.fromkeys(text for one in found for text in one["warnings"]):
        print(f"morphobench: warning: {printable(warning)}", file=sys.stderr)  # noqa: T201
    if options.into is not None:
        for name in dict.fromkeys(one["setup"] for one in found):
            _show(f"{name} is in {options.into}; `morphobench summarize {options.into}` shows the table")
    if options.json is not None:
        write_json(options.json, found[0] if len(found) == 1 else found)


def views(options: ViewsOptions) -> None:
    """Do ``morphobench views STORE --out PICTURE``.

    Args:
        options: Options of the command.
    """
    from morphobench.data import ImageStore
    from morphobench.report.figures.contact_sheet import write_contact_sheet
    from morphobench.report.figures.view_gallery import write_views

    read = () if options.spec is None else (options.spec,)
    require_other_file(options.out, options.store, *read, name="--out")
    store = ImageStore.open(options.store)
    if options.contact:
        _show(f"{write_contact_sheet(store, options.out, images=options.images, seed=options.seed)}")
        return
    written = write_views(
        store,
        options.out,
        setting=options.setting,
        spec=options.spec,
        images=options.images,
        seed=options.seed,
    )
    _show(f"{written}")


def compare(options: CompareOptions) -> None:
    """Do ``morphobench compare BASE.json NEW.json``.

    Args:
        options: Options of the command.

    Raises:
        CheckError: Something is worse than allowed.
    """
    from morphobench.cli.compare import comparison_table
    from morphobench.cli.results import read_benchmarks
    from morphobench.evaluation.api import METRICS
    from morphobench.report.load import load_records
    from morphobench.report.statistics.regressions import compare_benchmarks, compare_records

    for name in (options.base, options.new):
        if not name.exists():
            raise InputError(f"BASE and NEW must be files or folders, but {name} does not exist")
    base, new = read_benchmarks(options.base), read_benchmarks(options.new)
    if (base is None) != (new is None):
        raise InputError(
            f"BASE and NEW must be of one kind, got {options.base} and {options.new}: benchmarks and a run"
        )
    if base is not None and new is not None:
        comparison = compare_benchmarks(base, new, tolerance=options.tolerance)
    else:
        comparison = compare_records(
            load_records(options.base),
            load_records(options.new),
            directions={name: metric.direction for name, metric in METRICS.items()},
            tolerance=options.tolerance,
            metric_tolerance=options.metric_tolerance,
        )
    _show(comparison_table(comparison, changed_only=options.changed_only))
    if comparison.worse:
        raise CheckError(
            f"{len(comparison.worse)} of {len(comparison.changes)} worse than allowed: "
            f"{', '.join(f'{row.name} {row.figure}' for row in comparison.worse[:5])}"
        )


def info(options: InfoOptions) -> None:  # noqa: ARG001
    """Do ``morphobench info``.

    Args:
        options: Options of the command.
    """
    import morphobench
    from morphobench.objectives import registry
    from morphobench.run.environment import environment
    from morphobench.setups import PRESETS

    shown = {
        "build": morphobench.build_info(),
        **environment(),
        "paradigms": list(registry.names()),
        "setups": [str(setup) for setup in morphobench.SETUPS],
        "profiles": {name: preset.describe() for name, preset in PRESETS.items()},
    }
    print(json.dumps(shown, indent=2, default=str))  # noqa: T201


def _rest(options: Any, *positional: str) -> dict[str, Any]:
    """The options that a function takes by name."""
    return {name: value for name, value in vars(options).items() if name not in positional}


@contextlib.contextmanager
def _counter(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that shows progress on stderr."""
    from morphobench._util.progress import Progress

    with Progress(label, 1) as shown:
        yield lambda done, total: shown.update(done, total=total)


def _show_store(store: ImageStore) -> None:
    channels, height, width = store.images.shape[1:]
    _show(f"{store.path}: {len(store)} images, {channels} x {height} x {width}")


def _show(what: RenderableType) -> None:
    from morphobench.report.render.terminal import show

    show(what)
