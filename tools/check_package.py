"""Builds the sdist and the wheel and tries them: ``python tools/check_package.py [PYTEST_ARGUMENT ...]``.

The sdist must hold every file that git does not ignore, except those that only the repository's own services
read, and nothing else but what setuptools writes. The wheel must run with NumPy alone, and with the sdist's
files it must pass the tests. Needs the packages build, twine, and those of the extra tests. Exit code 0: all
held; 1: something did not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY_ONLY = (".ci/", ".git", ".github/")
WRITTEN = ("PKG-INFO", "setup.cfg", "morphobench.egg-info/")
TESTS = (
    "tests/test_codebase.py",
    "tests/test_import.py",
    "tests/test_packaging.py",
    "tests/augment/test_pixels.py",
    "tests/data",
)


def missing_or_extra(sdist: Path) -> list[str]:
    """Compare the file names of ``sdist`` with those of the repository; one sentence for each difference."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    wanted = {name for name in listed.stdout.splitlines() if not name.startswith(REPOSITORY_ONLY)}
    with tarfile.open(sdist) as archive:
        names = [member.name.partition("/")[2] for member in archive if member.isfile()]
    held = {name for name in names if not name.startswith(WRITTEN)}
    return [f"lacks {name}; MANIFEST.in must include it" for name in sorted(wanted - held)] + [
        f"holds {name}, which the repository does not" for name in sorted(held - wanted)
    ]


def _python(*arguments: str | Path, cwd: Path = ROOT, executable: str | Path = sys.executable) -> None:
    sys.stderr.write(f"+ python {' '.join(map(str, arguments))}\n")
    subprocess.run([str(executable), *map(str, arguments)], cwd=cwd, check=True)  # noqa: S603


def _pip(*arguments: str | Path, executable: str | Path = sys.executable) -> None:
    _python("-m", "pip", "install", "--quiet", "--no-deps", *arguments, executable=executable)


def main(*tests: str) -> int:
    """Build both, check both; the exit code."""
    os.environ.pop("PYTHONPATH", None)  # it would hide the installed wheel
    with tempfile.TemporaryDirectory(prefix="morphobench-package-") as folder:
        dist, site, alone = (Path(folder, name) for name in ("dist", "site", "alone"))
        _python("-m", "build", "--outdir", dist, ROOT)
        sdist, wheel = next(dist.glob("*.tar.gz")), next(dist.glob("*.whl"))
        _python("-m", "twine", "check", "--strict", sdist, wheel)
        differences = missing_or_extra(sdist)
        for text in differences:
            sys.stderr.write(f"{sdist.name}: {text}\n")
        if differences:
            return 1
        _python("-m", "venv", alone)
        own = alone / "bin" / "python"
        _pip(wheel, "numpy", executable=own)
        doctor = ("doctor", "--part", "views", "--seconds", "2")
        _python("-m", "morphobench", *doctor, executable=own, cwd=Path(folder))
        _pip("--target", site, wheel)
        shutil.unpack_archive(sdist, folder, filter="data")
        os.environ["PYTHONPATH"] = str(site)
        unpacked = Path(folder, sdist.name.removesuffix(".tar.gz"))
        _python("-m", "pytest", "-q", *(tests or TESTS), cwd=unpacked)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
