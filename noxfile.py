"""The project's chores: ``nox -s NAME``; ``nox -l`` lists them.

torch is 5.5 GB, and nox can't share a virtual environment between sessions, so the sessions here run
without one of nox's (``venv_backend="none"``) in an environment that ``_environment`` makes once, in
``.nox/shared``, and renews when what it was made from changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nox
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent
SHARED = ROOT / ".nox" / "shared"
RESULTS = ROOT / "results"
EXTRAS = "tests,lint"
SCHEMAS = {  # of check-jsonschema; the files that each one describes
    "vendor.github-workflows": ".github/workflows/*.yml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.yml",
    "vendor.dependabot": ".github/dependabot.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.citation-file-format": "CITATION.cff",
}
# Tests of what our dependencies do for us; the kernels' own tests do not depend on their versions.
VERSION_TESTS = ("tests/data", "tests/evaluation", "tests/models", "tests/objectives", "tests/report")

nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "none"


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def _pip(session: nox.Session, python: Path, *arguments: str | Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    # Our own checks take warnings as errors; a user's compiler may be newer and know more of them.
    env = {"MORPHOBENCH_WERROR": "1" if os.environ.get("CI") else "0"}
    session.run(*(str(python), "-m", "pip", "install", *quiet, *map(str, arguments)), env=env, external=True)


def _digest(paths: Iterable[Path], *texts: str) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _fresh(stamp: Path, digest: str) -> bool:
    return stamp.is_file() and stamp.read_text() == digest


def _environment(session: nox.Session) -> Path:
    """The folder of the shared environment's programs, made or renewed first where it is out of date."""
    programs = SHARED / "bin"
    python = programs / "python"
    project = _project()
    wanted = json.dumps([project["dependencies"], project["optional-dependencies"]])
    requirements = _digest([ROOT / "constraints.txt"], wanted)
    build = _digest([*(ROOT / "csrc").rglob("*.[ch]pp"), ROOT / "setup.py", ROOT / "pyproject.toml"])
    stamps = SHARED / "requirements.sha256", SHARED / "build.sha256"
    if not _fresh(stamps[0], requirements):
        if SHARED.exists():
            shutil.rmtree(SHARED)
        session.run(sys.executable, "-m", "venv", str(SHARED), external=True)
        _pip(session, python, "--constraint", ROOT / "constraints.txt", "--editable", f"{ROOT}[{EXTRAS}]")
        stamps[0].write_text(requirements)
        stamps[1].write_text(build)
    if not _fresh(stamps[1], build):
        _pip(session, python, "--no-deps", "--editable", ROOT)
        stamps[1].write_text(build)
    return programs


def _run(session: nox.Session, program: str, *arguments: str | Path, **env: str) -> None:
    """Run one of the shared environment's programs in the checkout."""
    session.chdir(ROOT)
    session.run(
        str(_environment(session) / program), *map(str, arguments), env={**os.environ, **env}, external=True
    )


def _layer(session: nox.Session, name: str, *arguments: str | Path) -> Path:
    """The Python of an environment of its own, in front of the shared one so that torch is there once.

    Args:
        session: the session that wants it.
        name: the environment's folder, ``.nox/NAME``; kept for the next time unless pip shall --upgrade.
        arguments: what pip installs into it. Its own packages hide the shared ones.
    """
    shared, own = _environment(session), ROOT / ".nox" / name
    stamp = own / "made_from.sha256"
    made_from = _digest([SHARED / "requirements.sha256"], *map(str, arguments))
    if not _fresh(stamp, made_from) or "--upgrade" in arguments:
        session.run(str(shared / "python"), "-m", "venv", "--clear", str(own), external=True)
        sites = [sysconfig.get_path("purelib", "venv", vars={"base": str(base)}) for base in (own, SHARED)]
        Path(sites[0], "shared.pth").write_text(f"{sites[1]}\n")
        _pip(session, own / "bin" / "python", *arguments)
        stamp.write_text(made_from)
    return own / "bin" / "python"


def _run_in_layer(session: nox.Session, python: Path, *arguments: str | Path) -> None:
    session.chdir(ROOT)
    session.run(
        *(str(python), *map(str, arguments)), env={**os.environ, "PYTHONPATH": str(ROOT)}, external=True
    )


def _time(session: nox.Session, name: str) -> None:
    """Run ``benchmarks/heavy/NAME.py`` and show its timings, which stay in ``results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    timings = RESULTS / f"{name}.json"
    _run(session, "pytest", f"benchmarks/heavy/{name}.py", f"--benchmark-json={timings}", "-q")
    _run(session, "morphobench", "summarize", timings)


@nox.session
def environment(session: nox.Session) -> None:
    """Make the shared environment and stop (a container does this when it is built)."""
    _environment(session)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all quick tests, and the benchmarks once each as tests. Arguments after -- go to pytest."""
    everything = ("tests", "benchmarks", "--benchmark-disable", "--numprocesses=2", "--dist=loadscope")
    _run(session, "pytest", *(session.posargs or everything))


@nox.session
def slow_tests(session: nox.Session) -> None:
    """Run the tests marked slow: large cases, kills at random moments. Up to an hour."""
    _run(session, "pytest", "-m", "slow", "tests", *session.posargs)


@nox.session
def hostile(session: nox.Session) -> None:
    """Print how 8,000 hostile cases were handled; ``-- -m slow --kills 50`` kills each command 50 times."""
    _run(session, "pytest", "tests/hostile", "-q", *session.posargs, MORPHOBENCH_HOSTILE="whole")


@nox.session
def benchmark(session: nox.Session) -> None:
    """Time the kernels and all 16 setups beside peers, run the quick study, show the table. About 8 minutes.

    The setups are timed in interleaved rounds, each in a process of its own; the study trains three epochs.
    Arguments after -- go to ``morphobench run``, such as ``-- --profile smoke``. All results: results/.
    """
    profile = "quick"
    if "--profile" in session.posargs[:-1]:
        profile = session.posargs[session.posargs.index("--profile") + 1]
    timings, store, out = RESULTS / "benchmarks.json", RESULTS / "store", RESULTS / profile
    RESULTS.mkdir(exist_ok=True)
    suite = ("benchmarks", f"--benchmark-json={timings}", "--benchmark-quiet", "-q")
    _run(session, "pytest", *suite, MORPHOBENCH_TIMING_S="12")
    _run(session, "morphobench", "summarize", timings)
    _run(session, "morphobench", "simulate", store, "--images", "2200", "--seed", "0", "--cell-lines", "2")
    # a recipe that learns within the time; one seed and fewer images than the preset's, for the time's sake
    fast = ("--recipe", "fast", "--seeds", "1", "--epochs", "3", "--train-images", "144")
    chosen = (*fast, "--batch-size", "16", "--timing-s", "10") if profile == "quick" else ()
    _run(session, "morphobench", "run", store, out, "--profile", profile, *chosen, *session.posargs)
    _run(session, "morphobench", "report", out)
    _run(session, "morphobench", "summarize", out)


@nox.session
def baseline(session: nox.Session) -> None:
    """Time the setups and compare with results/baseline.json; make that file where there is none.

    Fails where a setup became slower or takes more memory than morphobench compare allows.
    """
    RESULTS.mkdir(exist_ok=True)
    base, new = RESULTS / "baseline.json", RESULTS / "new.json"
    made = new if base.is_file() else base
    _run(
        session, "pytest", "benchmarks/test_setups.py", f"--benchmark-json={made}", "--benchmark-quiet", "-q"
    )
    if made == new:
        _run(session, "morphobench", "compare", base, new)


@nox.session
def identical_work(session: nox.Session) -> None:
    """Check the measuring itself, beside a busy process: equal work, false alarms, a planted slowdown.

    Arguments after -- go to ``benchmarks/heavy/identical_work.py``. About half an hour.
    """
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / "identical_work.json"
    _run(session, "python", "-m", "benchmarks.heavy.identical_work", out, *session.posargs)


@nox.session
def training_speed(session: nox.Session) -> None:
    """Time the training step of every paradigm beside the straightforward loop. About 3 minutes."""
    _time(session, "training_speed")


@nox.session
def evaluation_speed(session: nox.Session) -> None:
    """Time the whole clustering sweep beside a UMAP fit for each size. About two minutes."""
    _time(session, "evaluation_speed")


@nox.session
def cost(session: nox.Session) -> None:
    """Measure what the 16 setups cost to train, per epoch and to convergence. At most 20 minutes.

    Fills the tables of docs/cost.md. Arguments after -- go to ``morphobench cost``.
    """
    store, out = RESULTS / "cost_store", RESULTS / "cost"
    _run(session, "morphobench", "simulate", store, "--images", "1000", "--seed", "0", "--cell-lines", "4")
    page = ("--docs", ROOT / "docs" / "cost.md")
    _run(session, "morphobench", "cost", store, out, "--budget-min", "18", *page, *session.posargs)


@nox.session
def scale(session: nox.Session) -> None:
    """Measure time and memory of every step at ``-- --images N``; fills docs/scale.md. Minutes to days."""
    page = ("--docs", ROOT / "docs" / "scale.md")
    _run(session, "python", "-m", "benchmarks.heavy.scale", RESULTS / "scale", *page, *session.posargs)


@nox.session
def gpu_check(session: nox.Session) -> None:
    """Check and time training on a CUDA device beside a plain loop fed by torchvision. Under 8 minutes."""
    session.chdir(ROOT)
    python = str(_environment(session) / "python")
    session.run("tools/gpu_check.sh", str(RESULTS), env={**os.environ, "PYTHON": python}, external=True)
    page = ("--show", "--docs", ROOT / "docs" / "gpu.md")
    _run(session, "python", "-m", "benchmarks.gpu.check", RESULTS / "gpu_check.json", *page)


@nox.session
def peers(session: nox.Session) -> None:
    """Time our views beside torchvision's, albumentations', kornia's and DALI's. Installs 1 GB; 3 minutes.

    The libraries lie in an environment of their own on top of the shared one, which they leave as it is.
    """
    wanted = _project()["optional-dependencies"]["peers"]
    python = _layer(session, "peers", "--constraint", ROOT / "constraints.txt", *wanted)
    RESULTS.mkdir(exist_ok=True)
    timings = RESULTS / "peers.json"
    suites = ("benchmarks/test_views.py", "benchmarks/test_views_peers.py", "tests/augment/test_adopting.py")
    quiet = ("-q", f"--benchmark-json={timings}", "--benchmark-quiet")
    _run_in_layer(session, python, "-m", "pytest", *suites, *quiet)
    _run(session, "morphobench", "summarize", timings)


@nox.session
def known_answers(session: nox.Session) -> None:
    """Check the whole study on simulated data whose right answers are known. At most an hour."""
    _run(session, "python", "benchmarks/known_answers.py", RESULTS / "known_answers", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Open our files with pycytominer, copairs and scanpy. They want an older pandas than our checks use."""
    wanted = _project()["optional-dependencies"]
    names = [name for name in wanted["interop"] if not name.startswith("morphobench")]
    python = _layer(session, "interop", *names, *wanted["anndata"], *wanted["copairs"], *wanted["bench"])
    _run_in_layer(session, python, "-m", "pytest", "tests/interop", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site in site/, with the reference from docstrings and the commands' help."""
    python = _layer(session, "docs", *_project()["optional-dependencies"]["docs"])
    session.env["NO_MKDOCS_2_WARNING"] = "true"
    _run_in_layer(session, python, "-m", "mkdocs", "build", "--strict", "--quiet", *session.posargs)


@nox.session
def sanitize(session: nox.Session) -> None:
    """Fuzz the kernels under the address, undefined-behaviour and thread sanitizers; or only -- fuzz."""
    _run(session, "python", "tools/sanitize.py", *session.posargs)


@nox.session
def neon(session: nox.Session) -> None:
    """Compare the NEON kernels with the scalar ones, under QEMU elsewhere than on ARM. A minute."""
    check = [sys.executable, str(ROOT / "tools" / "check_neon.py"), *session.posargs]
    code = subprocess.run(check, check=False).returncode
    if code == 77:
        session.skip(
            "Debian's packages g++-aarch64-linux-gnu and qemu-user, or their like, are not installed"
        )
    if code:
        session.error("the NEON kernels differ from the scalar ones")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the compiler's warnings: ruff, mypy --strict, clang-format, -Werror, schemas."""
    native = [*ROOT.glob("csrc/**/*.[ch]pp"), *ROOT.glob("tests/native/*.cpp")]
    sources = sorted(str(path.relative_to(ROOT)) for path in native)
    _run(session, "ruff", "check", ".")
    _run(session, "ruff", "format", "--check", ".")
    _run(session, "clang-format", "--dry-run", "--Werror", *sources)
    _run(session, "mypy")
    for schema, pattern in SCHEMAS.items():
        _run(session, "check-jsonschema", "--builtin-schema", schema, *sorted(ROOT.glob(pattern)))
    with tempfile.TemporaryDirectory() as folder:
        build = ("build_ext", "--build-temp", f"{folder}/temp", "--build-lib", f"{folder}/lib")
        _run(session, "python", "setup.py", "--quiet", *build, MORPHOBENCH_WERROR="1")


@nox.session
def minimums(session: nox.Session) -> None:
    """Test with the lowest versions that pyproject.toml allows, except torch's (2 GB; the shared one)."""
    wanted = [Requirement(text) for text in _project()["dependencies"]]
    lowest = [
        f"{one.name}=={bound.version}"
        for one in wanted
        for bound in one.specifier
        if bound.operator == ">=" and not one.name.startswith("torch")
    ]
    python = _layer(session, "minimums", *lowest)
    quiet = ("-W", "default:Mean of empty slice:RuntimeWarning")  # pandas 2 warns of a median of nothing
    _run_in_layer(session, python, "-m", "pytest", "-q", *quiet, *(session.posargs or VERSION_TESTS))


@nox.session
def newest(session: nox.Session) -> None:
    """Test with the newest versions of what we depend on, except torch's, whatever constraints.txt says."""
    wanted = [text for text in _project()["dependencies"] if not text.startswith("torch")]
    python = _layer(session, "newest", "--upgrade", *wanted)
    _run_in_layer(session, python, "-m", "pytest", "-q", *(session.posargs or VERSION_TESTS))


@nox.session
def package(session: nox.Session) -> None:
    """Build and check the sdist and the wheel; run tests from the sdist's files on the installed wheel.

    Arguments after -- go to pytest, such as ``-- tests`` for all quick tests.
    """
    python = _layer(session, "package", "build", "twine")
    _run_in_layer(session, python, "tools/check_package.py", *session.posargs)


@nox.session
def published(session: nox.Session) -> None:
    """Published numbers beside ours, from data beside the checkout: claim, difference, PASS or FAIL."""
    data = session.posargs or [str(ROOT.parent / "shared" / "data")]
    _run(session, "python", "-m", "benchmarks.published", *data)


@nox.session
def container(session: nox.Session) -> None:
    """Build the container, train in it without a network, compare with here, test in it. Half an hour."""
    check = [str(_environment(session) / "python"), str(ROOT / "tools" / "check_container.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = subprocess.run(check, env=environment, check=False).returncode
    if code == 77:
        session.skip("neither podman nor docker is installed, and MORPHOBENCH_CONTAINER_TOOL names no other")
    if code:
        session.error("the container does not do what it must")


@nox.session
def lock(session: nox.Session) -> None:
    """Pin what the container installs, with hashes, to the versions of constraints.txt."""
    python = _layer(session, "lock", "uv")
    common = ("--constraint", "constraints.txt", "--python-version", "3.11", "--universal", "--no-annotate")
    hashes = ("--generate-hashes", "--custom-compile-command", "nox -s lock", "--quiet")
    for wanted, name in (("pyproject.toml", "requirements"), ("containers/views.in", "requirements-views")):
        out = ("--output-file", f"containers/{name}.lock")
        _run_in_layer(session, python, "-m", "uv", "pip", "compile", wanted, *common, *hashes, *out)


@nox.session
def sbom(session: nox.Session) -> None:
    """List what the container installs: SBOM (results/sbom.json), licences, weaknesses that PyPI knows."""
    RESULTS.mkdir(exist_ok=True)
    python = _layer(session, "sbom", "cyclonedx-bom", "pip-audit")
    lock = "containers/requirements.lock"
    files = (lock, "results/sbom.json", "containers/licences.csv")
    _run_in_layer(session, python, "tools/sbom.py", SHARED / "bin" / "python", *files)
    as_pinned = ("--disable-pip", "--no-deps", "--strict")  # strict: fail where a package cannot be looked up
    _run_in_layer(session, python, "-m", "pip_audit", "--requirement", lock, *as_pinned)
