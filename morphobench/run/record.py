"""The record of one setup and seed: its type, its version, and the only reader and writer of results.jsonl.

``docs/record.schema.json`` is the JSON schema of :class:`Record`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from morphobench import types
from morphobench._util.files import read_text, write_whole
from morphobench._util.json import parse_json, plain, to_json
from morphobench._util.typed import from_json, json_schema, show_json, to_json_types
from morphobench.errors import DamagedFileWarning, InputError
from morphobench.run.folder import RESULTS
from morphobench.types import Direction

SCHEMA_VERSION = 1
"""Version of the records that this program writes. Records without a version are of version 0."""

Number = float | None
_PARTS = ("data", "split", "environment")  # objects that version 0 could hold null for


@dataclass(frozen=True)
class Epoch:
    """One epoch of training."""

    epoch: Annotated[int, "number of the epoch, from 1"]
    training: Annotated[dict[str, Number], "mean of each term of the loss over the epoch"]
    validation: Annotated[dict[str, Number] | None, "the same over the validation images"] = None
    seconds: Annotated[Number, "wall time of feeding and steps"] = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitInfo:
    """How the images were split."""

    images: Annotated[dict[str, int], "number of images by part: train, validation, test"] = field(
        default_factory=dict
    )
    grouped_by: Annotated[str | None, "what was kept together: plate, well, image or given"] = None
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataInfo:
    """Which images a result was made from."""

    content_sha256: Annotated[str | None, "checksum of the store's pixels and metadata"] = None
    images: Annotated[int | None, "number of images"] = None
    image_shape: Annotated[tuple[int, ...] | None, "channels, height, width in pixels"] = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskInfo:
    """How one evaluation task went."""

    seconds: Annotated[Number, "wall time"] = None
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnMetric:
    """What a metric of a plugged-in task means, as the task registered it."""

    direction: Annotated[Direction, "whether more is better (up) or less (down)"] = "none"
    chance: Annotated[Number, "value of embeddings that say nothing"] = None
    unit: str = ""
    description: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FileInfo:
    """The file that imported embeddings were read from."""

    name: str | None = None
    sha256: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Environment:
    """What a result was made with and on."""

    versions: Annotated[dict[str, str | None], "version of each package"] = field(default_factory=dict)
    commit: str | None = None
    platform: str | None = None
    cpu: str | None = None
    cores: int | None = None
    threads: int | None = None
    device: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """Everything a run keeps of one setup and seed: how it was made, what it cost, how good it is.

    Keys that this version does not know are kept in ``extra``. Costs are None for baselines and imported
    embeddings, which were not trained; metrics are None where the data do not define them.
    """

    setup: Annotated[str, "paradigm/setting, baseline/NAME or external/NAME; @ENCODER where several"]
    protocol: Annotated[str, "rules that the result was made under; never compared across protocols"]
    seed: int
    metrics: Annotated[dict[str, Number], "value of each metric, by task.metric"]
    kind: Literal["setup", "baseline", "external"] = "setup"
    schema_version: int = SCHEMA_VERSION
    intervals: Annotated[
        dict[str, tuple[float, float] | None], "95 % interval (low, high) by metric; null without one"
    ] = field(default_factory=dict)
    interval_units: Annotated[dict[str, str], "what was resampled, such as '12 plates'"] = field(
        default_factory=dict
    )
    interval_reasons: Annotated[dict[str, str], "why a metric has no interval"] = field(default_factory=dict)
    tasks: dict[str, TaskInfo] = field(default_factory=dict)
    preset: Annotated[str | None, "name of the preset of options (--profile)"] = None
    epochs: Annotated[int | None, "epochs asked for"] = None
    batch_size: Annotated[int | None, "images of a batch"] = None
    views_per_image: Annotated[int | None, "views that one image becomes in an epoch"] = None
    encoder: str | None = None
    precision: str | None = None
    features: Annotated[int | None, "length of an embedding"] = None
    time_per_view_ns: Annotated[Number, "training step / batch size, timed in turns with all setups"] = None
    time_per_view_interval_ns: Annotated[tuple[Number, ...] | None, "its 95 % interval (low, high)"] = None
    stable: Annotated[bool | None, "false where the time is not sure enough to be ranked by"] = None
    unstable_reason: str | None = None
    relative_time: Annotated[Number, "training step / yardstick's step; commits are compared by it"] = None
    relative_time_interval: Annotated[tuple[Number, ...] | None, "its 95 % interval (low, high)"] = None
    relative_cpu_time: Annotated[Number, "the same of CPU time; compared where the time is unstable"] = None
    relative_cpu_time_interval: Annotated[tuple[Number, ...] | None, "its 95 % interval (low, high)"] = None
    yardstick: Annotated[int | None, "version of the yardstick"] = None
    cpu_ns_per_view: Annotated[Number, "CPU time of the process, all threads"] = None
    instructions_per_view: Annotated[Number, "in user mode; null where not measured"] = None
    cycles_per_view: Annotated[Number, "in user mode; null where not measured"] = None
    package_joules_per_view: Annotated[Number, "of the processor; null where not measured"] = None
    device_joules_per_view: Annotated[Number, "of the accelerator; null where not measured"] = None
    multiply_adds_per_view: Annotated[Number, "of a training step, counted"] = None
    share_of_machine_limit: Annotated[
        Number, "rate of multiply-adds / the rate of float32 matrix products in the same rounds"
    ] = None
    conditions: Annotated[dict[str, Any] | None, "what held while the step was timed"] = None
    time_per_epoch_s: Number = None
    time_per_image_ns: Annotated[Number, "epoch / images, all views and feeding included"] = None
    embedding_time_per_image_ns: Number = None
    training_and_embedding_s: Number = None
    evaluation_s: Number = None
    peak_host_memory_bytes: Annotated[int | None, "peak of the process that trained"] = None
    host_memory_before_training_bytes: int | None = None
    peak_device_memory_bytes: Annotated[int | None, "allocated; null without a device"] = None
    peak_device_memory_reserved_bytes: int | None = None
    convergence_epoch: Annotated[int | None, "first epoch within 1 % of the best validation loss"] = None
    stopped_early: bool | None = None
    epochs_done: int | None = None
    views_trained: int | None = None
    sampling: Annotated[str | None, "how batches were sampled; shuffled: the order all setups share"] = None
    history: tuple[Epoch, ...] = ()
    views: Annotated[dict[str, Any] | None, "the views trained on, as ViewSpec.describe() gives them"] = None
    weights_sha256: Annotated[str | None, "checksum of the encoder's weights"] = None
    embeddings_sha256: Annotated[str | None, "checksum of the file of embeddings"] = None
    data: DataInfo = field(default_factory=DataInfo)
    split: SplitInfo = field(default_factory=SplitInfo)
    train_fraction: Annotated[Number, "share of the training plates that the setup was trained on"] = None
    train_images: Annotated[int | None, "images that the setup was trained on"] = None
    train_plates: Annotated[int | None, "their plates; null where plates are not known"] = None
    audit: Annotated[
        dict[str, Any] | None, "what the data can show: verdicts, and marked metrics with the reason"
    ] = None
    own_metrics: Annotated[dict[str, OwnMetric] | None, "what the metrics of plugged-in tasks mean"] = None
    same_images: Annotated[bool, "false where imported embeddings are of other images than the run's"] = True
    file: FileInfo | None = None
    profile: Annotated[dict[str, Any], "every option of the run"] = field(default_factory=dict)
    notes: Annotated[tuple[str, ...], "how the run does less than the study"] = ()
    warnings: tuple[str, ...] = ()
    environment: Environment = field(default_factory=Environment)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paradigm(self) -> str:
        """The part of the name before the slash; "other" for a name without one."""
        return split_name(self.setup)[0]

    @property
    def label(self) -> str:
        """The part of the name after the slash."""
        return split_name(self.setup)[1]

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline and no setup."""
        return self.paradigm == "baseline"

    @property
    def is_external(self) -> bool:
        """Whether it is of embeddings that were imported and not made here."""
        return self.paradigm == "external"

    @classmethod
    def from_json(cls, content: Any) -> Record:
        """Read a record of this or an earlier version.

        Args:
            content: the JSON object.

        Returns:
            The record, brought to the present version.

        Raises:
            InputError: for a newer version, and for a key that is missing or of another type.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"a record must be a JSON object, got {show_json(content)}")
        version = from_json(int, content.get("schema_version", 0), name="schema_version")
        if version > SCHEMA_VERSION:
            raise InputError(
                f"schema_version must be at most {SCHEMA_VERSION}, got {version}: "
                "the record was made by a newer morphobench"
            )
        record: Record = from_json(cls, _from_version_0(content) if version < 1 else content)
        return record

    def to_json(self) -> dict[str, Any]:
        """Give the record as JSON types, as ``from_json`` reads it.

        Returns:
            The JSON object.
        """
        return dict(to_json_types(self))


def split_name(name: str) -> tuple[str, str]:
    """Split a setup's name.

    Args:
        name: such as "paradigm/setting".

    Returns:
        The parts before and after the slash; ("other", name) for a name without one.
    """
    group, slash, label = name.partition("/")
    return (group, label) if slash else ("other", name)


def record_schema() -> dict[str, Any]:
    """Describe the record as a JSON schema, which ``docs/record.schema.json`` holds.

    Returns:
        The schema (draft 2020-12).
    """
    return json_schema(Record, title=f"morphobench record, version {SCHEMA_VERSION}")


def _from_version_0(content: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a record of version 0 to version 1.

    Version 0 kept epochs, batch size and preset among the options only, and left the number of views to the
    name of the setting.
    """
    options = content.get("profile")
    options = options if isinstance(options, Mapping) else {}
    setup = str(content.get("setup"))
    group, _, label = setup.partition("/")
    kind = group if group in ("baseline", "external") else "setup"
    views = (5 if label.partition("@")[0].endswith("multi_crop") else 1) if kind == "setup" else None
    known = {
        "preset": options.get("profile"),
        "epochs": options.get("epochs"),
        "batch_size": options.get("batch_size"),
        "views_per_image": views,
        "kind": kind,
    }
    kept = {key: value for key, value in content.items() if value is not None or key not in _PARTS}
    return {**known, **kept, "schema_version": SCHEMA_VERSION}


def read_records(path: types.Path) -> list[Record]:
    """Read the records of a ``results.jsonl``, or of the one in a run's folder.

    A last line that was cut off while it was written is left out with a warning; the run does its setup
    again. Where a setup and seed stand there twice, the last one counts.

    Args:
        path: the file or the folder.

    Returns:
        One record per setup and seed, in the order of first appearance, of the present version.

    Raises:
        InputError: for a missing file, and for a damaged line, with its number.
    """
    file = Path(path)
    if file.is_dir():
        if not (file / RESULTS).is_file():
            raise InputError(f"{file} must be the folder of a run, got one without {RESULTS}")
        file = file / RESULTS
    found: dict[tuple[str, int], Record] = {}
    for number, content in read_lines(file):
        try:
            record = Record.from_json(content)
        except InputError as error:
            raise InputError(
                f"{file}, line {number}: {error}; remove the line to have its setup done again"
            ) from error
        found[record.setup, record.seed] = record
    return list(found.values())


def read_lines(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read a file of one JSON object a line.

    Args:
        file: the file.

    Returns:
        Number of the line (from 1) and object, of every line that is not blank. A last line without its line
        break that is no JSON was cut off while it was written: it is left out, with a DamagedFileWarning.

    Raises:
        InputError: where the file cannot be read, or another line is no JSON object.
    """
    lines = read_text(file).split("\n")  # not splitlines: texts may hold other line separators
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        if number == len(lines) and not _is_json(line):
            told = f"{where} was cut off while it was written; left out"
            warnings.warn(told, DamagedFileWarning, stacklevel=2)
            continue
        content = parse_json(line, source=where)
        if not isinstance(content, dict):
            raise InputError(f"{where} must be a JSON object, got {show_json(content)}")
        found.append((number, content))
    return found


def append_record(path: Path, record: Record | Mapping[str, Any]) -> Record:
    """Add a record to a file; a reader sees it whole or not at all.

    Args:
        path: the file.
        record: the record, or its keys as ``plain`` takes them; they are checked as a reader would.

    Returns:
        The record as it is read again.

    Raises:
        InputError: where it is no record.
    """
    checked = record if isinstance(record, Record) else Record.from_json(plain(record))
    append_line(path, checked.to_json())
    return checked


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """Add a JSON object as a line to a file, whole or not at all; a torn last line goes.

    Args:
        path: the file.
        content: what ``plain`` takes.
    """
    before = read_text(path) if path.exists() else ""
    whole, _, last = before.rpartition("\n")
    if last and _is_json(last):
        whole, last = before, ""
    kept = f"{whole}\n" if whole else ""
    write_whole(path, f"{kept}{to_json(content)}\n")


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Replace a file of records, whole or not at all.

    Args:
        path: the file.
        records: what it shall hold.
    """
    write_whole(path, "".join(f"{to_json(one.to_json())}\n" for one in records))


def _is_json(text: str) -> bool:
    try:
        parse_json(text, source="the line")
    except InputError:
        return False
    return True
