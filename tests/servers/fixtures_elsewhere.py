"""Fixtures that pytest gives to their own folder only, for tests of another."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_TESTS = Path(__file__).parents[1]


def fixtures_of(folder: str = "") -> ModuleType:
    """Return what the `conftest.py` of a folder of tests holds; without one, that of all tests."""
    name = f"gateway_{folder or 'root'}_fixtures"
    path = _TESTS / folder / "conftest.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
