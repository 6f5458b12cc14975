"""The project's chores: ``nox -s NAME``; ``nox -l`` lists them.

torch is 5.5 GB, and nox can't share a virtual environment between sessions, so the sessions here run
without one of nox's (``venv_backend="none"``) in an environment that ``_environment`` makes once, in
``.nox/shared``, and renews when what it was made from changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
SHARED = ROOT / ".nox" / "shared"
RESULTS = ROOT / "results"
EXTRAS = "tests,lint"

nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "none"


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _fresh(stamp: Path, digest: str) -> bool:
    return stamp.is_file() and stamp.read_text() == digest


def _environment(session: nox.Session) -> Path:
    """The folder of the shared environment's programs, made or renewed first where it is out of date."""
    programs = SHARED / "bin"
    python = programs / "python"
    requirements = _digest([ROOT / "pyproject.toml", ROOT / "constraints.txt"])
    build = _digest([*(ROOT / "csrc").rglob("*.[ch]pp"), ROOT / "setup.py", ROOT / "pyproject.toml"])
    stamps = SHARED / "requirements.sha256", SHARED / "build.sha256"
    # Our own checks take warnings as errors; a user's compiler may be newer and know more of them.
    env = {"MORPHOBENCH_WERROR": "1" if os.environ.get("CI") else "0"}
    if not _fresh(stamps[0], requirements):
        if SHARED.exists():
            shutil.rmtree(SHARED)
        session.run(sys.executable, "-m", "venv", str(SHARED), external=True)
        session.run(
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--constraint", str(ROOT / "constraints.txt"), "--editable", f"{ROOT}[{EXTRAS}]"),
            env=env,
            external=True,
        )
        stamps[0].write_text(requirements)
        stamps[1].write_text(build)
    if not _fresh(stamps[1], build):
        session.run(
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--editable", str(ROOT)),
            env=env,
            external=True,
        )
        stamps[1].write_text(build)
    return programs


def _run(session: nox.Session, program: str, *arguments: str | Path, **env: str) -> None:
    """Run one of the shared environment's programs in the checkout."""
    session.chdir(ROOT)
    session.run(
        str(_environment(session) / program), *map(str, arguments), env={**os.environ, **env}, external=True
    )


@nox.session
def environment(session: nox.Session) -> None:
    """Make the shared environment and stop (a container does this when it is built)."""
    _environment(session)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all quick tests, and the benchmarks once each as tests. Arguments after -- go to pytest."""
    _run(session, "pytest", *(session.posargs or ["tests", "benchmarks", "--benchmark-disable"]))


@nox.session
def slow_tests(session: nox.Session) -> None:
    """Run the tests marked slow: large cases, kills at random moments. Up to an hour."""
    _run(session, "pytest", "-m", "slow", "tests", *session.posargs)


@nox.session
def benchmark(session: nox.Session) -> None:
    """Time and profile the kernels and all 16 setups, run the quick study, and show the one table.

    Arguments after -- go to ``morphobench run``, such as ``-- --profile smoke``. All results: results/.
    """
    profile = "quick"
    if "--profile" in session.posargs[:-1]:
        profile = session.posargs[session.posargs.index("--profile") + 1]
    timings, store, out = RESULTS / "benchmarks.json", RESULTS / "store", RESULTS / profile
    RESULTS.mkdir(exist_ok=True)
    _run(session, "pytest", "benchmarks", f"--benchmark-json={timings}", "--benchmark-quiet", "-q")
    _run(session, "morphobench", "summarize", timings)
    _run(session, "morphobench", "simulate", store, "--images", "4000", "--seed", "0", "--cell-lines", "4")
    fast = ("--seeds", "1") if profile == "quick" else ()  # three would take longer than ten minutes
    _run(session, "morphobench", "run", store, out, "--profile", profile, *fast, *session.posargs)
    _run(session, "morphobench", "report", out)
    _run(session, "morphobench", "summarize", out)


@nox.session
def training_speed(session: nox.Session) -> None:
    """Time the training step of every paradigm beside the straightforward loop. About 3 minutes."""
    RESULTS.mkdir(exist_ok=True)
    timings = RESULTS / "training_speed.json"
    _run(session, "pytest", "benchmarks/heavy/training_speed.py", f"--benchmark-json={timings}", "-q")
    _run(session, "morphobench", "summarize", timings)


@nox.session
def evaluation_speed(session: nox.Session) -> None:
    """Time the whole clustering sweep beside a UMAP fit for each size. About two minutes."""
    RESULTS.mkdir(exist_ok=True)
    timings = RESULTS / "evaluation_speed.json"
    _run(session, "pytest", "benchmarks/heavy/evaluation_speed.py", f"--benchmark-json={timings}", "-q")
    _run(session, "morphobench", "summarize", timings)


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
    shared, folder = _environment(session), ROOT / ".nox" / "peers"
    python = folder / "bin" / "python"
    if not python.is_file():
        session.run(str(shared / "python"), "-m", "venv", str(folder), external=True)
    sites = [sysconfig.get_path("purelib", "venv", vars={"base": str(base)}) for base in (folder, SHARED)]
    Path(sites[0], "shared.pth").write_text(f"{sites[1]}\n")
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["peers"]
    session.run(
        *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--constraint", str(ROOT / "constraints.txt"), *wanted),
        external=True,
    )
    RESULTS.mkdir(exist_ok=True)
    timings = RESULTS / "peers.json"
    session.chdir(ROOT)
    session.run(
        *(str(python), "-m", "pytest", "-q", "benchmarks/test_views.py", "benchmarks/test_views_peers.py"),
        *("tests/augment/test_adopting.py", f"--benchmark-json={timings}", "--benchmark-quiet"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        external=True,
    )
    _run(session, "morphobench", "summarize", timings)


@nox.session
def known_answers(session: nox.Session) -> None:
    """Check the whole study on simulated data whose right answers are known. At most an hour."""
    _run(session, "python", "benchmarks/known_answers.py", RESULTS / "known_answers", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Open our files with pycytominer, copairs and scanpy. They want an older pandas than our checks use."""
    # An environment of its own that sees the shared one behind it, so that torch is there once.
    programs = _environment(session)
    own = ROOT / ".nox" / "interop"
    session.run(sys.executable, "-m", "venv", "--clear", str(own), external=True)
    folder = subprocess.run(
        [programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    wanted = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]
    session.run(
        *(str(own / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *(*wanted["interop"], *wanted["bench"]),
        external=True,
    )
    site = next(own.glob("lib/python*/site-packages"))
    (site / "shared.pth").write_text(folder + "\n")
    session.chdir(ROOT)
    session.run(
        *(str(own / "bin" / "python"), "-m", "pytest", "tests/interop", *session.posargs),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        external=True,
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site in site/, with the reference from docstrings and the commands' help."""
    shared, folder = _environment(session), ROOT / ".nox" / "docs"
    if not (folder / "bin" / "mkdocs").is_file():
        session.run(str(shared / "python"), "-m", "venv", str(folder), external=True)
        session.run(
            *(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "mkdocs-material>=9.6,<10"),
            "mkdocstrings[python]>=1,<2",
            external=True,
        )
    site = sysconfig.get_path("purelib", "venv", vars={"base": str(folder)})
    behind = sysconfig.get_path("purelib", "venv", vars={"base": str(SHARED)})
    Path(site, "shared.pth").write_text(f"{behind}\n")
    session.chdir(ROOT)
    session.run(
        *(str(folder / "bin" / "mkdocs"), "build", "--strict", "--quiet", *session.posargs),
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "true"},
        external=True,
    )


@nox.session
def sanitize(session: nox.Session) -> None:
    """Fuzz the kernels under the address, undefined-behaviour and thread sanitizers. About 15 minutes."""
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
    """Check style, types and the compiler's warnings: ruff, mypy --strict, clang-format, -Werror."""
    native = [*ROOT.glob("csrc/**/*.[ch]pp"), *ROOT.glob("tests/native/*.cpp")]
    sources = sorted(str(path.relative_to(ROOT)) for path in native)
    _run(session, "ruff", "check", ".")
    _run(session, "ruff", "format", "--check", ".")
    _run(session, "clang-format", "--dry-run", "--Werror", *sources)
    _run(session, "mypy")
    with tempfile.TemporaryDirectory() as folder:
        build = ("build_ext", "--build-temp", f"{folder}/temp", "--build-lib", f"{folder}/lib")
        _run(session, "python", "setup.py", "--quiet", *build, MORPHOBENCH_WERROR="1")


@nox.session
def package(session: nox.Session) -> None:
    """Build sdist and wheel, install the wheel apart from the checkout, load it."""
    python = _environment(session) / "python"
    with tempfile.TemporaryDirectory() as folder:
        session.run(
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--target",
            f"{folder}/tools",
            "build",
            external=True,
        )
        session.run(
            *(str(python), "-m", "build", "--outdir", f"{folder}/dist", str(ROOT)),
            env={"PYTHONPATH": f"{folder}/tools"},
            external=True,
        )
        wheel = next(Path(folder, "dist").glob("*.whl"))
        session.run(
            *(str(python), "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--target", f"{folder}/site", str(wheel)),
            external=True,
        )
        found = subprocess.run(
            [python, "-c", "import morphobench as m; print(m.__file__, m.build_info())"],
            env={**os.environ, "PYTHONPATH": f"{folder}/site"},
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        session.log(found.strip())
        if not found.startswith(folder):
            session.error(f"the installed wheel was not what was imported: {found}")
