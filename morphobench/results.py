"""A run from Python: start it or open its folder, and ask for records, the table and a decision."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from morphobench import types

if TYPE_CHECKING:
    import pandas as pd

    from morphobench.data import ImageStore
    from morphobench.report.render.sentences import Recommendation
    from morphobench.report.summary import Summary
    from morphobench.run.record import Record


class Results:
    """The results of a run in its folder; in a notebook it shows the decision and the table.

    Args:
        out: Folder of the results.

    Raises:
        InputError: The folder holds no results.
    """

    def __init__(self, out: types.Path) -> None:
        from morphobench.report.load import load_records

        self.out = Path(out)
        self.records: list[Record] = load_records(self.out)
        self._summary: Summary | None = None

    def __repr__(self) -> str:
        setups = {record.setup for record in self.records}
        return (
            f"Results({str(self.out)!r}: {len(self.records)} records of {len(setups)} setups and baselines)"
        )

    def __len__(self) -> int:
        return len(self.records)

    @property
    def summary(self) -> Summary:
        """Statistics of the records, computed once: intervals, ranks, effects and the decision."""
        if self._summary is None:
            from morphobench.report.summary import load_summary

            self._summary = load_summary([self.out])
        return self._summary

    @property
    def table(self) -> pd.DataFrame:
        """One row per setup or baseline, by name; a column per metric and cost, mean over seeds."""
        import pandas as pd

        from morphobench.report.statistics.columns import COSTS

        summary = self.summary
        columns = list(dict.fromkeys((*summary.columns, *summary.metrics, *COSTS)))
        rows = {row.name: [row.cells[column.key].value for column in columns] for row in summary.rows}
        return pd.DataFrame.from_dict(rows, orient="index", columns=[column.key for column in columns])

    def recommend(
        self,
        *,
        max_minutes: float | None = None,
        max_memory_gb: float | None = None,
        images: int | None = None,
        epochs: int | None = None,
    ) -> Recommendation:
        """Choose a setup, as ``morphobench recommend`` does.

        Args:
            max_minutes: Longest training time, in minutes.
            max_memory_gb: Largest memory, in GB (10^9 bytes).
            images: Number of images it will be trained on; None: the run's.
            epochs: Number of epochs; None: the run's.

        Returns:
            The decision: the choice, what it is compared with, and the setups that no other one beats in
            quality, time and memory at once. Printed, it is the sentences of the command.

        Raises:
            InputError: A limit is not positive.
        """
        from morphobench.report.decision import recommend
        from morphobench.report.load import load_tables
        from morphobench.report.render.sentences import Recommendation

        predictions = load_tables(self.out, self.records, name="classification.predictions")
        made = recommend(
            self.records,
            max_minutes=max_minutes,
            max_memory_gb=max_memory_gb,
            images=images,
            epochs=epochs,
            predictions=predictions,
        )
        return Recommendation(**vars(made))

    def report(self) -> Path:
        """Write the page of tables and figures, as ``morphobench report`` does; the path of the page."""
        from morphobench.report.render.html import write_report

        return write_report(self.out)

    def _repr_html_(self) -> str:
        from morphobench.report.render.sentences import decision_sentences

        said = html.escape(" ".join(decision_sentences(self.summary.decision)))
        main = [column.key for column in self.summary.columns]
        return f"<p>{said}</p>{self.table[main].to_html(float_format='{:.4g}'.format)}"


def run(
    store: types.Path | ImageStore,
    out: types.Path,
    *,
    profile: str = "quick",
    fresh: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Results:
    """Train and evaluate setups under identical conditions, as ``morphobench run`` does.

    What the folder already holds is not done again.

    Args:
        store: Store of images, or its folder.
        out: Folder of the results.
        profile: Preset of options: "smoke", "quick" or "paper".
        fresh: Whether to remove the results of an earlier run there first.
        quiet: Whether to show no progress.
        **options: Options of the run by name, such as ``setups="byol/*"``, ``epochs=3`` or
            ``tasks=["similarity"]``; `morphobench.run.options.RunOptions` lists them.

    Returns:
        The results.

    Raises:
        InputError: Bad input, or a folder of results made with other options.
        CheckError: At the end, where setups failed; the others are recorded.
    """
    from morphobench.data import ImageStore
    from morphobench.run.options import RunOptions
    from morphobench.run.runner import run as run_setups

    resolved = RunOptions.resolve(profile=profile, **options)
    path = store.path if isinstance(store, ImageStore) else store
    run_setups(path, out, options=resolved, fresh=fresh, quiet=quiet)
    return Results(out)
