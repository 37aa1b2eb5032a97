"""Annotation layers over HTTP: made, read by box, edited by two, undone, restored, followed."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import httpx
import numpy as np
import pytest

from gateway.service.access.actor import Actor, Role
from gateway.service.access.links import make_link
from gateway.volumes.points import write_points

POINT = {"op": "create", "points": [[10.0, 20.0, 30.0]]}


@pytest.fixture(scope="module")
def brain(shared_server, put_volume):
    """Return a service with a volume `brain/raw` and 500 cells in `brain/cells`."""
    store = shared_server.gateway.store
    put_volume(store, "brain/raw")
    random = np.random.default_rng(5)
    columns = {
        name: random.random(500) * top for name, top in (("z_um", 270), ("y_um", 110), ("x_um", 90))
    }
    score = random.random(500)
    score[7] = np.nan
    kinds = np.asarray(["a", "b"])[random.integers(0, 2, 500)]
    write_points(store, "brain/cells.points.parquet", {**columns, "score": score, "kind": kinds})
    return shared_server


def client_of(brain, person: str, role: Role) -> Iterator[httpx.Client]:
    with brain.client(person, brain=role) as client:
        yield client


@pytest.fixture(scope="module")
def eve(brain):
    yield from client_of(brain, "eve", Role.EDITOR)


@pytest.fixture(scope="module")
def ana(brain):
    yield from client_of(brain, "ana", Role.ANNOTATOR)


@pytest.fixture(scope="module")
def ben(brain):
    yield from client_of(brain, "ben", Role.ANNOTATOR)


@pytest.fixture(scope="module")
def vic(brain):
    yield from client_of(brain, "vic", Role.VIEWER)


@pytest.fixture
def layer(eve) -> str:
    """Return the path of a fresh layer."""
    name = f"l{uuid.uuid4().hex[:8]}"
    body = {"name": name, "volume": "raw", "classes": ["neuron", "glia"]}
    answer = eve.post("/api/layers/brain", json=body)
    assert answer.status_code == 201, answer.text
    return f"/api/layers/brain/{name}"


def send(client: httpx.Client, path: str, base: int, *edits: dict, key: str | None = None) -> dict:
    answer = client.post(f"{path}/edits", json={"base": base, "edits": edits, "key": key})
    assert answer.status_code == 200, answer.text
    return answer.json()


def objects(client: httpx.Client, path: str, **query: object) -> list[dict]:
    found, after = [], None
    while True:
        params = {**query, **({"after": after} if after else {})}
        answer = client.get(f"{path}/objects", params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["objects"]
        after = answer.json()["next"]
        if after is None:
            return sorted(found, key=lambda item: item["id"])


def test_a_layer_is_made_told_and_deleted(eve, vic, layer) -> None:
    told = vic.get(layer).json()
    assert told["volume"] == "raw"
    assert told["bounds_um"] == [[-2, -1, -1], [278, 119, 99]]
    assert [(c["name"], c["key"]) for c in told["classes"]] == [("neuron", 1), ("glia", 2)]
    assert all(c["color"].startswith("#") for c in told["classes"])
    assert (told["version"], told["count"]) == (0, 0)
    names = [each["name"] for each in vic.get("/api/layers/brain").json()["layers"]]
    assert told["name"] in names
    assert eve.delete(layer).status_code == 204
    gone = vic.get(layer)
    assert gone.status_code == 404
    assert "has no annotation layer" in gone.json()["error"]["message"]


def test_a_layer_begins_with_the_cells_of_a_table(eve, vic) -> None:
    body = {
        "name": "found", "volume": "raw", "points": "cells", "classes": ["cell"], "label": "cell",
    }  # fmt: skip
    made = eve.post("/api/layers/brain", json=body)
    assert made.status_code == 201, made.text
    assert (made.json()["count"], made.json()["columns"]) == (500, ["score", "kind"])
    there = objects(vic, "/api/layers/brain/found", limit=77)
    assert [item["id"] for item in there] == list(range(1, 501))
    assert sum("score" not in item["properties"] for item in there) == 1
    assert {item["class"] for item in there} == {"cell"}
    box = "0:100,0:60,20:50"
    inside = [
        item["id"]
        for item in there
        if all(
            a <= at < b
            for at, (a, b) in zip(item["points"][0], ((0, 100), (0, 60), (20, 50)), strict=True)
        )
    ]
    assert [i["id"] for i in objects(vic, "/api/layers/brain/found", box=box)] == inside
    assert len(inside) > 10
    counts = vic.get("/api/layers/brain/found/counts").json()
    assert sum(cell[3] for cell in counts["cells"]) == 500
    taken = eve.post("/api/layers/brain", json=body)
    assert taken.status_code == 409


def test_edits_make_versions_that_can_be_followed(ana, vic, layer) -> None:
    first = send(ana, layer, 0, POINT, {**POINT, "class": "glia", "comment": "odd"})
    assert (first["version"], first["created"], first["conflicts"]) == (1, [1, 2], [])
    second = send(ana, layer, 1, {"op": "set", "id": 1, "status": "accepted"})
    third = send(ana, layer, 2, {"op": "delete", "id": 2})
    assert (second["version"], third["version"]) == (2, 3)
    told = vic.get(f"{layer}/edits", params={"since": 1}).json()
    assert [(b["version"], b["person"]) for b in told["batches"]] == [(2, "ana"), (3, "ana")]
    assert told["batches"][0]["edits"] == [
        {"id": 1, "before": {"status": "undecided"}, "after": {"status": "accepted"}}
    ]
    assert [item["status"] for item in objects(vic, layer)] == ["accepted"]
    assert [item["status"] for item in objects(vic, layer, version=1)] == ["undecided"] * 2
    assert objects(vic, layer, version=0) == []
    detail = vic.get(f"{layer}/objects/2").json()
    assert detail["object"] is None
    assert [step["version"] for step in detail["history"]] == [1, 3]


def test_edits_of_different_things_merge(ana, ben, layer) -> None:
    send(ana, layer, 0, POINT, POINT)
    send(ana, layer, 1, {"op": "set", "id": 1, "class": "neuron"})
    late = send(
        ben, layer, 1,
        {"op": "set", "id": 1, "points": [[11, 20, 30]], "properties": {"size": 3}},
        {"op": "set", "id": 2, "class": "glia"},
    )  # fmt: skip
    assert (late["applied"], late["conflicts"]) == (2, [])
    assert [batch["person"] for batch in late["missed"]] == ["ana"]
    send(ana, layer, 2, {"op": "set", "id": 1, "properties": {"shade": "dark"}})
    one = objects(ana, layer)[0]
    assert (one["class"], one["points"]) == ("neuron", [[11.0, 20.0, 30.0]])
    assert one["properties"] == {"size": 3, "shade": "dark"}


def test_a_conflict_is_shown_with_both_versions_and_not_applied(ana, ben, layer) -> None:
    send(ana, layer, 0, POINT, POINT, POINT)
    send(ana, layer, 1, {"op": "set", "id": 1, "class": "neuron"}, {"op": "delete", "id": 2})
    late = send(
        ben, layer, 1,
        {"op": "set", "id": 1, "class": "glia"},
        {"op": "set", "id": 2, "class": "glia"},
        {"op": "delete", "id": 1},
        {"op": "set", "id": 3, "class": "glia"},
    )  # fmt: skip
    assert late["applied"] == 1
    one, two, three = late["conflicts"]
    assert (one["edit"], one["id"], one["fields"]) == (0, 1, ["class"])
    assert one["yours"] == {"class": "glia"}
    assert (one["theirs"]["class"], one["by"], one["version"]) == ("neuron", "ana", 2)
    assert (two["edit"], two["theirs"], two["by"]) == (1, None, "ana")
    assert (three["edit"], three["yours"]) == (2, None)
    assert [item["class"] for item in objects(ana, layer)] == ["neuron", "glia"]
    same = send(ben, layer, 1, {"op": "set", "id": 1, "class": "neuron"}, {"op": "delete", "id": 2})
    assert (same["applied"], same["conflicts"]) == (0, []), "both wanted the same"


def test_a_batch_that_comes_twice_is_applied_once(ana, ben, layer) -> None:
    first = send(ana, layer, 0, POINT, key="k1")
    again = send(ana, layer, 0, POINT, key="k1")
    assert (again["version"], again["created"]) == (first["version"], [1])
    assert send(ben, layer, 0, POINT, key="k1")["created"] == [2], "a key is of one person"
    assert len(objects(ana, layer)) == 2


def test_each_undoes_their_own_and_never_over_others(ana, ben, layer) -> None:
    def step(client: httpx.Client, what: str) -> dict:
        return client.post(f"{layer}/{what}", json={}).json()

    send(ana, layer, 0, POINT)
    send(ben, layer, 1, {"op": "set", "id": 1, "class": "glia"})
    send(ana, layer, 2, {"op": "set", "id": 1, "comment": "here"})
    undone = step(ana, "undo")
    assert (undone["target"], undone["version"], undone["conflicts"]) == (3, 4, [])
    assert objects(ana, layer)[0]["comment"] == ""
    stuck = step(ana, "undo")
    assert (stuck["target"], stuck["applied"], stuck["version"]) == (1, 0, 4)
    assert (stuck["conflicts"][0]["by"], stuck["conflicts"][0]["theirs"]["class"]) == (
        "ben",
        "glia",
    )
    assert step(ben, "undo")["target"] == 2
    assert step(ana, "undo")["target"] == 1
    assert objects(ana, layer) == []
    assert step(ana, "undo")["target"] is None
    assert [step(ana, "redo")["target"] for _ in range(3)] == [1, 3, None]
    one = objects(ana, layer)[0]
    assert (one["id"], one["comment"], one["class"]) == (1, "here", None)
    assert step(ben, "redo")["target"] == 2
    assert objects(ana, layer)[0]["class"] == "glia"


def test_a_version_is_restored_as_a_new_one(ana, ben, layer) -> None:
    send(ana, layer, 0, POINT, {**POINT, "properties": {"n": 1}})
    before = objects(ana, layer)
    send(ana, layer, 1, {"op": "delete", "id": 1}, {"op": "set", "id": 2, "class": "glia"}, POINT)
    send(ben, layer, 2, {"op": "set", "id": 2, "properties": {"n": None, "m": 2}})
    body = {"version": 1, "base": 2}
    assert ana.post(f"{layer}/restore", json=body).status_code == 409
    answer = ana.post(f"{layer}/restore", json={"version": 1, "base": 3})
    assert answer.json()["version"] == 4

    def plain(items: list[dict]) -> list[dict]:
        return [{k: v for k, v in item.items() if k != "version"} for item in items]

    assert plain(objects(ana, layer)) == plain(before)
    assert len(objects(ana, layer, version=3)) == 2
    ana.post(f"{layer}/undo", json={})
    assert plain(objects(ana, layer)) == plain(objects(ana, layer, version=3))
    told = ana.get(f"{layer}/versions").json()["versions"]
    assert [(b["version"], b["action"]) for b in told][:2] == [(5, "undo"), (4, "restore")]


def test_what_has_an_extent_is_found_wherever_it_reaches(ana, layer) -> None:
    send(
        ana, layer, 0,
        {"op": "create", "shape": "line", "points": [[0, 0, 0], [270, 110, 90]]},
        {"op": "create", "shape": "box", "points": [[10, 10, 10], [12, 12, 12]]},
        {"op": "create", "shape": "polygon", "points": [[5, 5, 5], [5, 9, 5], [5, 5, 9]]},
    )  # fmt: skip
    assert [i["shape"] for i in objects(ana, layer, box="200:210,50:60,50:60")] == ["line"]
    assert [i["shape"] for i in objects(ana, layer, box="11:12,11:12,11:12")] == ["line", "box"]
    assert len(objects(ana, layer, box="0:20,0:20,0:20")) == 3
    moved = send(ana, layer, 1, {"op": "set", "id": 2, "points": [[100, 10, 10], [90, 12, 12]]})
    assert moved["applied"] == 1
    assert [i["id"] for i in objects(ana, layer, box="91:92,11:12,11:12")] == [1, 2]


def test_edits_come_as_server_sent_events(ana, vic, layer) -> None:
    send(ana, layer, 0, POINT)
    with vic.stream("GET", f"{layer}/events", params={"since": 0}) as stream:
        lines = stream.iter_lines()
        seen = [next(lines) for _ in range(5)]
        assert "event: batch" in seen
        assert "id: 1" in seen
        send(ana, layer, 1, POINT)
        data = next(line for line in lines if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))["version"] == 2


def test_roles_are_those_on_the_volume(brain, ana, vic, layer) -> None:
    edit = {"base": 0, "edits": [POINT]}
    assert vic.post(f"{layer}/edits", json=edit).status_code == 403
    for path in ("undo", "redo"):
        assert vic.post(f"{layer}/{path}", json={}).status_code == 403
    assert ana.delete(layer).status_code == 403
    assert ana.patch(layer, json={"classes": [], "base": 0}).status_code == 403
    assert ana.post("/api/layers/brain", json={"name": "x", "volume": "raw"}).status_code == 403
    with brain.client() as nobody:
        assert nobody.get(f"{layer}/objects").status_code == 401
        assert nobody.get("/api/layers/brain/none").status_code == 401
    with brain.client("stranger") as stranger:
        assert stranger.get(f"{layer}/objects").status_code == 403


def test_a_link_to_a_volume_annotates_its_layers_and_no_other(
    brain, eve, put_volume, layer
) -> None:
    put_volume(brain.gateway.store, "brain/other")
    name = f"o{uuid.uuid4().hex[:8]}"
    eve.post("/api/layers/brain", json={"name": name, "volume": "other"})
    owner = Actor(person="root", administrator=True)
    _, token = make_link(
        brain.gateway, owner, "brain", "raw", Role.ANNOTATOR, life=timedelta(hours=1)
    )
    with httpx.Client(base_url=f"{brain.url}/s/{token}", timeout=30) as guest:
        assert send(guest, layer, 0, POINT)["created"] == [1]
        told = guest.get(f"{layer}/versions").json()["versions"]
        assert told[0]["person"].startswith("link:")
        assert guest.get(f"/api/layers/brain/{name}").status_code == 403
        listed = guest.get("/api/layers/brain").json()["layers"]
        assert {each["volume"] for each in listed} == {"raw"}


BAD: list[tuple[dict | list, int, str]] = [
    ({"op": "set", "id": 99, "class": "glia"}, 404, "edit 0 names object 99"),
    ({"op": "set", "id": 1, "class": "bird"}, 422, "the class 'bird'; brain/"),
    ({"op": "set", "id": 1, "status": "fine"}, 422, "expected one of undecided, accepted"),
    ({"op": "set", "id": 1, "points": [[1, 2]]}, 422, "expected three finite numbers"),
    ({"op": "set", "id": 1, "points": [[1, 2, float("nan")]]}, 422, "expected three finite"),
    ({"op": "set", "id": 1, "points": [[1, 2, "3"]]}, 422, "expected three finite"),
    ({"op": "set", "id": 1, "points": [[1, 2, 900]]}, 400, "x = 900 um, outside the volume brain/"),
    ({"op": "set", "id": 1, "points": "here"}, 422, "expected a list of"),
    ({"op": "set", "id": 1, "colour": "red"}, 422, "sets 'colour'; expected some of shape"),
    ({"op": "set", "id": 1}, 422, "sets nothing"),
    ({"op": "set", "id": "1", "class": None}, 422, "the id '1'; expected the number"),
    ({"op": "set", "id": 1, "properties": {"a": [1]}}, 422, "the property 'a' to [1]"),
    ({"op": "set", "id": 1, "properties": {"id": 1}}, 422, "a column of every layer"),
    ({"op": "set", "id": 1, "comment": 5}, 422, "the comment '5'"),
    ({"op": "delete", "id": 1, "class": "glia"}, 422, "a deleted object has no fields"),
    ({"op": "explode", "id": 1}, 422, "the op 'explode'; expected one of create, set, delete"),
    ({"op": "create", "shape": "circle", "points": [[1, 2, 3]]}, 422, "the shape 'circle'"),
    ({"op": "create", "shape": "line", "points": [[1, 2, 3]]}, 422, "a line of 1 points"),
    ({"op": "create"}, 422, "expected a list of"),
]


@pytest.mark.parametrize(("edit", "status", "words"), BAD)
def test_a_bad_edit_is_refused_with_its_whole_batch(ana, layer, edit, status, words) -> None:
    send(ana, layer, 0, POINT)
    body = json.dumps({"base": 1, "edits": [edit, POINT]})
    answer = ana.post(f"{layer}/edits", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]
    assert len(objects(ana, layer)) == 1


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]


def test_bad_requests_say_what_was_expected(eve, ana, layer) -> None:
    def post(body: dict) -> httpx.Response:
        return ana.post(f"{layer}/edits", json=body)

    def make(body: dict) -> httpx.Response:
        return eve.post("/api/layers/brain", json=body)

    refused(post({"base": 7, "edits": []}), 422, "the base 7 is no version of")
    refused(post({"base": 0, "edits": [POINT] * 10_001}), 429, "at most 10000")
    refused(ana.get(f"{layer}/objects?box=1:2"), 400, "expected z0:z1,y0:y1,x0:x1")
    refused(ana.get(f"{layer}/objects?box=2:1,0:1,0:1"), 400, "is empty")
    refused(ana.get(f"{layer}/objects?box=nan:1,0:1,0:1"), 400, "not finite")
    refused(ana.get(f"{layer}/objects?after=x"), 422, "what `next` of the page before says")
    refused(ana.get(f"{layer}/objects?version=3"), 422, "no version of")
    refused(ana.get(f"{layer}/objects/5"), 404, "has no object 5")
    refused(ana.get(f"{layer}/edits?since=4"), 422, "no version of")
    refused(make({"name": "a", "volume": "nothing"}), 404, "there is no brain/nothing")
    refused(make({"name": "a", "volume": "cells"}), 422, "brain/cells is no volume")
    refused(make({"name": "a", "volume": "raw", "points": "raw"}), 422, "is no points table")
    refused(make({"name": "a/b", "volume": "raw"}), 400, "expected DATASET/NAME")
    twice = {"name": "a", "volume": "raw", "classes": ["n", "n"]}
    refused(make(twice), 422, "the name 'n' is given to two classes")


def test_classes_are_changed_from_what_was_seen(eve, ana, layer) -> None:
    body = {"classes": [{"name": "axon", "color": "#00ff00", "key": 3}], "base": 0}
    changed = eve.patch(layer, json=body)
    assert changed.json()["classes"] == body["classes"]
    refused(eve.patch(layer, json=body), 409, "were changed since version 0")
    assert send(ana, layer, 1, {**POINT, "class": "axon"})["version"] == 2
