"""Calls that were made become a workflow of Galaxy that does the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gateway.errors import CallError, NotFoundError
from gateway.galaxy.form import read_form
from gateway.galaxy.weave import state_of, weave
from gateway.service.toolbox import list_tools
from gateway.toolkit.call import Call, check_settings, make_call

SPECS = {spec.id: spec for spec in list_tools()}


def call(tool, inputs, outputs, **settings):
    return make_call(SPECS[tool], inputs, outputs, settings)


STITCH = call("stitch", {"tiles": "m1/tiles"}, {"image": "m1/brain", "positions": "m1/where"})
SMOOTH = call("smooth_gaussian", {"image": "m1/brain"}, {"image": "m1/smooth"}, sigma_um=3)
DETECT = call(
    "detect_nuclei",
    {"image": "m1/brain"},
    {"nuclei": "m1/nuclei", "labels": "m1/cells"},
    diameter_um=12,
    channel="dapi",
)
MEASURE = call(
    "measure_regions",
    {"labels": "m1/cells", "image": "m1/brain"},
    {"regions": "m1/regions"},
    channels=["dapi", "gfp"],
)
CALLS = [STITCH, SMOOTH, DETECT, MEASURE]


def woven(*targets, calls=CALLS):
    return weave(calls, targets, SPECS, "My way")


def test_what_led_to_a_thing_becomes_steps_and_nothing_else(tmp_path):
    text = woven("m1/regions")
    workflow = yaml.safe_load(text)
    assert list(workflow["steps"]) == ["Stitch", "Detect nuclei", "Measure regions"]
    assert workflow["steps"]["Measure regions"]["in"] == {
        "labels": "Detect nuclei/labels",
        "image": "Stitch/image",
        "save|dataset": "Dataset for results",
    }
    assert list(workflow["inputs"]) == ["Tiles", "Dataset for results"]
    assert workflow["inputs"]["Tiles"]["format"] == ["volref_tiles"]
    assert set(workflow["outputs"]) == {"positions", "nuclei", "regions"}
    places = [step["position"] for step in workflow["steps"].values()]
    places += [given["position"] for given in workflow["inputs"].values()]
    assert len({(place["left"], place["top"]) for place in places}) == len(places)
    path = tmp_path / "mine.gxwf.yml"
    path.write_text(text)
    program = Path(sys.executable).with_name("gxwf-lint")
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_thing_that_was_asked_for_is_given_even_where_a_step_takes_it():
    outputs = yaml.safe_load(woven("m1/brain", "m1/regions"))["outputs"]
    assert outputs["image"] == {"outputSource": "Stitch/image"}


def test_a_tool_that_is_used_twice_has_two_steps():
    again = call("smooth_gaussian", {"image": "m1/smooth"}, {"image": "m1/smoother"}, sigma_um=5)
    workflow = yaml.safe_load(woven("m1/smoother", calls=[*CALLS, again]))
    assert list(workflow["steps"])[1:] == ["Smooth gaussian", "Smooth gaussian 2"]
    assert workflow["steps"]["Smooth gaussian 2"]["in"]["image"] == "Smooth gaussian/image_out"


def test_the_latest_call_that_made_a_thing_counts():
    later = call("smooth_gaussian", {"image": "m1/brain"}, {"image": "m1/smooth"}, sigma_um=9)
    workflow = yaml.safe_load(woven("m1/smooth", calls=[*CALLS, later]))
    assert (
        workflow["steps"]["Smooth gaussian"]["tool_state"]["sigma_um"] == later.params["sigma_um"]
    )


@pytest.mark.parametrize("made", CALLS, ids=lambda made: made.tool)
def test_the_form_of_a_step_says_the_settings_of_its_call(made):
    spec = SPECS[made.tool]
    state = json.loads(json.dumps(state_of(spec, made.params)))
    form = {port: f"/x/{port}.dat" for port in made.inputs} | state | {"save": {}}
    read = check_settings(spec, read_form(spec, form).settings)
    assert read == check_settings(spec, made.params)


def test_what_no_tool_of_galaxy_made_is_named():
    with pytest.raises(NotFoundError, match="no call of a tool that Galaxy has made m1/tiles"):
        woven("m1/tiles")
    with pytest.raises(NotFoundError, match="such as those a notebook shows"):
        woven("m1/x", calls=[])


def test_a_call_of_another_version_is_refused():
    old = Call(**(STITCH.to_json() | {"version": "0.1.0"}))
    with pytest.raises(CallError, match=r"m1/brain was made by stitch 0\.1\.0, but 1\."):
        woven("m1/brain", calls=[old])
