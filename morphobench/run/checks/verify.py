"""Offline check of a run's folder: checksums, counts, and that the metrics come out again."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from morphobench._util.hashing import sha256_file
from morphobench._util.json import read_json_object
from morphobench._util.text import first_of
from morphobench.data import ImageStore
from morphobench.embeddings import read_embeddings
from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput
from morphobench.options import EvaluationOptions
from morphobench.run.evaluate import evaluated
from morphobench.run.folder import OPTIONS, SetupFiles
from morphobench.run.options import RunOptions
from morphobench.run.prepare import read_options
from morphobench.run.record import Record, read_records

TOLERANCE = 1e-3
"""Largest difference, relative to 1 or to the value, at which a metric counts as the same again: processors
round differently in the last places, and a classifier trained on embeddings carries that along."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        where: the setup and seed, or the file.
        what: what was checked.
        wrong: what is wrong; empty where nothing is.
    """

    where: str
    what: str
    wrong: str = ""


def verify_run(
    out: Path,
    *,
    store: Path | None = None,
    metrics: bool = True,
    on_check: Callable[[Check], None] | None = None,
) -> list[Check]:
    """Check the folder of a run against itself, without network.

    Args:
        out: the folder of the run.
        store: the store that it was made from, whose checksum is compared too.
        metrics: whether every task is done again on the stored embeddings, which takes seconds a record.
        on_check: told of each check as it is made.

    Returns:
        The checks, in order.

    Raises:
        InputError: where the folder holds no readable run.
    """
    made = []
    for check in _checks(Path(out), store, metrics):
        made.append(check)
        if on_check is not None:
            on_check(check)
    return made


def _checks(out: Path, store: Path | None, metrics: bool) -> Iterator[Check]:
    records = read_records(out)  # refuses what is no record of this schema or an earlier one
    yield Check("results.jsonl", f"{len(records)} records fit the schema")
    data = read_json_object(out / OPTIONS).get("data")
    wanted = data.get("content_sha256") if isinstance(data, dict) else None
    others = {record.data.content_sha256 for record in records if record.same_images} - {wanted}
    yield Check(OPTIONS, "images of every record", "" if not others else "records are of other images")
    if store is not None:
        opened = ImageStore.open(store)
        opened.verify()
        same = opened.manifest["content_sha256"] == wanted
        yield Check(str(store), "images of the store", "" if same else "the run was made from other images")
    options = read_options(out)
    for record in records:
        yield from _checks_of(out, record, options, metrics)


def _checks_of(out: Path, record: Record, options: RunOptions, metrics: bool) -> Iterator[Check]:
    where = f"{record.setup}, seed {record.seed}"
    files = SetupFiles.of(out, record.setup, record.seed)
    if record.weights_sha256 is not None:
        yield Check(where, "weights", _wrong_weights(files.weights, record.weights_sha256))
    if record.is_external:
        return  # a run keeps no copy of imported embeddings
    try:
        embeddings, metadata, provenance = read_embeddings(files.embeddings)
    except InputError as error:
        yield Check(where, "embeddings", str(error))
        return
    wrong = []
    digest = record.embeddings_sha256
    if digest is not None and digest != sha256_file(files.embeddings):
        wrong.append("the file differs from its checksum")
    if record.weights_sha256 is not None and provenance.get("weights_sha256") != record.weights_sha256:
        wrong.append("made with other weights than the record's")
    counts = metadata["Metadata_Split"].value_counts().to_dict() if "Metadata_Split" in metadata else {}
    expected = {part: count for part, count in record.split.images.items() if count}
    if counts != expected:
        wrong.append(f"the split must be {expected}, got {counts}")
    if record.features is not None and embeddings.shape[1] != record.features:
        wrong.append(f"features must be {record.features}, got {embeddings.shape[1]}")
    yield Check(where, "embeddings", "; ".join(wrong))
    if metrics and not wrong:
        inputs = EvaluationInput(
            embeddings, metadata, options.evaluation, protocol=options.protocol, seed=record.seed
        )
        yield Check(where, "metrics", _wrong_metrics(inputs, options.evaluation, record))


def _wrong_weights(path: Path, expected: str) -> str:
    from morphobench.models import load_encoder, weights_sha256

    try:
        # version 0 of the record kept the hash of the file
        same = expected in (weights_sha256(load_encoder(path)), sha256_file(path))
    except InputError as error:
        return str(error)
    return "" if same else "the weights differ from their checksum"


def _wrong_metrics(inputs: EvaluationInput, options: EvaluationOptions, record: Record) -> str:
    with tempfile.TemporaryDirectory() as folder:
        found = evaluated(inputs, options.tasks, Path(folder))["metrics"]
    differing = [
        f"{key} {value} recorded, {found.get(key)} found"
        for key, value in record.metrics.items()
        if not _same(value, found.get(key))
    ]
    return first_of(differing)


def _same(one: float | None, other: float | None) -> bool:
    a, b = (math.nan if value is None else float(value) for value in (one, other))
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a))
