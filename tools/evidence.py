"""Does training pay? Recipes against the untrained encoder of the same architecture, on held-out groups.

Tasks, splits, seeds and recipes are those of docs/evidence-plan.md, fixed there before the final runs:

    python tools/evidence.py train DATA OUT --set malaria-slides      # all arms and seeds; skips what is done
    python tools/evidence.py compare DATA OUT --set malaria-slides    # paired differences with 95 % intervals

``--part validation`` is what recipes are developed on; the default, test, is for the final runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench._util.files import file_in_place_of
from morphobench.data import ImageStore, ingest
from morphobench.embeddings import embed, embed_by_group
from morphobench.evaluation.retrieval.average_precision import average_precision
from morphobench.evaluation.retrieval.matching import neighbour_accuracy
from morphobench.models.batch_norm_cnn import has_batch_norm, with_statistics_of
from morphobench.models.preprocessing import float_batches
from morphobench.objectives import create
from morphobench.recipes import RECIPES
from morphobench.report.statistics.comparisons import holm
from morphobench.training import ImageRows, TrainingOptions, progress, train
from morphobench.training.callbacks.schedules import learning_rate_schedule
from morphobench.training.data.groups import group_codes
from morphobench.types import Float32Array, Int64Array

FOLDS = 5
SEEDS = range(5)
RESAMPLES = 2000
SETTING = "no_aug_one_crop"


@dataclass(frozen=True)
class Arm:
    """One way of training: an objective with its settings under a recipe; None: the recipe's epochs."""

    objective: str
    recipe: str = "fast"
    settings: tuple[tuple[str, Any], ...] = ()
    epochs: int | None = None


ARMS = {
    "control": Arm("weakly_supervised"),
    "compound": Arm("compound_classification"),
    "supcon": Arm("supervised_contrastive"),
    "well": Arm("cross_well", settings=(("positives", "well"),)),
    "across_plates": Arm("cross_well", settings=(("positives", "compound_across_plates"),)),
    "lejepa": Arm("lejepa"),
    "simclr": Arm("simclr"),
    "control_long": Arm("weakly_supervised", "long"),
    "compound_long": Arm("compound_classification", "long"),
    "supcon_long": Arm("supervised_contrastive", "long"),
    "control_plate": Arm("weakly_supervised", "plate"),
    "compound_plate": Arm("compound_classification", "plate"),
    "study": Arm("weakly_supervised", "study", epochs=8),
    "study_300": Arm("weakly_supervised", "study", epochs=300),
}


@dataclass(frozen=True)
class DataSet:
    """A set of images: its task, and whether weeks or hashed plates are held out."""

    task: str
    weeks: bool = False
    value_range: str = "none"


SETS = {
    "malaria-slides": DataSet("auc"),
    "redcells-types": DataSet("balanced_accuracy"),
    "bbbc021-fields": DataSet("retrieval", weeks=True, value_range="percentile"),
    "bbbc021": DataSet("retrieval", weeks=True, value_range="percentile"),
}


def hashed(name: str, count: int) -> int:
    """A number below ``count`` that follows from a name only."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % count


def parts(metadata: pd.DataFrame, dataset: DataSet, fold: int) -> NDArray[np.str_]:
    """The part of each image: by hashed plate 6 : 2 : 2, or the weeks of the fold as test."""
    if not dataset.weeks:
        tenth = metadata["Metadata_Plate"].map(lambda name: hashed(name, 10)).to_numpy()
        return np.where(tenth < 2, "test", np.where(tenth < 4, "validation", "train"))
    weeks = weeks_of(metadata)
    order = sorted(weeks.unique(), key=lambda week: hashlib.sha256(week.encode()).hexdigest())
    return np.where(weeks.map(order.index).to_numpy() % FOLDS == fold, "test", "train")


def weeks_of(metadata: pd.DataFrame) -> pd.Series:
    """The week of each image, which is the first part of its plate's name."""
    return metadata["Metadata_Plate"].str.split("_").str[0]


def embeddings_of(
    arm: str | None, store: ImageStore, of: NDArray[np.str_], *, recipe: str, seed: int
) -> Float32Array:
    """Train an arm (None: train nothing) on the train part and embed all images."""
    chosen = dict(RECIPES[recipe].options)
    (encoder,) = chosen.pop("encoders", ("study",))
    size_px, plates = store.images.shape[2], group_codes(store.metadata)["plate"]
    if arm is not None and ARMS[arm].epochs is not None:
        chosen["epochs"] = ARMS[arm].epochs
    options = TrainingOptions(**chosen, seed=seed, size_px=size_px)
    objective = create(
        "unsupervised" if arm is None else ARMS[arm].objective,
        channels=store.images.shape[1],
        size_px=size_px,
        seed=seed,
        encoder=encoder,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        **dict(ARMS[arm].settings if arm else ()),
    )
    rows = np.flatnonzero(of == "train")
    if arm is not None:
        train(
            objective,
            images=ImageRows(store.images, rows),
            labels=store.labels[rows],
            image_ids=store.image_ids[rows],
            groups={name: codes[rows] for name, codes in group_codes(store.metadata).items()},
            setting=SETTING,
            options=options,
            callbacks=[*learning_rate_schedule(options), progress()],
        )
    if not has_batch_norm(objective.encoder):
        return embed(objective.encoder, store.images)
    if options.batch_norm == "plate":
        return embed_by_group(objective.encoder, store.images, plates)
    return embed(
        with_statistics_of(objective.encoder, float_batches(ImageRows(store.images, rows))), store.images
    )


Statistic = Callable[[NDArray[np.float64]], float]
"""From the weight of each test group in a resample to the value of the metric."""


def predicted(
    embeddings: Float32Array, store: ImageStore, of: NDArray[np.str_], part: str, task: str
) -> tuple[Statistic, int]:
    """A logistic regression on frozen embeddings of the train part, measured on a part by its plates."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.preprocessing import StandardScaler

    names = store.labels if task == "auc" else group_codes(store.metadata)["compound"]
    learnt, asked = of == "train", of == part
    scaler = StandardScaler().fit(embeddings[learnt])
    model = LogisticRegression(max_iter=1000, class_weight="balanced")
    model.fit(scaler.transform(embeddings[learnt]), names[learnt])
    scores = model.predict_proba(scaler.transform(embeddings[asked]))
    _, groups = np.unique(group_codes(store.metadata)["plate"][asked], return_inverse=True)
    found, answers = names[asked], model.classes_[scores.argmax(1)]

    def statistic(weights: NDArray[np.float64]) -> float:
        each = weights[groups]
        if task == "auc":
            return float(roc_auc_score(found, scores[:, 1], sample_weight=each))
        kept = each > 0
        return float(balanced_accuracy_score(found[kept], answers[kept], sample_weight=each[kept]))

    return statistic, int(groups.max()) + 1


def profiles_of(
    embeddings: Float32Array, metadata: pd.DataFrame, level: Sequence[str]
) -> tuple[Float32Array, pd.DataFrame]:
    """Well means less the mean of all wells of their plate, then means over the treated wells of a level."""
    wells = ["Metadata_Plate", "Metadata_Well", "Metadata_ControlType"]
    known = metadata[[*dict.fromkeys([*wells, *level])]].copy()
    table = pd.DataFrame(embeddings).assign(**{str(name): known[name].to_numpy() for name in known})
    keys = list(known.columns)
    by_well = table.groupby(keys, sort=True, dropna=False).mean()
    by_well -= by_well.groupby(level="Metadata_Plate").transform("mean")
    by_well = by_well[by_well.index.get_level_values("Metadata_ControlType") == "trt"]
    by_level = by_well.groupby(level=list(level), sort=True, dropna=False).mean()
    return by_level.to_numpy(np.float32), by_level.index.to_frame(index=False)


def codes(column: pd.Series) -> Int64Array:
    """Numbers of the names in a column; -1 where there is none."""
    return np.asarray(pd.factorize(column, sort=True)[0], dtype=np.int64)


def retrieved(
    folds: Sequence[Float32Array], store: ImageStore, dataset: DataSet, measure: str
) -> tuple[Statistic, int]:
    """Answers to the queries of held-out weeks, by encoders that did not see these; means by compound."""
    metadata = store.metadata.assign(week=weeks_of(store.metadata))
    values: list[NDArray[np.float64]] = []
    units: list[NDArray[np.object_]] = []
    for fold, embeddings in enumerate(folds):
        level = ["Metadata_Compound", "Metadata_Concentration_uM", "Metadata_MOA", "week"]
        if measure == "map":
            level = [*level, "Metadata_Plate"]
        profiles, table = profiles_of(embeddings, metadata, level)
        held_out = np.unique(metadata["week"][parts(metadata, dataset, fold) == "test"])
        asked = table["week"].isin(held_out).to_numpy()
        # a compound that is also in other weeks was seen in training by objectives that learn from compounds
        seen = set(table["Metadata_Compound"][~asked])
        asked = asked & ~table["Metadata_Compound"].isin(seen).to_numpy()
        if measure == "nscb":
            apart = [codes(table["Metadata_Compound"]), codes(table["week"])]
            answer = neighbour_accuracy(profiles, codes(table["Metadata_MOA"]), apart=apart)
            rows, found = answer.asked, answer.right.astype(np.float64)
        else:
            treatment = codes(table["Metadata_Compound"] + table["Metadata_Concentration_uM"].astype(str))
            found = average_precision(
                profiles, treatment, apart=codes(table["Metadata_Plate"])
            ).average_precision
            rows = np.flatnonzero(np.isfinite(found))
            found = found[rows]
        kept = asked[rows]
        values.append(found[kept])
        units.append(table["Metadata_Compound"].to_numpy(dtype=object)[rows[kept]])
    value = np.concatenate(values)
    names, unit = np.unique(np.concatenate(units).astype(str), return_inverse=True)
    # every compound counts alike, however many treatments it has
    means = np.array([value[unit == number].mean() for number in range(len(names))])
    return (lambda weights: float(np.average(means, weights=weights))), len(names)


def open_store(data: Path, out: Path, name: str) -> ImageStore:
    """The set as a store in OUT, made once."""
    return ingest(data / name, out / "stores" / name, value_range=SETS[name].value_range)


def made(out: Path, name: str, arm: str | None, recipe: str, seed: int, fold: int) -> Path:
    """Where the embeddings of an arm, or of the untrained encoder of a recipe, are kept."""
    label = f"untrained_{recipe}" if arm is None else arm
    return out / "embeddings" / name / f"{label}__seed{seed}__fold{fold}.npy"


def do_train(store: ImageStore, out: Path, name: str, arms: Sequence[str], seeds: Sequence[int]) -> None:
    """Train and embed what is not there yet."""
    dataset = SETS[name]
    for seed in seeds:
        for arm in arms:
            recipe = ARMS[arm].recipe
            for fold in range(FOLDS if dataset.weeks else 1):
                of = parts(store.metadata, dataset, fold)
                for trained in (None, arm):
                    path = made(out, name, trained, recipe, seed, fold)
                    if not path.exists():
                        embeddings = embeddings_of(trained, store, of, recipe=recipe, seed=seed)
                        with file_in_place_of(path) as temporary, temporary.open("wb") as file:
                            np.save(file, embeddings)


def do_compare(
    store: ImageStore, out: Path, name: str, arms: Sequence[str], seeds: Sequence[int], part: str
) -> list[dict[str, Any]]:
    """Find, for each arm, its value, the untrained encoder's, and their difference with its interval."""
    dataset = SETS[name]
    measures = ["nscb", "map"] if dataset.task == "retrieval" else [dataset.task]
    rows = []
    for measure in measures:
        for arm in arms:
            recipe = ARMS[arm].recipe
            sides: dict[bool, list[Statistic]] = {True: [], False: []}
            units = 0
            for seed in seeds:
                for trained, label in ((True, arm), (False, None)):
                    paths = [
                        made(out, name, label, recipe, seed, fold)
                        for fold in range(FOLDS if dataset.weeks else 1)
                    ]
                    if not all(path.exists() for path in paths):
                        continue
                    found = [np.load(path) for path in paths]
                    if measure in ("nscb", "map"):
                        statistic, units = retrieved(found, store, dataset, measure)
                    else:
                        of = parts(store.metadata, dataset, 0)
                        statistic, units = predicted(found[0], store, of, part, measure)
                    sides[trained].append(statistic)
            if sides[True] and len(sides[True]) == len(sides[False]):
                head = {"set": name, "part": part, "measure": measure, "arm": arm}
                rows.append({**head, **paired(sides, units)})
    for row, p_holm in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = round(float(p_holm), 4)
    return rows


def paired(sides: dict[bool, list[Statistic]], units: int) -> dict[str, Any]:
    """Means over seeds, their difference, its percentile interval over resampled groups, and its p-value."""
    generator = np.random.default_rng(0)

    def mean(side: bool, weights: NDArray[np.float64]) -> float:
        return float(np.mean([statistic(weights) for statistic in sides[side]]))

    whole = np.ones(units)
    draws = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        weights = np.bincount(generator.integers(0, units, units), minlength=units).astype(np.float64)
        draws[number] = mean(True, weights) - mean(False, weights)
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    # what the percentile interval says as a p-value: twice the share of draws on the other side of zero
    beyond = 2 * min((draws <= 0).sum(), (draws >= 0).sum())
    trained, untrained = mean(True, whole), mean(False, whole)
    values = {
        "trained": trained,
        "untrained": untrained,
        "gain": trained - untrained,
        "low": low,
        "high": high,
        "p": min(1.0, (beyond + 1) / (RESAMPLES + 1)),
    }
    return {
        "seeds": len(sides[True]),
        "groups": units,
        **{key: round(float(one), 4) for key, one in values.items()},
    }


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The comparisons as lines of a table in Markdown; a star where the interval excludes zero after Holm."""
    lines = []
    for row in rows:
        star = " \\*" if row["p_holm"] < 0.05 and not row["low"] <= 0 <= row["high"] else ""
        numbers = f"{row['trained']:.3f} | {row['untrained']:.3f} | {row['gain']:+.3f}{star}"
        interval = f"{row['low']:+.3f} to {row['high']:+.3f}"
        counts = f"{row['p_holm']:.3f} | {row['seeds']} | {row['groups']}"
        lines.append(
            f"| {row['set']} | {row['measure']} | {row['arm']} | {numbers} | {interval} | {counts} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["train", "compare"])
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("out", type=Path, help="folder of stores and embeddings")
    parser.add_argument("--set", choices=SETS, required=True, help="set of images")
    parser.add_argument("--arms", default=",".join(ARMS), help="arms, separated by commas (default: all)")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="seeds (default: 0,1,2,3,4)")
    parser.add_argument("--part", choices=["validation", "test"], default="test", help="what is reported")
    parser.add_argument("--markdown", action="store_true", help="compare: a Markdown table")
    chosen = parser.parse_args()
    store = open_store(chosen.data, chosen.out, chosen.set)
    arms, seeds = chosen.arms.split(","), [int(seed) for seed in chosen.seeds.split(",")]
    if chosen.command == "train":
        do_train(store, chosen.out, chosen.set, arms, seeds)
    else:
        rows = do_compare(store, chosen.out, chosen.set, arms, seeds, chosen.part)
        lines = [json.dumps(row) for row in rows]
        sys.stdout.write((as_markdown(rows) if chosen.markdown else "\n".join(lines)) + "\n")


if __name__ == "__main__":
    main()
