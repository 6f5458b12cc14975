"""Shortcuts task: what remains of an embedding's value once brightness, density and the like are taken out.

The value is recall averaged over the classes of the test part, of a ridge classifier; for drug against
control, mechanism and compound. Beside it stand the value of the shortcuts alone and what remains of the
embedding once they are regressed out (`morphobench.evaluation.shortcuts`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from morphobench._util.arrays import thinned
from morphobench.evaluation.bootstrap.interval import Interval, no_interval
from morphobench.evaluation.bootstrap.resampling import Units, plates_or_wells
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.nuisance import label_questions, labels_and_parts, recall_draws
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.evaluation.shortcuts import leading_components, ledger, shortcut_features
from morphobench.types import Float32Array

_WORDS = {"classification": "drug against control", "mechanism": "mechanism", "compound": "compound"}
LINE = ("shortcut", "alone", "remaining", "low", "high", "least")
"""Columns of a line of the ledger, but for the question."""

_MOST_ROWS = 8000  # images of a larger test or train part are thinned, so that the task stays short

_METRICS: dict[str, MetricInfo] = {}
for _name, _question in _WORDS.items():
    _METRICS |= {
        f"{_name}_value": MetricInfo("up", None, "", f"mean recall of {_question} from the embedding"),
        f"{_name}_remaining": MetricInfo(
            "up", None, "", f"mean recall of {_question} once effects of all shortcuts are regressed out"
        ),
        f"{_name}_least": MetricInfo(
            "up", None, "", f"the same, where all in common with shortcuts counts as theirs: {_question}"
        ),
        f"{_name}_alone": MetricInfo("none", None, "", f"mean recall of {_question} from shortcuts alone"),
        f"{_name}_chance": MetricInfo("none", None, "", f"mean recall of {_question} by chance"),
    }


@register("shortcuts", metrics=_METRICS)
def shortcuts(inputs: EvaluationInput) -> TaskResult:
    """Compute the shortcut ledger of an embedding.

    Args:
        inputs: Embeddings and metadata with a split. Brightness, contrast and background are among the
            metadata of a run's own embeddings; cell count and position follow from the usual columns.

    Returns:
        Metrics, intervals over plates (or wells), and the table "ledger" with a line per shortcut.

    Raises:
        InputError: No control type is known.
    """
    train = inputs.in_split("train")
    known = shortcut_features(inputs)
    if not train.any():
        return undefined("shortcuts", "shortcuts: there is no train part to regress shortcuts out by")
    if not known:
        return undefined(
            "shortcuts", "shortcuts: the metadata know no shortcut (brightness, cell count, position)"
        )
    embeddings = leading_components(inputs.embeddings, train)
    metrics = {f"shortcuts.{name}": float("nan") for name in _METRICS}
    intervals: dict[str, Interval] = {}
    lines = []
    for name, table in ledgers(inputs, embeddings, known).items():
        for row in table.to_dict("records"):
            lines.append({"question": name, **{key: row[key] for key in LINE}})
        first, last = table.iloc[0], table.iloc[-1]
        chance = float(first["alone"])
        metrics[f"shortcuts.{name}_chance"] = chance
        metrics[f"shortcuts.{name}_value"] = float(first["remaining"])
        intervals[f"shortcuts.{name}_value"] = first["interval"]
        if len(table) > 1:
            metrics[f"shortcuts.{name}_alone"] = float(last["alone"])
            metrics[f"shortcuts.{name}_least"] = float(last["least"])
            metrics[f"shortcuts.{name}_remaining"] = float(last["remaining"])
            intervals[f"shortcuts.{name}_remaining"] = last["interval"]
    tables = {"ledger": pd.DataFrame(lines)} if lines else {}
    missing = [name.partition(".")[2] for name, value in metrics.items() if np.isnan(value)]
    told = (
        f"shortcuts: no two classes in train and test, or no shortcut that varies, for {', '.join(missing)}"
    )
    return TaskResult(metrics, tables, (told,) if missing else (), intervals)


def ledgers(
    inputs: EvaluationInput, embeddings: Float32Array, known: dict[str, Float32Array]
) -> dict[str, pd.DataFrame]:
    """Make the ledger of each question that the data allow.

    Args:
        inputs: Metadata with a split.
        embeddings: (N, D), as `leading_components` returns them.
        known: Shortcuts by name.

    Returns:
        By question, a line per shortcut: "shortcut", "alone", "remaining" with its 95 % interval "low" and
        "high", "least" and "interval". The first line, "none", holds chance and the embedding's own value.
    """
    found = {}
    for name, (_, names) in label_questions(inputs).items():
        labels, parts = labels_and_parts(inputs, names)
        parts = {part: thinned(rows, _MOST_ROWS, seed=inputs.seed) for part, rows in parts.items()}
        test = parts["test"]
        if min(len(np.unique(labels[parts[part]])) for part in ("train", "test")) < 2:
            continue
        columns = [inputs.column_of(column, test) for column in ("Plate", "Well")]
        units = plates_or_wells(*columns, strata=labels[test])
        made = []
        used = np.sort(np.concatenate(list(parts.values())))  # what follows takes float64 copies of them
        places = {part: np.searchsorted(used, rows) for part, rows in parts.items()}
        shortcuts_used = {key: values[used] for key, values in known.items()}
        # Its matrices are so small that several threads wait for each other longer than they compute.
        with threadpool_limits(limits=1, user_api="blas"):
            entries = ledger(embeddings[used], shortcuts_used, labels[used], places)
        for one in entries:
            if isinstance(units, Units):
                drawn = recall_draws(labels[test], one.predicted, units, units.weights(seed=inputs.seed))
                interval = units.from_draws(one.remaining, drawn)
            else:
                interval = no_interval(one.remaining, units)
            line = {"shortcut": one.shortcut, "alone": one.alone, "remaining": one.remaining}
            line |= {"low": interval.low, "high": interval.high, "least": one.least}
            made.append({**line, "interval": interval})
        found[name] = pd.DataFrame(made)
    return found
