"""Special files, links, loops and names: not followed out of the source, not waited for, shown safely."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import morphobench as mb
from morphobench.cli import main
from morphobench.errors import InputError


def _image(path: Path, value: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 16), value, np.uint8)).save(path, "PNG")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for number in range(3):
        _image(tmp_path / "source" / "drugs" / f"{number}.png")
    _image(tmp_path / "outside" / "secret.png", 200)
    return tmp_path / "source"


def _fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def _link_to_fifo(path: Path, outside: Path) -> None:
    os.mkfifo(outside / "pipe")
    path.symlink_to(outside / "pipe")


def _fifo_inside(path: Path, _: Path) -> None:
    os.mkfifo(path.with_suffix(".pipe"))
    path.symlink_to(path.with_suffix(".pipe"))


def _socket(path: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.open(path.parent, os.O_RDONLY)
        one.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def _device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path, _: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path, _: Path) -> None:
    path.symlink_to(path.parent / "gone.png")


def _secret(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "secret.png")


def _relative_secret(path: Path, _: Path) -> None:
    path.symlink_to("../../outside/secret.png")


def _folder(path: Path, _: Path) -> None:
    path.symlink_to(path.parent)


def _folder_outside(path: Path, outside: Path) -> None:
    path.with_suffix("").symlink_to(outside)


PLACES: dict[str, Callable[[Path, Path], None]] = {
    "fifo": _fifo,
    "link to a fifo outside": _link_to_fifo,
    "link to a fifo": _fifo_inside,
    "socket": _socket,
    "device": _device,
    "link to itself": _loop,
    "link to nothing": _dangling,
    "link outside": _secret,
    "relative link outside": _relative_secret,
    "link to a folder": _folder,
    "link to a folder outside": _folder_outside,
}


@pytest.mark.parametrize("name", PLACES)
def test_places(source: Path, tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    PLACES[name](source / "drugs" / "x.png", tmp_path / "outside")
    store = mb.ingest(source, tmp_path / "store", size_px=16)
    assert len(store) == 3
    assert store.images.max() == 7
    case("rejected" if len(store.rejected) else "right")


def test_links_outside_when_allowed(source: Path, tmp_path: Path, case: Callable[[str], None]) -> None:
    (source / "drugs" / "x.png").symlink_to(tmp_path / "outside" / "secret.png")
    assert len(mb.ingest(source, tmp_path / "store", size_px=16, allow_outside=True)) == 4
    case("right")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed(source: Path, tmp_path: Path, case: Callable[[str], None]) -> None:
    (source / "drugs").chmod(0)
    try:
        with pytest.raises(InputError, match="must be a folder that can be listed"):
            mb.ingest(source, tmp_path / "store")
    finally:
        (source / "drugs").chmod(0o755)
    case("refused")


def test_a_folder_that_fails_to_be_listed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Callable[[str], None]
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("drugs"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="drugs must be a folder that can be listed, got: Permission denied"):
        mb.ingest(source, tmp_path / "store")
    case("refused")


NAMES = {
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "line break": "a\nb",
    "carriage return": "a\rb",
    "direction": "\u202egnp",
    "zero width": "a\u200bb",
    "formula": "=cmd|' -C calc'!A1",
    "html": "<script>alert(1)<script>",
    "quotes": "a\"b'c,d;e",
    "emoji": "\U0001f52c",
    "no UTF-8": os.fsdecode(b"lat\xe4in"),
    "long": "x" * 200,
    "percent": "%s%n{0}{name}",
    "brackets": "[bold]x[/bold]",
    "dashes": "--fresh",
    "spaces": "  a  b  ",
    "backslash": "a\\b",
}


@pytest.mark.parametrize("bad", [False, True], ids=["whole", "damaged"])
@pytest.mark.parametrize("name", NAMES)
def test_names(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    bad: bool,
    case: Callable[[str], None],
) -> None:
    path = source / "drugs" / NAMES[name] / f"{NAMES[name]}.png"
    _image(path)
    if bad:
        path.write_bytes(b"no image")
    assert main(["ingest", str(source), str(tmp_path / "store"), "--size-px", "16"]) == 0
    shown = "".join(capsys.readouterr())
    assert not set(shown) & set("\x1b\x07\r\u202e\u200b")
    store = mb.ImageStore.open(tmp_path / "store")
    assert len(store) == 3 + (not bad)
    assert len(store.rejected) == bad
    case("rejected" if bad else "right")


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, case: Callable[[str], None]
) -> None:
    assert main(["ingest", str(tmp_path / "gone" / NAMES[name]), str(tmp_path / "store")]) == 2
    shown = "".join(capsys.readouterr())
    assert shown.startswith("morphobench: error: ")
    assert not set(shown) & set("\x1b\x07\r\u202e\u200b")
    case("refused")


@pytest.mark.parametrize("kind", ["file", "link", "other files", "too long", "below a file", "fifo"])
def test_destinations(source: Path, tmp_path: Path, kind: str, case: Callable[[str], None]) -> None:
    place = tmp_path / "place"
    if kind in ("file", "below a file"):
        place.write_text("mine")
    elif kind == "link":
        place.symlink_to(tmp_path / "outside")
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "other files":
        place.mkdir()
        (place / "thesis.txt").write_text("mine")
    elif kind == "too long":
        place = tmp_path / ("x" * 256)
    target = place / "store" if kind == "below a file" else place
    for fresh in (False, True):
        with pytest.raises(InputError, match=r"must be"):
            mb.ingest(source, target, fresh=fresh)
    left = [
        path for path in tmp_path.rglob("*") if path.is_file() and path.read_text(errors="ignore") == "mine"
    ]
    assert len(left) == (kind in ("file", "below a file", "other files"))
    case("refused")
