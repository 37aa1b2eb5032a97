"""Data go into the store from a real Galaxy, and small ones out again."""

import json
from dataclasses import replace

import pytest
import requests

from gateway.galaxy.volref import Volref
from gateway.service.access.actor import Actor
from gateway.service.galaxy import HISTORY, send_to_galaxy
from gateway.volumes.ref import parse_ref

pytestmark = [pytest.mark.galaxy, pytest.mark.slow]


@pytest.fixture(scope="module")
def history(ana):
    return ana.client.history("files")


@pytest.fixture(scope="module")
def picture(real_galaxy, history):
    """Put a real TIFF into the history."""
    return upload(real_galaxy, history, real_galaxy.volrefs / "two_blobs.tif", "tiff")


def upload(real_galaxy, history, path, ext):
    """Put a real file into a history; returns the id of its item."""
    target = {
        "destination": {"type": "hdas"},
        "items": [{"src": "files", "ext": ext, "name": path.name}],
    }
    with path.open("rb") as file:
        answer = requests.post(
            f"{real_galaxy.url}/api/tools/fetch",
            data={"history_id": history, "targets": json.dumps([target])},
            files={"files_0|file_data": file},
            headers={"x-api-key": real_galaxy.key("ana")},
            timeout=300,
        )
    assert answer.ok, answer.text
    (item,) = answer.json()["outputs"]
    real_galaxy.raw("ana").datasets.wait_for_dataset(item["id"], maxwait=1200)
    return item["id"]


def volref_of(galaxy, item):
    text = galaxy.datasets.download_dataset(item, require_ok_state=False).decode()
    return Volref.from_text(text, "output")


def test_a_picture_of_the_history_is_ingested(real_galaxy, history, picture):
    galaxy = real_galaxy.raw("ana")
    inputs = {
        "source|from": "history",
        "source|file": {"src": "hda", "id": picture},
        "what": "image",
        "voxel_um": "5,2.5,2.5",
        "save|dataset": "ana-files",
        "save|name": "dapi",
    }
    job = real_galaxy.run_tool("ana", history, "ingest", inputs)
    assert job["state"] == "ok", job["tool_stderr"]
    made = job["outputs"]["made"]["id"]
    assert galaxy.datasets.show_dataset(made)["extension"] == "volref_image"
    assert volref_of(galaxy, made).ref == "ana-files/dapi"


def test_an_address_on_an_arbitrary_host_is_refused_in_the_history(real_galaxy, history):
    inputs = {
        "source|from": "address",
        "source|url": "http://10.0.0.1/brain.ome.zarr",
        "what": "image",
    }
    job = real_galaxy.run_tool("ana", history, "ingest", inputs)
    assert job["state"] == "error"
    first = job["tool_stderr"].splitlines()[0]
    assert first.startswith("this gateway does not read from 10.0.0.1; it reads from none; ask")


def test_galaxy_converts_a_table_by_itself_where_a_tool_wants_points(real_galaxy, history):
    galaxy = real_galaxy.raw("ana")
    item = upload(real_galaxy, history, real_galaxy.volrefs / "three_points.csv", "csv")
    inputs = {"points": {"src": "hda", "id": item}, "file_format": ".csv"}
    job = real_galaxy.run_tool("ana", history, "export", inputs)
    assert job["state"] == "ok", json.dumps(job)[:2000]
    text = galaxy.datasets.download_dataset(job["outputs"]["file"]["id"]).decode()
    assert text.replace('"', "").startswith("z_um,y_um,x_um")


def test_a_thing_is_sent_from_its_page_to_ones_own_history(real_galaxy, ana):
    refs = [parse_ref("examples/two_blobs")]
    # as the web service knows that it stands behind the hub
    behind = {"base_url": f"{real_galaxy.hub.url}/services/gateway"}
    gateway = real_galaxy.gateway
    web = replace(gateway, settings=gateway.settings.model_copy(update=behind))
    send_to_galaxy(web, Actor(person="ana"), refs)
    galaxy = real_galaxy.raw("ana")
    (place,) = galaxy.histories.get_histories(name=HISTORY)
    names = [item["name"] for item in galaxy.histories.show_history(place["id"], contents=True)]
    assert "examples/two_blobs" in names
    assert ana.client.fetch(ana.client.find_dataset("examples/two_blobs", HISTORY)).kind == "image"
