"""Shortcut ledger: what of a task's value remains once simple variables are regressed out of the embeddings.

Shortcuts are brightness, contrast and background of each channel, the cell count or density of the field,
and the position on the plate. Each is regressed out by least squares, fitted on the train part only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from morphobench._util.arrays import row_blocks, thinned
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.nuisance import macro_recall, nuisance_features
from morphobench.types import BoolArray, Float32Array, Float64Array, Int64Array

IMAGE_SHORTCUTS = ("brightness", "contrast", "background")
"""Shortcuts that are computed from pixels; ``Metadata_Brightness_0``, ... hold them, a column a channel."""

COMPONENTS = 256
"""Embeddings of more features are first reduced to so many principal components of the train part."""

_RESIDUE = 0.05  # a feature of which less of its deviation remains is the shortcut; the rest is misfit
_KNOTS = (0.1, 0.25, 0.5, 0.75, 0.9)
_RANK = 1e-9
_DETERMINED = 0.99
_PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
_ROWS_PER_TERM = 2
_BLOCK = 1024
_MOST_FITTED = 32_768
_DARKEST = 0.05


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; scores are recall averaged over the classes of the test part.

    Attributes:
        shortcut: Its name; "all but position" and "all" for several together.
        alone: Score of the shortcut without the embedding.
        remaining: Score of the embedding once the shortcut's effects within classes are taken out.
        least: Score once all that it has in common with the shortcut is taken out, the label's part too.
        predicted: Predictions behind ``remaining``, int64 (T,), for the test rows.
    """

    shortcut: str
    alone: float
    remaining: float
    least: float
    predicted: Int64Array


def image_statistics(images: Any) -> dict[str, Float32Array]:
    """Compute brightness, contrast and background of each channel of images.

    Args:
        images: uint8 (N, C, H, W).

    Returns:
        float32 (N, C) in [0, 1] by name: mean, standard deviation, and the intensity below which 5 % of the
        pixels lie.
    """
    count, channels = images.shape[:2]
    found = {name: np.empty((count, channels), dtype=np.float32) for name in IMAGE_SHORTCUTS}
    for start in range(0, count, _BLOCK):
        rows = slice(start, min(start + _BLOCK, count))
        pixels = np.asarray(images[rows]).reshape(rows.stop - start, channels, -1)
        place = int(_DARKEST * (pixels.shape[2] - 1))
        found["brightness"][rows] = pixels.mean(axis=2, dtype=np.float64) / 255
        found["contrast"][rows] = pixels.std(axis=2, dtype=np.float64) / 255
        found["background"][rows] = np.partition(pixels, place, axis=2)[:, :, place] / np.float32(255)
    return found


def statistics_columns(images: Any) -> dict[str, Float32Array]:
    """Lay `image_statistics` out as columns of metadata.

    Args:
        images: uint8 (N, C, H, W).

    Returns:
        float32 (N,) by name: ``Metadata_Brightness_0``, ...
    """
    return {
        f"Metadata_{name.capitalize()}_{channel}": values[:, channel]
        for name, values in image_statistics(images).items()
        for channel in range(values.shape[1])
    }


def shortcut_features(inputs: EvaluationInput) -> dict[str, Float32Array]:
    """Collect the shortcuts that the metadata knows.

    Args:
        inputs: Metadata; `statistics_columns` are among them where images were at hand.

    Returns:
        By name, float32 (N, F): `IMAGE_SHORTCUTS`, "cell_count", "field_density" and "position" last.
    """
    found: dict[str, Float32Array] = {}
    for name in IMAGE_SHORTCUTS:
        columns = sorted(
            str(one) for one in inputs.metadata if str(one).startswith(f"Metadata_{name.title()}_")
        )
        if columns:
            values = inputs.metadata[columns].to_numpy(np.float32)
            if np.isfinite(values).all():
                found[name] = values
    known = nuisance_features(inputs)
    position = known.pop("position", None)
    return {**found, **known, **({} if position is None else {"position": position})}


def design(shortcuts: Mapping[str, Float32Array], train: BoolArray) -> Float64Array:
    """Make the regressors of some shortcuts: smooth functions of each variable, added up.

    Of a number: its first three powers and hinges at five quantiles of the train part, beyond whose
    range it is held constant. Of the position: its indicators as they are.

    Args:
        shortcuts: Shortcuts by name, (N, F).
        train: bool (N,) the train part.

    Returns:
        (N, K), centred on the train part.
    """
    columns = []
    for name, values in shortcuts.items():
        if name == "position":
            columns.append(values.astype(np.float64))
            continue
        for one in values.T.astype(np.float64):
            spread = one[train].std() or 1.0
            x = (np.clip(one, one[train].min(), one[train].max()) - one[train].mean()) / spread
            hinges = [np.maximum(x - knot, 0) for knot in np.quantile(x[train], _KNOTS)]
            columns.append(np.column_stack([x, x**2, x**3, *hinges]))
    made = np.concatenate(columns, axis=1)
    return np.asarray(made - made[train].mean(axis=0))


def regress_out(
    embeddings: Float32Array, regressors: Float64Array, train: BoolArray, labels: Int64Array | None = None
) -> Float64Array:
    """Take out of embeddings what regressors explain by least squares on the train part.

    With labels, effects are estimated within classes (as in an analysis of covariance), so that what a
    shortcut and the label merely have in common is not charged to the shortcut. Where a shortcut determines
    a class, to 99 % of its variance, the two cannot be told apart and the difference is the shortcut's.

    Args:
        embeddings: (N, D).
        regressors: (N, K), centred on the train part.
        train: bool (N,) the train part.
        labels: (N,) classes; only those of train are used. None: all that is common is taken out.

    Returns:
        The residuals (N, D); 0 in features of which less than 5 % of the deviation remains.
    """
    centred = embeddings - embeddings[train].mean(axis=0, dtype=np.float64)
    rest = centred
    x, y = regressors[train], rest[train]
    if labels is not None:
        classes = (labels[train][:, None] == np.unique(labels[train])).astype(np.float64)
        of_class = regressors @ np.linalg.lstsq(x, classes, rcond=_RANK)[0]
        determined = of_class[:, of_class[train].var(axis=0) > _DETERMINED * classes.var(axis=0)]
        rest = rest - determined @ np.linalg.lstsq(determined[train], y, rcond=_RANK)[0]
        within = classes @ np.linalg.lstsq(classes, np.hstack([x, rest[train]]), rcond=None)[0]
        x, y = np.hsplit(np.hstack([x, rest[train]]) - within, [x.shape[1]])
    # the shortest solution: categories that train lacks get no effect, equal regressors share one
    rest = rest - regressors @ np.linalg.lstsq(x, y, rcond=_RANK)[0]
    rest[:, rest[train].std(axis=0) < _RESIDUE * centred[train].std(axis=0)] = 0
    return np.asarray(rest)


def leading_components(embeddings: Float32Array, train: BoolArray) -> Float32Array:
    """Reduce embeddings of many features to the leading principal components of the train part.

    Args:
        embeddings: (N, D).
        train: bool (N,) the train part.

    Returns:
        (N, min(D, 256)): features standardized on train, as they are where there are no more than 256. Of a
        train part of more than 32,768 rows so many are drawn to fit both, so that memory is bounded.
    """
    largest = max(embeddings.max(initial=0), -embeddings.min(initial=0))
    if largest > 1e15:  # their squares may pass float32
        embeddings = embeddings / largest
    fitted = thinned(np.flatnonzero(train), _MOST_FITTED, seed=0)
    sample = embeddings[fitted]
    mean, spread = sample.mean(axis=0), sample.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    if embeddings.shape[1] <= COMPONENTS:
        return np.asarray((embeddings - mean) / spread, dtype=np.float32)
    from sklearn.decomposition import PCA

    components = min(COMPONENTS, len(fitted))
    model = PCA(components, svd_solver="randomized", random_state=0)
    with np.errstate(invalid="ignore"):  # shares of the variance, which nobody reads, where there is none
        model.fit((sample - mean) / spread)
    found = np.empty((len(embeddings), components), dtype=np.float32)
    for rows in row_blocks(embeddings.shape):
        found[rows] = model.transform((embeddings[rows] - mean) / spread)
    return found


def predict(features: Any, labels: Int64Array, parts: Mapping[str, Int64Array]) -> Int64Array:
    """Predict the test labels by a ridge classifier, its penalty chosen on the validation part.

    Args:
        features: (N, F).
        labels: (N,) classes.
        parts: Row numbers of "train", "validation" and "test", all of known label.

    Returns:
        Predicted class of each test row.
    """
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    spread = features[train].std(axis=0, dtype=np.float64)
    x = (features - features[train].mean(axis=0, dtype=np.float64)) / np.where(spread > 0, spread, 1)
    names, code, counts = np.unique(labels[train], return_inverse=True, return_counts=True)
    weights = (len(train) / (len(names) * counts))[code]
    targets = 2.0 * np.eye(len(names))[code] - 1
    middle, level = (np.average(one, axis=0, weights=weights) for one in (x[train], targets))
    x = x - middle
    # one decomposition serves every penalty
    values, vectors = np.linalg.eigh((x[train].T * weights) @ x[train])
    along = vectors.T @ ((x[train].T * weights) @ (targets - level))
    best, chosen = -1.0, np.zeros(len(test), dtype=np.int64)
    for penalty in _PENALTIES if len(validation) else _PENALTIES[2:3]:
        effects = vectors @ (along / (np.maximum(values, 0) + penalty)[:, None])
        called = names[np.argmax(x @ effects + level, axis=1)]
        score = macro_recall(labels[validation], called[validation]) if len(validation) else 0.0
        if score >= best:  # of equals the strongest penalty
            best, chosen = score, called[test]
    return np.asarray(chosen, dtype=np.int64)


def ledger(
    embeddings: Float32Array,
    shortcuts: Mapping[str, Float32Array],
    labels: Int64Array,
    parts: Mapping[str, Int64Array],
) -> list[Entry]:
    """Compare an embedding with shortcuts, one after the other and together.

    Args:
        embeddings: (N, D), as `leading_components` returns them.
        shortcuts: Shortcuts by name, as `shortcut_features` returns them; none: no line but the first.
        labels: (N,) classes.
        parts: Row numbers of "train", "validation" and "test", all of known label, of two classes or more.

    Returns:
        First a line "none" with the embedding's own score; then one for each shortcut, and, of several, one
        for "all but position" and "all". Shortcuts with too many terms for the train part are left out.
    """
    test = parts["test"]
    own = predict(embeddings, labels, parts)
    chance = 1 / len(np.unique(labels[parts["train"]]))
    value = macro_recall(labels[test], own)
    lines = [Entry("none", chance, value, value, own)]
    train = np.isin(np.arange(len(labels)), parts["train"])
    sets: dict[str, dict[str, Float32Array]] = {name: {name: one} for name, one in shortcuts.items()}
    plain = {name: one for name, one in shortcuts.items() if name != "position"}
    if len(plain) < len(shortcuts) and len(plain) > 1:
        sets["all but position"] = plain
    if len(shortcuts) > 1:
        sets["all"] = dict(shortcuts)
    for name, chosen in sets.items():
        terms = design(chosen, train)
        if train.sum() < _ROWS_PER_TERM * terms.shape[1]:
            continue
        rest, least = (
            predict(regress_out(embeddings, terms, train, within), labels, parts) for within in (labels, None)
        )
        alone = predict(terms, labels, parts)
        first, second, third = (macro_recall(labels[test], one) for one in (alone, rest, least))
        lines.append(Entry(name, first, second, third, rest))
    return lines
