"""Fixtures for tests with containers: an engine, and the images of the project on it."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest
from container_engine import (
    ContainerEngine,
    NoEngineError,
    default_cache,
    find_client,
    load_base,
    probe,
    running_engine,
)

import gateway

ROOT = Path(__file__).parents[2]
SECRET = "gateway-test-secret-7b1d93"  # noqa: S105 - it opens nothing
"""Stands in each file that is given to a build as a secret."""
PREFIX = os.environ.get("GATEWAY_TEST_PREFIX", "gateway-test")
"""First part of the names of images that tests build, before the one they have elsewhere."""
Lacking = Callable[[str, str], NoReturn]
BuildImages = Callable[..., list[str]]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Send all tests that need the engine to one process: there is one engine.

    A hook that changes the items when all are collected would come after that of xdist.
    """
    if item.get_closest_marker("docker") is not None:
        item.add_marker(pytest.mark.xdist_group("docker"))


@pytest.fixture(scope="session")
def container_engine(lacking: Lacking) -> Iterator[ContainerEngine]:
    """Yield an engine that starts containers and has the base image.

    It is the one that `DOCKER_HOST` names, else one of our own.
    """
    given = os.environ.get("DOCKER_HOST")
    cache = default_cache()
    # a socket's path is short, and pytest's folder may be long
    folder = Path(tempfile.mkdtemp(prefix="gateway-engine-", dir="/tmp"))
    try:
        if given:
            engine = ContainerEngine(given, find_client())
            probe(engine, load_base(engine, cache))
            yield engine
            return
        with running_engine(folder, cache) as engine:
            probe(engine, load_base(engine, cache))
            yield engine
    except NoEngineError as error:
        lacking("docker", str(error))
    finally:
        if folder.exists():
            folder.rmdir()


@pytest.fixture(scope="session")
def base_image(container_engine: ContainerEngine) -> str:
    """Return the name of the image that all others start from."""
    return load_base(container_engine, default_cache())


@pytest.fixture(scope="session")
def build_images(
    container_engine: ContainerEngine, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> BuildImages:
    """Return what builds images of the project, `build_images("tools", "lab")`; gives their names.

    They are built at most once a session, on the base that the engine has, by `images/build.py`;
    a home with `image_name = "{PREFIX}/{image}:{version}"` runs tools in them.
    `GATEWAY_TEST_BUILD` holds more words for it, such as `--pip-config FILE`.
    """
    prefix, built = f"{PREFIX}/brain-gateway", dict[str, str]()
    common = ["--base", base_image, "--prefix", prefix, "--network", "host"]
    common += ["--docker", container_engine.client]
    common += _secrets(tmp_path_factory.mktemp("secrets"))
    common += shlex.split(os.environ.get("GATEWAY_TEST_BUILD", ""))

    def build(*names: str) -> list[str]:
        missing = [name for name in names if name not in built]
        if missing:
            done = subprocess.run(
                [sys.executable, "images/build.py", *missing, *common],
                cwd=ROOT,
                env=container_engine.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                pytest.fail(f"the images {', '.join(missing)} were not built: {done.stderr}")
            built.update({name: f"{prefix}/{name}:{gateway.__version__}" for name in missing})
        return [built[name] for name in names]

    return build


@pytest.fixture(scope="session")
def engine(container_engine: ContainerEngine) -> Iterator[docker.APIClient]:
    """Yield a client of the engine, to look at what others made there."""
    client = docker.APIClient(base_url=container_engine.host, version="auto", timeout=120)
    yield client
    client.close()


@pytest.fixture(scope="session")
def lab_image(build_images: BuildImages) -> str:
    """Return the image that notebook servers start from."""
    (name,) = build_images("lab")
    return name


def _secrets(folder: Path) -> list[str]:
    """Return what gives a build this machine's certificates and a pip.conf that says little."""
    pip, given = folder / "pip.conf", folder / "ca.crt"
    pip.write_text(f"# {SECRET}\n[global]\ntimeout = 60\n")
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")  # which a proxy on the way may need
    if not bundle.is_file():
        return ["--pip-config", str(pip)]
    given.write_text(f"{bundle.read_text()}\n# {SECRET}\n")
    return ["--ca", str(given), "--pip-config", str(pip)]
