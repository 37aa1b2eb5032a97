"""Bytes of volumes over HTTP: ranges, conditions, rights, odd paths, pages of other sites."""

import email
import http.client
import os
import socket
import time
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest

from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.links import make_link, revoke_link
from gateway.volumes.points import write_points

OWNER = Actor(person="root", administrator=True)
ROOT = "/data/brain/raw.ome.zarr"
SHARD = f"{ROOT}/0/c/0/0/0/0"


@pytest.fixture(scope="module")
def brain(shared_server, put_volume):
    """Return a service with a private volume `brain/raw`."""
    put_volume(shared_server.gateway.store, "brain/raw")
    return shared_server


@pytest.fixture(scope="module")
def folder(brain) -> Path:
    return brain.gateway.store.local_path("brain/raw.ome.zarr")


@pytest.fixture(scope="module")
def ana(brain):
    with brain.client("ana", brain=Role.VIEWER) as client:
        yield client


@pytest.fixture(scope="module")
def shard(folder) -> bytes:
    return (folder / "0/c/0/0/0/0").read_bytes()


def test_a_file_comes_whole_with_what_a_cache_needs(ana, shard) -> None:
    answer = ana.get(SHARD)
    assert (answer.status_code, answer.content) == (200, shard)
    assert answer.headers["content-length"] == str(len(shard))
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in answer.headers
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert "Cookie" in answer.headers["vary"]
    described = ana.get(f"{ROOT}/zarr.json")
    assert described.json()["attributes"]["ome"]["version"] == "0.5"
    assert described.headers["content-type"] == "application/json"
    assert described.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("form", ["0-9", "5-", "-7", "0-99999999", "-99999999", "100-100"])
def test_a_range_is_a_part_of_the_file(ana, shard, form) -> None:
    answer = ana.get(SHARD, headers={"Range": f"bytes={form}"})
    first, _, last = form.partition("-")
    stop = int(last) + 1 if first and last else len(shard)
    start = int(first) if first else max(0, len(shard) - int(last))
    assert (answer.status_code, answer.content) == (206, shard[start:stop])
    stop = min(stop, len(shard))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(shard)}"
    assert int(answer.headers["content-length"]) == stop - start


def test_several_ranges_come_as_parts(ana, shard) -> None:
    answer = ana.get(SHARD, headers={"Range": "bytes=0-3,10-12,-2"})
    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.content).get_payload()
    spans = [(0, 4), (10, 13), (len(shard) - 2, len(shard))]
    assert [part["Content-Range"] for part in parts] == [
        f"bytes {start}-{stop - 1}/{len(shard)}" for start, stop in spans
    ]
    for start, stop in spans:
        assert b"\r\n\r\n" + shard[start:stop] + b"\r\n--" in answer.content


def test_no_byte_in_a_range_is_416(ana, shard) -> None:
    for form in (f"{len(shard)}-", "-0", "99999999-999999999"):
        answer = ana.get(SHARD, headers={"Range": f"bytes={form}"})
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer.headers["content-range"] == f"bytes */{len(shard)}"


def test_what_is_no_range_gives_the_whole(ana, shard) -> None:
    overlapping = "bytes=" + ",".join(["0-"] * 10)
    for value in ("bytes=9-1", "lines=1-2", "bytes=x", overlapping):
        answer = ana.get(SHARD, headers={"Range": value})
        assert (answer.status_code, answer.content) == (200, shard)


def test_head_says_what_get_would(ana, shard) -> None:
    answer = ana.head(SHARD, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(shard))
    assert answer.headers["etag"] == ana.get(SHARD).headers["etag"]
    missing = ana.head(f"{ROOT}/0/c/0/9/9/9")
    assert (missing.status_code, missing.content) == (404, b"")


def test_what_is_known_is_not_sent_again(ana, shard) -> None:
    etag = ana.get(SHARD).headers["etag"]
    answer = ana.get(SHARD, headers={"If-None-Match": f'"other", {etag}'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag
    assert ana.get(SHARD, headers={"If-None-Match": '"other"'}).content == shard
    part = {"Range": "bytes=0-3"}
    assert ana.get(SHARD, headers={**part, "If-Range": etag}).status_code == 206
    assert ana.get(SHARD, headers={**part, "If-Range": '"other"'}).status_code == 200
    date = ana.get(SHARD).headers["last-modified"]
    assert ana.get(SHARD, headers={**part, "If-Range": date}).status_code == 206


def test_a_replaced_file_is_seen_at_once(ana, folder) -> None:
    path = folder / "replaced"
    path.write_bytes(b"first")
    assert ana.get(f"{ROOT}/replaced").text == "first"
    old = ana.get(f"{ROOT}/replaced").headers["etag"]
    other = path.with_name("other")
    other.write_bytes(b"later")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    answer = ana.get(f"{ROOT}/replaced", headers={"If-None-Match": old})
    assert (answer.status_code, answer.text) == (200, "later")
    path.unlink()
    assert ana.get(f"{ROOT}/replaced").status_code == 404


def test_a_large_file_comes_in_pieces(ana, folder) -> None:
    content = os.urandom(9_000_001)
    (folder / "large").write_bytes(content)
    assert ana.get(f"{ROOT}/large").content == content
    part = ana.get(f"{ROOT}/large", headers={"Range": "bytes=1000000-7999999"})
    assert part.content == content[1_000_000:8_000_000]
    parts = ana.get(f"{ROOT}/large", headers={"Range": "bytes=0-3999999,5000000-8000000"})
    assert content[5_000_000:8_000_001] in parts.content
    (folder / "empty").write_bytes(b"")
    assert ana.get(f"{ROOT}/empty").headers["content-length"] == "0"


def test_a_slow_reader_gets_every_byte(ana, folder) -> None:
    content = os.urandom(6_000_000)
    (folder / "slowly").write_bytes(content)
    got = bytearray()
    with ana.stream("GET", f"{ROOT}/slowly") as answer:
        for piece in answer.iter_raw(200_000):
            got += piece
            time.sleep(0.005)
    assert bytes(got) == content
    assert ana.get("/api/me").status_code == 200


def test_those_who_hang_up_leave_nothing_open(brain, ana, folder) -> None:
    (folder / "left").write_bytes(os.urandom(30_000_000))

    def open_files() -> int:
        pids = [brain.process.pid, *_children(brain.process.pid)]
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)

    host, _, port = brain.url.removeprefix("http://").partition(":")
    token = ana.headers["authorization"]
    request = f"GET {ROOT}/left HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
    ana.get(f"{ROOT}/left", headers={"Range": "bytes=0-1"})
    before = open_files()
    for turn in range(30):
        with socket.create_connection((host, int(port)), timeout=30) as plain:
            plain.sendall(request.encode())
            plain.recv(turn * 1000 + 1)
    deadline = time.monotonic() + 20  # the other process may open its database meanwhile
    while open_files() > before + 15 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert open_files() <= before + 15
    assert ana.get(SHARD).status_code == 200


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_one_connection_carries_many_requests(brain, ana, shard) -> None:
    connection = http.client.HTTPConnection(brain.url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": ana.headers["authorization"]}
    for start in range(60):
        asked = {**headers, "Range": f"bytes={start}-{start + 999}"}
        connection.request("GET", SHARD, headers=asked)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (206, shard[start : start + 1000])
    connection.request("GET", SHARD, headers={**headers, "Connection": "close"})
    assert connection.getresponse().read() == shard
    connection.close()


def test_requests_sent_ahead_are_answered_in_turn(brain, ana, shard) -> None:
    """Pipelining: some programs send the next request before they have read the answer."""
    host, _, port = brain.url.removeprefix("http://").partition(":")
    token = ana.headers["authorization"]
    wanted = [(0, 10), (5, 5000), (1000, 1001)]
    sent = b"".join(
        f"GET {SHARD} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        f"Range: bytes={start}-{stop - 1}\r\n\r\n".encode()
        for start, stop in wanted
    )
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        plain.sendall(sent)
        stream = plain.makefile("rb")
        for start, stop in wanted:
            assert stream.readline().startswith(b"HTTP/1.1 206")
            head = email.message_from_bytes(b"".join(iter(stream.readline, b"\r\n")))
            assert stream.read(int(head["content-length"])) == shard[start:stop]


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("zarr.json/x", 404),
        ("0", 404),
        ("0/c/", 400),
        ("0//c", 400),
        (".zattrs", 404),
        ("0/.hidden", 404),
        ("0/cells.npy", 404),
        ("%2e%2e/%2e%2e/dataset.json", 400),
        ("..%2f..%2fdataset.json", 400),
        ("a%5cb", 400),
        ("a%00b", 404),
        ("a%0d%0ab", 400),
        ("%F0%9F%A7%A0", 404),
        ("%ff%fe", 404),
        ("x" * 300, 400),
        ("y/" * 500 + "y", 404),
        ("leads_out", 404),
        ("folder_out/passwd", 404),
        ("pipe", 404),
    ],
)
def test_odd_keys_name_nothing(ana, folder, key, status) -> None:
    for name, target in (("leads_out", "/etc/passwd"), ("folder_out", "/etc")):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
    if not (folder / "pipe").exists():
        os.mkfifo(folder / "pipe")
    (folder / "0/.hidden").write_text("x")
    answer = ana.get(f"{ROOT}/{key}")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/data/brain", 404),
        ("/data/brain/raw.ome.zarr", 404),
        ("/data/brain/raw/zarr.json", 404),
        ("/data/brain/none.ome.zarr/zarr.json", 404),
        ("/data/brain/none.points/info", 404),
        ("/data/brain/none.mesh/info", 404),
        ("/data/brain/.staging/x.ome.zarr/zarr.json", 404),
        ("/data/brain/.staging.ome.zarr/zarr.json", 400),
        ("/data/b..n/raw.ome.zarr/zarr.json", 400),
        ("/data/brain/dataset.json/x", 404),
    ],
)
def test_odd_paths_name_nothing(ana, path, status) -> None:
    assert ana.get(path).status_code == status


def test_a_volume_that_is_not_complete_is_not_served(ana, folder) -> None:
    unfinished = folder.with_name("unfinished.ome.zarr")
    (unfinished / "0").mkdir(parents=True)
    (unfinished / "0" / "zarr.json").write_text("{}")
    assert ana.get("/data/brain/unfinished.ome.zarr/0/zarr.json").status_code == 404


def test_other_methods_are_refused(ana) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = ana.request(method, SHARD, content=b"x")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_nobody_reads_what_nobody_granted(brain) -> None:
    with brain.client() as anon, brain.client("eve", other=Role.OWNER) as eve:
        answer = anon.get(SHARD)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["type"] == "SignInError"
        assert eve.get(SHARD).status_code == 403
        # whether there is such a thing is nobody's business either
        assert eve.get("/data/brain/none.ome.zarr/zarr.json").status_code == 403
        wrong = anon.get(SHARD, headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
    with closing(brain.browser()) as browser:
        assert browser.get(SHARD).status_code == 200


def test_a_grant_taken_away_ends_at_once(brain) -> None:
    with brain.client("bob", brain=Role.VIEWER) as bob:
        for _ in range(8):  # both processes have decided
            assert bob.get(SHARD).status_code == 200
        grant(brain.gateway, "brain", "person:bob", Role.NONE)
        assert [bob.get(SHARD).status_code for _ in range(8)] == [403] * 8
        grant(brain.gateway, "brain", "everyone", Role.VIEWER)
        assert [bob.get(SHARD).status_code for _ in range(8)] == [200] * 8
        with brain.client() as anon:
            assert anon.get(SHARD).status_code == 200
        grant(brain.gateway, "brain", "everyone", Role.NONE)
        assert bob.get(SHARD).status_code == 403


def test_a_link_opens_its_dataset_until_it_is_revoked(brain, shard) -> None:
    """The next request is refused in every process: each connection may go to another."""
    link, token = make_link(brain.gateway, OWNER, "brain")
    clients = [httpx.Client(base_url=brain.url, timeout=30) for _ in range(12)]
    url = f"/s/{token}{SHARD}"
    assert [client.get(url).content for client in clients] == [shard] * 12
    assert clients[0].get(f"/s/{token}/data/other/raw.ome.zarr/zarr.json").status_code == 403
    revoke_link(brain.gateway, OWNER, link)
    answers = [client.get(url) for client in clients]
    assert [answer.status_code for answer in answers] == [403] * 12
    assert all(token not in answer.text for answer in answers)
    assert clients[0].get(f"/s/{token}x{SHARD}").status_code == 403
    assert clients[0].get(f"/s/{SHARD}").status_code == 403
    for client in clients:
        client.close()


def test_a_link_to_one_volume_opens_no_other(brain, put_volume) -> None:
    put_volume(brain.gateway.store, "brain/second", (20, 20, 20))
    _, token = make_link(brain.gateway, OWNER, "brain", "raw")
    with brain.client() as anon:
        assert anon.get(f"/s/{token}{ROOT}/zarr.json").status_code == 200
        other = anon.get(f"/s/{token}/data/brain/second.ome.zarr/zarr.json")
        assert other.status_code == 403


def test_every_site_may_read_through_a_link_but_not_with_a_cookie(brain) -> None:
    _, token = make_link(brain.gateway, OWNER, "brain")
    origin = {"Origin": "https://viewer.example.org"}
    with brain.client() as anon:
        answer = anon.get(f"/s/{token}{SHARD}", headers={**origin, "Range": "bytes=0-9"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Content-Range" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        asked = {**origin, "Access-Control-Request-Method": "GET"}
        asked["Access-Control-Request-Headers"] = "range"
        flight = anon.options(f"/s/{token}{SHARD}", headers=asked)
        assert (flight.status_code, flight.content) == (204, b"")
        assert "Range" in flight.headers["access-control-allow-headers"]
        assert flight.headers["access-control-allow-origin"] == "*"
        refused = anon.get(f"/s/wrong{SHARD}", headers=origin)
        assert refused.status_code == 403
        assert refused.headers["access-control-allow-origin"] == "*"
    with closing(brain.browser()) as browser:
        answer = browser.get(SHARD, headers=origin)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


def test_sites_that_the_settings_name_may_read_with_their_tokens(serve, put_volume) -> None:
    server = serve(GATEWAY_ALLOWED_ORIGINS='["https://lab.example.org"]')
    put_volume(server.gateway.store, "brain/raw", (20, 20, 20))
    with server.client("ana", brain=Role.VIEWER) as ana:
        good = ana.get(SHARD, headers={"Origin": "https://lab.example.org"})
        assert good.headers["access-control-allow-origin"] == "https://lab.example.org"
        assert "Origin" in good.headers["vary"]
        flight = ana.options(SHARD, headers={"Origin": "https://lab.example.org"})
        assert "Authorization" in flight.headers["access-control-allow-headers"]
        bad = ana.get(SHARD, headers={"Origin": "https://else.example.org"})
        assert "access-control-allow-origin" not in bad.headers


def test_a_points_table_comes_as_annotations(brain, ana) -> None:
    positions = np.random.default_rng(2).uniform(0, 100, (3, 500))
    columns = dict(zip(("z_um", "y_um", "x_um"), positions, strict=True))
    write_points(brain.gateway.store, "brain/cells.points.parquet", columns)
    answer = ana.get("/data/brain/cells.points/info")
    info = answer.json()
    assert info["@type"] == "neuroglancer_annotations_v1"
    assert answer.headers["content-type"] == "application/json"
    again = ana.get(
        "/data/brain/cells.points/info", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    level = info["spatial"][0]["key"]
    cell = ana.get(f"/data/brain/cells.points/{level}/0_0_0")
    assert int.from_bytes(cell.content[:8], "little") > 0
    part = ana.get(f"/data/brain/cells.points/{level}/0_0_0", headers={"Range": "bytes=0-7"})
    assert (part.status_code, part.content) == (206, cell.content[:8])
    assert ana.get("/data/brain/cells.points/spatial99/0_0_0").status_code == 404
    assert ana.get("/data/brain/none.points/info").status_code == 404
    with brain.client() as anon:
        assert anon.get("/data/brain/cells.points/info").status_code == 401


def test_meshes_and_skeletons_are_served_as_they_lie(brain, ana, folder) -> None:
    for kind in ("mesh", "skeleton"):
        lies = folder.with_name(f"cells.{kind}")
        lies.mkdir()
        (lies / "info").write_text('{"@type": "neuroglancer_multilod_draco"}')
        (lies / "0.shard").write_bytes(bytes(range(100)))
        info = ana.get(f"/data/brain/cells.{kind}/info")
        assert info.json()["@type"] == "neuroglancer_multilod_draco"
        part = ana.get(f"/data/brain/cells.{kind}/0.shard", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
        with brain.client() as anon:
            assert anon.get(f"/data/brain/cells.{kind}/info").status_code == 401


def test_a_long_cookie_is_no_other_one(brain) -> None:
    long = {"Cookie": "other=" + "x" * 3000}
    with brain.client() as anon, closing(brain.browser()) as browser:
        session = f"{next(iter(browser.cookies.jar)).name}={next(iter(browser.cookies.jar)).value}"
        assert anon.get(SHARD, headers=long).status_code == 401
        signed = {"Cookie": f"{long['Cookie']}; {session}"}
        assert anon.get(SHARD, headers=signed).status_code == 200
        assert anon.get(SHARD, headers=long).status_code == 401
