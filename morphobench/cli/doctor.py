"""``morphobench doctor``: findings as lines of text, each with what to do about it."""

from __future__ import annotations

from morphobench.cli.options import DoctorOptions

_MARKS = {"ok": "ok", "note": "note", "problem": "PROBLEM"}


def doctor(options: DoctorOptions) -> int:
    """Do ``morphobench doctor``.

    Plain lines instead of a table of rich: the command runs where NumPy is all there is.

    Args:
        options: Options of the command.

    Returns:
        Exit code: 0, or 1 where something will not work.
    """
    from morphobench.run.checks.doctor import examine

    problems = notes = 0
    for finding in examine(part=options.part, folder=options.folder, seconds=options.seconds):
        problems += finding.state == "problem"
        notes += finding.state == "note"
        print(f"{_MARKS[finding.state]:8} {finding.name:14} {finding.found}", flush=True)  # noqa: T201
        if finding.advice:
            print(f"{'':23} -> {finding.advice}", flush=True)  # noqa: T201
    print(f"problems: {problems}, notes: {notes}")  # noqa: T201
    return int(problems > 0)
