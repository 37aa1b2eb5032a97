"""Fixtures shared by all tests."""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from socket import create_server
from typing import Any, NoReturn

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.service.home import init_home
from gateway.volumes.dataset import DatasetInfo, write_dataset
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.points import write_points
from gateway.volumes.writer import create_volume

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background: the processes that tests start and stop must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["docker_fixtures", "hub_fixtures"]
Lacking = Callable[[str, str], NoReturn]


@pytest.fixture(scope="session")
def lacking() -> Lacking:
    """Return what a fixture calls when its tier cannot run here: `lacking(tier, reason)`.

    It skips, unless `GATEWAY_REQUIRE=postgres,s3,data` names the tier: then it fails, so that
    a run meant to be complete cannot pass with holes.
    """

    def stop(tier: str, reason: str) -> NoReturn:
        if tier in os.environ.get("GATEWAY_REQUIRE", "").split(","):
            pytest.fail(f"GATEWAY_REQUIRE names {tier!r}, but {reason}")
        pytest.skip(reason)

    return stop


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh, empty gateway home."""
    path = tmp_path / "home"
    init_home(path)
    return path


@pytest.fixture(scope="module")
def trialtools() -> Iterator[Path]:
    """Install the package of trial tools for one file of tests, and yield where it lies."""
    site = Path(__file__).parent / "run" / "site"
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    yield site
    patch.undo()


@pytest.fixture(scope="session")
def data_dir(lacking: Lacking) -> Path:
    """Return the folder of real test volumes, or skip."""
    folder = os.environ.get("GATEWAY_TEST_DATA")
    if not folder:
        lacking("data", "GATEWAY_TEST_DATA is not set: the real test volumes are not here")
    path = Path(folder).resolve()
    if not path.is_dir():
        lacking("data", f"GATEWAY_TEST_DATA={folder} is not a folder")
    return path


@pytest.fixture(scope="session")
def postgres_server(lacking: Lacking) -> Iterator[str]:
    """Yield the URL of a PostgreSQL server that lets us make databases."""
    given = os.environ.get("GATEWAY_TEST_POSTGRES")
    if given:
        yield given
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        lacking("postgres", "no PostgreSQL: set GATEWAY_TEST_POSTGRES=URL or install postgresql")
    # outside pytest's folder, which the server's own account may not enter
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-", dir="/tmp"))
    as_server: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_server = ["runuser", "-u", "postgres", "--"]
    binaries, data = programs[-1].parent, folder / "data"
    flags = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"

    def call(program: str, *arguments: str | Path) -> None:
        command = [*as_server, binaries / program, *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    try:
        call("initdb", "-D", data, "-U", "gateway", "-A", "trust", "-E", "UTF8", "--no-sync")
        call("pg_ctl", "start", "-w", "-D", data, "-l", folder / "log", "-o", flags)
        try:
            yield f"postgresql://gateway@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Yield the URL of a fresh, empty PostgreSQL database."""
    name = f"gateway_test_{uuid.uuid4().hex[:12]}"
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield server.set(database=name, drivername="postgresql").render_as_string(
            hide_password=False
        )
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Start an S3 server process and stop it at the end."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(endpoint, server)
        yield endpoint
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def _bucket_numbers() -> Iterator[int]:
    return count()


@pytest.fixture
def s3_url(
    s3_endpoint: str, _bucket_numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Make a bucket and return the URL of an empty store in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    bucket = f"bucket-{next(_bucket_numbers)}"
    request = urllib.request.Request(f"{s3_endpoint}/{bucket}", method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
    return f"s3://{bucket}/lab/store?endpoint={s3_endpoint}"


def _wait_for(endpoint: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5):  # noqa: S310
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the S3 test server did not start")


@pytest.fixture(scope="session")
def fill_dataset() -> Callable[..., None]:
    """Return what puts an image of two channels, labels and points into a store.

    `fill_dataset(store, "brain")` makes `brain/image`, `brain/labels` and `brain/cells`: 96 x 160 x
    128 voxels of 2 x 1 x 1 µm from (10, 20, 30) µm on; a bright ball lies at the centre of channel
    0, a bright corner at the end of channel 1; the labels are the ball, the points 5000 around it.
    """
    return _fill_dataset


def _fill_dataset(store: Any, dataset: str, *, points: int = 5000) -> None:
    shape, voxel_um, origin_um = (96, 160, 128), (2.0, 1.0, 1.0), (10.0, 20.0, 30.0)
    z, y, x = np.ogrid[:96, :160, :128]
    ball = ((z - 48) * 2) ** 2 + (y - 80) ** 2 + (x - 64) ** 2 < 30**2
    noise = np.random.default_rng(0).integers(90, 111, shape, np.uint16)
    corner = np.where((z >= 64) & (y >= 120) & (x >= 96), 3000, 0).astype(np.uint16)
    image = np.stack([noise + ball.astype(np.uint16) * 2000, noise + corner])
    channels = (Channel(name="nuclei"), Channel(name="vessels"))
    place = {"shape": shape, "voxel_um": voxel_um, "origin_um": origin_um}
    write_whole(
        store,
        f"{dataset}/image.ome.zarr",
        VolumeInfo(kind="image", dtype="uint16", channels=channels, **place),
        image,
    )
    write_whole(
        store,
        f"{dataset}/labels.ome.zarr",
        VolumeInfo(kind="labels", dtype="uint32", **place),
        ball[np.newaxis].astype(np.uint32) * 7,
    )
    random = np.random.default_rng(1)
    centre = np.asarray(origin_um) + np.asarray((48, 80, 64)) * np.asarray(voxel_um)
    at = centre + random.uniform(-28, 28, (points, 3))
    columns: dict[str, Any] = {name: at[:, i] for i, name in enumerate(("z_um", "y_um", "x_um"))}
    columns["label"] = np.arange(1, points + 1, dtype=np.int64)
    columns["Mean (a.u.)"] = random.normal(100, 10, points).astype(np.float32)
    columns["class"] = np.asarray(["neuron", "glia", "artefact"])[np.arange(points) % 3]
    write_points(store, f"{dataset}/cells.points.parquet", columns)
    write_dataset(store, dataset, DatasetInfo(title="A ball"))


def write_whole(store: Any, key: str, info: VolumeInfo, voxels: Any) -> None:
    """Write a volume whole, `czyx`, with all its levels."""
    reduce = reduce_mode if info.kind == "labels" else reduce_mean
    writer = create_volume(store, key, info, reduce)
    cells = [
        writer.write(box, voxels[(slice(None), *box.slices())])
        for box in shard_boxes(writer.info.levels[0])
    ]
    for number in range(writer.derived + 1, len(writer.info.levels)):
        cells += [
            writer.write_level(number, box) for box in shard_boxes(writer.info.levels[number])
        ]
    writer.finish(cells)
