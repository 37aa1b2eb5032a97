"""A served gateway with one dataset, and the same gateway opened by its home."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gateway as package
from gateway.client.session import Session
from gateway.service.access.actor import Role
from gateway.service.access.sessions import open_session
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.ingest import IngestOptions, ingest
from gateway.service.rebuild import rebuild_catalogue
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref


def _load_web() -> ModuleType:
    """Load what starts services for the tests of the web."""
    path = Path(__file__).parents[1] / "web" / "conftest.py"
    spec = importlib.util.spec_from_file_location("web_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["web_conftest"] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Lab:
    """What the tests know of the served gateway."""

    server: Any
    home: Path
    voxels: NDArray[Any]
    columns: dict[str, NDArray[Any]]
    token: str
    """Of an administrator."""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    home, random = folder / "home", np.random.default_rng(5)
    init_home(home)
    voxels = random.integers(0, 60000, (24, 70, 90)).astype(np.uint16)
    np.save(folder / "raw.npy", voxels)
    gateway = open_gateway(home)
    options = IngestOptions(
        voxel_um=(4.0, 2.0, 2.0),
        dataset=DatasetInfo(title="A mouse brain", species="Mus musculus", tags=["test"]),
    )
    ingest(gateway, folder / "raw.npy", Ref("mouse1", "raw"), options)
    columns = {
        name: random.uniform(0, top, 40_000)
        for name, top in (("z_um", 96.0), ("y_um", 140.0), ("x_um", 180.0))
    }
    columns["size"] = random.integers(0, 9, 40_000).astype(np.int32)
    columns["class"] = random.choice(["cell", "glia"], 40_000)
    write_points(gateway.store, "mouse1/nuclei.points.parquet", columns)
    rebuild_catalogue(gateway)
    gateway.catalogue.close()
    with _load_web().serving(home) as server:
        with package.connect(home=home) as local:
            administrator = local.me()["person"]
        token = open_session(server.gateway, administrator, kind="token")
        yield Lab(server, home, voxels, columns, token)


@pytest.fixture(params=["home", "url"])
def session(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Session]:
    """Yield a session of either kind: every test holds for both."""
    url = lab.server.url
    opened = (
        package.connect(home=lab.home)
        if request.param == "home"
        else package.connect(url, lab.token)
    )
    with opened:
        yield opened


@pytest.fixture
def viewer(lab: Lab) -> Iterator[Session]:
    """Yield the session of somebody who may only look."""
    client = lab.server.client("vera", mouse1=Role.VIEWER)
    token = client.headers["Authorization"].removeprefix("Bearer ")
    client.close()
    with package.connect(lab.server.url, token) as opened:
        yield opened


@pytest.fixture
def unused_port() -> int:
    """Return a port that nobody listens on."""
    with create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
