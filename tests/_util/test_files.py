"""Files and folders appear whole or not at all; special files are refused instead of waited for."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from morphobench._util.files import (
    file_in_place_of,
    folder_in_place_of,
    open_regular,
    read_text,
    write_whole,
)
from morphobench.errors import InputError


@pytest.mark.parametrize("data", ["text ä\n", b"\0bytes"])
def test_a_file_is_written_and_replaced(tmp_path: Path, data: str | bytes) -> None:
    path = tmp_path / "new" / "file.txt"
    write_whole(path, "before")
    write_whole(path, data)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mode_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "plain.txt", "x")
        with file_in_place_of(tmp_path / "library.bin") as temporary:
            temporary.unlink()
            temporary.touch(0o666)
            temporary.chmod(0o777)
    finally:
        os.umask(before)
    for name in ("plain.txt", "library.bin"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    link = tmp_path / "link.txt"
    link.symlink_to(outside)
    write_whole(link, "new")
    assert outside.read_text() == "kept"
    assert not link.is_symlink()
    assert link.read_text() == "new"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_and_fail() -> None:
        with file_in_place_of(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"


def test_the_temporary_file_keeps_the_ending_and_fits_the_longest_name(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".npy")
    with file_in_place_of(path) as temporary:
        assert temporary.suffix == ".npy"
        assert temporary.parent == tmp_path
    assert path.exists()


def test_abandoned_files_go_and_those_in_use_stay(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    abandoned = tmp_path / ".a[1].txt.partial-0123456789ab.txt"
    in_use = tmp_path / ".a[1].txt.partial-ba9876543210.txt"
    other = tmp_path / ".a1.txt.partial-0123456789ab.txt"
    for each in (abandoned, in_use, other):
        each.touch()
    with in_use.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_whole(path, "x")
    assert not abandoned.exists()
    assert in_use.exists()
    assert other.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder must be writable, got: Is a directory"):
        write_whole(tmp_path / "folder", "x")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/below must be writable, got"):
        write_whole(tmp_path / "file" / "below", "x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_special_files_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path, kind in ((pipe, "a named pipe"), (link, "a named pipe"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=f"must be a regular file, got {kind}"):
            open_regular(path)
    with pytest.raises(InputError, match="must be a regular file, got a character device"):
        open_regular(Path("/dev/zero"))
    with pytest.raises(InputError, match="must be a readable file, got: No such file"):
        open_regular(tmp_path / "absent")
    with pytest.raises(InputError, match="must be a readable file, got: embedded null"):
        open_regular(tmp_path / "nul\0byte")


def test_text_must_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("ä".encode())
    assert read_text(path) == "ä"
    path.write_bytes(b"ab\xff")
    with pytest.raises(InputError, match="text must be UTF-8 text, got byte 2 invalid"):
        read_text(path)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with folder_in_place_of(tmp_path / "new" / "folder") as partial:
        (partial / "below").mkdir()
        (partial / "below" / "file").write_text("x")
        assert not (tmp_path / "new" / "folder").exists()
    assert (tmp_path / "new" / "folder" / "below" / "file").read_text() == "x"
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["folder"]


def test_a_folder_with_files_is_replaced_only_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()

    def replace(*names: str) -> None:
        with folder_in_place_of(folder, replace=names) as partial:
            (partial / "new").touch()

    with pytest.raises(FileExistsError, match="it has come to hold old meanwhile"):
        replace()
    with pytest.raises(FileExistsError, match="it has come to hold old meanwhile"):
        replace("new")
    assert [each.name for each in folder.iterdir()] == ["old"]
    replace("new", "old")
    assert [each.name for each in folder.iterdir()] == ["new"]
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        done.append("flush folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "flush file")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_whole(tmp_path / "file", "x")
    assert done == ["flush file", "rename", "flush folder"]


def test_a_second_process_is_refused_while_a_folder_is_written(tmp_path: Path) -> None:
    def write_again() -> None:
        with folder_in_place_of(tmp_path / "folder"):
            pass

    with folder_in_place_of(tmp_path / "folder") as partial:
        (partial / "file").touch()
        with pytest.raises(BlockingIOError, match="another process is writing it"):
            write_again()
    write_again_is_refused = (tmp_path / "folder" / "file").exists()
    assert write_again_is_refused


def test_a_folder_that_had_made_room_when_the_process_was_killed_comes_back(tmp_path: Path) -> None:
    place, room = tmp_path / "store", tmp_path / ".store.partial-0123456789ab-old"
    room.mkdir()
    (room / "a.txt").write_text("old")
    with pytest.raises(FileExistsError), folder_in_place_of(place) as partial:
        (partial / "a.txt").write_text("new")  # nobody said that the old one may go
    assert (place / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    with folder_in_place_of(place, replace=["a.txt"]) as partial:
        (partial / "a.txt").write_text("new")
    assert (place / "a.txt").read_text() == "new"
