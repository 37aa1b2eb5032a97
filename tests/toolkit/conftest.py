"""A way to write a tool file in a test and read its spec."""

import importlib.util
import itertools
import sys
import textwrap

import pytest

from gateway.toolkit.define import SPEC_ATTRIBUTE

HEAD = """
from typing import Annotated, Literal, NamedTuple
import numpy as np
from pydantic import BaseModel, Field
from gateway.toolkit.define import tool
from gateway.toolkit.outputs import Outputs
from gateway.toolkit.passes import Passes
from gateway.toolkit.ports import *
from gateway.toolkit.settings import Method
from gateway.toolkit.spec import Example
"""
_COUNT = itertools.count()


@pytest.fixture
def define(tmp_path):
    """Write a module that defines one tool and return its spec."""

    def make(name, source):
        folder = tmp_path / str(next(_COUNT))
        folder.mkdir()
        path = folder / f"{name}.py"
        path.write_text(HEAD + textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules[name]
        return getattr(getattr(module, name), SPEC_ATTRIBUTE)

    return make
