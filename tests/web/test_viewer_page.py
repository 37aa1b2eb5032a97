"""The pages of the viewer and of review, and the stock client they frame."""

from contextlib import closing

import httpx
import pytest

from gateway.service.access.actor import Role


@pytest.fixture(scope="module")
def ana(brain_server):
    with closing(brain_server.client("ana", brain=Role.ANNOTATOR)) as client:
        yield client


@pytest.fixture(scope="module")
def boss(brain_server):
    with closing(brain_server.browser()) as client:
        yield client


@pytest.fixture(scope="module")
def layer(boss):
    answer = boss.get("/api/datasets/brain").json()
    volume = next(e["name"] for e in answer["entries"] if e["kind"] == "image")
    body = {"name": "cells", "volume": volume, "classes": ["neuron"]}
    assert boss.post("/api/layers/brain", json=body).status_code == 201
    return "cells"


def test_the_client_is_served_as_it_came_but_for_one_script(boss) -> None:
    page = boss.get("/v/any/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    assert page.text.count("viewer-quiet.js") == 1
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert page.headers["referrer-policy"] == "no-referrer"


def test_its_files_are_packed_and_kept(boss, brain_server) -> None:
    page = boss.get("/v/any/").text
    script = next(part.split('"')[0] for part in page.split('src="') if part.startswith("main."))
    packed = boss.get(f"/v/any/{script}")
    assert packed.headers["content-encoding"] == "gzip"
    assert "immutable" in packed.headers["cache-control"]
    plain = httpx.get(f"{brain_server.url}/v/any/{script}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content


@pytest.mark.parametrize("name", ["nothing.js", "..%2f..%2fserver.py", "main.js.map", "%00"])
def test_nothing_else_is_served_beside_it(boss, name) -> None:
    assert boss.get(f"/v/any/{name}").status_code in (400, 404)


def test_a_viewer_opens_the_page_and_a_stranger_does_not(ana, brain_server) -> None:
    page = ana.get("/d/brain/view")
    assert page.status_code == 200
    assert 'src="/v/gateway/"' in page.text
    assert " style=" not in page.text
    assert "<script>" not in page.text
    assert httpx.get(f"{brain_server.url}/d/brain/view").status_code == 401
    with closing(brain_server.client("eve")) as eve:
        assert eve.get("/d/brain/view").status_code == 403


def test_a_saved_view_has_a_page_for_those_who_may_see_it(ana, brain_server) -> None:
    state = ana.get("/api/state/brain").json()
    body = {"dataset": "brain", "name": "mine", "state": state}
    view = ana.post("/api/views", json=body).json()["id"]
    assert f'data-view="{view}"' in ana.get(f"/view/{view}").text
    with closing(brain_server.client("eve")) as eve:
        assert eve.get(f"/view/{view}").status_code in (403, 404)
    assert ana.get("/view/nosuch").status_code == 404


def test_the_review_page_follows_the_role(ana, layer, brain_server) -> None:
    page = ana.get(f"/d/brain/review/{layer}")
    assert page.status_code == 200
    assert 'data-may="yes"' in page.text
    assert " style=" not in page.text
    with closing(brain_server.client("vic", brain=Role.VIEWER)) as vic:
        told = vic.get(f"/d/brain/review/{layer}").text
        assert 'data-may=""' in told
        assert 'data-do="accept"' not in told
        assert 'id="new-layer"' not in vic.get("/d/brain/review").text
    assert ana.get("/d/brain/review/nosuch").status_code == 404


def test_the_layers_page_lists_and_offers_to_make(boss, layer) -> None:
    page = boss.get("/d/brain/review").text
    assert f'href="/d/brain/review/{layer}"' in page
    assert 'id="new-layer"' in page
