"""Learning curves: gain against the number of training plates and against epochs."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from morphobench.report.load import load_records, load_tables
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.forecast import Forecast, forecast
from morphobench.report.statistics.gain import Gain, learning_gains
from morphobench.report.statistics.pairing import Pairing
from morphobench.run.folder import CURVES, RESULTS
from morphobench.run.record import Record

_INTERVAL_ERRORS = 2 * 1.959964
_FURTHER = 2


@dataclass(frozen=True)
class CurvePoint:
    """Gain of one setup at one size.

    Attributes:
        setup: The setup.
        axis: What changes along the curve: "plates" or "epochs".
        size: Number of training plates, or of epochs.
        gain: The gain.
    """

    setup: str
    axis: Literal["plates", "epochs"]
    size: float
    gain: Gain


@dataclass(frozen=True)
class LearningCurve:
    """Points of one setup along one axis, and what twice the largest size would bring.

    Attributes:
        setup: The setup.
        axis: "plates" or "epochs".
        points: By size.
        expected: The forecast; none of epochs, whose schedules differ.
    """

    setup: str
    axis: Literal["plates", "epochs"]
    points: tuple[CurvePoint, ...]
    expected: Forecast | None


def load_curves(out: pathlib.Path, column: Column | None) -> tuple[LearningCurve, ...]:
    """Read the learning curves of a run.

    Args:
        out: Folder of the run.
        column: The metric whose gain is taken; None: none.

    Returns:
        A curve for each setup and axis with two sizes or more.

    Raises:
        InputError: A point's records are damaged.
    """
    folders = sorted(out.glob(f"{CURVES}/*/{RESULTS}")) if out.is_dir() else []
    if not folders or column is None:
        return ()
    own = load_records(out)
    data = {record.data.content_sha256 for record in own}
    points = _points(own, out, out, column)
    found: dict[tuple[str, Literal["plates", "epochs"]], dict[float, CurvePoint]] = {}
    for file in folders:
        axis: Literal["plates", "epochs"] = "epochs" if file.parent.name.startswith("epochs") else "plates"
        records = [one for one in load_records(file.parent) if one.data.content_sha256 in data]
        baselines = [one for one in own if one.is_baseline]
        for source in (points[axis], _points([*baselines, *records], file.parent, out, column)[axis]):
            for one in source:
                found.setdefault((one.setup, axis), {})[one.size] = one
    return tuple(
        _curve(setup, axis, [by_size[size] for size in sorted(by_size)])
        for (setup, axis), by_size in found.items()
        if len(by_size) > 1
    )


def _points(
    records: Sequence[Record], folder: pathlib.Path, out: pathlib.Path, column: Column
) -> dict[str, list[CurvePoint]]:
    """The gain of each setup among some records, at its number of plates and at its number of epochs."""
    trained = [one for one in records if one.kind == "setup"]
    baselines = [one for one in records if one.is_baseline]
    name = "classification.predictions"
    tables = load_tables(out, baselines, name=name) | load_tables(folder, trained, name=name)
    gains = learning_gains(records, Pairing.of(records, [column], tables), [column])
    sizes = {
        "plates": {one.setup: one.train_plates for one in trained},
        "epochs": {one.setup: one.epochs for one in trained},
    }
    return {
        axis: [
            CurvePoint(one.setup, "plates" if axis == "plates" else "epochs", float(size), one)
            for one in gains
            if (size := by_setup.get(one.setup))
        ]
        for axis, by_setup in sizes.items()
    }


def _curve(setup: str, axis: Literal["plates", "epochs"], points: Sequence[CurvePoint]) -> LearningCurve:
    expected = None
    if axis == "plates":
        sign = -1 if points[0].gain.direction == "down" else 1
        gains = [one.gain for one in points]
        errors = [(one.high - one.low) / _INTERVAL_ERRORS for one in gains]
        expected = forecast(
            [one.size for one in points],
            [sign * one.difference for one in gains],
            errors,
            at=_FURTHER * points[-1].size,
        )
        if sign < 0 and math.isfinite(expected.value):
            expected = replace(expected, value=-expected.value, low=-expected.high, high=-expected.low)
    return LearningCurve(setup, axis, tuple(points), expected)
