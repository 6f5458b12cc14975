"""Every piece of code of docs/adopting.md runs, and the example trains."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from morphobench.data import ImageStore, simulate

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adopting.md").read_text("utf-8")
SECTIONS = {
    title.removeprefix("From "): code
    for title, code in re.findall(r"^## (From [^\n]*)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.M | re.S)
}
FEW = {"256": "16", "range(50)": "range(2)", '"cuda"': '"cpu"'}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and its 64 images as PNG files in a folder for each class."""
    where = tmp_path_factory.mktemp("adopting")
    store = simulate(where / "store", images=64, seed=0)
    for number, (image, label) in enumerate(zip(store.images, store.labels, strict=True)):
        parent = where / "cells" / ("drug" if label else "control")
        parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(parent / f"{number}.png")
    return where


def absent(name: str) -> bool:
    return importlib.util.find_spec(name) is None


def run(section: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **names: Any) -> dict[str, Any]:
    """Run a section's code on the small folder, with batches of 16; what it has defined."""
    code = SECTIONS[section]
    assert 1 <= len(code.splitlines()) <= 14
    for long, short in FEW.items():
        code = code.replace(long, short)
    monkeypatch.chdir(folder)
    exec(compile(code, section, "exec"), names)
    return names


class Steps:
    """A training step that keeps what it was given."""

    def __init__(self) -> None:
        self.views: list[Any] = []
        self.labels: list[torch.Tensor] = []

    def __call__(self, views: Any, labels: Any) -> None:
        self.views.append([view.clone() for view in views])
        self.labels.append(torch.as_tensor(labels))


def test_the_page_has_a_section_for_each_library() -> None:
    assert list(SECTIONS) == [
        "torchvision",
        "lightly",
        "solo-learn",
        "albumentations or kornia",
        "memory, without a DataLoader",
    ]


@pytest.mark.parametrize("section", ["torchvision", "lightly"])
def test_a_loader_gives_views(section: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if section == "lightly" and absent("lightly"):
        pytest.skip("lightly is not installed (extra: peers)")
    step = Steps()
    run(section, folder, monkeypatch, step=step)
    count = {"torchvision": 5, "lightly": 2}[section]
    assert len(step.views) == 8  # two epochs of four batches
    assert all(len(views) == count for views in step.views)
    assert {(view.shape, view.dtype) for views in step.views for view in views} == {
        (torch.Size([16, 3, 64, 64]), torch.float32)
    }
    assert not torch.equal(step.views[0][1], step.views[4][1])
    assert {int(label) for labels in step.labels for label in labels} == {0, 1}


def test_solo_learns_batches_and_epochs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if absent("lightning"):
        pytorch = ModuleType("lightning.pytorch")
        pytorch.Callback = type("Callback", (), {})  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
        monkeypatch.setitem(sys.modules, "lightning.pytorch", pytorch)
    names = run("solo-learn", folder, monkeypatch)
    names["callback"].on_train_epoch_start(SimpleNamespace(current_epoch=3), None)
    assert names["collate"].epoch == 3
    indices, views, targets = next(iter(names["loader"]))
    assert indices.shape == targets.shape == (16,)
    assert [tuple(view.shape) for view in views] == [(16, 3, 64, 64)] * 5


def test_a_batch_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.ascontiguousarray(ImageStore.open(folder / "store").images[:6])
    views = run("albumentations or kornia", folder, monkeypatch, images=images)["views"]
    assert (views.shape, views.dtype) == ((2, 6, 1, 64, 64), torch.float32)


def test_a_feed_gives_every_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Steps()
    store = run("memory, without a DataLoader", folder, monkeypatch, step=step)["store"]
    assert {tuple(view.shape) for views in step.views for view in views} == {(16, 1, 64, 64)}
    assert sorted(torch.cat(step.labels).tolist()) == sorted(store.labels.tolist())


@pytest.mark.skipif(absent("lightly"), reason="lightly is not installed (extra: peers)")
def test_the_example_trains_and_its_loss_falls(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "examples" / "lightly_barlow_twins.py", folder / "cells", "4"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    losses = [float(line.rpartition(" ")[2]) for line in done.stdout.splitlines()]
    assert len(losses) == 4
    assert losses[-1] < 0.9 * losses[0]
