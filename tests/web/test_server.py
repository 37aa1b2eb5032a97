"""`gateway serve` starts, tells, stops and fails as a service should."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

PROGRAM = Path(sys.executable).with_name("gateway")
TOKEN = "a-token-for-prometheus"  # noqa: S105 - of a test


def is_open(url: str) -> bool:
    port = int(url.rsplit(":", 1)[1])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started(home: Path, *words: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [PROGRAM, "serve", "--home", str(home), "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def tells(process: "subprocess.Popen[str]") -> dict[str, str]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(home, workers, number) -> None:
    with started(home, "--json", "--workers", workers) as process:
        said = tells(process)
        assert httpx.get(f"{said['address']}/health").json()["status"] == "ok"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        assert not is_open(said["address"])


SLOW = """
import asyncio, signal, sys
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from gateway.web.stopping import Stopping

app = FastAPI()

@app.get("/slow")
async def slow():
    await asyncio.sleep(2)
    return "finished"

@app.get("/events")
async def events():
    async def endless():
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(0.05)
    return StreamingResponse(endless(), media_type="text/event-stream")

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: sys.exit(0))
uvicorn.run(Stopping(app), port=int(sys.argv[1]), log_level="error", timeout_graceful_shutdown=60)
"""


@pytest.fixture
def slow_service() -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Yield a service whose answers take long, or have no end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(port)])
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while not is_open(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_a_stop_ends_streams_and_lets_requests_finish(slow_service) -> None:
    process, url = slow_service
    finished: list[httpx.Response] = []
    other = threading.Thread(target=lambda: finished.append(httpx.get(f"{url}/slow", timeout=60)))
    with httpx.stream("GET", f"{url}/events", timeout=60) as stream:
        pieces = stream.iter_text()
        assert "tick" in next(pieces)
        other.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        for _ in pieces:  # ends, and in the way that HTTP ends
            pass
    other.join()
    assert finished[0].json() == "finished"
    assert process.wait(timeout=30) == 0


def test_a_second_signal_ends_at_once(slow_service) -> None:
    process, url = slow_service
    asking = threading.Thread(target=ask_and_forget, args=(f"{url}/events",))
    asking.start()
    other = threading.Thread(target=ask_and_forget, args=(f"{url}/slow",))
    other.start()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None, "it waits for the request"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 128 + signal.SIGINT
    asking.join()
    other.join()


def ask_and_forget(url: str) -> None:
    with suppress(httpx.HTTPError):
        httpx.get(url, timeout=30)


def test_the_link_is_printed_once_requests_are_answered(home) -> None:
    with started(home, "--json") as process:
        said = tells(process)
        with httpx.Client(base_url=said["address"]) as client:
            assert client.get(said["login"]).status_code == 303
            assert client.get("/api/me").json()["administrator"]
        assert said["store"] == str(home / "store")


def failed(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [PROGRAM, "serve", *words], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_port_that_is_taken(home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, err = failed("--home", str(home), "--port", port, "--json")
    assert code == 2
    assert json.loads(out)["error"]["type"] == "SettingsError"
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in err
    assert "--port 0" in err


def test_an_address_of_another_machine(home) -> None:
    code, _, err = failed("--home", str(home), "--host", "192.0.2.1", "--port", "0")
    assert code == 2
    assert "cannot listen on 192.0.2.1" in err


def test_a_home_that_is_none(tmp_path) -> None:
    code, _, err = failed("--home", str(tmp_path / "nowhere"))
    assert code == 2
    assert "make it one with `gateway init" in err


def test_a_database_that_is_damaged(home) -> None:
    (home / "catalogue.sqlite").write_bytes(b"this is no database" * 100)
    code, _, err = failed("--home", str(home), "--port", "0")
    assert code == 1
    assert "gateway catalog rebuild" in err


def test_health_says_what_does_not_answer(server) -> None:
    healthy = httpx.get(f"{server.url}/health")
    assert healthy.json() == {"status": "ok", "store": "ok", "database": "ok"}
    store = server.gateway.home / "store"
    store.rename(store.with_name("away"))
    time.sleep(1.1)  # it asks once a second at most
    answer = httpx.get(f"{server.url}/health")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failed", "store": "failed", "database": "ok"}


@pytest.mark.slow
def test_metrics_of_all_processes_are_told_by_each(serve) -> None:
    server = serve(GATEWAY_WEB_WORKERS="2")
    server.client("ana").close()
    for _ in range(30):  # a connection each, so that both processes answer
        httpx.get(f"{server.url}/api/me")
    for _ in range(5):
        text = httpx.get(f"{server.url}/metrics").text
        assert 'gateway_requests_total{method="GET",route="/api/me",status="200"} 30.0' in text
        assert 'gateway_request_seconds_count{route="/api/me"} 30.0' in text
        assert 'gateway_sessions{kind="token"} 1.0' in text


def test_metrics_behind_a_proxy_need_the_token_or_an_administrator(home) -> None:
    proxy = {"GATEWAY_BASE_URL": "https://brains.example.org/lab", "GATEWAY_METRICS_TOKEN": TOKEN}
    with started(home, "--json", **proxy) as process:
        url = f"{tells(process)['listening']}/metrics"
        assert httpx.get(url).status_code == 401
        for token, status in (("another-token-somebody-guessed", 401), (TOKEN, 200)):
            headers = {"Authorization": f"Bearer {token}"}
            assert httpx.get(url, headers=headers).status_code == status


@pytest.mark.slow
def test_two_processes_share_one_home(serve) -> None:
    server = serve(GATEWAY_WEB_WORKERS="2")
    with server.client("boss") as client:
        made = [client.post("/api/tokens", json={"note": f"number {i}"}) for i in range(20)]
        assert {answer.status_code for answer in made} == {201}
        secrets = [answer.json()["token"] for answer in made]
    for secret in secrets:  # whichever process answers knows what the other wrote
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(f"{server.url}/api/me", headers=headers).json()["person"] == "boss"
