"""Writes what the container installs: ``python tools/sbom.py ENVIRONMENT LOCK SBOM LICENCES``.

ENVIRONMENT is the Python of an environment that holds the packages of LOCK, SBOM a CycloneDX file in JSON,
LICENCES a table in CSV. Exit code 0: all packages of LOCK were found there in its versions; 1: some were not.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_PIN = re.compile(r"^([\w.-]+)==([\w.+]+)(.*)", re.MULTILINE)
# packages that name no licence in their metadata; read from the files that they install
_LICENCES = {
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "hdbscan": "BSD-3-Clause",
    "nvidia-cusparselt-cu13": "LicenseRef-NVIDIA-Proprietary",
    "torchvision": "BSD-3-Clause",
    "umap-learn": "BSD-3-Clause",
}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def _licence(component: dict[str, Any]) -> str:
    found = [
        entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
        for entry in component.get("licenses", [])
    ]
    known = _LICENCES.get(_name(component["name"]))
    return known or (found[0].removeprefix("License :: OSI Approved :: ") if found else "")


def main(environment: str, lock: str, sbom: str, licences: str) -> int:
    """Write both files; the exit code."""
    listed = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", environment],
        check=True,
        stdout=subprocess.PIPE,
    )
    bill = json.loads(listed.stdout)
    pins = {
        _name(name): version
        for name, version, marker in _PIN.findall(Path(lock).read_text("utf-8"))
        if "sys_platform == 'win32'" not in marker
    }
    held = [one for one in bill["components"] if pins.get(_name(one["name"])) == one["version"]]
    references = {one["bom-ref"] for one in held}
    bill["components"] = held
    bill["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in references]}
        for one in bill["dependencies"]
        if one["ref"] in references
    ]
    Path(sbom).write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    rows = sorted((_name(one["name"]), one["version"], _licence(one)) for one in held)
    with Path(licences).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("package", "version", "licence"), *rows])
    absent = sorted(set(pins) - {name for name, _, _ in rows})
    unknown = [name for name, _, licence in rows if not licence]
    for name in absent:
        sys.stderr.write(f"{lock}: {name}=={pins[name]} must be in {environment} in this version\n")
    for name in unknown:
        sys.stderr.write(f"{name}: a licence must be known; read it and add it to {Path(__file__).name}\n")
    return int(bool(absent or unknown))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
