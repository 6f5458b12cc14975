"""The summary of a run: everything that tables, page and files show, computed once."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from morphobench._util.text import printable
from morphobench._util.typed import to_json_types
from morphobench.errors import InputError
from morphobench.report.decision import Decision, decide
from morphobench.report.learning_curve import LearningCurve, load_curves
from morphobench.report.load import load_records, load_tables
from morphobench.report.statistics.analysis import Findings, analyse
from morphobench.report.statistics.columns import COSTS, HEADLINE, MARK, Column, metric_columns
from morphobench.report.statistics.gain import QUERY_TABLES, Gain, learning_gains
from morphobench.report.statistics.pairing import Pairing, Tables
from morphobench.report.statistics.table import Cell, Row, build_rows
from morphobench.run.record import Epoch, Record
from morphobench.types import Path


@dataclass(frozen=True)
class Summary:
    """Everything that is shown of a run, or of several runs under one protocol.

    Attributes:
        protocol: the protocol of all records.
        metrics: every metric, those of the main table first.
        rows: setups, then baselines.
        facts: preset, epochs, images, ...; differing values are all named.
        notes: what a reader must know before comparing the setups.
        warnings: warnings of the run, with the setups that have each.
        resampled: what the records' intervals resample, such as "12 plates".
        findings: statistics; those of the first run, where there are several.
        decision: which setup to take; of the first run, where there are several.
        decisions: (folder, decision) of each, where there are several runs.
        gains: what training has changed, by setup and metric; of the first run, where there are several.
        curves: gains against training plates and epochs; of the first run, where there are several.
        histories: losses by epoch, one (setup, epochs) per setup and seed.
        environments: distinct environments, each as text by name.
        out: the folder of the run; None for a file, and for several runs.
    """

    protocol: str
    metrics: tuple[Column, ...]
    rows: tuple[Row, ...]
    facts: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: Mapping[str, tuple[str, ...]]
    resampled: str
    findings: Findings
    decision: Decision
    histories: tuple[tuple[str, tuple[Epoch, ...]], ...] = ()
    environments: tuple[Mapping[str, str], ...] = ()
    out: pathlib.Path | None = None
    decisions: tuple[tuple[str, Decision], ...] = field(default=())
    gains: tuple[Gain, ...] = ()
    curves: tuple[LearningCurve, ...] = ()

    @property
    def headline(self) -> tuple[Column, ...]:
        """The quality columns of the main table."""
        return tuple(column for column in self.metrics if column.is_own or column.key in HEADLINE)

    @property
    def costs(self) -> tuple[Column, ...]:
        """The costs that any setup has."""
        return tuple(
            c for c in COSTS if any(row.cells[c.key].value == row.cells[c.key].value for row in self.rows)
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the main table: quality, then costs."""
        return (*self.headline, *self.costs)

    @property
    def setups(self) -> tuple[Row, ...]:
        """The rows that are no baselines."""
        return tuple(row for row in self.rows if not row.is_baseline)

    @property
    def baselines(self) -> tuple[Row, ...]:
        """The baselines' rows, chance first."""
        return tuple(row for row in self.rows if row.is_baseline)


def summarize(
    records: Sequence[Record],
    *,
    predictions: Tables | None = None,
    by_cell_line: Tables | None = None,
    known: Mapping[str, Column] | None = None,
    out: pathlib.Path | None = None,
    queries: Mapping[str, Tables] | None = None,
) -> Summary:
    """Compute the summary of the records of one run.

    Args:
        records: at least one, all under one protocol.
        predictions: tables "classification.predictions" by setup and seed, for paired intervals.
        by_cell_line: tables "classification.by_cell_line", for ranks.
        known: what is known of metrics (default: what the evaluation declares).
        out: the folder of the run.
        queries: tables of `QUERY_TABLES` by name, for gains paired by compound or mechanism.

    Returns:
        The summary.

    Raises:
        InputError: for no records, and for records under two protocols.
    """
    protocol = _one_protocol((record.protocol, record.setup) for record in records)
    metrics = metric_columns(records, known=known)
    pairing = Pairing.of(records, metrics, predictions or {})
    findings = analyse(pairing, [c for c in metrics if c.key in HEADLINE], by_cell_line=by_cell_line or {})
    return Summary(
        protocol=printable(protocol),
        metrics=metrics,
        rows=build_rows(records, metrics, findings.against),
        facts=_facts(records),
        notes=tuple(map(printable, _notes(records))),
        warnings=_warnings(records),
        resampled=_resampled(records),
        findings=findings,
        decision=decide(records, pairing, metrics),
        histories=tuple((printable(r.setup), r.history) for r in records if len(r.history) > 1),
        environments=_environments(records),
        out=out,
        gains=learning_gains(records, pairing, metrics, queries),
    )


def load_summary(paths: Sequence[Path], *, patterns: Sequence[str] = (), sort: str | None = None) -> Summary:
    """Read and summarize one run or several.

    Args:
        paths: folders of runs, or results files.
        patterns: shell-style patterns of setups to show, such as "unsupervised/*"; none: all.
        sort: the metric or cost to sort setups by, best first; its key or label, or "name".

    Returns:
        The summary. With several runs, rows are named by folder and setup, and each run is compared with its
        own baselines.

    Raises:
        InputError: where a run cannot be read, protocols differ, a pattern matches nothing, or ``sort``
            names no column.
    """
    summaries = [_load(pathlib.Path(path)) for path in paths]
    summary = summaries[0] if len(summaries) == 1 else _join(summaries, [pathlib.Path(p) for p in paths])
    rows = _sorted(_filtered(summary.rows, patterns), sort, (*summary.metrics, *COSTS))
    return replace(summary, rows=rows)


def _load(path: pathlib.Path) -> Summary:
    records = load_records(path)
    summary = summarize(
        records,
        predictions=load_tables(path, records, name="classification.predictions"),
        by_cell_line=load_tables(path, records, name="classification.by_cell_line"),
        out=path if path.is_dir() else None,
        queries={
            name: load_tables(path, records, name=name)
            for name in dict.fromkeys(one.name for one in QUERY_TABLES.values())
        },
    )
    return replace(summary, curves=load_curves(path, summary.decision.column))


def _join(summaries: Sequence[Summary], paths: Sequence[pathlib.Path]) -> Summary:
    protocol = _one_protocol((one.protocol, str(path)) for one, path in zip(summaries, paths, strict=True))
    names = [
        path.parent.name if path.name == "results.jsonl" else path.name
        for path in map(pathlib.Path.absolute, paths)
    ]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    names = [printable(name) for name in names]
    metrics = tuple(dict.fromkeys(column for one in summaries for column in one.metrics))
    empty = {column.key: Cell() for column in metrics}
    rows = tuple(
        replace(row, source=name, cells={**empty, **row.cells})
        for name, one in zip(names, summaries, strict=True)
        for row in one.rows
    )
    merged = {
        key: _distinct(one.facts.get(key) for one in summaries) for one in summaries for key in one.facts
    }
    noted = list(zip(names, summaries, strict=True))
    return replace(
        summaries[0],
        protocol=protocol,
        metrics=metrics,
        rows=rows,
        facts={key: " and ".join(values) for key, values in merged.items()},
        notes=tuple(dict.fromkeys(f"{name}: {note}" for name, one in noted for note in one.notes)),
        warnings={f"{name}: {text}": where for name, one in noted for text, where in one.warnings.items()},
        histories=(),
        environments=tuple(each for one in summaries for each in one.environments),
        out=None,
        decisions=tuple((name, one.decision) for name, one in noted),
    )


def _filtered(rows: tuple[Row, ...], patterns: Sequence[str]) -> tuple[Row, ...]:
    for pattern in patterns:
        if not any(fnmatchcase(row.name, pattern) for row in rows):
            names = ", ".join(dict.fromkeys(row.name for row in rows))
            raise InputError(f"--filter must match a setup, got {pattern!r}; there are {names}")
    return tuple(row for row in rows if not patterns or any(fnmatchcase(row.name, p) for p in patterns))


def _sorted(rows: tuple[Row, ...], sort: str | None, columns: Sequence[Column]) -> tuple[Row, ...]:
    if sort is None:
        return rows
    if sort == "name":
        return tuple(sorted(rows, key=lambda row: (row.is_baseline, row.title)))
    wanted = sort.lower()
    column = next((c for c in columns if wanted in (c.key.lower(), c.label.lower())), None)
    named = [c for c in columns if c.key.lower().partition(".")[2] == wanted]  # without its task
    if column is None and len(named) != 1:
        shown = [c.key for c in named or [c for c in columns if c.is_own or c.is_cost or c.key in HEADLINE]]
        more = "" if named else ", or another metric of --all-metrics"
        raise InputError(f"--sort must be name or one of {', '.join(shown)}{more}, got {sort!r}")
    column = column or named[0]
    sign = -1 if column.direction == "up" else 1

    def key(row: Row) -> tuple[bool, bool, float]:
        value = row.cells[column.key].value
        return row.is_baseline, value != value, sign * value if value == value else 0.0

    return tuple(sorted(rows, key=key))


def _one_protocol(found: Iterable[tuple[str, str]]) -> str:
    first: dict[str, str] = {}
    for protocol, where in found:
        first.setdefault(protocol, where)
    if not first:
        raise InputError("records must be at least one, got none")
    if len(first) > 1:
        (one, here), (other, there) = list(first.items())[:2]
        raise InputError(
            "records must be of one protocol, as results of two are never compared, "
            f"got {one!r} ({here}) and {other!r} ({there})"
        )
    return next(iter(first))


def _facts(records: Sequence[Record]) -> dict[str, str]:
    """How the run was made; no mixture goes unseen."""
    found: dict[str, list[Any]] = {
        "preset": [record.preset for record in records],
        "epochs": [record.epochs for record in records],
        "images": [sum(record.split.images.values()) or None for record in records],
        "batch size": [record.batch_size for record in records],
        "precision": [record.precision for record in records],
    }
    facts = {name: " and ".join(_distinct(values)) for name, values in found.items() if _distinct(values)}
    facts["seeds"] = str(len({record.seed for record in records}))
    return facts


def _audit_notes(records: Sequence[Record]) -> list[str]:
    """The marked tasks, and what the audit says of each data set."""
    found = [record.audit for record in records if record.audit]
    marked = {reason for audit in found for reason in audit.get("marked", {}).values()}
    verdicts = dict.fromkeys(text for audit in found for text in audit.get("verdicts", ()))
    return [
        *([f"{MARK} {' or '.join(sorted(marked))} task: see the audit"] if marked else []),
        *(f"audit: {text}" for text in verdicts),
    ]


def _notes(records: Sequence[Record]) -> list[str]:
    """What a reader must know, most important first."""
    setups = [record for record in records if not record.is_baseline]
    notes = _audit_notes(records)
    notes += [
        f"not under identical conditions: {name} {value}"
        for name, value in _facts([r for r in setups if not r.is_external]).items()
        if name != "seeds" and " and " in value
    ]
    data = _distinct(record.data.content_sha256 for record in records)
    if len(data) > 1:
        notes.append(f"not under identical conditions: {len(data)} different data sets")
    for reason in dict.fromkeys(r.unstable_reason for r in setups if r.stable is False and r.unstable_reason):
        names = list(dict.fromkeys(r.setup for r in setups if r.unstable_reason == reason))
        which = ", ".join(names) if len(names) < 4 else f"{len(names)} setups"
        notes.append(f"times not ranked: {which}: {reason}")
    devices = _distinct(record.environment.device for record in setups)
    if len(devices) > 1:
        notes.append(f"times and memory are of different devices: {', '.join(devices)}")
    seeds = {
        name: sum(record.setup == name for record in setups)
        for name in dict.fromkeys(r.setup for r in setups)
    }
    if len(set(seeds.values())) > 1:
        notes.append(f"setups have between {min(seeds.values())} and {max(seeds.values())} seeds")
    if set(seeds.values()) == {1}:
        notes.append("one seed: how much results vary between trainings is not known")
    if len(setups) == len(records):
        notes.append("no baselines were run, so nothing can be said to beat them")
    if names := _distinct(record.label for record in records if record.is_external):
        notes.append(f"imported embeddings, without time and memory: {', '.join(names)}")
    notes += _distinct(
        f"{record.setup}: {[*record.warnings, 'other images'][0]}"
        for record in records
        if not record.same_images
    )
    notes += _distinct(note for record in records for note in record.notes)
    return notes + _missing_intervals(records)


def _missing_intervals(records: Sequence[Record]) -> list[str]:
    """One note per reason, with the metrics of the main table that have no interval for it."""
    keys: dict[str, list[str]] = {}
    for record in records:
        for key, reason in record.interval_reasons.items():
            if key in HEADLINE and key not in keys.setdefault(reason, []):
                keys[reason].append(key)
    labels = {key: label for key, (label, _) in HEADLINE.items()}
    return [
        f"no interval for {', '.join(labels[key] for key in found)}: {reason}"
        for reason, found in keys.items()
        if found
    ]


def _resampled(records: Iterable[Record]) -> str:
    """What the intervals of the main table resample, such as "12 plates"; "plates or wells" if not known."""
    units = _distinct(
        unit for record in records for key, unit in record.interval_units.items() if key in HEADLINE
    )
    kinds = _distinct(unit.partition(" ")[2] for unit in units)
    text = " or ".join(units if len(units) < 4 else kinds)
    if "wells" in kinds:
        text += " (wells say nothing of how plates differ)"
    return printable(text or "plates or wells")


def _warnings(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for record in records:
        texts = [*record.split.warnings, *record.warnings]
        for task in record.tasks.values():
            texts += task.warnings
        for text in texts:
            found.setdefault(printable(text), {})[printable(record.setup)] = None
    return {text: tuple(names) for text, names in found.items()}


def _environments(records: Sequence[Record]) -> tuple[dict[str, str], ...]:
    """The distinct environments, each as flat text."""
    found: list[dict[str, str]] = []
    for record in records:
        flat: dict[str, str] = {}
        for key, value in to_json_types(record.environment).items():
            if isinstance(value, Mapping):
                value = ", ".join(f"{name} {item}" for name, item in value.items() if item is not None)
            if value not in (None, ""):
                flat[printable(key)] = printable(str(value))
        if flat and flat not in found:
            found.append(flat)
    return tuple(found)


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(f"{v:,}" if isinstance(v, int) else str(v) for v in values if v is not None))
