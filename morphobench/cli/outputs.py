"""Check that a command does not write its result over what it reads."""

from __future__ import annotations

import os
from pathlib import Path

from morphobench.errors import InputError
from morphobench.run.folder import AUDIT, OWN_NAMES, REPORT


def require_other_file(output: Path, *inputs: Path, name: str) -> None:
    """Refuse to write over an input of the same command.

    Args:
        output: The file to write.
        inputs: Files that are read, and folders of stores and runs.
        name: The option that names the output.

    Raises:
        InputError: The output is one of the inputs, or a file of a store or run among them.
    """
    from morphobench.data.store.format import FILES

    own = {*FILES, *OWN_NAMES} - {AUDIT, REPORT}
    place = _real(output)
    for one in inputs:
        read = _real(one)
        within = place.name in own and place.is_file() and place.is_relative_to(read)
        if (place == read and place.exists()) or within:
            raise InputError(f"{name} must be another file than those that are read, got {output}")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve() fails at a link to itself
