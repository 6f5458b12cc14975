"""The table in the terminal: what it says, and that it can be read at any width and in any pipe."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from morphobench.errors import InputError
from morphobench.report.render.gain_grid import fitting_gains
from morphobench.report.render.terminal import SummaryTable, console, summarize_benchmarks
from morphobench.report.summary import summarize
from morphobench.run.record import Record
from tests.support.report_records import KNOWN, record, study, tables


def _shown(records: list[Record], width: int = 120, **options: Any) -> str:
    file = io.StringIO()
    predictions, _ = tables(records)
    table = SummaryTable(summarize(records, known=KNOWN, predictions=predictions), **options)
    Console(file=file, width=width).print(table)
    return file.getvalue()


def _line(text: str, name: str) -> str:
    return next(line for line in text.splitlines()[::-1] if line.startswith(name))


def test_one_row_a_setup_by_paradigm_with_baselines_last() -> None:
    records = study()
    text = _shown(records)
    rows = [line.split()[0] for line in text.splitlines() if "/" in line.split(" ")[0]]
    assert rows[:16] == [one.setup for one in records][:16]
    assert sorted(rows) == sorted([*(one.setup for one in records), "baseline/chance"])
    assert [row.startswith("baseline/") for row in rows] == [False] * 16 + [True] * 3


@pytest.mark.parametrize("width", [160, 120, 100, 80, 60, 40])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_no_width_cuts_or_breaks_a_name(width: int, seeds: tuple[int, ...]) -> None:
    text = _shown(study(seeds), width)
    assert "…" not in text
    for one in study():
        assert any(line == one.setup or line.startswith(f"{one.setup} ") for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= width


def test_what_has_no_room_is_named() -> None:
    assert "no room for" not in _shown(study(), 200)
    text = " ".join(_shown(study(), 80).split())
    assert "no room for" in text
    assert "training time per view" in text.partition("no room for")[2]


def test_values_intervals_and_times() -> None:
    best = record("unsupervised/aug_one_crop", time_per_view_ns=1e6, peak_host_memory_bytes=2**29)
    best.metrics.update({"classification.roc_auc": 0.91, "clustering.noise": 12.0})
    best.intervals["classification.roc_auc"] = (0.85, 0.96)
    worse = record("regularized/no_aug_multi_crop", time_per_view_ns=2.5e6, peak_host_memory_bytes=2**30)
    text = _shown([best, worse], 160)
    first, second = _line(text, best.setup), _line(text, worse.setup)
    assert {"0.910", "0.85–0.96", "1.0", "512"} <= set(first.split())
    assert {"12.5", "1,024"} <= set(second.split()), "2.5 ms a view is 12.5 ms an image of five views"


def test_a_star_stands_where_the_paired_interval_excludes_zero() -> None:
    records = [record("unsupervised/aug_multi_crop"), record("baseline/mean_intensity")]
    text = _shown(records, 160)
    assert "*" in _line(text, "unsupervised/aug_multi_crop"), "planted in the made-up predictions"
    assert "1/1" in _line(text, "unsupervised/aug_multi_crop")
    assert "better than the best baseline: the paired 95 % interval" in " ".join(text.split())
    alone = [record("unsupervised/aug_multi_crop")]
    assert "*" not in _shown(alone, 160)


def test_the_caption_says_what_intervals_resample() -> None:
    assert "from resampling 12 plates" in " ".join(_shown(study()).split())
    wells = record("unsupervised/aug_one_crop", interval_units={"classification.roc_auc": "16 wells"})
    shown = " ".join(_shown([wells]).split())
    assert "from resampling 16 wells (wells say nothing of how plates differ)" in shown


def test_seeds_are_merged_with_their_deviation() -> None:
    records = [record("unsupervised/aug_one_crop", seed) for seed in (0, 1)]
    for one, value in zip(records, (0.6, 0.8), strict=True):
        one.metrics["classification.roc_auc"] = value
        one.intervals["classification.roc_auc"] = (value - 0.1, value + 0.1)
    text = _shown(records, 200)
    assert "0.700±.141" in text
    assert "0.60–0.80" in text
    assert "seeds 2" in text


def test_one_line_of_notes_and_all_on_request() -> None:
    reason = {"classification.roc_auc": "4 plates, at least 6 needed"}
    records = [
        record("unsupervised/aug_one_crop", intervals={}, interval_reasons=reason),
        record("regularized/aug_one_crop", intervals={}, interval_reasons=reason, epochs=50),
    ]
    text = _shown(records, 200)
    assert text.count("note: ") == 1
    assert "note: not under identical conditions: epochs 3 and 50" in text
    assert "more with --details" in text
    details = _shown(records, 200, details=True)
    assert "note: no interval for ROC AUC: 4 plates, at least 6 needed" in details
    assert "note: no baselines were run" in details
    assert "note: thinned sweeps" in details
    assert "protocol corrected-1: preset quick, epochs 3 and 50, images 1,000, batch size 256" in text


def test_every_metric_on_request() -> None:
    text = _shown(study(), 160, all_metrics=True)
    assert text.count("clustering.clusters") == 18


def test_undefined_metrics_are_dashes() -> None:
    undefined = record("unsupervised/aug_one_crop")
    undefined.metrics.update(dict.fromkeys(undefined.metrics))
    assert (
        _line(_shown([undefined, record("regularized/aug_one_crop")], 200), undefined.setup).count("–") >= 6
    )


def test_hostile_names_are_shown_as_text() -> None:
    name = "mine/\x1b[31mred\u202eabc[bold]"
    text = _shown([record(name, notes=["\x1b]0;title\x07"])], 160, details=True)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"mine/\x1b[31mred\u202eabc[bold]" in text


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("150", 150), ("3", 40), ("x", 120), ("", 120)])
def test_piped_output_follows_columns(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console(io.StringIO()).width == width


def test_piped_output_is_plain_text_even_in_ascii() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    console(file).print(SummaryTable(summarize(study(), known=KNOWN)))
    file.flush()
    text = raw.getvalue().decode("ascii")
    assert "\x1b" not in text
    assert "weakly_supervised/no_aug_one_crop" in text
    assert "^" in text


def _benchmark(name: str, **extra: Any) -> dict[str, Any]:
    return {"name": name, "stats": {"median": 0.0125, "iqr": 0.0004, "rounds": 9}, "extra_info": extra}


@pytest.mark.parametrize("width", [140, 110, 80, 60])
def test_benchmarks_keep_their_names_at_every_width(width: int) -> None:
    names = ["views[grey]", "training_step[weakly_supervised/no_aug_multi_crop-0]", "medians"]
    data: dict[str, Any] = {
        "benchmarks": [
            _benchmark(
                f"test_{names[0]}", peer="torchvision", times_faster_than_peer=21.34, images_per_s=12345.6
            ),
            _benchmark(f"test_{names[1]}", peak_host_memory_bytes=3 * 2**28),
            _benchmark(f"test_{names[2]}", times_faster_than_scipy=30.9, times_faster_than_sklearn=12.0),
        ]
    }
    file = io.StringIO()
    Console(file=file, width=width).print(summarize_benchmarks(data))
    text = file.getvalue()
    for name in names:
        assert any(line.startswith(name) for line in text.splitlines())
    for wanted in ("12.5 ms", "21.3× torchvision", "30.9× scipy", "12.0× sklearn", "12,346", "768 MiB"):
        assert wanted in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("data", [{}, {"benchmarks": [{"name": "x"}]}, []])
def test_other_json_is_refused(data: Any) -> None:
    with pytest.raises(InputError, match="benchmarks"):
        summarize_benchmarks(data)


def test_learning_gains_fit_80_columns_and_say_what_has_no_room() -> None:
    summary = summarize(study((0, 1, 2)), known=KNOWN)
    found, whole = fitting_gains(summary, 80), fitting_gains(summary, 400)
    assert found is not None
    assert whole is not None
    grid, left_out = found
    assert grid.width <= 80 < whole[0].width
    assert len(grid.rows) == 16
    assert whole[1] == ()
    assert "classification.roc_auc" not in [column.key for column in left_out]
    labels = ", ".join(column.label for column in left_out)
    assert f"No room for {labels}." in " ".join(_shown(study((0, 1, 2)), 80).split())
