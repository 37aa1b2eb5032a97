"""States, saved views and the doctor over HTTP: rights, versions, and addresses of who looks."""

import threading

import httpx
import pytest

from gateway.service.access.actor import Actor, Role
from gateway.service.access.links import make_link
from gateway.service.rebuild import rebuild_catalogue

OWNER = Actor(person="root", administrator=True)


@pytest.fixture
def ana(brain_server):
    with brain_server.client("ana", brain=Role.VIEWER) as client:
        yield client


def save(client, **more):
    state = client.get("/api/state/brain").json()
    answer = client.post(
        "/api/views", json={"dataset": "brain", "name": "A", "state": state, **more}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_state_names_the_address_of_who_asks(ana, brain_server) -> None:
    state = ana.get("/api/state/brain").json()
    source = f"{brain_server.url}/data/brain/image.ome.zarr/"
    assert state["layers"][0]["source"]["url"] == f"{source}|zarr3:"
    assert ana.get(f"{source}zarr.json").status_code == 200
    some = ana.get("/api/state/brain", params={"entry": ["cells", "labels"]}).json()
    assert [layer["name"] for layer in some["layers"]] == ["cells", "labels"]
    one = ana.get("/api/state/brain/of/labels").json()
    assert [layer["name"] for layer in one["layers"]] == ["labels"]
    assert ana.get("/api/state/brain", params={"entry": "none"}).status_code == 404


def test_a_link_gets_a_state_of_what_it_opens_that_works_without_signing_in(brain_server) -> None:
    _, token = make_link(brain_server.gateway, OWNER, "brain", "labels")
    root = f"{brain_server.url}/s/{token}"
    state = httpx.get(f"{root}/api/state/brain").json()
    assert [layer["name"] for layer in state["layers"]] == ["labels"]
    source = state["layers"][0]["source"]["url"].removesuffix("|zarr3:")
    assert source.startswith(root)
    assert httpx.get(f"{source}zarr.json").status_code == 200
    refused = httpx.get(f"{root}/api/state/brain", params={"entry": "image"})
    assert refused.status_code == 404
    assert "cells" not in refused.text
    assert httpx.get(f"{root}/api/state/brain/of/image").status_code == 403
    assert httpx.get(f"{root}/api/doctor/brain/image").status_code == 403


def test_points_are_fetched_as_the_state_names_them(ana) -> None:
    layers = ana.get("/api/state/brain").json()["layers"]
    source = layers[-1]["source"]["url"].removeprefix("precomputed://")
    info = ana.get(f"{source}/info").json()
    assert info["@type"] == "neuroglancer_annotations_v1"
    cell = ana.get(f"{source}/{info['spatial'][0]['key']}/0_0_0")
    assert cell.status_code == 200
    assert int.from_bytes(cell.content[:8], "little") > 3000


def test_two_volumes_against_each_other(ana) -> None:
    query = {"first": "image", "second": "labels", "mode": "checkerboard"}
    state = ana.get("/api/state/brain/compare", params=query).json()
    assert [layer["name"] for layer in state["layers"]] == [
        "first: image · nuclei", "second: labels",
    ]  # fmt: skip
    assert "emitTransparent" in state["layers"][1]["shader"]
    blend = ana.get("/api/state/brain/compare", params=query | {"mode": "blend"}).json()
    assert [layer["blend"] for layer in blend["layers"]] == ["additive", "additive"]
    beside = ana.get("/api/state/brain/compare", params=query | {"mode": "opposing"}).json()
    assert [child["layers"] for child in beside["layout"]["children"]] == [
        ["first: image · nuclei"], ["second: labels"],
    ]  # fmt: skip
    neuroglancer = pytest.importorskip("neuroglancer")
    for one in (state, blend, beside):
        neuroglancer.ViewerState(one)
    for wrong, status in (
        ({"second": "cells"}, 422),
        ({"second": "none"}, 404),
        ({"second": "image"}, 422),
        ({"second_channel": 3}, 400),
        ({"mode": "stereo"}, 422),
    ):
        answer = ana.get("/api/state/brain/compare", params=query | wrong)
        assert answer.status_code == status, answer.text


def test_every_save_is_a_version_and_a_stale_one_is_refused(ana) -> None:
    made = save(ana)
    assert made["version"] == 1
    url = f"/api/views/{made['id']}"
    state = ana.get(url).json()["state"]
    state["position"] = [1, 2, 3]
    second = ana.put(url, json={"version": 1, "state": state, "name": "B"})
    assert second.status_code == 200, second.text
    assert (second.json()["version"], second.json()["name"]) == (2, "B")
    stale = ana.put(url, json={"version": 1, "state": state})
    assert stale.status_code == 409
    assert "version 2" in stale.text
    assert ana.get(url).json()["state"]["position"] == [1, 2, 3]
    first = ana.get(url, params={"version": 1}).json()
    assert first["state"]["position"] != [1, 2, 3]
    assert (first["version"], first["latest"], first["name"]) == (1, 2, "A")
    versions = ana.get(f"{url}/versions").json()
    assert [(v["version"], v["name"], v["who"]) for v in versions] == [
        (2, "B", "ana"), (1, "A", "ana"),
    ]  # fmt: skip
    assert ana.get(url, params={"version": 9}).status_code == 404
    listed = {view["id"]: view for view in ana.get("/api/views/of/brain").json()}
    assert listed[made["id"]]["name"] == "B"


def test_of_saves_at_once_one_wins_and_the_others_are_told(ana) -> None:
    made = save(ana)
    url = f"/api/views/{made['id']}"
    state = ana.get(url).json()["state"]
    answers = []

    def change(number: int) -> None:
        body = {"version": 1, "state": state | {"position": [number, 0, 0]}}
        answers.append((ana.put(url, json=body).status_code, number))

    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for status, number in answers if status == 200]
    assert sorted(status for status, _ in answers) == [200] + [409] * 5
    kept = ana.get(url).json()
    assert kept["version"] == 2
    assert kept["state"]["position"][0] == winners[0]


def test_no_share_link_is_kept_in_a_view_and_each_reader_gets_an_own_address(
    ana, brain_server
) -> None:
    _, token = make_link(brain_server.gateway, OWNER, "brain")
    root = f"{brain_server.url}/s/{token}"
    state = httpx.get(f"{root}/api/state/brain").json()
    assert token in str(state)
    made = save(ana, state=state)
    at_rest = brain_server.gateway.store.get(f"brain/views/{made['id']}.json").decode()
    assert token not in at_rest
    assert brain_server.url not in at_rest
    mine = ana.get(f"/api/views/{made['id']}").json()["state"]
    assert mine["layers"][0]["source"]["url"].startswith(f"{brain_server.url}/data/brain/image")
    assert token not in str(mine)
    other = httpx.get(f"{root}/api/views/{made['id']}").json()["state"]
    assert other["layers"][3]["source"]["url"] == f"precomputed://{root}/data/brain/cells.points"


def test_views_are_read_and_changed_by_whom_it_concerns(ana, brain_server) -> None:
    made = save(ana)
    url = f"/api/views/{made['id']}"
    body = {"version": 1, "state": {"layers": []}}
    assert httpx.get(f"{brain_server.url}{url}").status_code == 401
    with brain_server.client("eve") as eve:
        assert eve.get(url).status_code == 403
        assert eve.get(f"{url}/versions").status_code == 403
        assert eve.get("/api/views/of/brain").status_code == 403
        assert eve.put(url, json=body).status_code == 403
        assert eve.delete(url).status_code == 403
        new = {"dataset": "brain", "name": "x", "state": {"layers": []}}
        assert eve.post("/api/views", json=new).status_code == 403
    with brain_server.client("bob", brain=Role.VIEWER) as bob:
        assert bob.get(url).status_code == 200
        refused = bob.put(url, json=body)
        assert refused.status_code == 403
        assert "as a new view" in refused.text
    with brain_server.client("kim", brain=Role.EDITOR) as kim:
        assert kim.put(url, json=body).status_code == 200
        assert kim.delete(url).status_code == 204
    assert ana.get(url).status_code == 404
    assert not brain_server.gateway.store.exists(f"brain/views/{made['id']}.json")
    _, token = make_link(brain_server.gateway, OWNER, "brain")
    answer = httpx.post(f"{brain_server.url}/s/{token}/api/views", json=new)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"state": {}}, "layers"),
        ({"state": {"layers": "x"}}, "layers"),
        ({"state": {"layers": [], "big": "x" * 1_000_001}}, "1,000,000"),
        ({"state": []}, "state"),
        ({"name": " "}, "called"),
        ({"name": "a\nb"}, "called"),
        ({"name": "x" * 201}, "name"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_no_view_is_told(ana, body, words) -> None:
    new = {"dataset": "brain", "name": "A", "state": {"layers": []}} | body
    answer = ana.post("/api/views", json=new)
    assert answer.status_code == 422, answer.text
    assert words in answer.text


def test_ids_that_are_none_are_not_found(ana) -> None:
    for view in ("none", "abcd2345", "x" * 300, "%2e%2e", "a%00b"):
        assert ana.get(f"/api/views/{view}").status_code == 404


def test_views_come_back_from_the_folder_of_the_dataset(ana, brain_server) -> None:
    made = save(ana)
    url = f"/api/views/{made['id']}"
    state = ana.get(url).json()["state"]
    ana.put(url, json={"version": 1, "state": state, "name": "B"})
    before = ana.get(url).json()
    store = brain_server.gateway.store
    kept = store.get(f"brain/views/{made['id']}.json")
    assert ana.delete(url).status_code == 204
    store.put(f"brain/views/{made['id']}.json", kept)
    store.put("brain/views/broken22.json", b"{}")
    report = rebuild_catalogue(brain_server.gateway)
    store.delete("brain/views/broken22.json")
    assert any("broken22" in problem for problem in report.problems)
    assert ana.get(url).json() == before
    assert len(ana.get(f"{url}/versions").json()) == 2


def test_who_saved_and_cut_out_is_written_down(ana, brain_server) -> None:
    made = save(ana)
    assert ana.get("/api/cutout/brain/image?box=0:8,0:8,0:8").status_code == 200
    root = brain_server.browser()
    told = root.get("/api/audit", params={"dataset": "brain"}).text
    root.close()
    assert "view saved" in told
    assert made["id"] in told
    assert "0:8,0:8,0:8" in told


def test_the_doctor_answers_over_http(ana) -> None:
    answer = ana.get("/api/doctor/brain/image").json()
    assert answer["ref"] == "brain/image"
    assert {finding["severity"] for finding in answer["findings"]} == {"good"}
    refused = ana.get("/api/doctor/brain/image", params={"status": 403}).json()
    assert refused["findings"][0]["code"] == "request"
    assert ana.get("/api/doctor/brain/none").status_code == 404
    assert ana.get("/api/doctor/brain/image", params={"status": 9999}).status_code == 422
