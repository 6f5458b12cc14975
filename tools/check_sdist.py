"""Checks that a source distribution holds what the repository holds: ``python tools/check_sdist.py SDIST``.

Every file that git does not ignore must be in it, except those that only the repository's own services read;
nothing else may be, except what setuptools writes. Exit code 0: so it is; 1: it is not, each file is named.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY_ONLY = (".ci/", ".git", ".github/")
WRITTEN = ("PKG-INFO", "setup.cfg", "morphobench.egg-info/")


def main(sdist: str) -> int:
    """Compare the file names of the archive ``sdist`` with those of the repository; the exit code."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    wanted = {name for name in listed.stdout.splitlines() if not name.startswith(REPOSITORY_ONLY)}
    with tarfile.open(sdist) as archive:
        names = [member.name.partition("/")[2] for member in archive if member.isfile()]
    held = {name for name in names if not name.startswith(WRITTEN)}
    for name in sorted(wanted - held):
        sys.stderr.write(f"{sdist}: lacks {name}; MANIFEST.in must include it\n")
    for name in sorted(held - wanted):
        sys.stderr.write(f"{sdist}: holds {name}, which the repository does not hold\n")
    return int(wanted != held)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
