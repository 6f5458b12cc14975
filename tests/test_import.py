"""The package imported from a checkout that was never built, and what it shows of itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import morphobench as mb

ROOT = Path(__file__).resolve().parents[1]
README_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """A copy of the package without its extension."""
    ignored = shutil.ignore_patterns("__pycache__", "_core*.so", "_core*.pyd")
    shutil.copytree(Path(mb.__path__[0]), tmp_path / "checkout" / "morphobench", ignore=ignored)
    return tmp_path / "checkout"


def _run(program: str, folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_python_block_of_the_readme_runs_in_a_checkout_that_was_only_installed(
    unbuilt: Path, tmp_path: Path
) -> None:
    shutil.copytree(mb.__path__[0], tmp_path / "site" / "morphobench")
    block = README_BLOCK.search((ROOT / "README.md").read_text("utf-8"))
    assert block is not None
    shown = "import sys; print(sys.modules['morphobench._core'].__file__, MultiCrop.__module__, len(store))"
    done = _run(f"{block[1]}\n{shown}", unbuilt, PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    core, module, images = done.stdout.split()
    assert Path(core).parent == tmp_path / "site" / "morphobench"
    assert (module, images) == ("morphobench.augment.multi_crop", "1000")


def test_a_checkout_neither_built_nor_installed_says_what_to_do(unbuilt: Path) -> None:
    done = _run("import morphobench", unbuilt, "-S", PYTHONPATH="")  # -S: nothing installed is seen
    assert done.returncode != 0
    assert "ImportError" in done.stderr
    assert f"run `pip install {unbuilt}`" in done.stderr


def test_the_public_names_are_listed() -> None:
    assert set(mb.__all__) <= set(dir(mb))
    assert not {"Any", "annotations", "import_module", "Path"} & set(dir(mb))


NUMPY_ALONE = """
import sys


class OnlyNumpy:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first not in {*sys.stdlib_module_names, "numpy", "morphobench"}:
            raise ModuleNotFoundError(f"{name} is hidden", name=name)


sys.meta_path.insert(0, OnlyNumpy())
import numpy as np
from morphobench.augment import CollateViews, MultiCrop
from morphobench.evaluation import distances

images = np.random.default_rng(0).integers(0, 256, (6, 64, 64), np.uint8)
views = MultiCrop("aug_multi_crop", seed=0)(images, np.arange(6), 0)
rows = views[:, :, 0].reshape(30, -1)
medians = distances.median_distances(rows[:12], rows[12:])
for metric in distances.METRICS:
    assert np.isclose(medians[metric], np.median(distances.pairwise(rows[:12], rows[12:], metric)), rtol=1e-5)
print(views.shape, len(medians))

from morphobench.cli import main

print(main(["doctor", "--part", "views", "--seconds", "0"]))
"""


def test_views_and_distances_need_numpy_alone(tmp_path: Path) -> None:
    done = _run(NUMPY_ALONE, tmp_path, PYTHONPATH=str(Path(mb.__path__[0]).parent))
    assert done.returncode == 0, done.stderr
    first, *found, code = done.stdout.splitlines()
    assert first == "(5, 6, 1, 64, 64) 4"
    assert any(line.startswith("ok       self-test") for line in found), done.stdout
    assert code == "0"
