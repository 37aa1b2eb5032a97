"""Jobs over the API: real tools, run in processes of their own."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from gateway.records.database import writing
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.calls import call_from_words
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.ingest import IngestOptions, ingest
from gateway.service.jobs.job import add_job, new_job, read_job
from gateway.service.jobs.journal import Journal, read_documents
from gateway.volumes.ref import parse_ref

_LONG_S = 300.0


def put_volume(gateway: Gateway, ref: str, shape=(24, 40, 48), seed=5) -> None:
    """Write a small volume with blobs in it, as the person of the settings."""
    source = gateway.home.parent / f"{ref.replace('/', '-')}.npy"
    rng = np.random.default_rng(seed)
    np.save(source, rng.integers(0, 4000, shape).astype(np.uint16))
    ingest(gateway, source, parse_ref(ref), IngestOptions(voxel_um=(1.0, 1.0, 1.0)))


def smooth(source: str, out: str, sigma: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "tool": "smooth_gaussian",
        "inputs": {"image": source},
        "outputs": {"image": out},
        "params": {"sigma_um": sigma},
        **more,
    }


def until(what: Callable[[], Any], seconds: float = _LONG_S) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        state = client.get(f"/api/jobs/{job}").raise_for_status().json()
        return state if state["status"] not in ("queued", "running") else None

    return until(look)


def begun(server, job: str) -> psutil.Process:
    """Return the process of a job once it computes."""
    found = until(lambda: (j := read_job(server.gateway, job)).run and j)
    return psutil.Process(found.pid)


@pytest.fixture
def brain(server):
    put_volume(server.gateway, "brain/raw")
    return server


def test_a_job_runs_a_tool_to_the_end_and_is_recorded_under_its_person(brain) -> None:
    with brain.client("ana", brain=Role.EDITOR) as ana:
        made = ana.post("/api/jobs", json=smooth("brain/raw", "brain/soft"))
        assert made.status_code == 201, made.text
        state = ended(ana, made.json()["id"])
        assert state["status"] == "done", (state, ana.get(f"/api/jobs/{state['id']}/log").text)
        run = brain.gateway.catalogue.run(state["run"])
        assert (run.person, run.status, run.tool) == ("ana", "done", "smooth_gaussian")
        assert state["progress"]["outputs"] == {"image": run.outputs[0].digest}
        assert all(p["done"] == p["tasks"] > 0 for p in state["progress"]["passes"])
        assert "smooth_gaussian for ana" in ana.get(f"/api/jobs/{state['id']}/log").text


def test_events_go_on_where_the_reader_stopped(brain) -> None:
    with brain.client("ana", brain=Role.EDITOR) as ana:
        job = ana.post("/api/jobs", json=smooth("brain/raw", "brain/soft")).json()["id"]
        names, ids = read_events(ana, job)
        assert names[0] == "Job"
        assert {"RunStarted", "PassStarted", "TaskDone", "RunFinished"} <= set(names)
        again, _ = read_events(ana, job, {"Last-Event-ID": str(ids[2])})
        assert again == names[3:]
        other, _ = read_events(ana, job, {"Last-Event-ID": str(ids[2] + 1)})
        assert other == names, "a place inside a line begins anew"


def read_events(
    client: httpx.Client, job: str, headers: dict[str, str] | None = None
) -> tuple[list[str], list[int]]:
    names, ids = [], []
    with client.stream("GET", f"/api/jobs/{job}/events", headers=headers, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "id":
                ids.append(int(value))
            elif key == "data" and not name:
                names.append(json.loads(value)["event"])
            elif not line:
                name = ""
    return names, ids


@pytest.mark.slow
def test_a_killed_job_is_found_interrupted_and_goes_on(brain) -> None:
    put_volume(brain.gateway, "brain/large", (96, 160, 160))
    call = smooth("brain/large", "brain/soft", 20.0, workers=1, block_voxels=[8, 32, 32])
    with brain.client("ana", brain=Role.EDITOR) as ana:
        job = ana.post("/api/jobs", json=call).json()["id"]
        begun(brain, job).send_signal(signal.SIGKILL)
        state = ended(ana, job)
        assert state["status"] == "interrupted"
        assert "resume it" in state["error"]
        assert ana.post(f"/api/jobs/{job}/resume").json()["status"] in ("queued", "running")
        state = ended(ana, job)
        assert state["status"] == "done", state["error"]
        assert state["progress"]["resumed"]


@pytest.mark.slow
def test_cancel_keeps_what_was_done(brain) -> None:
    put_volume(brain.gateway, "brain/large", (96, 160, 160))
    call = smooth("brain/large", "brain/soft", 20.0, workers=1, block_voxels=[8, 32, 32])
    with brain.client("ana", brain=Role.EDITOR) as ana:
        job = ana.post("/api/jobs", json=call).json()["id"]
        begun(brain, job)
        assert ana.post(f"/api/jobs/{job}/cancel").status_code == 200
        assert ended(ana, job)["status"] == "cancelled"
        assert ana.post(f"/api/jobs/{job}/cancel").json()["status"] == "cancelled"
        run = brain.gateway.catalogue.runs(tool="smooth_gaussian")[0]
        assert run.status == "cancelled"
        ana.post(f"/api/jobs/{job}/resume").raise_for_status()
        assert ended(ana, job)["status"] == "done"
        refused = ana.post(f"/api/jobs/{job}/resume")
        assert refused.status_code == 409
        assert "is done" in refused.json()["error"]["message"]


@pytest.mark.slow
def test_a_person_has_so_many_runs_and_the_rest_wait_their_turn(serve) -> None:
    server = serve(GATEWAY_RUNS_PER_PERSON="1", GATEWAY_WEB_WORKERS="2")
    for person in ("ana", "ben"):
        put_volume(server.gateway, f"{person}s/raw", (64, 128, 128))
    with server.client("ana", anas=Role.OWNER) as ana, server.client("ben", bens=Role.OWNER) as ben:
        calls = [smooth("anas/raw", f"anas/soft{n}", 10.0, workers=1) for n in range(3)]
        jobs = [ana.post("/api/jobs", json=call).raise_for_status().json() for call in calls]
        other = ben.post("/api/jobs", json=smooth("bens/raw", "bens/soft", 10.0)).json()
        assert [job["position"] for job in jobs] == [None, 1, 2]
        assert other["status"] == "running", "one person's queue is not another's"
        most = 0
        while any(job["status"] in ("queued", "running") for job in ana.get("/api/jobs").json()):
            most = max(most, sum(j["status"] == "running" for j in ana.get("/api/jobs").json()))
        assert most == 1
        assert {job["status"] for job in ana.get("/api/jobs").json()} == {"done"}
        assert ended(ben, other["id"])["status"] == "done"
        assert len(ben.get("/api/jobs").json()) == 1
        assert ben.get("/api/jobs", params={"person": "ana"}).status_code == 403
        assert ben.get(f"/api/jobs/{jobs[0]['id']}").status_code == 403
        assert ben.post(f"/api/jobs/{jobs[0]['id']}/cancel").status_code == 403
    with closing(server.browser()) as boss:
        assert len(boss.get("/api/jobs").json()) == 4


@pytest.mark.slow
def test_a_run_outlives_the_service(serve) -> None:
    first = serve()
    put_volume(first.gateway, "brain/raw", (128, 192, 192))
    with first.client("ana", brain=Role.EDITOR) as ana:
        call = smooth("brain/raw", "brain/soft", 20.0, workers=1, block_voxels=[8, 16, 16])
        job = ana.post("/api/jobs", json=call).json()["id"]
        runner = begun(first, job)
    first.process.terminate()
    first.process.wait(timeout=60)
    stopped = time.time()
    assert runner.ppid() != first.process.pid
    second = serve()
    with second.client("ana") as ana:
        assert ended(ana, job)["status"] == "done"
        names, _ = read_events(ana, job)
        assert names.count("RunStarted") == 1
    finish = [
        e for e in read_documents(Journal(second.gateway, job)) if e["event"] == "RunFinished"
    ]
    assert finish[0]["at"] > stopped, "it ended while no service was there"


def test_what_waited_when_the_machine_went_down_starts_with_the_service(home, serve) -> None:
    gateway = open_gateway(home)
    with gateway.catalogue:
        put_volume(gateway, "brain/raw")
        grant(gateway, "brain", f"person:{ensure_person(gateway, 'ana')}", Role.EDITOR)
        words = smooth("brain/raw", "brain/soft")
        call = call_from_words(words["tool"], words["inputs"], words["outputs"], words["params"])
        job = new_job("ana", call, {})
        with writing(gateway.database) as connection:
            add_job(connection, job)
        server = serve()
        # nobody asks for anything
        until(lambda: read_job(server.gateway, job.id).status == "done")


@pytest.mark.slow
def test_a_reader_of_events_does_not_hold_up_the_end_of_the_service(serve) -> None:
    server = serve()
    put_volume(server.gateway, "brain/raw", (96, 160, 160))
    with server.client("ana", brain=Role.EDITOR) as ana:
        call = smooth("brain/raw", "brain/soft", 20.0, workers=1, block_voxels=[8, 32, 32])
        job = ana.post("/api/jobs", json=call).json()["id"]
        with ana.stream("GET", f"/api/jobs/{job}/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            asked = time.monotonic()
            server.process.terminate()
            for _ in lines:
                pass
            server.process.wait(timeout=60)
        # it would be 20 seconds until open answers are cut off
        assert time.monotonic() - asked < 15


def test_a_job_needs_rights_on_what_it_reads_and_makes(brain) -> None:
    call = smooth("brain/raw", "brain/soft")
    with brain.client("eve") as eve:
        refused = eve.post("/api/jobs", json=call)
        assert refused.status_code == 403
        assert "no role on brain/raw" in refused.json()["error"]["message"]
    with brain.client("eve", brain=Role.VIEWER) as eve:
        refused = eve.post("/api/jobs", json=call)
        assert refused.status_code == 403
        assert "needs editor" in refused.json()["error"]["message"]
        made = eve.post("/api/jobs", json=smooth("brain/raw", "eves/soft"))
        assert made.status_code == 201, made.text
        assert ended(eve, made.json()["id"])["status"] == "done"
    with brain.client("ana", brain=Role.VIEWER) as ana:
        refused = ana.post("/api/jobs", json=smooth("brain/raw", "eves/mine"))
        assert refused.status_code == 403, "the new dataset is eve's"
    assert httpx.post(f"{brain.url}/api/jobs", json=call).status_code == 401


@pytest.mark.slow
def test_rights_are_asked_again_when_a_job_starts(serve) -> None:
    server = serve(GATEWAY_RUNS_PER_PERSON="1")
    put_volume(server.gateway, "brain/raw", (96, 160, 160))
    with server.client("eve", brain=Role.EDITOR) as eve:
        slow = smooth("brain/raw", "brain/a", 20.0, workers=1, block_voxels=[8, 32, 32])
        first = eve.post("/api/jobs", json=slow).json()
        second = eve.post("/api/jobs", json=smooth("brain/raw", "brain/b")).json()
        assert second["status"] == "queued"
        server.client("eve", brain=Role.NONE).close()
        eve.post(f"/api/jobs/{first['id']}/cancel").raise_for_status()
        state = ended(eve, second["id"])
        assert state["status"] == "failed"
        assert "no role on brain/raw" in state["error"]
    assert server.gateway.catalogue.runs(tool="smooth_gaussian", status="done") == []


WRONG = [
    ({"tool": "smoth"}, 404, "smooth_gaussian"),
    ({"params": {"sigma_um": -1}}, 422, "parameter 'sigma_um' is -1"),
    ({"inputs": {"image": "brain/none"}}, 404, "there is no brain/none"),
    ({"inputs": {"image": "../etc"}}, 400, "ref '../etc'"),
    ({"inputs": {}}, 422, "input 'image' (image) is missing"),
    ({"outputs": {"image": "brain/raw"}}, 422, "never overwritten"),
    ({"workers": 0}, 422, "workers"),
    ({"color": "red"}, 422, "color"),
]


def test_a_bad_call_is_refused_with_its_reason(brain, subtests) -> None:
    with closing(brain.browser()) as boss:
        for change, status, words in WRONG:
            with subtests.test(change=change):
                call = smooth("brain/raw", "brain/soft") | change
                refused = boss.post("/api/jobs", json=call)
                assert refused.status_code == status, refused.text
                assert words in refused.text
        assert boss.get("/api/jobs").json() == []


def test_a_file_port_opens_nothing_outside_the_inboxes(brain) -> None:
    for path in ("/etc/passwd", "../../etc/passwd", str(brain.gateway.home / "secret.key")):
        call = {
            "tool": "ingest_volume",
            "inputs": {"source": path},
            "outputs": {"image": "new/raw"},
            "params": {"voxel_um": [1, 1, 1]},
        }
        with closing(brain.browser()) as boss:
            refused = boss.post("/api/jobs", json=call)
        assert refused.status_code in (403, 404), refused.text
