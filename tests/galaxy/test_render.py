"""The committed XML is what the tools say, and Galaxy's own linter has nothing against it."""

import importlib
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import docutils.core
import pytest
import yaml

from gateway.errors import CallError
from gateway.galaxy.form import read_form
from gateway.galaxy.publish import (
    WORKFLOWS,
    converter_files,
    suite_files,
    tool_files,
    workflow_files,
    write_tools,
)
from gateway.galaxy.render import output_name, render_tool
from gateway.galaxy.server.toolbox import render_datatypes
from gateway.service.toolbox import list_tools
from gateway.toolkit.call import check_settings
from gateway.toolkit.define import SPEC_ATTRIBUTE
from gateway.toolkit.fields import fields_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Galaxy's own library warns of itself
    from galaxy.tool_util.lint import LintContext, LintLevel, lint_tool_source_with
    from galaxy.tool_util.linters import datatypes as linted_datatypes
    from galaxy.tool_util.parser.factory import get_tool_source

ALL_TOOLS = tool_files() | converter_files()
FOLDER = Path(__file__).parents[2] / "galaxy_tools"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the checkout is not here, only the wheel")
def test_the_committed_xml_is_what_the_tools_say():
    files = tool_files() | converter_files()
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.xml")}
    assert found == set(files), "run `make docs`"
    for name, content in files.items():
        assert (FOLDER / name).read_text() == content, f"{name} is old: run `make docs`"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the checkout is not here, only the wheel")
def test_the_committed_workflows_are_those_of_the_package():
    found = {path.name: path.read_text() for path in (FOLDER / "workflows").glob("*.gxwf.yml")}
    assert found == {f"{name}.gxwf.yml": text for name, text in workflow_files().items()}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the checkout is not here, only the wheel")
def test_the_committed_suite_is_that_of_the_tools():
    for name, content in suite_files().items():
        assert (FOLDER / name).read_text() == content, f"{name} is old: run `make docs`"


def test_every_tool_is_in_a_repository_of_the_suite():
    shed = yaml.safe_load(suite_files()[".shed.yml"])
    included = {path for item in shed["repositories"].values() for path in item["include"]}
    assert included == set(tool_files())
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{2,}", name) for name in shed["repositories"])
    assert shed["suite"]["name"].startswith("suite_")


@pytest.mark.parametrize("name", workflow_files())
def test_the_tests_of_a_workflow_speak_of_its_inputs_and_outputs(name):
    workflow = yaml.safe_load(workflow_files()[name])
    tests = yaml.safe_load(suite_files()[f"workflows/{name}.gxwf-tests.yml"])
    assert tests
    for test in tests:
        assert set(test["job"]) == set(workflow["inputs"])
        assert set(test["outputs"]) == set(workflow["outputs"])


@pytest.mark.parametrize("name", workflow_files())
def test_galaxys_linter_has_nothing_against_a_workflow(name):
    path = WORKFLOWS / f"{name}.gxwf.yml"
    program = Path(sys.executable).with_name("gxwf-lint")
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", workflow_files())
def test_a_workflow_names_tools_and_settings_that_there_are(name):
    workflow = yaml.safe_load(workflow_files()[name])
    specs = {f"gateway_{spec.id}": spec for spec in list_tools()}
    for label, step in workflow["steps"].items():
        spec = specs[step["tool_id"]]
        assert step["tool_version"] == spec.version, label
        outputs = {output_name(spec, port) for port in spec.outputs}
        assert set(step["out"]) <= outputs, label
        known = {*spec.inputs, *(field.name for field in fields_of(spec)), "save"}
        assert {given.split("|")[0] for given in step["in"]} <= known, label
        assert set(step["tool_state"]) <= known, label


@pytest.fixture(autouse=True)
def _datatypes_of_ours(tmp_path, monkeypatch):
    """Let Galaxy's linter know our datatypes, as a Galaxy of ours does."""
    sample = linted_datatypes.DATATYPES_CONF.read_text(encoding="utf-8")
    (tmp_path / "datatypes.xml").write_text(render_datatypes(sample, None), encoding="utf-8")
    monkeypatch.setattr(linted_datatypes, "DATATYPES_CONF", str(tmp_path / "datatypes.xml"))


@pytest.mark.parametrize("name", ALL_TOOLS)
@pytest.mark.filterwarnings("ignore")
def test_galaxys_linter_has_nothing_against_a_tool(name, tmp_path):
    assert lint(ALL_TOOLS[name], tmp_path) == []


@pytest.mark.parametrize("name", ALL_TOOLS)
def test_the_help_of_a_tool_is_what_galaxy_can_show(name):
    text = ET.fromstring(ALL_TOOLS[name]).findtext("help")  # noqa: S314 - our own
    told = io.StringIO()
    docutils.core.publish_string(text, writer="html", settings_overrides={"warning_stream": told})
    assert told.getvalue() == ""


@pytest.mark.filterwarnings("ignore")
def test_the_linter_would_find_an_unknown_datatype(tmp_path):
    xml = tool_files()["stitch/stitch.xml"].replace("volref_tiles", "volref_tile")
    found = lint(xml, tmp_path)
    assert any("Unknown datatype [volref_tile] used in param element" in said for said in found)


ODD = '''
"""A tool with every kind of setting."""
from typing import Annotated, Literal
from pydantic import Field
from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock
from gateway.toolkit.settings import Method

Um = Annotated[float, Field(ge=0, le=1000)]

class Manual(Method):
    """Use a given level."""
    kind: Literal["manual"] = "manual"
    level: Annotated[float, Field(gt=0, lt=10)] = 5.0
    """Voxels above it."""

class Otsu(Method):
    """Choose the level from the histogram."""
    kind: Literal["otsu"] = "otsu"
    offset: Annotated[int, Field(ge=-5, le=5)] = 0
    """Added to it."""

@tool(version="1.2.0", image="brain-gateway/core", edam=("operation_3443",))
def odd(
    image: ImageBlock,
    *,
    method: Annotated[Manual | Otsu, Field(discriminator="kind")] = Otsu(),
    side: Literal["left", "right"] = "right",
    quick: bool = False,
    width_um: Annotated[float, Field(gt=0, le=500)] | None = None,
    names: tuple[str, ...] | None = None,
    centre: tuple[Um, Um, Um] | None = None,
    channel: Annotated[int, Field(ge=0)] | str = 0,
    count: Annotated[int, Field(ge=1)],
) -> ImageBlock:
    """Try `all` kinds of settings.

    Args:
        image: The image.
        method: How.
        side: Which side.
        quick: Whether to hurry.
        width_um: How wide.
        names: Which.
        centre: Where, z, y, x.
        channel: Number or name.
        count: How many.
    """
    return image
'''


@pytest.fixture
def odd(tmp_path, monkeypatch):
    (tmp_path / "odd.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("odd")
    yield getattr(module.odd, SPEC_ATTRIBUTE)
    del sys.modules["odd"]


@pytest.mark.filterwarnings("ignore")
def test_every_kind_of_setting_lints_clean_but_for_its_missing_test(odd, tmp_path):
    assert [m for m in lint(render_tool(odd), tmp_path) if "test" not in m.lower()] == []


def test_exclusive_ends_and_choices_are_checked_by_galaxy_as_one_types(odd):
    root = ET.fromstring(render_tool(odd))  # noqa: S314 - our own
    level = root.find(".//when[@value='manual']/param[@name='level']")
    assert [v.attrib for v in level.findall("validator")] == [
        {"type": "in_range", "min": "0", "exclude_min": "true"},
        {"type": "in_range", "max": "10", "exclude_max": "true"},
    ]
    assert root.find(".//conditional/param/option[@selected]").get("value") == "otsu"
    assert [p.get("name") for p in root.findall(".//section[@name='centre']/param")] == list("zyx")
    assert root.find(".//param[@name='count']").get("value") == ""
    assert "``all``" in root.find("help").text


FORM = {
    "image": "/x/1.dat",
    "method": {"kind": "manual", "level": "2.5", "__current_case__": 0},
    "side": "left",
    "quick": "true",
    "width_um": "",
    "names": "a, b",
    "centre": {"z": "1", "y": "2", "x": "3"},
    "channel": "3",
    "count": "4",
    "save": {"dataset": ""},
}


def test_a_form_is_read_back_as_the_settings_it_shows(odd):
    form = read_form(odd, FORM)
    assert form.inputs == {"image": Path("/x/1.dat")}
    settings = check_settings(odd, form.settings).model_dump()
    assert settings == {
        "method": {"kind": "manual", "level": 2.5},
        "side": "left",
        "quick": True,
        "width_um": None,
        "names": ("a", "b"),
        "centre": (1.0, 2.0, 3.0),
        "channel": 3,
        "count": 4,
    }
    assert check_settings(odd, read_form(odd, FORM | {"channel": "red"}).settings).channel == "red"
    empty = FORM | {"centre": {"z": "", "y": "", "x": ""}, "names": ""}
    assert check_settings(odd, read_form(odd, empty).settings).centre is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"centre": {"z": "1", "y": "", "x": ""}}, "'centre' lacks y, x; fill in all of z, y, x"),
        ({"method": {"kind": "magic"}}, "'method' is 'magic'; expected one of manual, otsu"),
        ({"method": "x"}, "'method' is None; expected one of manual, otsu"),
        ({"save": "x"}, "the section 'save' of the form is 'x'; expected fields"),
    ],
)
def test_a_form_that_does_not_suit_is_refused_by_name(odd, change, message):
    with pytest.raises(CallError, match=re.escape(message)):
        read_form(odd, FORM | change)


def test_a_form_of_another_version_is_refused(odd):
    with pytest.raises(CallError, match="no field 'count'; it is of another version"):
        read_form(odd, {name: value for name, value in FORM.items() if name != "count"})


def test_only_what_changed_is_written(tmp_path):
    files = (*ALL_TOOLS, *workflow_files(), *suite_files())
    assert len(write_tools(tmp_path)) == len(files)
    assert write_tools(tmp_path) == []


def lint(xml: str, folder: Path) -> list[str]:
    path = folder / "tool.xml"
    path.write_text(xml)
    context = LintContext(level=LintLevel.SILENT)
    lint_tool_source_with(context, get_tool_source(str(path)))
    return [str(message) for message in (*context.error_messages, *context.warn_messages)]
