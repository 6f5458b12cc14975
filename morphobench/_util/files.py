"""Files and folders that appear whole or not at all, and reading that never waits for a pipe."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import io
import os
import shutil
import stat
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from morphobench.errors import InputError

_MARK, _OLD = ".partial-", "-old"
_NAME_CHARACTERS = 40  # of the final name in that of the temporary one, which must not pass 255 bytes
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISLNK, "a symbolic link"),
)


def kind_of_file(mode: int) -> str | None:
    """Name what a file is that is not a regular file.

    Args:
        mode: ``st_mode`` of the file.

    Returns:
        "a folder", "a named pipe", ...; None for a regular file.
    """
    if stat.S_ISREG(mode):
        return None
    return next((name for test, name in _KINDS if test(mode)), "a special file")


def path_exists(path: Path) -> bool:
    """Tell whether something is at a path; nothing is at one that cannot be, such as a name of 300 letters.

    Args:
        path: the path; links are followed.

    Returns:
        Whether there is.
    """
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading; a pipe or device is refused instead of waited for.

    Args:
        path: the file; a link to a regular file is followed.

    Returns:
        The file, open in binary mode.

    Raises:
        InputError: for anything but a readable regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a readable file, got: {reason_of(error)}") from error
    if kind := kind_of_file(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path} must be a regular file, got {kind}")
    return os.fdopen(descriptor, "rb")


def read_text(path: Path) -> str:
    """Read a regular file of UTF-8 text.

    Args:
        path: the file.

    Returns:
        Its text.

    Raises:
        InputError: where it cannot be read or is not UTF-8.
    """
    with open_regular(path) as file:
        content = file.read()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be UTF-8 text, got byte {error.start} invalid") from error


def fsync_path(path: Path) -> None:
    """Flush a file's bytes, or a folder's list of names, to the disk.

    Args:
        path: the file or folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: str | bytes) -> None:
    """Replace the file at ``path`` by ``data``; after a crash it is the old file or the new one.

    Args:
        path: the file; its folder is made where it is absent.
        data: the content; text is written as UTF-8.

    Raises:
        InputError: where it cannot be written.
    """
    with file_in_place_of(path) as temporary, temporary.open("wb") as file:
        file.write(data.encode("utf-8") if isinstance(data, str) else data)


@contextlib.contextmanager
def file_in_place_of(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of ``path`` when the block ends without an exception.

    For libraries that write a file themselves. The temporary file lies in the same folder, has a name of its
    own and the same ending, and is flushed to the disk before it is renamed. Where ``path`` is a link, the
    link is replaced, never the file that it points to.

    Args:
        path: the file; its folder is made where it is absent.

    Yields:
        Path of the temporary file, which exists and is empty.

    Raises:
        InputError: where it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        temporary, descriptor = _temporary_file(path)
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)  # as the umask has it
        try:
            yield temporary
            temporary.chmod(mode)  # a library may have made the file anew, with a mode of its own
            fsync_path(temporary)
            temporary.replace(path)
            fsync_path(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(f"{path} must be writable, got: {reason_of(error)}") from error


@contextlib.contextmanager
def folder_in_place_of(destination: Path, *, replace: Collection[str] = ()) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``destination`` when the block ends without an exception.

    With an exception (Ctrl-C too) the new folder is removed and ``destination`` stays as it was.

    Args:
        destination: the folder; its parents are made where they are absent.
        replace: names of the files that a folder which is there may hold to be replaced; a folder that holds
            others is left as it is.

    Yields:
        Path of the temporary folder, beside ``destination``.

    Raises:
        FileExistsError: where ``destination`` holds other files than ``replace``.
        BlockingIOError: where another process is writing ``destination``.
        OSError: where the file system refuses.
    """
    destination = destination.resolve()  # "." and ".." have no name to put beside
    destination.parent.mkdir(parents=True, exist_ok=True)
    if remove_abandoned(destination):
        raise BlockingIOError(errno.EWOULDBLOCK, "another process is writing it")
    partial = _temporary_name(destination, "")
    partial.mkdir()
    # The lock tells a later run that this folder is in use; the system drops it when the process dies.
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield partial
        for file in partial.rglob("*"):
            fsync_path(file)
        fsync_path(partial)
        _move_into_place(partial, destination, replace=replace)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def reason_of(error: Exception) -> str:
    """Say why a file cannot be used.

    Args:
        error: what opening, reading or writing it raised.

    Returns:
        The system's words where it has any, such as "No such file or directory", else the error's.
    """
    return getattr(error, "strerror", None) or str(error)


def _temporary_name(path: Path, suffix: str) -> Path:
    return path.parent / f".{path.name[:_NAME_CHARACTERS]}{_MARK}{uuid.uuid4().hex[:12]}{suffix}"


def _temporary_file(path: Path) -> tuple[Path, int]:
    """A new, empty, locked file beside ``path`` and its descriptor."""
    while True:
        temporary = _temporary_name(path, path.suffix[:_NAME_CHARACTERS])
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with contextlib.suppress(OSError):  # a file system without locks: nothing is taken for abandoned
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)  # another process took it for abandoned before it was locked


def remove_abandoned(path: Path) -> int:
    """Remove the temporary files and folders that killed processes left beside ``path``.

    Those in use are locked by their process and stay. A folder that was about to be replaced comes back.

    Args:
        path: the file or folder that they were to replace.

    Returns:
        How many are in use.
    """
    in_use = 0
    pattern = f".{glob.escape(path.name[:_NAME_CHARACTERS])}{_MARK}{'[0-9a-f]' * 12}*"
    for leftover in path.parent.glob(pattern):
        with contextlib.suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if leftover.name.endswith(_OLD) and not path_exists(path):
                    leftover.rename(path)  # killed after the old folder had made room for the new one
                else:
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            except BlockingIOError:
                in_use += 1
            finally:
                os.close(descriptor)
    return in_use


def _move_into_place(partial: Path, destination: Path, *, replace: Collection[str]) -> None:
    old = destination.parent / f"{partial.name}{_OLD}"
    moved = False
    there = sorted(path.name for path in destination.iterdir()) if destination.exists() else []
    if there:
        if others := [name for name in there if name not in replace]:
            raise FileExistsError(errno.EEXIST, f"it has come to hold {others[0]} meanwhile")
        destination.rename(old)
        moved = True
    try:
        partial.rename(destination)
    except BaseException:
        if moved:
            old.rename(destination)
        raise
    fsync_path(destination.parent)
    if moved:
        shutil.rmtree(old, ignore_errors=True)
