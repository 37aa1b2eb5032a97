"""A store that does not answer keeps nobody waiting but those who ask for what lies in it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from gateway.service.access.actor import Role
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.link import register
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import open_store

MANY = 40
"""More than the service has threads for any one kind of work."""


class Slow(SimpleHTTPRequestHandler):
    """A web server that answers for chunks when it is let."""

    protocol_version = "HTTP/1.1"
    gate = threading.Event()

    def do_GET(self) -> None:
        if "/c/" in self.path:
            self.gate.wait(120)
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def slow_site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "site"
    folder.mkdir()
    Slow.gate.clear()
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder)))
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{site.server_port}"
    Slow.gate.set()
    site.shutdown()
    thread.join()
    site.server_close()


@pytest.mark.parametrize("made", [True, False], ids=["made from chunks", "passed on"])
def test_a_slow_store_holds_up_nobody_else(
    server: Any, put_volume: Callable[..., Any], slow_site: tuple[Path, str], *, made: bool
) -> None:
    folder, url = slow_site
    store = server.gateway.store
    put_volume(store, "near/raw", (20, 20, 20))
    if made:
        voxels = np.random.default_rng(3).integers(0, 999, (8, 8, 8 * MANY)).astype(np.uint16)
        zarr.create_array(folder / "far", data=voxels, chunks=(8, 8, 8), compressors=None)
        options = OpenOptions(voxel_um=(1, 1, 1), axes="zyx")
        register(store, parse_ref("far/raw"), f"{url}/far", options)
    else:
        put_volume(open_store(folder), "far", (20, 20, 20))
        register(store, parse_ref("far/raw"), f"{url}/far.ome.zarr")
    with server.client("ana", near=Role.VIEWER, far=Role.VIEWER) as ana:
        headers = dict(ana.headers)
        root = "/data/far/raw.ome.zarr"
        assert ana.get(f"{root}/zarr.json").status_code == 200
        grid = ana.get(f"{root}/0/zarr.json").json()
        wide = grid["shape"][-1] // grid["chunk_grid"]["configuration"]["chunk_shape"][-1]

        def ask(number: int) -> int:
            with server.client() as client:
                url = f"{root}/0/c/0/0/0/{number % max(1, wide)}"
                return client.get(url, headers=headers, timeout=120).status_code

        with ThreadPoolExecutor(MANY) as pool:
            waiting = [pool.submit(ask, number) for number in range(MANY)]
            for _ in range(5):
                assert ana.get("/data/near/raw.ome.zarr/0/c/0/0/0/0").status_code == 200
                assert ana.get("/api/me").status_code == 200
            assert not any(future.done() for future in waiting)
            Slow.gate.set()
            assert {future.result() for future in waiting} == {200}


def test_a_web_server_without_ranges_is_told_apart(
    server: Any, put_volume: Callable[..., Any], slow_site: tuple[Path, str]
) -> None:
    folder, url = slow_site
    Slow.gate.set()
    put_volume(open_store(folder), "far", (20, 20, 20))
    register(server.gateway.store, parse_ref("far/raw"), f"{url}/far.ome.zarr")
    chunk = "/data/far/raw.ome.zarr/0/c/0/0/0/0"
    with server.client("ana", far=Role.VIEWER) as ana:
        assert ana.get(chunk).content == (folder / "far.ome.zarr/0/c/0/0/0/0").read_bytes()
        refused = ana.get(chunk, headers={"Range": "bytes=0-9"})
        assert refused.status_code == 503
        assert refused.json()["error"]["message"].startswith("far/raw cannot be read now")
        assert url not in refused.text  # where a store lies is nobody's business
        (folder / "far.ome.zarr/0/c/0/0/0/0").unlink()
        assert ana.get(chunk).status_code == 404
