"""The house limits, as tests: they fail with the file to split."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "gateway").rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "common", "misc", "lib"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_small_and_says_what_it_is(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module starts by saying its one responsibility"
    assert source.count("\n") <= 400
    assert path.stem.strip("_") not in DRAWERS
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            assert len(methods) <= 20, node.name


def test_init_files_export_nothing() -> None:
    for path in FILES:
        if path.name == "__init__.py" and path.parent.name not in {"gateway", "notebook"}:
            imports = [
                n
                for n in ast.walk(ast.parse(path.read_text()))
                if isinstance(n, ast.Import | ast.ImportFrom)
            ]
            assert not imports, path


def test_importing_the_package_loads_none_of_it() -> None:
    """It offers `connect`, and `gateway.notebook` its calls, which load what they need."""
    loaded = "[n for n in sys.modules if n.startswith('gateway.')]"
    code = f"import sys, gateway, gateway.notebook; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['gateway.notebook']"
