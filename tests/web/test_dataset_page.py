"""Datasets through the web: what is shown to whom, changed by whom, and pictures of it."""

import io
import re
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from gateway.records.recorder import record_entry
from gateway.records.runs import PortRecord, RunRecord, SourceFile
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.links import make_link
from gateway.service.descriptions import describe_dataset
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import parse_ref

INFO = DatasetInfo(title="Mouse <b>cortex</b>", people=("Ana",), licence="CC0-1.0")
ROOT = Actor(person="root", administrator=True)
AT = datetime(2026, 1, 2, tzinfo=UTC)


def run_record(run_id, inputs, outputs, **more):
    def ports(refs):
        return tuple(PortRecord(port=f"p{i}", ref=r, kind="image") for i, r in enumerate(refs))

    return RunRecord(
        id=run_id,
        tool="stitch",
        version="1.0.0",
        image="",
        call={},
        call_digest="d",
        status="done",
        started=AT,
        ended=AT + timedelta(seconds=5),
        wall_s=5.0,
        person="Ana",
        inputs=ports(inputs),
        outputs=ports(outputs),
        **more,
    )


@pytest.fixture(scope="module")
def lab(shared_server, put_volume):
    """Return a service whose dataset `m1` has a volume, labels and a table; `secret` made it."""
    server = shared_server
    store, catalogue = server.gateway.store, server.gateway.catalogue
    describe_dataset(server.gateway, "m1", INFO, who="ana")
    describe_dataset(server.gateway, "secret", DatasetInfo(title="Closed"), who="bo")
    put_volume(store, "m1/raw")
    put_volume(store, "m1/masks", labels=True)
    random = np.random.default_rng(2)
    z, y, x = random.uniform(0, 100, (3, 500))
    columns = {"z_um": z, "y_um": y, "x_um": x, "size": random.normal(5, 1, 500)}
    write_points(store, "m1/cells.points.parquet", columns, made_by="run-2")
    source = SourceFile(path="/inbox/ana/a.tif", size=10, checksum="sha256:0")
    catalogue.put_run(run_record("run-1", ["secret/plan"], ["m1/raw"], sources=(source,)))
    catalogue.put_run(run_record("run-2", ["m1/raw"], ["m1/cells"]))
    catalogue.put_run(run_record("run-3", ["m1/raw"], ["secret/copy"]))
    for name in ("raw", "masks", "cells"):
        record_entry(store, catalogue, parse_ref(f"m1/{name}"))
    return server


@pytest.fixture(scope="module")
def come(lab):
    """Yield what opens a client of somebody: `come("vera", m1=Role.VIEWER)`."""
    with ExitStack() as stack:
        yield lambda person=None, **roles: stack.enter_context(lab.client(person, **roles))


@pytest.fixture(scope="module")
def viewer(come):
    return come("vera", m1=Role.VIEWER)


@pytest.fixture(scope="module")
def editor(come):
    return come("edda", m1=Role.EDITOR)


@pytest.fixture(scope="module")
def browser(lab):
    with closing(lab.browser()) as client:
        yield client


def test_the_page_shows_what_it_holds_and_escapes_what_people_wrote(viewer):
    page = viewer.get("/d/m1")
    assert page.status_code == 200
    assert "Mouse &lt;b&gt;cortex&lt;/b&gt;" in page.text
    assert "<b>cortex" not in page.text
    for name in ("raw", "masks", "cells"):
        assert f'href="/d/m1/entries/{name}"' in page.text
    assert "70 \N{MULTIPLICATION SIGN} 60 \N{MULTIPLICATION SIGN} 50 voxels" in page.text
    assert "style=" not in page.text
    assert "<script>" not in page.text


def test_what_lies_in_closed_datasets_is_not_named(viewer, come):
    for path in ("/d/m1", "/d/m1/entries/raw", "/api/datasets/m1", "/api/datasets/m1/runs",
                 "/api/entries/m1/raw"):  # fmt: skip
        text = viewer.get(path).text
        assert "secret" not in text, path
        assert "/inbox" not in text, path
    runs = {run["id"]: run for run in viewer.get("/api/datasets/m1/runs").json()}
    assert runs["run-1"]["inputs"][0]["ref"] is None
    assert runs["run-1"]["files"] == 1
    both = come("ines", m1=Role.VIEWER, secret=Role.VIEWER)
    assert "secret/plan" in both.get("/d/m1").text


def test_provenance_is_a_picture_with_links_that_lead_somewhere(viewer):
    page = viewer.get("/d/m1").text
    drawn = re.search(r"<svg viewBox.*?</svg>", page, re.DOTALL)[0]
    svg = ET.fromstring(drawn)  # noqa: S314 - our own
    links = [a.get("href") for a in svg.iter("a")]
    assert {"/runs/run-1", "/runs/run-2", "/d/m1/entries/raw", "/d/m1/entries/cells"} <= set(links)
    for link in links:
        if "/entries/" in link:
            assert viewer.get(link).status_code == 200
    assert "The same in words" in page


def test_the_page_offers_what_one_may(viewer, editor, come):
    owner = come("olga", m1=Role.OWNER)
    offers = {"/d/m1/edit": 0, "/d/m1/share": 0}
    for client, wanted in ((viewer, ()), (editor, ("/d/m1/edit",)), (owner, tuple(offers))):
        page = client.get("/d/m1").text
        assert [href for href in offers if f'href="{href}"' in page] == list(wanted)


def test_a_tool_is_run_on_what_was_looked_at(editor):
    page = editor.get("/d/m1/entries/raw")
    tools = editor.get(re.search(r'href="(/tools\?image=[^"]+)"', page.text)[1])
    assert "detect_nuclei" in tools.text
    assert "/tools/stitch" not in tools.text  # it takes tiles
    form = editor.get(re.search(r'href="(/tools/smooth_gaussian\?[^"]+)"', tools.text)[1])
    assert form.status_code == 200
    assert "m1/raw" in form.text


def test_nobody_without_a_role_sees_anything(come):
    stranger, nobody = come("stig"), come()
    for path in ("/d/m1", "/d/m1/entries/raw", "/d/m1/history", "/api/datasets/m1",
                 "/api/tables/m1/cells", "/api/entries/m1/raw/thumbnail.png"):  # fmt: skip
        assert stranger.get(path).status_code == 403, path
        assert nobody.get(path).status_code == 401, path
    for client in (stranger, nobody):
        assert client.get("/api/datasets").json()["total"] == 0
        assert "m1" not in client.get("/", params={"q": "mouse"}).text.split("<main")[1].replace(
            'value="mouse"', ""
        )


def test_a_link_to_one_thing_shows_that_thing_alone(lab, come):
    _, token = make_link(lab.gateway, ROOT, "m1", "raw")
    base = f"/s/{token}"
    guest = come()
    for path in ("/", "/d/m1"):
        moved = guest.get(f"{base}{path}")
        assert moved.status_code == 303
    assert guest.get(f"{base}/d/m1").headers["location"] == f"{base}/d/m1/entries/raw"
    page = guest.get(f"{base}/d/m1/entries/raw")
    assert page.status_code == 200
    for hidden in ("masks", "cells", "secret", "Ana"):
        assert hidden not in page.text.split("<main")[1], hidden
    assert base in page.text
    told = guest.get(f"{base}/api/datasets/m1").json()
    assert [entry["name"] for entry in told["entries"]] == ["raw"]
    assert told["info"]["people"] == []
    assert base not in told["citation"]["text"]
    for path in ("/d/m1/entries/masks", "/api/tables/m1/cells", "/api/datasets/m1/runs",
                 "/d/m1/history", "/api/entries/m1/masks/thumbnail.png"):  # fmt: skip
        assert guest.get(f"{base}{path}").status_code == 403, path


def test_a_thumbnail_is_a_picture_that_is_asked_for_once(viewer):
    for name in ("raw", "masks", "cells"):
        answer = viewer.get(f"/api/entries/m1/{name}/thumbnail.png")
        assert answer.status_code == 200
        picture = Image.open(io.BytesIO(answer.content))
        assert max(picture.width / 480, picture.height / 360) == pytest.approx(1, abs=0.01)
        assert np.asarray(picture.convert("RGB")).std() > 5
        tag = answer.headers["etag"]
        again = viewer.get(answer.url, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


def test_a_table_is_told_by_column_and_by_box(viewer):
    told = viewer.get("/api/tables/m1/cells", params={"limit": 3}).json()
    assert (told["total"], len(told["rows"]), told["looked_at"]) == (500, 3, 500)
    assert {column["name"] for column in told["summary"]} == {"z_um", "y_um", "x_um", "size"}
    box = {"box": "0,0,0,50,50,50", "column": ["x_um"]}
    inside = viewer.get("/api/tables/m1/cells", params=box).json()
    assert 0 < inside["total"] < 500
    assert inside["columns"] == ["x_um"]
    assert all(0 <= row[0] < 50 for row in inside["rows"])
    page = viewer.get("/d/m1/entries/cells", params={"box": "0,0,0,50,50,50"})
    assert f"{inside['total']} rows in the box" in page.text
    assert page.text.count('class="histogram"') == 4


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/tables/m1/cells?box=1,2", 400, "z0,y0,x0,z1,y1,x1"),
        ("/api/tables/m1/cells?limit=0", 422, "limit"),
        ("/api/tables/m1/cells?column=none", 404, "no column 'none'"),
        ("/api/tables/m1/raw", 422, "which has no columns"),
        ("/api/entries/m1/nothing", 404, "there is no m1/nothing"),
        ("/api/entries/m1/raw../thumbnail.png", 400, "not allowed"),
        ("/api/datasets?page=0", 422, "page"),
        ("/api/datasets?sort=odd", 422, "sort"),
    ],
)
def test_what_cannot_be_answered_is_explained(viewer, path, status, said):
    answer = viewer.get(path)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_an_editor_changes_the_description_and_others_may_not(viewer, editor, come):
    base = editor.get("/api/datasets/m1").json()["version"]
    body = {"base": base, "changes": {"stain": "NeuN"}, "note": "seen"}
    assert viewer.patch("/api/datasets/m1", json=body).status_code == 403
    made = editor.patch("/api/datasets/m1", json=body)
    assert made.status_code == 200
    assert made.json()["version"] == base + 1
    again = editor.patch("/api/datasets/m1", json=body | {"changes": {"stain": "TH"}})
    assert again.status_code == 409
    assert "changed by edda" in again.json()["error"]["message"]
    bad = editor.patch("/api/datasets/m1", json={"base": base + 1, "changes": {"date": "soon"}})
    assert bad.status_code == 422
    odd = editor.patch("/api/datasets/m1", json={"base": base + 1, "changes": {"colour": "red"}})
    assert odd.status_code == 422
    history = viewer.get("/api/datasets/m1/history").json()
    assert (history[0]["who"], history[0]["info"]["stain"]) == ("edda", "NeuN")
    path = f"/api/datasets/m1/history/{base}/restore"
    assert viewer.post(path, json={"base": base + 1}).status_code == 403
    assert editor.post(path, json={"base": base + 1}).json()["info"]["stain"] == ""
    found = come("finn", m1=Role.VIEWER).get("/api/datasets", params={"q": "NeuN"})
    assert found.json()["total"] == 0


def test_the_form_keeps_what_was_typed_when_somebody_else_was_faster(browser):
    form = browser.get("/d/m1/edit").text
    typed = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) | {"title": "Mine"}
    first = browser.post("/d/m1/edit", data=typed | {"title": "Theirs"})
    assert first.status_code == 303
    late = browser.post("/d/m1/edit", data=typed)
    assert late.status_code == 409
    assert 'value="Mine"' in late.text
    assert "Now there: Theirs" in late.text
    base = re.search(r'name="base" value="(\d+)"', late.text)[1]
    assert browser.post("/d/m1/edit", data=typed | {"base": base}).status_code == 303
    history = browser.get("/d/m1/history")
    assert "<del>Theirs</del> <ins>Mine</ins>" in history.text
    wrong = browser.post("/d/m1/edit", data=typed | {"base": "99", "date": "x"})
    assert wrong.status_code == 409
    other = browser.post("/d/m1/edit", data=typed, headers={"Origin": "https://evil.example"})
    assert other.status_code == 403


def test_a_dataset_copied_in_by_hand_is_shown_with_the_way_to_list_it(lab, browser):
    write_points(
        lab.gateway.store,
        "by_hand/p.points.parquet",
        {name: np.zeros(3) for name in ("z_um", "y_um", "x_um")},
    )
    page = browser.get("/d/by_hand")
    assert page.status_code == 200
    assert "gateway catalog rebuild" in page.text
    assert 'href="/d/by_hand/entries/p"' in page.text


def test_an_open_dataset_is_seen_by_those_who_are_not_signed_in(lab, come):
    describe_dataset(lab.gateway, "open", DatasetInfo(title="For all"))
    grant(lab.gateway, "open", "everyone", Role.VIEWER)
    nobody = come()
    assert nobody.get("/d/open").status_code == 200
    assert "For all" in nobody.get("/").text
    assert nobody.get("/d/open/edit").status_code == 401


def test_a_thing_is_sent_to_galaxy_where_there_is_one(lab, viewer, come):
    button, action = "Send raw to Galaxy", "/d/m1/entries/raw/galaxy"
    assert button not in viewer.get("/d/m1").text
    assert "this gateway has no Galaxy" in viewer.post(action).text
    folder = lab.gateway.home / "galaxy"
    folder.mkdir()
    try:
        (folder / "admin_key.secret").write_text("key")
        page = viewer.get("/d/m1").text
        assert button in page
        assert f'action="{action}"' in page
        assert come("stranger").post(action).status_code in (403, 404)
        answer = viewer.post(action)
        assert "it was not sent to Galaxy: " in answer.text, "it does not run"
        assert "history <em>Brain Gateway</em>" in viewer.get("/d/m1?sent=galaxy").text
    finally:
        (folder / "admin_key.secret").unlink()
        folder.rmdir()
