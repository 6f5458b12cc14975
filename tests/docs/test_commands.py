"""The commands of the README and of every page run, in the page's order, in a folder with what it assumes."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from morphobench.cli import main
from tests.support import page_inputs as made
from tests.support.pages import PAGES, ROOT, Block, blocks

pytestmark = pytest.mark.slow

PREPARED: dict[str, tuple[Callable[[Path], None] | str, ...]] = {
    "README.md": (made.cell_painting,),
    "augmentation.md": (made.checkout,),
    "baseline.md": (
        *(made.checkout, made.repository, made.timings, made.store),
        "morphobench run store results_before",
        made.copies("results_before", "results_after"),
    ),
    "choosing.md": (made.store, "morphobench run store results"),
    "cluster.md": (made.store,),
    "custom.md": (made.store, made.embeddings),
    "data.md": (made.class_folders, made.names_with_metadata),
    "evaluation.md": (
        *(made.normalized_wells, made.my_store, made.store, made.embeddings),
        "morphobench run my_store my_results",
    ),
    "evidence-plan.md": (made.checkout, made.evidence_sets),
    "evidence.md": (made.checkout, made.evidence_sets),
    "gpu.md": (made.checkout,),
    "my-data.md: A folder of class folders": (made.class_folders,),
    "my-data.md: Images and a table about them": (made.images_and_table,),
    "my-data.md: File names that hold the metadata": (made.names_with_metadata,),
    "my-data.md: Folders of plates and wells, and a table of wells": (made.plates_and_wells,),
    "my-data.md: 16-bit images": (made.deep_class_folders,),
    "my-data.md: Cell Painting: one TIFF per channel and a LoadData table": (made.cell_painting,),
    "my-data.md: Cell Painting without a LoadData table": (made.cell_painting,),
    "my-data.md: Fields of view and a table of cells": (made.cells_at_locations,),
    "my-data.md: Stacks: one cell per page": (made.stacks,),
    "my-data.md: OME-Zarr, CZI, ND2": (made.scans,),
    "my-data.md: Is it right?": (made.store,),
    "options.md": (made.store, made.options, "morphobench run --config given.toml"),
    "pretrained.md": ("morphobench simulate cells --images 96 --seed 0", "morphobench run cells results"),
    "real-images.md": (made.three_colours,),
    "scale.md": (made.store,),
    "search.md": (made.store, made.space, made.three_colours),
    "sharing.md": (
        made.store,
        "morphobench run store results",
        *(made.copies("results", f"results_{end}") for end in ("a", "b", "before", "after")),
    ),
    "training.md": (made.store, made.checkout, made.training_script),
}
"""What is made in the folder of a page, or of a section of a page of recipes, by functions and commands."""

APART = ("my-data.md",)
"""Pages of which a reader takes one section, not one after the other."""

SMALL = {
    **{"--profile": "smoke", "--images": "96", "--train-images": "32", "--batch-size": "16"},
    **{"--epochs": "1", "--seeds": "1", "--threads": "1", "--timing-s": "0", "--budget-min": "0.05"},
    **{"--trials": "2", "--startup-trials": "1", "--setups": "unsupervised/no_aug_one_crop"},
    **{"--task": "classification", "--baselines": "untrained_encoder"},
}
"""Values of options that cost time; they take the place of those of the page."""
KEPT = ("--setups", "--task")
"""Options whose values stay where the page gives them."""

TRAINING = ("--profile", "--images", "--batch-size", "--epochs", "--threads", "--timing-s")
GIVEN = {
    "cost": ("--images", "--batch-size", "--threads", "--timing-s", "--setups", "--budget-min"),
    "evaluate": ("--profile",),
    "project": (*TRAINING, "--setups", "--task", "--baselines"),
    "run": (*TRAINING, "--setups", "--task", "--baselines"),
    "search": TRAINING[:-1],
    "simulate": (),
}
"""Commands that cost time, and the options of `SMALL` that they are given where the page leaves them out."""

ENVIRONMENT = {
    "GPU_CHECK_NO_BUILD": "1",  # the extension of this checkout is not built anew
    "MORPHOBENCH_TIMING_S": "1",
    "PYTHON": sys.executable,
    "PYTHONPATH": str(ROOT),
}
"""Variables of the programs of a page other than morphobench."""
PROGRAMS = {
    "python": (sys.executable,),
    "pytest": (sys.executable, "-m", "pytest"),
    "torchrun": (sys.executable, "-m", "torch.distributed.run"),
}

FEWER = {
    "benchmarks/test_setups.py": {"-k": "no_aug_one_crop"},
    "tools/evidence.py": {"--seeds": "0", "--arms": "control,study"},
}
"""Options that a script of the checkout is given where the page leaves them out."""

INSTALLS = "installs from a package registry"
CONTAINER = "nox -s container builds and runs the container, where there is podman or docker"
NOT_RUN = {
    "python -m pip install nox && nox -s benchmark": INSTALLS,
    "python -m pip install nox && nox -s tests": INSTALLS,
    "nox -s identical_work -- --one-crop --budget-s 45": "takes twenty minutes beside busy programs",
    "pip install .": INSTALLS,
    "pip install 'morphobench[formats]'": INSTALLS,
    "podman build -t morphobench .": CONTAINER,
    'podman run --rm --userns keep-id -v "$PWD/results:/results" morphobench': CONTAINER,
    "morphobench run store results --engine slurm --partition main --time-limit-min 240 --parallel-jobs 32 "
    "--threads 8": "needs a Slurm cluster; tests/run/engines/test_slurm.py where one answers",
    "morphobench run store results --engine ray --ray-address auto --threads 8": (
        "needs a running Ray cluster; tests/run/engines/test_ray.py starts one"
    ),
}
"""Commands that do not run here, and why."""
EXTRAS = {
    "morphobench ingest scans store --range 0:4000": "bioio_nd2",
    "morphobench run store results_tb --track tensorboard": "tensorboard",
    "morphobench run store results_ml --track mlflow": "mlflow",
    "morphobench run store results_wb --track wandb": "wandb",
    "morphobench search ": "optuna",
    "morphobench run store results --config search/best.toml": "optuna",
}
"""How commands begin that need a package of an extra."""


@dataclass(frozen=True)
class Case:
    """Commands that run one after another in one folder, and the package that they need."""

    prepared: str
    page: Path
    commands: tuple[str, ...]
    package: str = ""

    def __str__(self) -> str:
        return f"{self.prepared}{' with ' * bool(self.package)}{self.package}"


def _absent(command: str) -> str:
    """The package that a command needs and that is not installed; empty: none."""
    for begin, package in EXTRAS.items():
        if command.startswith(begin) and importlib.util.find_spec(package) is None:
            return package
    return ""


def _cases() -> Iterator[Case]:
    for page in PAGES:
        parts: dict[tuple[str, str], list[str]] = {}
        for block in blocks(page):
            name = f"{page.name}: {block.section}" if page.name in APART else page.name
            for command in block.commands:
                if command not in NOT_RUN:
                    parts.setdefault((name, _absent(command)), []).append(command)
        for (name, package), commands in parts.items():
            yield Case(name, page, tuple(commands), package)


CASES = list(_cases())


def small(command: str) -> list[str]:
    """The words of a command after ``morphobench``, with small values of the options that cost time."""
    words = shlex.split(command)[1:]
    given = {word for word in words if word.startswith("--")}
    if words[0] not in GIVEN:
        return words
    for place, word in enumerate(words):
        if word in SMALL and word not in KEPT:
            words[place + 1] = SMALL[word]
    if given & {"--config", "--into"}:  # the file, or the run, gives the others
        return words
    for option in GIVEN[words[0]]:
        if option == "--setups" and "--objective" in given:  # the page's own beside the study's
            words += ["--setups", "*/no_aug_one_crop"] * (option not in given)
        elif option not in given and not (option == "--baselines" and "--no-baselines" in given):
            words += [option, SMALL[option]]
    return words


def run(command: str) -> None:
    """Run a command in the current folder; it must end with exit code 0."""
    if command.startswith("morphobench "):
        assert main(small(command)) == 0, command
        return
    words, variables = shlex.split(command), dict(ENVIRONMENT)
    for script in FEWER.keys() & set(words):
        words += [word for one in FEWER[script].items() if one[0] not in words for word in one]
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), "."])
    # a reader's command knows nothing of the processes that the tests run in
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [*PROGRAMS.get(words[0], words[:1]), *words[1:]],
        env={**outside, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def write_files(page: list[Block]) -> None:
    """Write what a reader copies from the blocks, and run those that make a table of embeddings."""
    for block in page:
        if block.file:
            Path(block.file).write_text(block.text)
        elif block.language == "python" and '.parquet"' in block.text:
            exec(compile(block.text.replace("images=1000", "images=96"), "block", "exec"), {})


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.filterwarnings("ignore:Maximum number of iterations")  # scikit-learn's, of a page's block
def test_the_commands_of_a_page_run(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if case.package:
        pytest.skip(f"{case.package} is not installed")
    for make in PREPARED.get(case.prepared, ()):
        run(make) if isinstance(make, str) else make(folder)
    write_files(blocks(case.page))
    for command in case.commands:
        run(command)
    assert case.commands


def test_the_tables_hold_nothing_that_the_pages_no_longer_have() -> None:
    commands = [command for page in PAGES for block in blocks(page) for command in block.commands]
    assert [command for command in NOT_RUN if command not in commands] == []
    assert [begin for begin in EXTRAS if not any(command.startswith(begin) for command in commands)] == []
    assert set(PREPARED) <= {case.prepared for case in CASES}
