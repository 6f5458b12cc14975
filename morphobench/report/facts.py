"""What a record says of how it was made: epochs, images, views, warnings; no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from morphobench.run.record import Record

BASELINE, EXTERNAL = "baseline", "external"


def split_name(name: str) -> tuple[str, str]:
    """``"paradigm/setting"`` in its two parts; ``("other", name)`` for a name without a slash."""
    group, slash, label = name.partition("/")
    return (group, label) if slash else ("other", name)


def setting_of(label: str) -> str:
    """The setting of a setup's label, which names the encoder after an "@" where several are compared."""
    return label.partition("@")[0]


def is_baseline(record: Record) -> bool:
    """Whether the record is of a baseline and no setup."""
    return split_name(record.setup)[0] == BASELINE


def is_external(record: Record) -> bool:
    """Whether the record is of embeddings that somebody else made."""
    return split_name(record.setup)[0] == EXTERNAL


def finite(value: Any) -> float:
    """A number of a record as a float; NaN for null, missing and everything that is no number."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else math.nan


def views_per_image(record: Record) -> int:
    """Views that one image becomes in an epoch, by its setting."""
    return record.views_per_image or 1


def images(record: Record) -> int | None:
    """Images of the run, all splits together; None where the record does not say."""
    return sum(record.split.images.values()) or None


def run_facts(records: Sequence[Record]) -> dict[str, str]:
    """Profile, epochs, images, batch size and seeds; differing values are all named, no mixture goes
    unseen.
    """
    found: dict[str, list[Any]] = {
        "profile": [record.preset for record in records],
        "epochs": [record.epochs for record in records],
        "images": [images(record) for record in records],
        "batch size": [record.batch_size for record in records],
        "precision": [record.precision for record in records],
    }
    facts = {name: " and ".join(_distinct(values)) for name, values in found.items() if _distinct(values)}
    facts["seeds"] = str(len({record.seed for record in records}))
    return facts


def run_notes(records: Sequence[Record]) -> tuple[str, ...]:
    """What a reader must know before comparing the setups of ``records``."""
    setups = [record for record in records if not is_baseline(record)]
    notes = _external_notes(records)
    for name, value in run_facts(setups).items() if setups else ():
        if name != "seeds" and " and " in value:
            notes.append(f"not under identical conditions: {name} {value}")
    data = _distinct(record.data.content_sha256 for record in records)
    if len(data) > 1:
        notes.append(f"not under identical conditions: {len(data)} different data sets")
    devices = _distinct(record.environment.device for record in setups)
    if len(devices) > 1:
        notes.append(f"times and memory are of different devices: {', '.join(devices)}")
    seeds: dict[str, int] = {}
    for record in setups:
        seeds[record.setup] = seeds.get(record.setup, 0) + 1
    if len(set(seeds.values())) > 1:
        notes.append(f"setups have between {min(seeds.values())} and {max(seeds.values())} seeds")
    if set(seeds.values()) == {1}:
        notes.append(
            "one seed: intervals are over units of the test split alone, no deviation between seeds; "
            "small differences between setups mean nothing"
        )
    if len(setups) == len(records):
        notes.append("no baselines were run; only chance can be compared with")
    notes += _missing_intervals(records)
    return tuple(notes)


def _external_notes(records: Sequence[Record]) -> list[str]:
    names = _distinct(split_name(record.setup)[1] for record in records if is_external(record))
    notes = [f"not trained here, so without time and memory: {', '.join(names)}"] if names else []
    others = _distinct(
        f"{record.setup}: {[*record.warnings, 'other images'][0]}"
        for record in records
        if not record.same_images
    )
    return notes + others


def _missing_intervals(records: Sequence[Record]) -> list[str]:
    """One note per reason, with the metrics that have no interval for it."""
    keys: dict[str, list[str]] = {}
    for record in records:
        for key, reason in record.interval_reasons.items():
            found = keys.setdefault(str(reason), [])
            if key not in found:
                found.append(key)
    return [
        f"no interval for {', '.join(found[:3])}{f' and {len(found) - 3} more' if len(found) > 3 else ''}: "
        f"{reason}"
        for reason, found in keys.items()
    ]


def resampled(records: Iterable[Record], keys: Sequence[str] | None = None) -> str:
    """What the intervals of the metrics ``keys`` (None: all) resample, such as "12 plates"; "plates or wells"
    where the records do not say.
    """
    units = _distinct(
        unit
        for record in records
        for key, unit in record.interval_units.items()
        if keys is None or key in keys
    )
    kinds = _distinct(unit.partition(" ")[2] for unit in units)
    text = " or ".join(units if len(units) < 4 else kinds)
    if "wells" in kinds:
        text += " (wells say nothing of how plates differ)"
    return text or "plates or wells"


def warnings(records: Iterable[Record]) -> dict[str, list[str]]:
    """Every distinct warning of the records with the setups that have it."""
    found: dict[str, list[str]] = {}
    for record in records:
        texts = [*record.split.warnings, *record.warnings]
        for task in record.tasks.values():
            texts += task.warnings
        for text in dict.fromkeys(texts):
            names = found.setdefault(str(text), [])
            if record.setup not in names:
                names.append(record.setup)
    return found


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(f"{v:,}" if isinstance(v, int) else str(v) for v in values if v is not None))
