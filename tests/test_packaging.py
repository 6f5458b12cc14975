"""What the container installs follows what the package requires."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([\w.-]+)==([\w.+]+)", re.MULTILINE)


def _pins(path: str) -> dict[str, str]:
    found = PIN.findall((ROOT / path).read_text("utf-8"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_lock_holds_every_dependency_in_the_version_of_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[\s<>=!~;\[]", text)[0].lower() for text in project["dependencies"]}
    locked, constrained = _pins("containers/requirements.lock"), _pins("constraints.txt")
    assert names <= set(locked), "run `nox -s lock`"
    other = {name for name, version in locked.items() if constrained.get(name, version) != version}
    assert not other, "run `nox -s lock`"


def test_every_locked_package_has_hashes() -> None:
    for name in ("requirements", "requirements-views"):
        text = (ROOT / "containers" / f"{name}.lock").read_text("utf-8")
        for block in re.split(r"\n(?=[\w.-]+==)", text)[1:]:
            assert "--hash=sha256:" in block, block.splitlines()[0]
