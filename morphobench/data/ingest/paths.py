"""Files of a source: found below its folder, and never outside of it unless that is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from morphobench._util.files import path_exists
from morphobench._util.text import printable
from morphobench.errors import InputError

IMAGE_FOLDERS = (".zarr",)
"""Endings of folders that are one image."""

_DRIVE = re.compile(r"[A-Za-z]:(?=/)")
_URL = re.compile(r"([a-z][a-z0-9+.-]+):(?://[^/]*)?(?=/)", re.IGNORECASE)


def files_below(root: Path) -> Iterator[str]:
    """List the files below a folder, each folder once, even where links form a loop.

    Hidden files and folders are left out; a folder that is one image (``.zarr``) counts as a file.

    Args:
        root: the folder.

    Yields:
        Paths relative to ``root``, sorted folder by folder.

    Raises:
        InputError: where a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise InputError(
            f"{printable(str(error.filename))} must be a folder that can be listed, got: {error.strerror}"
        )

    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=refuse):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        inner = sorted(name for name in folders if not name.startswith("."))
        images = [name for name in inner if name.lower().endswith(IMAGE_FOLDERS)]
        folders[:] = [name for name in inner if name not in images]
        for name in sorted([*files, *images]):
            if not name.startswith("."):
                yield Path(folder, name).relative_to(root).as_posix()


def text_of_url(text: str) -> str:
    """Turn a URL of the file scheme into a path; other text is returned as it is.

    Args:
        text: a path, or a URL such as ``file:///data/a.tif``.

    Returns:
        The path.

    Raises:
        InputError: for a URL of another scheme.
    """
    if not (found := _URL.match(text)):
        return text
    if found[1].lower() != "file":
        raise InputError(f"the URL must be of the file scheme, got {found[1]}")
    return unquote(text[found.end() :])


def posix_path(text: str) -> str:
    r"""Write a path of Windows as one of this system: ``D:\plates\a.tif`` as ``/plates/a.tif``.

    Args:
        text: a path; other paths are returned as they are.

    Returns:
        The path.
    """
    if "\\" in text:
        text = text.replace("\\", "/")
    return _DRIVE.sub("", text, count=1) if _DRIVE.match(text) else text


class Root:
    """The folder of a source, and the rule which files may be read.

    Args:
        folder: the folder.
        allow_outside: whether files outside of it may be read, by absolute paths, ``..`` or links.
    """

    def __init__(self, folder: Path, *, allow_outside: bool = False) -> None:
        self.folder = folder
        self._real = os.path.realpath(folder)
        self._allow_outside = allow_outside

    def file(self, path: str) -> Path:
        """Find the file of a path that a table or a listing names.

        An absolute path of another machine is looked for by its last parts below the folder.

        Args:
            path: relative to the folder, or absolute.

        Returns:
            The file; it need not exist.

        Raises:
            InputError: for a file outside the folder where that is not allowed.
        """
        if "\0" in path:
            raise InputError("the path must be a file name, got one with a NUL character")
        found = self.folder / path
        if not path_exists(found):  # a name may hold a backslash; only where it does not is it Windows'
            path = posix_path(path)
            found = self.folder / path
        if self._is_inside(found) or self._allow_outside:
            return found
        parts = PurePosixPath(path).parts
        if PurePosixPath(path).is_absolute():
            for start in range(1, len(parts)):
                moved = self.folder.joinpath(*parts[start:])
                if ".." not in parts[start:] and path_exists(moved) and self._is_inside(moved):
                    return moved
            if not os.path.lexists(found):
                raise InputError("no such file")
        raise InputError("the file must lie inside the source, got one outside of it (--allow-outside)")

    def _is_inside(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real.rstrip("/") + "/")
