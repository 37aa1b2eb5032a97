"""Tools are found by entry point: those of the gateway, and those of other packages."""

import importlib
import sys

import pytest

from gateway.errors import ToolDefinitionError, ToolNotFoundError
from gateway.toolkit.registry import find_tools, get_tool, load_tools

TOOL = '''
from typing import Annotated
from pydantic import Field
from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock

@tool(version="1.0.0", image="lab/tools")
def {name}(image: ImageBlock, *, by: Annotated[float, Field(gt=0)] = 2.0) -> ImageBlock:
    """Scale an image.

    Args:
        image: What to scale.
        by: How much.
    """
    return image.with_data(image.data * by)
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package for this test only: its modules and the metadata an installer leaves."""
    site = tmp_path / "site"

    def run(name, tools, module=None):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text('"""Tools."""\n')
        for tool, text in tools.items():
            (site / name / f"{tool}.py").write_text(text)
        metadata = site / f"{name}-0.1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        points = f"[gateway.tools]\n{name} = {module or name}\n"
        (metadata / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()

    yield run
    for name in [name for name in sys.modules if name.startswith("labtools")]:
        del sys.modules[name]


def test_an_installed_package_brings_its_tools(install):
    install(
        "labtools", {"scale_image": TOOL.format(name="scale_image"), "_notes": "raise ValueError"}
    )
    assert get_tool("scale_image").image == "lab/tools"
    assert "scale_image" in load_tools()


def test_an_entry_point_may_name_one_module(install):
    tools = {"scale_image": TOOL.format(name="scale_image"), "broken": "import nowhere_at_all"}
    install("labtools_one", tools, module="labtools_one.scale_image")
    assert "scale_image" in load_tools()


def test_a_broken_package_is_named_and_hides_no_other_tool(install):
    tools = {"scale_image": TOOL.format(name="scale_image"), "broken": "import nowhere_at_all"}
    install("labtools_broken", tools)
    assert get_tool("scale_image").id == "scale_image"
    found = find_tools()
    assert "scale_image" in found.tools
    assert [reason.partition(":")[0] for reason in found.broken] == ["labtools_broken 0.1"]
    with pytest.raises(ToolDefinitionError, match=r"labtools_broken 0\.1: tool module .*broken"):
        load_tools()


def test_a_bad_definition_says_which_package_brought_it(install):
    bad = TOOL.format(name="scale_image").replace("by: How much.", "")
    install("labtools_bad", {"scale_image": bad})
    with pytest.raises(ToolDefinitionError, match=r"no line under 'Args:' \(in labtools_bad 0\.1"):
        get_tool("scale_image")


def test_two_packages_cannot_bring_one_name(install):
    for name in ("labtools_a", "labtools_b"):
        install(name, {"scale_image": TOOL.format(name="scale_image")})
    with pytest.raises(ToolDefinitionError, match=r"labtools_a 0\.1 and labtools_b 0\.1"):
        load_tools()


def test_an_unknown_tool_is_met_with_the_near_ones(install):
    install("labtools", {"scale_image": TOOL.format(name="scale_image")})
    with pytest.raises(ToolNotFoundError, match="did you mean 'scale_image'"):
        get_tool("scale_imag")
