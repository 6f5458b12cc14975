"""The folder of a run: made for one set of options, and refused for another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from morphobench._util.files import write_whole
from morphobench._util.json import plain, read_json, write_json
from morphobench._util.options import Options, option_fields
from morphobench._util.text import first_of
from morphobench._util.toml import toml_text
from morphobench.errors import InputError
from morphobench.run.folder import CONFIG, LOCK, OPTIONS, refuse_links, remove_own
from morphobench.run.options import RunOptions, upgraded


def prepare(out: Path, options: Options, data: Mapping[str, Any], *, store: Path, fresh: bool) -> None:
    """Make a folder that of a run with these options and data, or check that it is already.

    Args:
        out: The folder; made where it does not exist.
        options: Options of the run.
        data: What identifies the images, as JSON types.
        store: The store, for ``config.toml``.
        fresh: Whether to remove an earlier run's files, and only those.

    Raises:
        InputError: The folder holds a run made with other options (named), or other files.
    """
    content = {"options": options.describe(), "data": dict(plain(data))}
    require_own(out)
    if (out / OPTIONS).is_file():
        if fresh:
            remove_own(out)
        else:
            _refuse_other(out, content, {one.name: one.label for one in option_fields(type(options))})
            return
    write_whole(out / CONFIG, _config(out, options, store))
    write_json(out / OPTIONS, content)


def require_own(out: Path) -> None:
    """Refuse a folder that holds other files than a run's; nothing is written.

    Args:
        out: The folder, whether or not it exists.

    Raises:
        InputError: It is a file, a folder with files but without the options of a run, or one with links in
            the place of folders.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"OUT must be a folder, got the file {out}")
    if out.is_dir() and not (out / OPTIONS).is_file():
        others = sorted(entry.name for entry in out.iterdir() if entry.name != LOCK)
        if others:
            raise InputError(
                f"OUT must be a new or empty folder or that of an earlier run, but {out} holds other files: "
                f"{first_of(others)}"
            )
    refuse_links(out)


def read_options(out: Path) -> RunOptions:
    """Read the options of the run in a folder, of this or the last version.

    Args:
        out: Folder of a run.

    Returns:
        Its options.

    Raises:
        InputError: The folder holds no run, or one with options that this version does not know.
    """
    content = read_json(out / OPTIONS)
    if not isinstance(content, dict) or not isinstance(content.get("options"), dict):
        raise InputError(f"{out / OPTIONS} must hold the options of a run, got other content")
    try:
        return RunOptions.from_description(content["options"])
    except InputError as error:
        raise InputError(f"{out / OPTIONS} must hold the options of a run, but {error}") from error


def _config(out: Path, options: Options, store: Path) -> str:
    """The options as a configuration file; paths relative to it, so that both folders can be moved."""
    paths = {"store": os.path.relpath(store.resolve(), out.resolve()), "out": "."}
    lead = "# Options of this run. To repeat it elsewhere: --config THIS_FILE --set out=OTHER_FOLDER\n"
    return lead + toml_text({**paths, **options.tables()})


def _refuse_other(out: Path, content: dict[str, Any], labels: Mapping[str, str]) -> None:
    there = read_json(out / OPTIONS)
    if not isinstance(there, dict) or not all(isinstance(there.get(key), dict) for key in content):
        raise InputError(
            f"{out / OPTIONS} must hold the options of a run, got other JSON; --fresh starts anew"
        )
    there = {**there, "options": upgraded(there["options"])}
    labels = {**{key: key.replace("_", " ") for key in content["data"]}, **labels}
    differences = [
        f"{labels[key]} {_shown(there[part].get(key))} there, {_shown(value)} asked"
        for part, values in content.items()
        for key, value in values.items()
        if there[part].get(key) != value
    ]
    if differences:
        raise InputError(
            f"{out}: made with other options: {'; '.join(differences)}. "
            "Take another OUT, or --fresh to do it anew"
        )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        text = ", ".join(str(item) for item in value)
        return text if len(value) <= 4 else f"{len(value)} of them"
    if value is None:
        return "all"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
