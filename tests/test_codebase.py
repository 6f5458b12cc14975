"""The rules of the code base, as tests: layout, sizes, one direction of imports, the stub, no local paths."""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import morphobench
from morphobench import _core

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "morphobench"
ORDER = [
    "types",
    "errors",
    "_util",
    "measure",
    "setups",
    "recipes",
    "options",
    "data",
    "augment",
    "models",
    "objectives",
    "training",
    "embeddings",
    "evaluation",
    "run",
    "report",
    "results",
    "cli",
]
MAX_LINES = 400


def _sources(*suffixes: str) -> list[Path]:
    folders = [PACKAGE, ROOT / "csrc", ROOT / "benchmarks", ROOT / "tests"]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes]
    return sorted([*files, *(path for path in ROOT.glob("*.py") if path.suffix in suffixes)])


def _imported(tree: ast.Module, package: tuple[str, ...]) -> Iterator[str]:
    """The parts of morphobench (first name below it) that a module imports, at any depth of its code."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module] if module.count(".") else [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            head, _, rest = name.partition(".")
            if head == "morphobench" and rest:
                yield rest.split(".")[0]


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_point_one_way(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts[0] in ("__init__", "__main__"):
        return
    assert parts[0] in ORDER, f"{path.name}: {parts[0]} has no place in the order of the data flow"
    package = ("morphobench", *parts[:-1])
    for name in _imported(ast.parse(path.read_text("utf-8")), package):
        if name in ("_core", "__version__"):
            continue
        assert name in ORDER, f"{path}: imports morphobench.{name}, which has no place in the order"
        assert ORDER.index(name) <= ORDER.index(parts[0]), f"{path}: {parts[0]} may not import {name}"


def _module_name(path: Path) -> str:
    parts = ("morphobench", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module_graph() -> dict[str, set[str]]:
    """Which module imports which, lazy and type-checking imports included; packages' __init__ left out."""
    files = {_module_name(path): path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    graph: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & files.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                candidates = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                graph[name] |= candidates & files.keys()
    return graph


def _cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another (strongly connected components of two and more)."""
    import networkx

    found = networkx.strongly_connected_components(networkx.DiGraph(graph))
    return sorted(sorted(group) for group in found if len(group) > 1)


def test_modules_form_no_cycle() -> None:
    assert _cycles(_module_graph()) == []


def test_the_cycle_rule_sees_a_cycle() -> None:
    assert _cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


_WRITES_ELSEWHERE = {
    "data/store/writer.py": "the images, inside a folder that appears whole",
    "measure/memory.py": "a file of /proc",
}


def _writing_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that write a file in place; appending to a log is no such call."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        modes = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        texts = [
            mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)
        ]
        opens = called == "open" and any(
            set(text) <= set("wxbt+") and set(text) & set("wx") for text in texts
        )
        if called in ("write_text", "write_bytes", "mkstemp", "NamedTemporaryFile") or opens:
            yield node


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_files_are_written_through_util_only(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    if name.startswith("_util/") or name in _WRITES_ELSEWHERE:
        return
    found = [f"{path.name}:{call.lineno}" for call in _writing_calls(ast.parse(path.read_text("utf-8")))]
    assert not found, f"{found}: use morphobench._util.files, which writes whole files"


def test_the_writing_rule_sees_every_form_of_writing() -> None:
    tree = ast.parse(
        "p.write_text('x'); open('f', 'w'); p.open('wb'); open('f', mode='x+'); open('f'); p.open('rb'); "
        "p.open('a'); urllib.open('w')"
    )
    assert len(list(_writing_calls(tree))) == 5


def test_the_import_rule_sees_every_form_of_import() -> None:
    tree = ast.parse(
        "import morphobench.cli\nfrom morphobench import run\nfrom . import x\nfrom ..report import y"
    )
    assert list(_imported(tree, ("morphobench", "data"))) == ["cli", "run", "data", "report"]


def test_objectives_and_training_probe_no_attributes() -> None:
    """What trainer and callbacks need of an objective is declared in objectives/protocol.py."""
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for folder in ("objectives", "training", "models")
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("hasattr", "getattr")
        and "import_module" not in ast.unparse(node)  # a plug-in named package.module:attribute
    ]
    assert not found


def test_training_names_no_paradigm() -> None:
    from morphobench.setups import FURTHER_PARADIGMS, PARADIGMS

    names = {*PARADIGMS, *FURTHER_PARADIGMS}
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.value}"
        for path in sorted((PACKAGE / "training").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert not found


_OTHER_TESTS = {"docs", "examples", "hostile", "interop", "native", "support"}


def test_folders_of_tests_are_those_of_the_package() -> None:
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests).as_posix() for path in tests.rglob("*.py")} - {"."}
    assert not {name for name in folders - _OTHER_TESTS if not (PACKAGE / name / "__init__.py").is_file()}


def _private_names(tree: ast.Module) -> Iterator[str]:
    """Names that only their own module or class should use: as attributes, in imports, in setattr."""
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls", "os"):
            found = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            found = [
                str(part.value).split(".")[-1] for part in node.args[:2] if isinstance(part, ast.Constant)
            ]
        yield from (name for name in found if re.match(r"_(?!_|core$)", name) and not name.endswith("_"))


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_tests_and_benchmarks_use_no_private_name(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in _private_names(ast.parse(path.read_text("utf-8")))
    ]
    assert not found


def test_the_rule_of_private_names_sees_every_form_of_use() -> None:
    tree = ast.parse(
        "from m import _a, _core; x._b; self._c; os._exit; x._repr_html_; patch.setattr(m, '_d', 1); "
        "patch.setattr('m.n._e', 2); x.__dict__"
    )
    assert sorted(_private_names(tree)) == ["_a", "_b", "_d", "_e"]


def test_no_file_passes_the_line_limit() -> None:
    long = {
        str(path): count
        for path in _sources(".py", ".pyi", ".cpp", ".hpp")
        if (count := len(path.read_text("utf-8").splitlines())) > MAX_LINES
    }
    assert not long


def test_no_path_of_a_machine_is_committed() -> None:
    local = re.compile(r"(?<![\w.<])/(?:home/(?!morphobench)|root|work|Users)/")
    pages = [*_sources(".py", ".pyi", ".cpp", ".hpp"), *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found = [
        f"{path}:{number}"
        for path in pages
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if local.search(line)
    ]
    assert not found


def test_the_stub_names_what_the_extension_has() -> None:
    stub = ast.parse((PACKAGE / "_core.pyi").read_text("utf-8"))
    named = {node.name for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    named |= {
        node.target.id
        for node in stub.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    present = {name for name in dir(_core) if not name.startswith("_")}
    assert {name for name in named if not name.startswith("_")} == present


def _stub_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of the stub, and the methods of its classes, by their names in the extension."""
    for node in ast.parse((PACKAGE / "_core.pyi").read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{m.name}", m) for m in node.body if isinstance(m, ast.FunctionDef))


def test_the_stub_has_the_arguments_of_the_extension() -> None:
    compared = set()
    for name, node in _stub_functions():
        if {other.id for other in node.decorator_list if isinstance(other, ast.Name)} & {
            "overload",
            "property",
        }:
            continue
        arguments = [
            argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        ]
        doc = operator.attrgetter(name)(_core).__doc__
        signature = doc.splitlines()[0]
        found = re.findall(r"[(,] ?\*?,? ?(\w+):", signature)
        assert found == arguments, f"{name}: the stub has {arguments}, the extension {signature}"
        compared.add(name)
    assert {"apply_views", "ViewDistributions.add", "ViewDistributions.draw"} <= compared


def test_every_public_function_of_the_package_is_documented_and_typed() -> None:
    missing = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            if ast.get_docstring(node) is None:
                missing.append(f"{path.name}:{node.lineno} {node.name}: no docstring")
            if isinstance(node, ast.FunctionDef) and node.returns is None:
                missing.append(f"{path.name}:{node.lineno} {node.name}: no return type")
    assert not missing


def test_the_public_names_resolve() -> None:
    for name in morphobench.__all__:
        assert inspect.isclass(getattr(morphobench, name)) or getattr(morphobench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = morphobench.absent


def test_importing_the_package_needs_no_torch() -> None:
    import subprocess
    import sys

    program = "import sys, morphobench; print('torch' in sys.modules, len(morphobench.SETUPS))"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "16"]
