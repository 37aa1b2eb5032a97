"""The training pages say what the workflows and the tools have: labels, settings, steps."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from gateway.galaxy.publish import tool_files, workflow_files

ROOT = Path(__file__).parents[2] / "docs/tutorial"
PAGES = {"galaxy-nuclei.md": "tiles_to_nuclei"}
_SETTING = re.compile(r"^>\s+- \*(?P<label>[^*]+)\*: (?P<value>.*)$", re.MULTILINE)
_BOX = re.compile(r"^> \*\*Hands-on: (?P<title>[^*]+)\*\*$(?P<text>(?:\n>.*)*)", re.MULTILINE)

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the docs are in the checkout only")


def boxes(page):
    """Return the hands-on boxes of a page: title to text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return {found["title"]: found["text"] for found in _BOX.finditer(text)}


def settings(text):
    return {found["label"]: found["value"] for found in _SETTING.finditer(text)}


def form(name):
    """Return the fields of a tool by label, those in sections and conditionals too."""
    root = ET.fromstring(tool_files()[f"{name}/{name}.xml"])  # noqa: S314 - our own
    return {node.get("label"): node for node in root.find("inputs").iter("param")}, root


@pytest.mark.parametrize(("page", "name"), PAGES.items())
def test_every_step_of_the_workflow_has_its_box_with_the_same_settings(page, name):
    workflow = yaml.safe_load(workflow_files()[name])
    told = boxes(page)
    for label, step in workflow["steps"].items():
        fields, root = form(step["tool_id"].removeprefix("gateway_"))
        assert f"Run **{root.get('name')}**" in told[label], label
        given = settings(told[label])
        assert set(given) <= set(fields), f"{label}: no such field"
        inputs = {node.get("label") for node in fields.values() if node.get("type") == "data"}
        state = {fields_label(fields, key) for key in step["tool_state"] if key != "save"}
        linked = {fields_label(fields, key) for key in step["in"] if "|" not in key}
        assert set(given) >= inputs | state | linked, f"{label}: a setting is not told"
        for key, value in step["tool_state"].items():
            said = given.get(fields_label(fields, key), "")
            if said.startswith("`"):
                assert said.strip("`") == shown(value), f"{label}: {key}"


@pytest.mark.parametrize(("page", "name"), PAGES.items())
def test_the_inputs_of_the_workflow_are_told_with_their_defaults(page, name):
    workflow = yaml.safe_load(workflow_files()[name])
    told = boxes(page)["Run the workflow"]
    assert f"**{workflow['label']}**" in told
    given = settings(told)
    assert set(given) == set(workflow["inputs"])
    for label, about in workflow["inputs"].items():
        if "default" in about:
            assert given[label].strip("`") == str(about["default"])


@pytest.mark.parametrize("page", PAGES)
def test_the_box_of_the_ingest_names_fields_and_choices_that_there_are(page):
    fields, _ = form("ingest")
    given = settings(boxes(page)["Bring in the tiles"])
    assert set(given) <= set(fields)
    for label in ("Take it from", "What it is"):
        assert given[label].strip("`") in {option.text for option in fields[label]}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_it_is_for(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for part in ("Questions", "Objectives", "Key points", "**Time:**"):
        assert part in text


def fields_label(fields, name):
    return next((label for label, node in fields.items() if node.get("name") == name), name)


def shown(value):
    """Return a value as the form shows it."""
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else str(value)
