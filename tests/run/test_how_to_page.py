"""The page that shows how to add a tool shows a tool that works."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from gateway.toolkit.fixtures import make_fixture, put_fixture
from gateway.toolkit.registry import load_tools
from gateway.volumes.ref import Ref
from gateway.volumes.volume import open_volume

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-tool.md"


@pytest.fixture
def mask_bright(tmp_path, monkeypatch):
    if not PAGE.is_file():
        pytest.skip("the documentation is not beside these tests")
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    package = tmp_path / "site" / "pagetools"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Tools."""\n')
    (package / "mask_bright.py").write_text(code.group(1))
    metadata = package.parent / "pagetools-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pagetools\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[gateway.tools]\npagetools = pagetools\n")
    monkeypatch.syspath_prepend(str(package.parent))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("pagetools")]:
        del sys.modules[name]


@pytest.mark.usefixtures("mask_bright")
def test_the_tool_of_the_page_runs_and_keeps_the_law(go, store):
    assert load_tools()["mask_bright"].outputs["labels"].help.startswith("1 where a voxel")
    put_fixture(store, "two_blobs", Ref("m1", "blobs"))
    inputs, settings = {"image": "m1/blobs"}, {"contrast": "300"}
    whole = go("mask_bright", {"labels": "m1/a"}, settings, inputs=inputs, workers=1)
    options = {"workers": 2, "block_voxels": (17, 30, 44)}
    parts = go("mask_bright", {"labels": "m1/b"}, settings, inputs=inputs, **options)
    assert parts.outputs["labels"].digest == whole.outputs["labels"].digest
    marked = open_volume(store, "m1/a.ome.zarr")[0][0]
    voxels = make_fixture("two_blobs").voxels[0]
    assert 0 < np.count_nonzero(marked) < marked.size / 2
    assert voxels[marked > 0].mean() > 2 * voxels[marked == 0].mean()
