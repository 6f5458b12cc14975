"""The commands of data: ingest with its summary and dry run, verify, and the contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from morphobench import ImageStore
from morphobench.cli import main


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    random = np.random.default_rng(0)
    for name in ("DMSO", "taxol"):
        (root / name).mkdir(parents=True)
        for number in range(3):
            pixels = random.integers(0, 256, (20, 30), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_ingest_says_what_it_understood(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ingest", str(source), str(tmp_path / "store"), "--size-px", "16"]
    assert main([*arguments, "--dry-run"]) == 0
    dry = capsys.readouterr().out
    assert not (tmp_path / "store").exists()
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for text in (dry, out):
        assert "3 negcon, 3 trt" in text
        assert "2: DMSO, taxol" in text
        assert "6 of 1x20x30 uint8 -> 1x16x16 uint8" in text
        assert "warning: 6 of 6 images are not square" in text
    assert "6 in the source, 6 stored" in out


def test_verify(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    assert main(["ingest", str(source), str(store)]) == 0
    assert main(["verify", str(store)]) == 0
    assert "6 images, every file matches its checksum" in capsys.readouterr().out
    with (store / "images.npy").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert main(["verify", str(store)]) == 1
    assert "images.npy must have SHA-256" in capsys.readouterr().err
    assert main(["verify", str(source)]) == 2
    assert (
        "must be an image store (morphobench ingest makes one), but has no manifest.json"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_contact_sheet(tmp_path: Path, channels: int) -> None:
    images = np.full((6, channels, 16, 16), 200, np.uint8)
    table = {"compound": ["DMSO", "x", "x"] * 2}
    ImageStore.from_arrays(tmp_path / "store", images, table, size_px=16)
    sheet = tmp_path / "sheet.png"
    assert main(["views", str(tmp_path / "store"), "--out", str(sheet), "--contact", "--images", "4"]) == 0
    with Image.open(sheet) as opened:
        pixels = np.asarray(opened)
    # a row of 2 controls and one of 4 treated images, 96 x 96 px each
    shown = int((pixels == 200).all(axis=2).sum())
    assert 6 * 96 * 96 <= shown < 6 * 96 * 96 + 100  # a few pixels of the letters are as grey
    assert main(["views", str(tmp_path / "store"), "--out", str(tmp_path / "sheet.xyz"), "--contact"]) == 2
