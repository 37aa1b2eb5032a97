"""Layers as files over HTTP, queues over HTTP, and what lies in the store after a stop."""

import json
import time

import pytest

from gateway.service.access.actor import Role
from gateway.volumes.layers import read_manifest

POINT = {"op": "create", "points": [[10.0, 20.0, 30.0]], "properties": {"score": 0.5}}


@pytest.fixture(scope="module")
def lab(shared_server, put_volume):
    put_volume(shared_server.gateway.store, "brain/raw")
    return shared_server


@pytest.fixture
def brain(home, serving, put_volume):
    with serving(home, GATEWAY_WEB_WORKERS="2") as running:
        put_volume(running.gateway.store, "brain/raw")
        yield running


def make(client, name: str) -> str:
    body = {"name": name, "volume": "raw", "classes": ["neuron"]}
    assert client.post("/api/layers/brain", json=body).status_code == 201
    return f"/api/layers/brain/{name}"


def test_layers_lie_in_the_store_soon_and_when_the_service_stops(brain) -> None:
    store = brain.gateway.store
    with brain.client("eve", brain=Role.EDITOR) as eve:
        path = make(eve, "kept")
        eve.post(f"{path}/edits", json={"base": 0, "edits": [POINT]})
        deadline = time.monotonic() + 60
        while (read_manifest(store, "brain", "kept") or {}).get("version") != 1:
            assert time.monotonic() < deadline, "a layer at rest is not written"
            time.sleep(0.2)
        told = eve.post(f"{path}/edits", json={"base": 1, "edits": [POINT]}).json()
        assert told["version"] == 2
    brain.process.terminate()
    brain.process.wait(timeout=60)
    manifest = read_manifest(store, "brain", "kept")
    assert (manifest["version"], manifest["count"]) == (2, 2)


@pytest.mark.parametrize("form", ["json", "csv", "hdf5", "parquet"])
def test_a_layer_goes_out_and_comes_in(lab, form) -> None:
    with lab.client("eve", brain=Role.EDITOR) as eve:
        path, other = make(eve, f"one-{form}"), make(eve, f"two-{form}")
        eve.post(f"{path}/edits", json={"base": 0, "edits": [POINT, {**POINT, "class": "neuron"}]})
        out = eve.get(f"{path}/export", params={"format": form})
        assert out.status_code == 200, out.text
        sent = out.headers["content-disposition"]
        assert sent.startswith(f'attachment; filename="brain-one-{form}.')
        taken = eve.post(
            f"{other}/import", params={"format": form, "key": "k"}, content=out.content
        )
        again = eve.post(
            f"{other}/import", params={"format": form, "key": "k"}, content=out.content
        )
        assert taken.json() == again.json() == {"version": 1, "count": 2}
        same = [
            [{**item, "version": 0} for item in eve.get(f"{p}/objects").json()["objects"]]
            for p in (path, other)
        ]
        assert same[0] == same[1]
        bad = eve.post(f"{other}/import", params={"format": form}, content=b"\x00nothing")
        assert bad.status_code == 422
        assert "expected" in bad.json()["error"]["message"]
        late = eve.get(f"{path}/export", params={"format": form, "version": 9})
        assert late.status_code == 422
        with lab.client("vic", brain=Role.VIEWER) as vic:
            assert vic.get(f"{path}/export").status_code == 200
            assert vic.post(f"{path}/import", content=b"{}").status_code == 403


def test_a_queue_is_worked_off_by_two(lab) -> None:
    with lab.client("eve", brain=Role.EDITOR) as eve:
        path = make(eve, "many")
        edits = [{**POINT, "properties": {"score": n / 10}} for n in range(6)]
        eve.post(f"{path}/edits", json={"base": 0, "edits": edits})
        queue = eve.post(f"{path}/queues", json={"column": "score", "descending": True}).json()
        where = f"{path}/queues/{queue['id']}"
        clients = [lab.client(name, brain=Role.ANNOTATOR) for name in ("ana", "ben")]
        hands = [client.post(f"{where}/next", json={}).json() for client in clients]
        assert [told["object"]["id"] for told in hands] == [6, 5]
        while any(told and told["object"] for told in hands):
            for place, client in enumerate(clients):
                told = hands[place]
                if told["object"] is None:
                    continue
                number = told["object"]["id"]
                body = {
                    "object": number,
                    "base": told["version"],
                    "edits": [{"op": "set", "id": number, "status": "accepted"}],
                    "seconds": 1.5,
                }
                answer = client.post(f"{where}/decisions", json=body)
                assert answer.status_code == 200, answer.text
                hands[place] = answer.json()["next"]
        shown = eve.get(where).json()
        assert (shown["done"], shown["left"], shown["measured"]["mean_s"]) == (6, 0, 1.5)
        assert [each["person"] for each in shown["people"]] == ["ana", "ben"]
        statuses = [item["status"] for item in eve.get(f"{path}/objects").json()["objects"]]
        assert statuses == ["accepted"] * 6
        taken = clients[0].post(f"{where}/decisions", json={"object": 5, "base": 1})
        assert taken.status_code == 409
        for client in clients:
            client.close()
        assert eve.delete(where).status_code == 204


def test_a_body_that_is_no_object_is_refused(lab) -> None:
    with lab.client("eve", brain=Role.EDITOR) as eve:
        path = make(eve, "odd")
        for body in ("[]", '{"base": 0}', '{"base": "x", "edits": []}', '{"base":0,"edits":[1]}'):
            headers = {"Content-Type": "application/json"}
            answer = eve.post(f"{path}/edits", content=body, headers=headers)
            assert answer.status_code == 422, body
        text = json.dumps({"base": 0, "edits": [{**POINT, "comment": "\ud800"}]})
        answer = eve.post(
            f"{path}/edits", content=text, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text
