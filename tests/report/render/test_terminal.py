"""The one table: what it says, and that it can be read at any width and in any pipe."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from morphobench.errors import InputError
from morphobench.report.render.terminal import SummaryTable, console, summarize, summarize_benchmarks
from morphobench.report.statistics.table import build_table
from morphobench.run.record import Record
from tests.support.report_records import KNOWN, record, study


def _shown(records: list[Record], width: int = 120, **options: Any) -> str:
    file = io.StringIO()
    table = SummaryTable(build_table(records, known=KNOWN, **options))
    Console(file=file, width=width).print(table)
    return file.getvalue()


def _line(text: str, word: str, after: str) -> str:
    """The first line with ``word`` below the line with ``after``."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if after in line)
    return next(line for line in lines[start:] if word in line)


def test_one_row_a_setup_grouped_by_paradigm_with_baselines_last() -> None:
    text = _shown(study())
    for name in ("no_aug_one_crop", " aug_one_crop", "no_aug_multi_crop", " aug_multi_crop"):
        assert text.count(name + " ") == 4
    order = [
        "weakly_supervised",
        "self_supervised",
        "unsupervised",
        "regularized",
        "baselines",
        "untrained_encoder",
    ]
    assert [text.index(f"\n {name}") for name in order[:5]] == sorted(
        text.index(f"\n {n}") for n in order[:5]
    )
    assert text.index("untrained_encoder") > text.index("baselines")
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("width", [100, 80])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_narrow_terminals_cut_nothing(width: int, seeds: tuple[int, ...]) -> None:
    text = _shown(study(seeds), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text.count("no_aug_multi_crop") == {100: 8, 80: 12}[width]  # two tables of 16 rows, or three


def test_values_marks_intervals_and_ratios() -> None:
    best = record("unsupervised/aug_one_crop", time_per_view_ns=1e6, peak_host_memory_bytes=2**29)
    best.metrics.update({"classification.roc_auc": 0.91, "clustering.noise": 12.0})
    best.intervals["classification.roc_auc"] = (0.85, 0.96)
    worse = record("regularized/no_aug_multi_crop", time_per_view_ns=2.5e6, peak_host_memory_bytes=2**30)
    worse.metrics.update({"classification.roc_auc": 0.4, "clustering.noise": 3.0})
    text = _shown([best, worse])
    first, second = _line(text, "aug_one_crop", "unsupervised"), _line(text, "no_aug_multi", "regularized")
    assert "0.910*" in first
    assert "0.85–0.96" in first
    assert " 1.0*" in first  # 1 ms a view, the shortest
    assert "0.400°" in second, "below chance: marked as not beating the baselines"
    assert "3.0*" in second, "less noise is better"
    assert " 12.5" in second, "2.5 ms a view is 12.5 ms an image of five views"
    assert "2.0" in second.split()[-2], "twice the memory"


def test_a_best_setup_that_does_not_beat_the_baselines_says_so() -> None:
    records = [record("unsupervised/aug_one_crop"), record("baseline/mean_intensity")]
    records[0].metrics["similarity.d"], records[1].metrics["similarity.d"] = 0.3, 0.4
    assert "0.300!" in _shown(records)


def test_the_caption_says_what_intervals_resample() -> None:
    assert "95 % interval: resampling 12 plates\n" in _shown(study())
    wells = record("unsupervised/aug_one_crop", interval_units={"classification.roc_auc": "16 wells"})
    assert "resampling 16 wells (wells say nothing of how plates differ)" in _shown([wells])


def test_seeds_are_merged_with_their_deviation() -> None:
    records = [record("unsupervised/aug_one_crop", seed) for seed in (0, 1)]
    for one, value in zip(records, (0.6, 0.8), strict=True):
        one.metrics["classification.roc_auc"] = value
        one.intervals["classification.roc_auc"] = (value - 0.1, value + 0.1)
    text = _shown(records, 200)
    assert "0.700±.141*" in text
    assert "0.60–0.80" in text
    assert "seeds 2" in text


def test_the_caption_says_what_was_run_and_what_is_missing() -> None:
    reason = {"classification.roc_auc": "4 groups, at least 6 needed"}
    longer = {"profile": "quick", "epochs": 50, "batch_size": 256}
    plain = [
        record("unsupervised/aug_one_crop", intervals={}, interval_reasons=reason),
        record("regularized/aug_one_crop", intervals={}, interval_reasons=reason, profile=longer),
    ]
    text = _shown(plain)
    assert (
        "protocol corrected-1; profile quick, epochs 3 and 50, images 1,000, batch size 256, seeds 1" in text
    )
    assert "note: no interval for classification.roc_auc: 4 groups, at least 6 needed" in text
    assert "not under identical conditions: epochs 3 and 50" in text
    assert "no baselines were run" in text
    assert "95 % interval" not in text


def test_protocols_are_never_mixed() -> None:
    mixed = [record("unsupervised/aug_one_crop"), record("a/aug_one_crop", protocol="reference-1")]
    with pytest.raises(
        InputError, match=r"'corrected-1' \(unsupervised/aug_one_crop\) and 'reference-1' \(a/aug"
    ):
        summarize(mixed)


def test_undefined_metrics_are_dashes_and_never_best() -> None:
    undefined = record("unsupervised/aug_one_crop")
    undefined.metrics.update(dict.fromkeys(undefined.metrics))
    line = _line(_shown([undefined, record("regularized/aug_one_crop")]), "aug_one_crop", "unsupervised")
    assert line.count("–") >= 6


def test_a_metric_of_unknown_direction_is_never_called_best() -> None:
    table = build_table([record("unsupervised/aug_one_crop")], known={}, all_metrics=True)
    assert not any(table.rows[0].cells[column.key].best for column in table.columns if not column.is_cost)


def test_piped_output_is_wide_plain_text_even_in_ascii() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    console(file).print(SummaryTable(build_table(study(), known=KNOWN)))
    file.flush()
    text = raw.getvalue().decode("ascii")
    assert "\x1b" not in text
    assert "0.204" in text
    assert "^" in text


def _benchmark(name: str, **extra: Any) -> dict[str, Any]:
    return {"name": name, "stats": {"median": 0.0125, "iqr": 0.0004, "rounds": 9}, "extra_info": extra}


def test_benchmarks_show_median_ratio_and_memory() -> None:
    data: dict[str, Any] = {
        "benchmarks": [
            _benchmark(
                "test_views[grey]", peer="torchvision", times_faster_than_peer=21.34, images_per_s=12345.6
            ),
            _benchmark("test_medians", times_faster_than_scipy=30.9, times_faster_than_sklearn=12.0),
            _benchmark("test_step", peak_host_memory_bytes=3 * 2**28),
        ]
    }
    file = io.StringIO()
    Console(file=file, width=110).print(summarize_benchmarks(data))
    text = file.getvalue()
    assert "12.5 ms" in _line(text, "views", "views")
    assert "21.3× torchvision" in _line(text, "views", "views[grey]")
    assert "30.9× scipy" in text
    assert "12.0× sklearn" in text
    assert "12,346" in text
    assert "768 MiB" in _line(text, "step", "step")


@pytest.mark.parametrize("data", [{}, {"benchmarks": [{"name": "x"}]}, []])
def test_other_json_is_refused(data: Any) -> None:
    with pytest.raises(InputError, match="benchmarks: "):
        summarize_benchmarks(data)
