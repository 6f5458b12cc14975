"""The errors that users see. Each message names the file or argument, what it must be, and what it was."""

from __future__ import annotations


class MorphobenchError(Exception):
    """Base of every error raised on purpose; the command line prints it without a traceback."""

    exit_code = 2


class InputError(MorphobenchError, ValueError):
    """Bad usage or bad input: a wrong argument, file, table or array. Exit code 2."""


class CheckError(MorphobenchError):
    """A comparison or check failed: leakage between splits, a result outside its tolerance. Exit code 1."""

    exit_code = 1


class DamagedFileWarning(UserWarning):
    """A file of ours was cut off while it was written; what was whole is used."""
