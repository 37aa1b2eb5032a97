"""The tools in a real Galaxy: with the rights of its users, and with the digests of everywhere."""

import pytest

from gateway.errors import NotFoundError, RunError
from gateway.galaxy.publish import workflow_files
from gateway.service.calls import call_from_words
from gateway.service.runs import run_options, run_tool
from gateway.service.toolbox import list_tools
from gateway.volumes.dataset import find_entry
from gateway.volumes.ref import parse_ref

pytestmark = [pytest.mark.galaxy, pytest.mark.slow]
WORKFLOW = "tiles_to_nuclei"


def test_every_tool_and_datatype_is_there(real_galaxy):
    galaxy = real_galaxy.raw("ana")
    listed = {tool["id"]: tool["version"] for tool in galaxy.tools.get_tools()}
    for spec in list_tools():
        assert listed[f"gateway_{spec.id}"] == spec.version
    datatypes = galaxy.datatypes.get_datatypes()
    assert {f"volref_{kind}" for kind in ("image", "labels", "points", "transform", "tiles")} <= {
        *datatypes
    }


def test_the_shipped_workflow_gives_the_digests_of_the_same_calls_outside(real_galaxy, measured):
    told, results = measured
    assert [step.name for step in told if step.state == "ok"] == [
        "Stitch",
        "Detect nuclei",
        "Measure",
    ]
    gateway = real_galaxy.gateway
    expected = {}

    def same(tool, inputs, outputs, settings):
        call = call_from_words(tool, inputs, {p: f"by-hand/{p}" for p in outputs}, settings)
        made = run_tool(gateway, call, run_options(gateway))
        expected.update({port: output.digest for port, output in made.outputs.items()})

    same("stitch", {"tiles": "examples/four_tiles"}, ("image", "positions"), {})
    found = {"diameter_um": 30.0}
    same("detect_nuclei", {"image": "by-hand/image"}, ("nuclei", "labels"), found)
    ports = {"labels": "by-hand/labels", "image": "by-hand/image"}
    same("measure_regions", ports, ("regions",), {})
    assert {label: volref.digest for label, volref in results.items()} == expected
    assert all(volref.ref.startswith("ana-work/") for volref in results.values())


def test_a_history_holds_names_only_and_says_what_they_name(
    real_galaxy, ana, kept_before, measured
):
    _, results = measured
    galaxy = real_galaxy.raw("ana")
    contents = galaxy.histories.show_history(ana.history, contents=True)
    image = next(item for item in contents if item["name"] == "Stitched volume")
    shown = galaxy.datasets.show_dataset(image["id"])
    assert shown["extension"] == "volref_image"
    assert shown["metadata_ref"] == results["image"].ref
    assert shown["metadata_digest"] == results["image"].digest
    assert shown["misc_blurb"].startswith("image, 1 x ")
    dataset, _, name = results["image"].ref.partition("/")
    assert f"/api/v1/entries/{dataset}/{name}/thumbnail.png" in shown["peek"]
    (links,) = [app["links"] for app in shown["display_apps"] if "Brain" in app["label"]]
    texts = [link["text"] for link in links]
    assert texts == ["open in viewer", "open in notebook", "dataset page"]
    assert "/brain_gateway/viewer" in links[0]["href"]
    objects = (real_galaxy.root / "data/objects").rglob("*")
    files = [path for path in objects if path.is_file() and path not in kept_before]
    assert files
    assert sum(path.stat().st_size for path in files) <= 100_000


def test_volrefs_are_told_by_their_content(real_galaxy, ana):
    galaxy = real_galaxy.raw("ana")
    items = [
        {"src": "pasted", "paste_content": real_galaxy.example(name).to_text(), "ext": "auto"}
        for name in ("two_blobs_labels", "three_points")
    ]
    assert _send_raw(galaxy, ana.history, items) == ["volref_labels", "volref_points"]


FORGERIES = {
    "of another's dataset": (
        {"ref": "eves/secret"},
        "ana has no role on eves/secret",
    ),
    "of what is not there": ({"ref": "examples/nothing"}, "nothing"),
    "of an arbitrary host": (
        {"ref": "https://elsewhere.example/brain.zarr"},
        "ref 'https://elsewhere.example/brain.zarr' has 4 part(s); expected DATASET/NAME",
    ),
    "of a path": ({"ref": "../../etc/passwd"}, "expected DATASET/NAME"),
}


def test_forged_volrefs_are_refused_with_the_reason_first(real_galaxy, ana):
    gateway = real_galaxy.gateway
    real_galaxy.key("eve")
    source = real_galaxy.example("two_blobs")
    call = call_from_words(
        "smooth_gaussian", {"image": source.ref}, {"image": "eves/secret"}, {"sigma_um": 1}
    )
    run_tool(gateway, call, run_options(gateway))
    galaxy = real_galaxy.raw("ana")
    history = ana.client.history("forged")
    text = source.to_text()
    items = [
        {
            "src": "pasted",
            "paste_content": text.replace(source.ref, change["ref"]),
            "ext": "volref_image",
            "name": name,
        }
        for name, (change, _) in FORGERIES.items()
    ]
    _send_raw(galaxy, history, items)
    datasets = {
        item["name"]: item["id"] for item in galaxy.histories.show_history(history, contents=True)
    }
    for name, (_, reason) in FORGERIES.items():
        inputs = {"image": {"src": "hda", "id": datasets[name]}, "save|dataset": "ana-work"}
        job = real_galaxy.run_tool("ana", history, "smooth_gaussian", inputs)
        assert job["state"] == "error", name
        assert reason in job["tool_stderr"].splitlines()[0], name
    assert find_entry(gateway.store, parse_ref("eves/secret")) is not None


def test_eve_may_not_use_what_ana_sends_to_her_history_nor_write_where_ana_writes(real_galaxy):
    eve = real_galaxy.client("eve")
    history = eve.history("eve's work")
    (sent,) = eve.send([real_galaxy.example("two_blobs")], history)
    inputs = {"image": {"src": "hda", "id": sent}, "save|dataset": "eve-work"}
    job = real_galaxy.run_tool("eve", history, "smooth_gaussian", inputs)
    assert job["state"] == "error"
    assert job["tool_stderr"].splitlines()[0].startswith("eve has no role on examples/two_blobs")
    assert find_entry(real_galaxy.gateway.store, parse_ref("eve-work/image")) is None


def test_a_workflow_that_is_not_there_is_named(ana):
    with pytest.raises(NotFoundError, match="Galaxy has no workflow 'no such'; there is"):
        ana.client.find_workflow("no such")


def test_the_step_that_fails_is_named_with_its_reason(ana):
    workflow = ana.client.publish_workflow(workflow_files()[WORKFLOW])
    inputs = {"tiles": f"dataset:{ana.datasets['four_tiles']}", "diameter": 30.0}
    # ana may see the examples, but not write among them
    invocation = ana.client.invoke(workflow, inputs, ana.client.history("failing"))
    with pytest.raises(RunError, match=r"stopped at 'Stitch': ana is viewer of the dataset examp"):
        ana.client.follow(invocation)


def _send_raw(galaxy, history, items):
    """Send what the client would not, and return the datatypes that Galaxy saw."""
    target = {"destination": {"type": "hdas"}, "items": items}
    answer = galaxy.make_post_request(
        f"{galaxy.base_url}/api/tools/fetch", {"history_id": history, "targets": [target]}
    )
    found = []
    for output in answer["outputs"]:
        galaxy.datasets.wait_for_dataset(output["id"], maxwait=1200)
        found.append(galaxy.datasets.show_dataset(output["id"])["extension"])
    return found
