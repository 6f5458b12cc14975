"""Builds the container and tries it: ``python tools/check_container.py``.

With podman or docker the main job runs as a user would run it: no network, read-only, results in a mounted
folder. Where neither is installed, MORPHOBENCH_CONTAINER_TOOL names a program that knows two commands:
``build CONTEXT TAG`` builds the last image of CONTEXT/Containerfile, ``run TAG COMMAND ...`` runs a program.
It mounts nothing, so what is checked is read from the output. Exit code 0: all held; 1: not all; 77:
no engine is here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TAG = "morphobench"
ABSENT = 77
SETUPS = "unsupervised/aug_one_crop,weakly_supervised/no_aug_one_crop"
RUN = ["run", "/data/store", "/results/smoke", "--profile", "smoke", "--threads", "1", "--setups", SETUPS]
TESTS = ["tests/augment/test_pixels.py", "tests/evaluation/test_distances.py", "tests/models", "tests/run"]
TEST_IMAGE = f"""FROM localhost/{TAG}
USER root
RUN pip install pytest pytest-benchmark hypothesis
COPY pyproject.toml /checks/
COPY benchmarks /checks/benchmarks
COPY docs /checks/docs
COPY tests /checks/tests
USER morphobench
WORKDIR /checks
"""


class Engine:
    """Podman, docker, or the program that MORPHOBENCH_CONTAINER_TOOL names."""

    def __init__(self) -> None:
        self.tool = os.environ.get("MORPHOBENCH_CONTAINER_TOOL", "")
        self.name = next((name for name in ("podman", "docker") if shutil.which(name)), "")

    def build(self, context: Path, tag: str) -> None:
        """Build ``context/Containerfile``."""
        if self.tool:
            _run([self.tool, "build", str(context), tag])
        else:
            _run(
                [
                    self.name,
                    "build",
                    "--tag",
                    f"localhost/{tag}",
                    "--file",
                    f"{context}/Containerfile",
                    str(context),
                ]
            )

    def run(self, tag: str, command: list[str], *, results: Path) -> str:
        """Run a program of the image in a container of its own without a network; its standard output."""
        if self.tool:
            cut_off = ["unshare", "--net"] if shutil.which("unshare") and os.geteuid() == 0 else []
            return _run([*cut_off, self.tool, "run", tag, *command])
        user = (
            ["--userns", "keep-id"] if self.name == "podman" else ["--user", f"{os.getuid()}:{os.getgid()}"]
        )
        limits = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", *user]  # noqa: S108
        mount = ["--volume", f"{results}:/results"]
        return _run(
            [self.name, "run", *limits, *mount, "--entrypoint", command[0], f"localhost/{tag}", *command[1:]]
        )


def _run(command: list[str]) -> str:
    sys.stderr.write(f"+ {' '.join(command)}\n")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise SystemExit(f"exit code {done.returncode}: {' '.join(command)}")
    return done.stdout


def _weights(records: str) -> dict[str, str]:
    found = (json.loads(line) for line in records.splitlines() if line.startswith("{"))
    return {one["setup"]: one["weights_sha256"] for one in found if one.get("weights_sha256")}


def main() -> int:
    """Build, run the doctor and a smoke study, compare its weights with those made here, run the tests."""
    engine = Engine()
    if not engine.tool and not engine.name:
        sys.stderr.write("podman, docker or MORPHOBENCH_CONTAINER_TOOL must be there, got none\n")
        return ABSENT
    with tempfile.TemporaryDirectory(prefix="morphobench-container-") as name:
        folder = Path(name)
        engine.build(ROOT, TAG)
        job = f"morphobench doctor --seconds 2 >&2 && morphobench {' '.join(RUN)} >&2"
        inside = engine.run(TAG, ["sh", "-c", f"{job} && cat /results/smoke/results.jsonl"], results=folder)

        def morphobench(*words: str) -> None:
            _run([sys.executable, "-m", "morphobench", *words])

        morphobench("simulate", f"{folder}/store", *("--images", "4000", "--seed", "0", "--cell-lines", "4"))
        morphobench("run", f"{folder}/store", f"{folder}/outside", *RUN[3:])
        outside = Path(folder, "outside", "results.jsonl").read_text(encoding="utf-8")
        if not _weights(inside) or _weights(inside) != _weights(outside):
            sys.stderr.write(
                f"weights must be equal inside and outside: {_weights(inside)}, {_weights(outside)}\n"
            )
            return 1
        sys.stderr.write(f"weights of {len(_weights(inside))} trainings are bit-equal inside and outside\n")
        context = folder / "checks"
        for name in ("benchmarks", "docs", "tests"):
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", context)
        (context / "Containerfile").write_text(TEST_IMAGE)
        engine.build(context, f"{TAG}-checks")
        pytest = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        sys.stderr.write(engine.run(f"{TAG}-checks", pytest, results=folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
