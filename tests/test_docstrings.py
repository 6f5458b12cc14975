"""The form of docstrings: every public function says its arguments and its result, in Google form.

Ruff checks the layout of the sections that a docstring has; this checks that the sections are there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "morphobench"


def _public_functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


def _is_property_or_override(node: ast.FunctionDef) -> bool:
    names = {ast.unparse(decorator) for decorator in node.decorator_list}
    return any(name.endswith(("property", "override", "overload", "setter")) for name in names)


def _missing_sections(node: ast.FunctionDef) -> list[str]:
    doc = ast.get_docstring(node)
    if doc is None:
        return ["docstring"]
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
    missing = []
    if names and "Args:" not in doc:
        missing.append("Args")
    missing += [
        f"argument {name}"
        for name in names
        if "Args:" in doc and f"{name}:" not in doc and f"{name} (" not in doc
    ]
    returns = node.returns is not None and ast.unparse(node.returns) not in ("None", "NoReturn")
    if returns and names and not any(section in doc for section in ("Returns:", "Yields:")):
        missing.append("Returns")
    return missing


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_public_functions_document_arguments_and_results(path: Path) -> None:
    found = [
        f"{path.name}:{node.lineno} {name}: no {', '.join(missing)}"
        for name, node in _public_functions(path)
        if not _is_property_or_override(node) and (missing := _missing_sections(node))
    ]
    assert not found


def test_the_rule_sees_what_is_missing() -> None:
    source = 'def f(a, b) -> int:\n    """Do it.\n\n    Args:\n        a: one.\n    """\n'
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef)
    assert _missing_sections(node) == ["argument b", "Returns"]
