"""The crate of an invocation and that of its dataset refer to each other."""

import json
from datetime import UTC, datetime

import pytest
from rocrate.rocrate import ROCrate

from gateway.errors import CallError, NotFoundError
from gateway.records.crate import read_crate
from gateway.service.calls import call_from_words
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.invocations import Invoked, record_invocation
from gateway.service.runs import run_options, run_tool
from gateway.service.verification import verify
from gateway.toolkit.fixtures import put_fixture
from gateway.volumes.ref import Ref

AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    home = tmp_path_factory.mktemp("invocations") / "home"
    init_home(home)
    opened = open_gateway(home)
    with opened.catalogue:
        put_fixture(opened.store, "two_blobs", Ref("m1", "raw"))
        call = call_from_words(
            "smooth_gaussian", {"image": "m1/raw"}, {"image": "m2/smooth"}, {"sigma_um": 2}
        )
        run_tool(opened, call, run_options(opened, workers=1))
        yield opened


def invoked(**changes):
    values = {
        "id": "f2db41e1fa331b3e",
        "workflow": "Smooth it!",
        "document": "class: GalaxyWorkflow\n",
        "server": "http://127.0.0.1:8790",
        "person": "ana@lab.example",
        "started": AT,
        "ended": AT,
        "inputs": {"Image": "m1/raw"},
        "outputs": {"image": "m2/smooth"},
        "settings": {"Sigma": "2"},
    }
    return Invoked(**(values | changes))


def entities_of(file):
    return {entity["@id"]: entity for entity in json.loads(file.read_text())["@graph"]}


def test_each_crate_refers_to_the_other(gateway):
    (key,) = record_invocation(gateway, invoked())
    assert key == "m2/smooth-it-f2db41e1fa331b3e.invocation/ro-crate-metadata.json"
    crate = read_crate(gateway.store, "m2")
    assert key.removeprefix("m2/") in crate.files, "the dataset's crate names it, with a checksum"
    folder = gateway.home / "store" / key.rpartition("/")[0]
    entities = {
        e["@id"]: e for e in json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    }
    (action,) = (e for e in entities.values() if e["@type"] == "CreateAction")
    for item in (*action["object"][:1], *action["result"]):
        thing = entities[item["@id"]]
        assert (folder / item["@id"]).is_dir(), "it leads to the volume itself"
        assert (folder / thing["subjectOf"]["@id"]).resolve().parent.name == thing["name"][:2]
    (run,) = (item["@id"] for item in action["mentions"])
    file, _, mark = run.partition("#")
    assert f"#{mark}" in entities_of(folder / file), "and to the very run in the dataset's crate"
    assert entities["./"]["mainEntity"] == {"@id": "workflow.gxwf.yml"}
    assert ROCrate(folder).mainEntity["name"] == "Smooth it!"


def test_the_dataset_is_still_whole_and_the_same_again_changes_nothing(gateway):
    record_invocation(gateway, invoked())
    before = read_crate(gateway.store, "m2").document
    record_invocation(gateway, invoked())
    assert read_crate(gateway.store, "m2").document == before
    assert not verify(gateway, "m2").faults


def test_what_is_not_there_or_misnamed_is_refused(gateway):
    with pytest.raises(CallError, match=r"by letters and digits, not '\.\./x'"):
        record_invocation(gateway, invoked(id="../x"))
    with pytest.raises(NotFoundError, match="m2/gone"):
        record_invocation(gateway, invoked(outputs={"image": "m2/gone"}))
