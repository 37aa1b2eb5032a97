"""The client in a frame of another page: passes open it, and only links may be framed elsewhere."""

from contextlib import closing

import httpx
import pytest

from gateway.service.access.actor import Role


@pytest.fixture(scope="module")
def ana(brain_server):
    with closing(brain_server.client("ana", brain=Role.VIEWER)) as client:
        yield client


def test_a_viewer_gets_a_pass_that_shows_the_dataset_and_nothing_else(ana, brain_server) -> None:
    made = ana.post("/api/passes", json={"dataset": "brain"})
    assert made.status_code == 201, made.text
    said = made.json()
    assert said["url"] == f"{brain_server.url}{said['path']}"
    with httpx.Client(base_url=said["url"], timeout=30) as frame:
        state = frame.get("api/state/brain", params={"entry": "image"}).json()
        source = state["layers"][0]["source"]["url"].removesuffix("|zarr3:")
        assert source.startswith(said["url"])
        found = frame.get(f"{source}zarr.json")
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == "*"
        assert frame.get("api/datasets/other").status_code == 403
        assert frame.post("api/passes", json={"dataset": "brain"}).status_code == 403
    assert ana.post("/api/passes", json={"dataset": "elsewhere"}).status_code == 403
    assert ana.post("/api/passes", json={"dataset": "brain", "hours": 25}).status_code == 422


def test_the_client_with_the_bridge_may_be_framed_by_whoever_has_a_link(ana) -> None:
    path = ana.post("/api/passes", json={"dataset": "brain"}).json()["path"]
    page = ana.get(f"{path}v/embedded/")
    assert page.text.count("viewer-embed.js") == 1
    assert "frame-ancestors http: https:" in page.headers["content-security-policy"]
    assert ana.get(f"{path}static/viewer-embed.js").status_code == 200
    own = ana.get("/v/embedded/")
    assert "frame-ancestors 'self'" in own.headers["content-security-policy"]
    script = next(part.split('"')[0] for part in page.text.split('src="') if "main." in part[:5])
    assert ana.get(f"{path}v/embedded/{script}").status_code == 200
    assert ana.get(f"{path}v/embedded/nothing.js").status_code == 404
    assert "viewer-embed" not in ana.get(f"{path}v/any/").text
