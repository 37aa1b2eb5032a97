"""The committed XML is what the tools say, and Galaxy's own linter has nothing against it."""

import importlib
import re
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from gateway.errors import CallError
from gateway.galaxy.form import read_form
from gateway.galaxy.publish import WORKFLOWS, tool_files, workflow_files, write_tools
from gateway.galaxy.render import output_name, render_tool
from gateway.service.toolbox import list_tools
from gateway.toolkit.call import check_settings
from gateway.toolkit.define import SPEC_ATTRIBUTE
from gateway.toolkit.fields import fields_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Galaxy's own library warns of itself
    from galaxy.tool_util.lint import LintContext, LintLevel, lint_tool_source_with
    from galaxy.tool_util.parser.factory import get_tool_source

FOLDER = Path(__file__).parents[2] / "galaxy_tools"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the checkout is not here, only the wheel")
def test_the_committed_xml_is_what_the_tools_say():
    files = tool_files()
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.xml")}
    assert found == set(files), "run `make docs`"
    for name, content in files.items():
        assert (FOLDER / name).read_text() == content, f"{name} is old: run `make docs`"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the checkout is not here, only the wheel")
def test_the_committed_workflows_are_those_of_the_package():
    found = {path.name: path.read_text() for path in (FOLDER / "workflows").iterdir()}
    assert found == {f"{name}.gxwf.yml": text for name, text in workflow_files().items()}


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


@pytest.mark.parametrize("spec", list_tools(), ids=lambda spec: spec.id)
@pytest.mark.filterwarnings("ignore")
def test_galaxys_linter_has_nothing_against_a_tool(spec, tmp_path):
    found = lint(render_tool(spec), tmp_path)
    if not spec.examples:
        found = [message for message in found if "test" not in message.lower()]
    assert found == []


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
    assert len(write_tools(tmp_path)) == len(tool_files()) + len(workflow_files())
    assert write_tools(tmp_path) == []


def lint(xml: str, folder: Path) -> list[str]:
    path = folder / "tool.xml"
    path.write_text(xml)
    context = LintContext(level=LintLevel.SILENT)
    lint_tool_source_with(context, get_tool_source(str(path)))
    found = [str(message) for message in (*context.error_messages, *context.warn_messages)]
    # our own datatypes come with `gateway.galaxy`, which the linter's environment does not list
    return [message for message in found if "Unknown datatype [volref_" not in message]
