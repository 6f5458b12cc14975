"""Writes docs/record.schema.json; run it after a change of the record in morphobench/run/record.py."""

from __future__ import annotations

from pathlib import Path

from morphobench._util.json import write_json
from morphobench.run.record import record_schema

if __name__ == "__main__":
    write_json(Path(__file__).resolve().parents[1] / "docs" / "record.schema.json", record_schema())
