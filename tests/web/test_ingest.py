"""Ingest over the web: inboxes, what is recognised, what is refused, uploads that go on."""

import base64
import hashlib
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from gateway.service.jobs.job import read_job


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "scope"
    (folder / "monday").mkdir(parents=True)
    rng = np.random.default_rng(7)
    np.save(folder / "monday" / "brain 7.npy", rng.integers(0, 99, (20, 30, 40)).astype(np.uint16))
    np.save(folder / "large.npy", rng.integers(0, 4000, (160, 256, 256)).astype(np.uint16))
    (folder / "notes.txt").write_text("hello")
    (tmp_path / "secret.npy").write_bytes(b"secret")
    (folder / "way-out.npy").symlink_to(tmp_path / "secret.npy")
    (folder / "linked").mkdir()
    (folder / "linked" / "a.npy").symlink_to(tmp_path / "secret.npy")
    (folder / ".hidden").write_text("hidden")
    return folder


@pytest.fixture
def server(serve, inbox):
    return serve(GATEWAY_INBOXES=f'["{inbox}"]')


def ended(client: httpx.Client, job: str) -> dict:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = client.get(f"/api/jobs/{job}").raise_for_status().json()
        if state["status"] not in ("queued", "running"):
            return state
        time.sleep(0.1)
    raise AssertionError(f"{job} did not end")


def test_from_the_inbox_to_the_volume(server, inbox) -> None:
    with server.client("ana") as ana:
        assert ana.get("/api/ingest/inboxes").json() == ["scope", "uploads"]
        listed = ana.get("/api/ingest/list", params={"place": "scope"}).json()
        names = [(item["name"], item["kind"]) for item in listed["items"]]
        assert names == [
            ("linked", "folder"),
            ("monday", "folder"),
            ("large.npy", "file"),
            ("notes.txt", "file"),
        ]
        assert listed["left_out"] == 1, "the link that leads out"
        place = "scope/monday/brain 7.npy"
        told = ana.post("/api/ingest/recognise", json={"place": place})
        seen = told.raise_for_status().json()
        assert (seen["what"], seen["kind"], seen["dtype"]) == ("volume", "image", "uint16")
        assert (seen["shape"], seen["voxel_um"]) == ([20, 30, 40], None)
        assert (seen["missing"], seen["bytes"]) == (["voxel_um"], 48000)
        assert seen["suggested_ref"] == "brain-7/raw"
        assert str(inbox) not in told.text
        body = {"place": place, "ref": "brain-7/raw"}
        refused = ana.post("/api/ingest", json=body)
        assert refused.status_code == 422
        assert "do not say how large their voxels are" in refused.text
        assert list(server.gateway.store.list("").folders) == [], "nothing was written"
        made = ana.post("/api/ingest", json={**body, "options": {"voxel_um": "2, 1, 1"}})
        assert made.status_code == 201, made.text
        assert made.json()["call"]["inputs"] == {"source": place}
        state = ended(ana, made.json()["id"])
        assert state["status"] == "done", state["error"]
        assert ana.get("/api/entries/brain-7/raw").status_code == 200, "it is ana's"
        run = server.gateway.catalogue.run(state["run"])
        assert run.person == "ana"
        assert run.sources[0].size == (inbox / "monday" / "brain 7.npy").stat().st_size
    with server.client("ben") as ben:
        assert ben.get("/api/entries/brain-7/raw").status_code == 403


PLACES = [
    ("scope/../secret.npy", (403, 404)),
    ("scope/way-out.npy", (403,)),
    ("scope/linked", (403,)),
    ("scope/linked/a.npy", (403,)),
    ("/etc/passwd", (404,)),
    ("scope/none.npy", (404,)),
    ("other/a.npy", (404,)),
    ("scope/\x00", (404,)),
    ("scope/" + "a" * 3000, (404,)),
    ("scope/notes.txt", (422,)),
]


def test_nothing_outside_an_inbox_is_opened(server, subtests) -> None:
    with closing(server.browser()) as boss:
        for place, statuses in PLACES:
            with subtests.test(place=place[:40]):
                told = boss.post("/api/ingest/recognise", json={"place": place})
                assert told.status_code in statuses, told.text
                body = {"place": place, "ref": "new/raw", "options": {"voxel_um": "1,1,1"}}
                assert boss.post("/api/ingest", json=body).status_code in statuses
                page = boss.get("/ingest/look", params={"place": place})
                assert page.status_code in (400, 403, 404, 422)
        assert boss.get("/api/jobs").json() == []


def test_the_page_shows_what_was_recognised_and_asks_for_what_is_missing(server) -> None:
    place = {"place": "scope/monday/brain 7.npy"}
    with closing(server.browser()) as boss:
        assert "/ingest?place=scope" in boss.get("/ingest").text
        assert "notes.txt" in boss.get("/ingest", params={"place": "scope"}).text
        text = boss.get("/ingest/look", params=place).text
        for words in ("an image volume", "the files do not say", 'value="brain-7/raw"'):
            assert words in text
        form = {"ref": "brain-7/raw", "voxel_um": "wide", "do": "run"}
        wrong = boss.post("/ingest/look", params=place, data=form)
        assert wrong.status_code == 422
        assert "three sizes above 0" in wrong.text
        wrong = boss.post("/ingest/look", params=place, data={**form, "voxel_um": "", "ref": ".."})
        assert wrong.status_code == 422
        again = boss.post(
            "/ingest/look", params=place, data={**form, "voxel_um": "2,1,1", "do": "look"}
        )
        assert ">the files do not say<" not in again.text
        good = boss.post("/ingest/look", params=place, data={**form, "voxel_um": "2 x 1 x 1"})
        assert good.status_code == 303, good.text
        job = good.headers["location"].rpartition("/")[2]
        assert ended(boss, job)["status"] == "done"
        assert "scope/monday/brain 7.npy" in boss.get(f"/runs/{job}").text


@pytest.mark.slow
def test_an_ingest_that_was_killed_goes_on(server, inbox) -> None:
    body = {"place": "scope/large.npy", "ref": "large/raw", "options": {"voxel_um": "2,1,1"}}
    with server.client("ana") as ana:
        job = ana.post("/api/ingest", json=body).raise_for_status().json()["id"]
        deadline = time.monotonic() + 60
        while not read_job(server.gateway, job).run and time.monotonic() < deadline:
            time.sleep(0.02)
        psutil.Process(read_job(server.gateway, job).pid).send_signal(signal.SIGKILL)
        assert ended(ana, job)["status"] == "interrupted"
        ana.post(f"/api/jobs/{job}/resume").raise_for_status()
        state = ended(ana, job)
        assert state["status"] == "done", state["error"]
        ana.post("/api/ingest", json={**body, "ref": "large/again"}).raise_for_status()
        os.unlink(inbox / "large.npy")  # noqa: PTH108 - the source is taken away under the job
        refused = ana.post("/api/ingest", json=body)
        assert refused.status_code == 404


def piece_headers(piece: bytes) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
    return {"Content-Digest": f"sha-256=:{digest}:"}


@pytest.mark.slow
def test_an_upload_that_was_interrupted_goes_on_and_is_ingested(serve, home, tmp_path) -> None:
    path = tmp_path / "mine.npy"
    np.save(path, np.random.default_rng(1).integers(0, 999, (16, 32, 32)).astype(np.uint16))
    content = path.read_bytes()
    named = {"name": "mine.npy", "size": len(content)}
    first = serve()
    with first.client("ana") as ana:
        begun = ana.post("/api/uploads", json=named).raise_for_status().json()
        assert begun["offset"] == 0
        url = f"/api/uploads/{begun['id']}"
        half = content[:20_000]
        sent = ana.put(url, params={"offset": 0}, content=half, headers=piece_headers(half))
        assert sent.json()["offset"] == 20_000
    first.process.kill()
    first.process.wait(timeout=30)
    second = serve()
    with second.client("ana") as ana:
        again = ana.post("/api/uploads", json=named).json()
        assert (again["id"], again["offset"]) == (begun["id"], 20_000)
        gap = ana.put(url, params={"offset": 30_000}, content=b"later")
        assert gap.status_code == 409
        assert "go on at 20000" in gap.json()["error"]["message"]
        changed = ana.put(
            url, params={"offset": 20_000}, content=b"changed", headers=piece_headers(b"as it was")
        )
        assert changed.status_code == 422
        assert ana.get(url).json()["offset"] == 20_000, "nothing of it was kept"
        early = ana.post(f"{url}/finish", json={})
        assert early.status_code == 409
        rest = content[20_000:]
        same = ana.put(url, params={"offset": 0}, content=half, headers=piece_headers(half))
        assert same.json()["offset"] == 20_000, "the same piece again is harmless"
        ana.put(url, params={"offset": 20_000}, content=rest, headers=piece_headers(rest))
        done = ana.post(f"{url}/finish", json={"sha256": hashlib.sha256(content).hexdigest()})
        assert done.raise_for_status().json()["place"] == "uploads/mine.npy"
        body = {"place": "uploads/mine.npy", "ref": "mine/raw", "options": {"voxel_um": "1,1,1"}}
        job = ana.post("/api/ingest", json=body).raise_for_status().json()
        assert ended(ana, job["id"])["status"] == "done"
        taken = ana.post("/api/uploads", json={**named, "size": 3})
        assert taken.status_code == 409
    with second.client("ben") as ben:
        assert ben.get(url).status_code == 403
        assert ben.put(url, params={"offset": 0}, content=b"x").status_code == 403
        assert ben.delete(url).status_code == 403
        assert ben.post("/api/ingest/recognise", json={"place": "uploads/mine.npy"}).is_error
        assert ben.get("/api/uploads").json()["uploads"] == []
    with second.client("ana") as ana:
        assert ana.delete(url).status_code == 204
        assert not list((home / "uploads").rglob("mine.npy"))


def test_an_upload_keeps_to_its_limits(serve, home) -> None:
    server = serve(GATEWAY_UPLOAD="1000")
    with server.client("ana") as ana:
        large = ana.post("/api/uploads", json={"name": "a.npy", "size": 1001})
        assert large.status_code == 429
        assert "at most 1,000 may be uploaded" in large.json()["error"]["message"]
        for name in ("../a.npy", "a/b", "", ".hidden", "a\x00b", "é" * 180):
            assert ana.post("/api/uploads", json={"name": name, "size": 10}).status_code == 422
        assert ana.post("/api/uploads", json={"name": "a.npy", "size": 0}).status_code == 422
        for number in range(4):
            ana.post("/api/uploads", json={"name": f"{number}.npy", "size": 900}).raise_for_status()
        full = ana.post("/api/uploads", json={"name": "more.npy", "size": 900})
        assert full.status_code == 429
        assert "ingest and delete some first" in full.json()["error"]["message"]
        first = ana.get("/api/uploads").json()["uploads"][-1]
        url = f"/api/uploads/{first['id']}"
        over = ana.put(url, params={"offset": 0}, content=b"x" * 901)
        assert over.status_code == 422
        ana.put(url, params={"offset": 0}, content=b"x" * 900).raise_for_status()
        wrong = ana.post(f"{url}/finish", json={"sha256": "0" * 64})
        assert wrong.status_code == 422
        assert "thrown away" in wrong.json()["error"]["message"]
        assert ana.get(url).status_code == 404
        assert len(list((home / "uploads" / "arriving").iterdir())) == 3
    with server.client() as nobody:
        assert nobody.put(url, params={"offset": 0}, content=b"x").status_code == 401
