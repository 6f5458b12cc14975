"""Results to look at: statistics over records, tables for the terminal, pictures and the HTML report."""

from morphobench.report.load import load_records
from morphobench.report.render.html import write_report
from morphobench.report.render.terminal import console, summarize, summarize_benchmarks

__all__ = ["console", "load_records", "summarize", "summarize_benchmarks", "write_report"]
