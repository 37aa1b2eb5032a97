"""A gateway at a URL and a gateway of a home: every call does the same."""

import numpy as np
import pytest

import gateway
from gateway.errors import (
    BoxError,
    CallError,
    NotFoundError,
    RefError,
    RunCancelledError,
    SettingsError,
)
from gateway.service.access.actor import Actor
from gateway.service.review.layers import make_layer
from gateway.volumes.box import Box
from gateway.volumes.volume import Volume

BOX = ((10.0, 20.0, 30.0), (60.0, 90.0, 120.0))


def test_who_asks(session) -> None:
    me = session.me()
    assert me["administrator"]
    assert me["person"] == me["name"]


def test_datasets_are_found_by_word_and_by_facet(session) -> None:
    assert [found["name"] for found in session.datasets()] == ["mouse1"]
    assert session.datasets("mouse")[0]["title"] == "A mouse brain"
    assert session.datasets("zebrafish") == []
    assert len(session.datasets(species="Mus musculus")) == 1
    assert session.datasets(species=["Danio rerio"]) == []


def test_a_dataset_names_what_it_holds(session) -> None:
    said = session.dataset("mouse1")
    kinds = {entry["name"]: entry["kind"] for entry in said["entries"]}
    assert kinds["raw"] == "image"
    assert kinds["nuclei"] == "points"
    assert said["info"]["species"] == "Mus musculus"


def test_both_kinds_of_session_tell_the_same(lab) -> None:
    with gateway.connect(home=lab.home) as here, gateway.connect(lab.server.url, lab.token) as far:
        assert here.me() == far.me()
        assert here.datasets() == far.datasets()
        assert here.show("mouse1/raw") == far.show("mouse1/raw")
        assert here.tools() == far.tools()
        assert here.tool("stitch") == far.tool("stitch")
        mine, theirs = here.dataset("mouse1"), far.dataset("mouse1")
        # the one is cited by its address, the other has none
        del mine["citation"], theirs["citation"]
        assert mine == theirs


def test_a_volume_is_read_by_index_and_in_micrometres(session, lab) -> None:
    volume = session.open("mouse1/raw")
    assert isinstance(volume, Volume)
    assert volume.info.voxel_um == (4.0, 2.0, 2.0)
    np.testing.assert_array_equal(volume[0, 0], lab.voxels)
    np.testing.assert_array_equal(volume[0, 0, 3:9, ::7, -5:], lab.voxels[3:9, ::7, -5:])
    um = volume.read_um((0, 0, 0), (8, 20, 20), channel=0)
    np.testing.assert_array_equal(um, lab.voxels[:2, :10, :10])
    np.testing.assert_array_equal(volume.to_dask(0)[0, 5].compute(), lab.voxels[5])
    with pytest.raises(BoxError, match="has no level 9"):
        volume[9]


def test_every_level_is_there(session, lab) -> None:
    with gateway.connect(home=lab.home) as here:
        expected = here.volume("mouse1/raw")
        volume = session.volume("mouse1/raw")
        assert volume.info == expected.info
        for level in range(len(volume.info.levels)):
            np.testing.assert_array_equal(volume[level], expected[level])


def test_a_box_is_cut_out(session, lab) -> None:
    cut = session.cutout("mouse1/raw", Box((2, 3, 4), (8, 30, 40)))
    np.testing.assert_array_equal(cut, lab.voxels[2:8, 3:30, 4:40])
    um = session.cutout("mouse1/raw", ((0, 0, 0), (8, 20, 20)))
    np.testing.assert_array_equal(um, lab.voxels[:2, :10, :10])


def test_points_come_by_box_with_their_types(session, lab) -> None:
    points = session.points("mouse1/nuclei")
    assert points.count == 40_000
    assert points.columns == tuple(lab.columns)
    everything = points.read()
    assert {name: column.dtype.kind for name, column in everything.items()} == {
        **dict.fromkeys(("z_um", "y_um", "x_um"), "f"),
        "size": "i",
        "class": "U",
    }
    assert len(everything["z_um"]) == 40_000
    near = points.read(BOX, columns=("size", "x_um"))
    assert list(near) == ["size", "x_um"]
    inside = np.ones(40_000, bool)
    for axis, name in enumerate(("z_um", "y_um", "x_um")):
        inside &= (lab.columns[name] >= BOX[0][axis]) & (lab.columns[name] < BOX[1][axis])
    np.testing.assert_array_equal(np.sort(near["x_um"]), np.sort(lab.columns["x_um"][inside]))
    assert len(points.read(((200, 200, 200), (300, 300, 300)))["class"]) == 0
    with pytest.raises(NotFoundError, match="no column 'radius'"):
        points.read(columns=("radius",))


def test_what_is_wrong_is_said_in_the_same_words(session) -> None:
    with pytest.raises(NotFoundError, match="mouse1 has"):
        session.open("mouse1/none")
    with pytest.raises(RefError, match="expected DATASET/NAME"):
        session.open("mouse1")
    with pytest.raises(CallError, match="not a volume"):
        session.volume("mouse1/nuclei")
    with pytest.raises(CallError, match="not a table"):
        session.points("mouse1/raw")
    with pytest.raises(CallError, match="sigma_um"):
        session.plan("smooth_gaussian", {"image": "mouse1/raw"}, {"image": "m/o"}, sigma_um=-1)


def test_a_tool_runs_to_its_end(session, request) -> None:
    made = f"mouse1/smooth-{request.node.callspec.id}"
    ports = {"image": "mouse1/raw"}, {"image": made}
    plan = session.plan("smooth_gaussian", *ports, sigma_um=1.0)
    assert plan["passes"]
    states = []
    job = session.run("smooth_gaussian", *ports, sigma_um=1.0, progress=states.append)
    assert job.status == "done"
    assert job.outputs["image"] == made
    assert states[-1]["status"] == "done"
    assert session.volume(made).info.digest
    assert session.job(job.id).run == job.run
    assert job.id in {other.id for other in session.jobs()}
    assert job.log()


def test_a_job_is_stopped_and_goes_on(session, request) -> None:
    made = f"mouse1/blurred-{request.node.callspec.id}"
    job = session.start("smooth_gaussian", {"image": "mouse1/raw"}, {"image": made}, sigma_um=30)
    job.cancel()
    with pytest.raises(RunCancelledError, match="resume"):
        job.wait(timeout_s=60)
    job.resume()
    assert job.wait(timeout_s=120).status == "done"
    assert session.show(made)["run"]["id"] == job.run


def test_links_are_made_listed_and_ended(session, lab) -> None:
    link = session.share("mouse1", "raw", days=1, note="for a test")
    assert link["id"] in {one["id"] for one in session.links("mouse1")}
    token = link["url"].rstrip("/").rpartition("/")[2]
    url = f"{lab.server.url}/s/{token}"
    with gateway.connect(url) as shared:
        assert token not in repr(shared)
        np.testing.assert_array_equal(shared.volume("mouse1/raw")[0, 0, 3], lab.voxels[3])
        with pytest.raises(PermissionError):
            shared.open("mouse1/nuclei")
        session.revoke("mouse1", link["id"])
        with pytest.raises(PermissionError):
            shared.show("mouse1/raw")


def test_layers_are_listed(lab) -> None:
    with gateway.connect(home=lab.home) as here, gateway.connect(lab.server.url, lab.token) as far:
        before = here.layers("mouse1")
        assert before == far.layers("mouse1")
        boss = Actor(person="boss", administrator=True)
        make_layer(lab.server.gateway, boss, "mouse1", "cells", volume="raw")
        (layer,) = here.layers("mouse1")
        assert [layer] == far.layers("mouse1")
        assert layer["volume"] == "raw"


def test_connect_says_what_it_needs(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("GATEWAY_HOME", raising=False)
    with pytest.raises(SettingsError, match="no gateway home is selected"):
        gateway.connect()
    with pytest.raises(CallError, match="a token is for a gateway at a URL"):
        gateway.connect(None, "t")
    with pytest.raises(CallError, match="not both"):
        gateway.connect("http://127.0.0.1:1", home=tmp_path)
    with pytest.raises(RefError, match="no address of a gateway"):
        gateway.connect("brains.example.org")
