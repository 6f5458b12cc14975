"""The summary as files for other programs: Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any

from morphobench._util.json import to_json
from morphobench._util.text import csv_text
from morphobench.report.decision import Decision
from morphobench.report.render.gain_grid import further_tables
from morphobench.report.render.sentences import decision_sentences
from morphobench.report.render.terminal import summary_grid
from morphobench.report.statistics.columns import COSTS
from morphobench.report.summary import Summary


def as_markdown(summary: Summary) -> str:
    """Write the decision and the main table as Markdown.

    Args:
        summary: the summary.

    Returns:
        The text.
    """
    decisions = summary.decisions or (("", summary.decision),)
    said = [(f"{name}: " if name else "") + " ".join(decision_sentences(one)) for name, one in decisions]
    key = (
        "Bold: best setup. \\*: the paired 95 % interval of the difference from the best baseline excludes 0."
    )
    learned = [
        text
        for one in further_tables(summary)
        for text in (one.grid.markdown(), one.lead.replace("*", "\\*"))
    ]
    return "\n\n".join([*said, summary_grid(summary, summary.columns).markdown(), key, *learned]) + "\n"


def as_csv(summary: Summary) -> str:
    """Write one line a setup with every metric and cost as CSV.

    Args:
        summary: the summary.

    Returns:
        The text: full precision, empty where a value is not known. Text that a spreadsheet would read as a
        formula has an apostrophe before it.
    """
    columns = (*summary.metrics, *COSTS)
    parts = ("", "_deviation", "_low", "_high")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["run"] if any(row.source for row in summary.rows) else []
    names = [
        f"{column.key}{part}" for column in columns for part in (parts if not column.is_cost else parts[:2])
    ]
    writer.writerow([*head, "setup", "protocol", "seeds", *map(csv_text, names)])
    for row in summary.rows:
        values: list[Any] = [csv_text(row.source)] if head else []
        values += [csv_text(row.name), csv_text(summary.protocol), len(row.seeds)]
        for column in columns:
            cell = row.cells[column.key]
            numbers = (cell.value, cell.deviation, cell.low, cell.high)[: 2 if column.is_cost else 4]
            values += ["" if value != value else value for value in numbers]
        writer.writerow(values)
    return out.getvalue()


def as_json(summary: Summary) -> str:
    """Write rows, decision and facts as JSON.

    Args:
        summary: the summary.

    Returns:
        The text; values that are not known are null.
    """
    columns = (*summary.metrics, *COSTS)
    decisions = summary.decisions or (("", summary.decision),)
    content = {
        "protocol": summary.protocol,
        "facts": dict(summary.facts),
        "notes": list(summary.notes),
        "warnings": {text: list(names) for text, names in summary.warnings.items()},
        "decisions": [{"run": name, **decision_content(one)} for name, one in decisions],
        "rows": [
            {
                "run": row.source,
                "setup": row.name,
                "seeds": list(row.seeds),
                "values": {column.key: asdict(row.cells[column.key]) for column in columns},
            }
            for row in summary.rows
        ],
        "gains": [{**asdict(one), "excludes_zero": one.excludes_zero} for one in summary.gains],
    }
    return to_json(content, indent=2) + "\n"


def decision_content(decision: Decision) -> dict[str, Any]:
    """Give a decision as plain types.

    Args:
        decision: the decision.

    Returns:
        Its fields, with the sentences that say them.
    """
    content = asdict(decision)
    content["column"] = None if decision.column is None else decision.column.key
    return {"text": " ".join(decision_sentences(decision)), **content}
