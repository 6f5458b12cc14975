"""Results to look at: a summary computed once, tables for the terminal, figures, and the page of a run."""

from morphobench.report.decision import recommend
from morphobench.report.render.html import write_report
from morphobench.report.render.terminal import SummaryTable, console, summarize_benchmarks
from morphobench.report.summary import Summary, load_summary, summarize

__all__ = [
    "Summary",
    "SummaryTable",
    "console",
    "load_summary",
    "recommend",
    "summarize",
    "summarize_benchmarks",
    "write_report",
]
