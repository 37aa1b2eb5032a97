"""A real web service on loopback, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.store import Store
from gateway.volumes.writer import create_volume, open_writer


@dataclass(frozen=True)
class Server:
    """A running service: its address, its login link, its gateway opened in this process."""

    url: str
    login: str
    gateway: Gateway
    process: "subprocess.Popen[str]"

    def client(self, person: str | None = None, **roles: Role) -> httpx.Client:
        """Return a client that acts for a person who has `roles`, dataset to role."""
        headers = {}
        if person is not None:
            ensure_person(self.gateway, person)
            for dataset, role in roles.items():
                grant(self.gateway, dataset, f"person:{person}", role)
            secret = open_session(self.gateway, person, kind="token")
            headers["Authorization"] = f"Bearer {secret}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def browser(self) -> httpx.Client:
        """Return a client that has followed the login link, as the administrator."""
        client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=30)
        answer = client.get(self.login)
        assert answer.status_code == 303, answer.text
        return client


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[Server]:
    """Serve a home until the block ends."""
    program = Path(sys.executable).with_name("gateway")
    command = [program, "serve", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        url = first.rsplit(" at ", 1)[-1].strip()
        login = second.removeprefix("Sign in: ").strip()
        assert url.startswith("http"), (first, second)
        gateway = open_gateway(home)
        with gateway.catalogue:
            yield Server(url, login, gateway, process)
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def serve(home: Path) -> Iterator[Callable[..., Server]]:
    """Return what starts a service of `home`: `serve(GATEWAY_WEB_WORKERS="2")`."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(serving(home, **environment))


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    """Yield a running service of `home`."""
    with serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a service in two processes that all tests of a file share: give each a dataset."""
    path = tmp_path_factory.mktemp("shared") / "home"
    init_home(path)
    with serving(path, GATEWAY_WEB_WORKERS="2") as running:
        yield running


@pytest.fixture(scope="session")
def put_volume() -> Callable[..., NDArray[np.uint16]]:
    """Return what writes a volume into a store: `put_volume(store, "brain/raw")`."""
    return _put_volume


def _put_volume(
    store: Store, ref: str, shape: tuple[int, int, int] = (70, 60, 50), *, labels: bool = False
) -> NDArray[np.uint16]:
    kind, dtype, reduce = (
        ("labels", "uint32", reduce_mode) if labels else ("image", "uint16", reduce_mean)
    )
    info = VolumeInfo(kind=kind, dtype=dtype, shape=shape, voxel_um=(4.0, 2.0, 2.0))  # type: ignore[arg-type]  # one of two
    random = np.random.default_rng(11)
    voxels = random.integers(1, 4000, info.array_shape).astype(dtype)
    key = f"{ref}.ome.zarr"
    planned = create_volume(store, key, info, reduce).info
    writer = open_writer(store, key, reduce)
    cells = [
        writer.write(box, voxels[(slice(None), *box.slices())])
        for box in shard_boxes(planned.levels[0])
    ]
    for level in range(writer.derived + 1, len(planned.levels)):
        cells += [writer.write_level(level, box) for box in shard_boxes(planned.levels[level])]
    writer.finish(cells, made_by="run-1")
    return voxels


@pytest.fixture(scope="module")
def brain_server(
    tmp_path_factory: pytest.TempPathFactory, fill_dataset: Callable[..., None]
) -> Iterator[Server]:
    """Yield a service, one for all tests of a file, whose dataset `brain` no test changes."""
    path = tmp_path_factory.mktemp("served") / "home"
    init_home(path)
    with serving(path) as running:
        fill_dataset(running.gateway.store, "brain")
        yield running


@pytest.fixture(scope="session", name="serving")
def serving_home() -> Callable[..., Any]:
    """Return what serves a home until its block ends: `with serving(home) as server`."""
    return serving
