"""Zero Copy Send under uvicorn: the same bytes, in every way a connection can go."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
import uvicorn

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.gateway import open_gateway
from gateway.service.view.served_files import Files, OpenFile
from gateway.web.data.endpoint import DataEndpoint
from gateway.web.data.pumps import ZERO_COPY
from gateway.web.data.zero_copy import ZeroCopyProtocol

SIZE = 3_000_000
CONTENT = bytes(range(251)) * (SIZE // 251 + 1)


class App:
    """Sends parts of one file as the path says, and remembers what it was offered."""

    def __init__(self, file: OpenFile) -> None:
        self.file = file
        self.offered: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del receive
        if scope["type"] != "http":
            return
        self.offered |= set(scope.get("extensions", {}))
        length, *counts = map(int, scope["query_string"].decode().split(","))
        headers = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if "fails" in scope["path"]:
            raise ValueError("the application failed before a byte was sent")
        at = 0
        for number, count in enumerate(counts):
            more = number + 1 < len(counts)
            part = {"more_body": more}
            if "mixed" in scope["path"] and number % 2:
                part |= {"type": "http.response.body", "body": self.file.read(at, count)}
            else:
                part |= {"type": ZERO_COPY, "file": self.file, "offset": at, "count": count}
            await send(part)
            at += count


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    folder = tmp_path_factory.mktemp("zero")
    (folder / "content").write_bytes(CONTENT)
    return App(Files().open(str(folder.resolve()), "content"))


class Unlogged(ZeroCopyProtocol):
    """Without the log of uvicorn, as the service runs it; pytest would turn it on."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.access_log = False


@pytest.fixture(
    scope="module",
    params=[("uvloop", Unlogged), ("asyncio", Unlogged), ("uvloop", ZeroCopyProtocol)],
    ids=["uvloop", "asyncio", "with a log"],
)
def url(app: App, request: pytest.FixtureRequest) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=request.param[1],
        loop=request.param[0],
        log_level="critical",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.mark.parametrize("counts", [(1,), (131_072,), (SIZE,), (5, 300_000, 7), (262_144,) * 8])
@pytest.mark.parametrize("path", ["/data/plain", "/data/mixed"])
def test_the_bytes_are_those_of_the_file(app, url, path, counts) -> None:
    with httpx.Client() as client:
        for _ in range(3):  # on one connection
            answer = client.get(f"{url}{path}?{sum(counts)},{','.join(map(str, counts))}")
            assert answer.content == CONTENT[: sum(counts)]
    assert app.offered == {ZERO_COPY}


def test_a_connection_that_shall_close_closes_after_the_last_byte(url) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        plain.sendall(b"GET /data/x?200000,200000 HTTP/1.0\r\nHost: x\r\n\r\n")
        got = plain.makefile("rb").read()
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert body == CONTENT[:200_000]


def test_a_reader_that_pauses_gets_the_rest(url) -> None:
    with httpx.stream("GET", f"{url}/data/x?{SIZE},{SIZE}") as answer:
        pieces = answer.iter_raw(100_000)
        got = next(pieces)
        time.sleep(0.3)  # the socket is full by now
        got += b"".join(pieces)
    assert got == CONTENT[:SIZE]


def test_more_than_was_promised_is_never_sent(url) -> None:
    for promised, counts in ((10, "20"), (10, "5,6"), (10, "5")):
        with pytest.raises(httpx.HTTPError):  # the connection breaks off
            httpx.get(f"{url}/data/x?{promised},{counts}").raise_for_status()


def test_a_failure_before_the_first_byte_is_told(url) -> None:
    assert httpx.get(f"{url}/data/fails?10,10").status_code == 500


def test_nothing_is_offered_elsewhere(app, url) -> None:
    app.offered.clear()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{url}/api/me?1,1").raise_for_status()
    assert not app.offered


@pytest.mark.parametrize("offered", [True, False])
def test_chunks_are_sent_without_a_copy_where_that_is_offered(home, put_volume, offered) -> None:
    gateway = open_gateway(home)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    with gateway.catalogue, closing(DataEndpoint(gateway)) as endpoint:
        put_volume(gateway.store, "brain/raw", (20, 20, 20))
        grant(gateway, "brain", "everyone", Role.VIEWER)
        path = "/data/brain/raw.ome.zarr/0/c/0/0/0/0"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode()}
        scope["headers"] = [(b"range", b"bytes=5-14")]
        scope["extensions"] = {ZERO_COPY: {}} if offered else {}
        asyncio.run(endpoint(scope, send, send))
    start, body = messages
    assert start["status"] == 206
    if offered:
        assert (body["type"], body["offset"], body["count"]) == (ZERO_COPY, 5, 10)
        assert body["file"].read(0, 15)[5:] == body["file"].read(5, 10)
    else:
        assert (body["type"], len(body["body"])) == ("http.response.body", 10)
